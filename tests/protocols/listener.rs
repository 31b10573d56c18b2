//! Where visitors connect: sockets in the file system, inherited sockets, and never the site itself.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use crate::NOWHERE;
use crate::peers::{ask, curl};
use crate::support::{InProcess, Process, Site, answer, free_port, run_args, send, wait_until};

const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";

/// The arguments with another place to listen at.
fn listening(mut args: Vec<String>, place: &str) -> Vec<String> {
    let listen = args.iter().position(|arg| arg == "--listen").unwrap();
    place.clone_into(&mut args[listen + 1]);
    args
}

#[test]
fn visitors_come_through_a_socket_file_that_ends_with_the_sidecar() {
    let (site, received) = Site::new(|_| answer("200 OK", &[], "through a file"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capi.sock");
    let listen = format!("unix:{}", path.display());
    let proxy = InProcess::start(&site.url(), NOWHERE, &[("listen", &listen), ("listen-mode", "0660")]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let mut visitor = UnixStream::connect(&path).unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&mut visitor, GET).text(), "through a file");
        assert_eq!(received.next().all("x-forwarded-for"), ["127.0.0.1"]);
    }
    drop(visitor);
    proxy.stop();
    assert!(!path.exists());
}

#[test]
#[ignore = "needs curl"]
fn curl_comes_through_a_socket_file() {
    let (site, _received) = Site::new(|_| answer("200 OK", &[], "through a file"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capi.sock").display().to_string();
    let _proxy = InProcess::start(&site.url(), NOWHERE, &[("listen", &format!("unix:{path}"))]);
    assert_eq!(curl(&["--unix-socket", &path, "http://shop.example/"]), "through a file");
}

#[test]
fn a_socket_file_left_by_a_kill_does_not_keep_the_next_start_out_and_a_running_one_does() {
    let (site, _received) = Site::new(|_| answer("200 OK", &[], ""));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capi.sock");
    let listen = format!("unix:{}", path.display());
    let start = |name: &str| {
        let own = dir.path().join(name);
        std::fs::create_dir(&own).unwrap();
        let args = listening(run_args(&own, &site.url(), NOWHERE), &listen);
        Process::sidecar(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let mut killed = start("a");
    wait_until("it to listen", || UnixStream::connect(&path).is_ok());
    let mut second = start("b");
    wait_until("the second to give up", || second.ended().is_some());
    assert_eq!(second.ended().unwrap().code(), Some(69), "{}", second.output());
    assert!(second.output().contains("is another process using it?"), "{}", second.output());
    killed.kill();
    assert!(path.exists() && UnixStream::connect(&path).is_err());
    let mut next = start("c");
    wait_until("the next to listen", || UnixStream::connect(&path).is_ok());
    assert_eq!(ask(&mut UnixStream::connect(&path).unwrap(), GET).status(), 200);
    assert_eq!(next.terminate(), Some(0), "{}", next.output());
    assert!(!path.exists());
}

/// The sidecar as systemd starts it: with a listening socket as descriptor 3.
fn activated(listener: TcpListener, args: &[String]) -> Process {
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_capi-sidecar"))
        .args(args)
        .env("CAPI_ACCESS_TOKEN", "test-token")
        .stdin(Stdio::from(OwnedFd::from(listener)));
    Process::start_with_stdin(&mut command)
}

#[test]
fn an_inherited_listener_is_used_instead_of_the_address_and_survives() {
    let (site, _received) = Site::new(|_| answer("200 OK", &[], "activated"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let args = run_args(dir.path(), &site.url(), NOWHERE);
    let mut first = activated(listener.try_clone().unwrap(), &args);
    assert_eq!(first.address("address"), address);
    assert_eq!(send(address, GET.as_bytes()).text(), "activated");
    wait_until("it to be said", || first.output().contains("an inherited listener is used"));
    assert_eq!(first.terminate(), Some(0), "{}", first.output());
    // Between two runs visitors wait in the kernel instead of being refused.
    let waiting = std::thread::spawn(move || send(address, GET.as_bytes()).text());
    let _second = activated(listener, &args);
    assert_eq!(waiting.join().unwrap(), "activated");
}

#[test]
fn a_site_that_is_this_sidecar_is_refused_at_the_start_by_name_and_by_inherited_address() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let args = run_args(dir.path(), &format!("http://localhost:{port}"), NOWHERE);
    let args = listening(args, &format!("127.0.0.1:{port}"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let inherited = run_args(dir.path(), &format!("http://{}", listener.local_addr().unwrap()), NOWHERE);
    let by_name = Process::sidecar(&args.iter().map(String::as_str).collect::<Vec<_>>());
    for mut refused in [by_name, activated(listener, &inherited)] {
        wait_until("it to give up", || refused.ended().is_some());
        assert_eq!(refused.ended().unwrap().code(), Some(78), "{}", refused.output());
        wait_until("it to say why", || refused.output().contains("requests would go in circles"));
    }
}
