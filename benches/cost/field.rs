//! The contestants, each configured to do the same: pass on what it gets over kept connections, and say who asked.

use std::fs;
use std::path::Path;

use crate::graph::Graph;
use crate::origin::Origin;
use crate::support::{CORES, Process, free_port, nginx_for, pinned, start_sidecar_with, wait_for};

/// One program before the origin.
pub struct Contestant {
    pub name: &'static str,
    pub port: u16,
    pub process: Process,
    /// Where a sidecar's leads go.
    pub graph: Option<Graph>,
}

/// All of them, in the order of the tables.
pub struct Field(pub Vec<Contestant>);

pub const RELAY: &str = "TCP relay";
pub const NGINX: &str = "nginx";
pub const NGINX_AGAIN: &str = "nginx again (noise)";
pub const HAPROXY: &str = "HAProxy";
pub const SIDECAR: &str = "capi-sidecar";
pub const FULL_WAY: &str = "capi-sidecar, full way";
pub const FULL_WAY_LOWER: &str = "capi-sidecar, full way, lower case";

/// Connections that a contestant has room for where it is loaded.
const ROOM: usize = 1024;

impl Field {
    pub fn start(dir: &Path, origin: &Origin) -> Self {
        Self(vec![
            Contestant::relay(origin),
            Contestant::nginx(NGINX, dir, origin, ROOM),
            Contestant::nginx(NGINX_AGAIN, dir, origin, ROOM),
            Contestant::haproxy(dir, origin, ROOM),
            Contestant::sidecar(SIDECAR, dir, origin, &[]),
            Contestant::sidecar(FULL_WAY, dir, origin, &["--plain-way=false"]),
            Contestant::sidecar(FULL_WAY_LOWER, dir, origin, &["--plain-way=false", "--header-case", "lower"]),
        ])
    }

    /// Where one stands in the tables.
    pub fn place(&self, name: &str) -> usize {
        self.0.iter().position(|contestant| contestant.name == name).expect("a contestant")
    }
}

impl Contestant {
    fn new(name: &'static str, port: u16, process: Process) -> Self {
        wait_for(port);
        Self { name, port, process, graph: None }
    }

    pub fn relay(origin: &Origin) -> Self {
        let port = free_port();
        let this = std::env::current_exe().expect("this program");
        let (from, to) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{}", origin.port));
        Self::new(RELAY, port, pinned(CORES.0, &this.to_string_lossy(), &["relay", &from, &to]))
    }

    pub fn nginx(name: &'static str, dir: &Path, origin: &Origin, room: usize) -> Self {
        let port = free_port();
        // Answers that are not fetched as fast as they come would go to disk: that is not what is measured.
        let http = format!(
            "keepalive_timeout 600s; proxy_max_temp_file_size 0;\n\
             upstream site {{ server 127.0.0.1:{}; keepalive 64; keepalive_requests 100000000; }}\n\
             server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://site; proxy_http_version 1.1;\n\
             proxy_set_header Connection ''; proxy_set_header Host $http_host;\n\
             proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;\n\
             proxy_set_header X-Forwarded-Host $http_host; }} }}",
            origin.port
        );
        Self::new(name, port, nginx_for(room, dir, &format!("nginx-{port}"), &http, CORES.0, port))
    }

    pub fn haproxy(dir: &Path, origin: &Origin, room: usize) -> Self {
        let port = free_port();
        let conf = dir.join(format!("haproxy-{port}.cfg"));
        let text = format!(
            "global\n nbthread 1\n maxconn {room}\n no strict-limits\ndefaults\n mode http\n timeout connect 5s\n \
             timeout client 600s\n timeout server 600s\n option forwardfor\n http-reuse always\nfrontend f\n \
             bind 127.0.0.1:{port} backlog 4096\n http-request set-header X-Forwarded-Proto http\n \
             http-request set-header X-Forwarded-Host %[req.hdr(host)]\n default_backend b\n\
             backend b\n server s 127.0.0.1:{} pool-max-conn 64\n",
            origin.port
        );
        fs::write(&conf, text).expect("a configuration");
        Self::new(HAPROXY, port, pinned(CORES.0, "haproxy", &["-db", "-f", &conf.to_string_lossy()]))
    }

    pub fn sidecar(name: &'static str, dir: &Path, origin: &Origin, flags: &[&str]) -> Self {
        let graph = Graph::start();
        let store = format!("store-{}", free_port());
        let (process, port) = start_sidecar_with(dir, &store, origin.port, &graph.url, flags);
        Self { graph: Some(graph), ..Self::new(name, port, process) }
    }
}

/// The floor: bytes in, bytes out, one connection for one connection.
pub fn relay(from: &str, to: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(from).await.expect("a listener");
        loop {
            let Ok((mut visitor, _)) = listener.accept().await else { continue };
            let to = to.to_owned();
            tokio::spawn(async move {
                let Ok(mut site) = tokio::net::TcpStream::connect(to).await else { return };
                let _ = visitor.set_nodelay(true);
                let _ = site.set_nodelay(true);
                let _ = tokio::io::copy_bidirectional(&mut visitor, &mut site).await;
            });
        }
    });
}
