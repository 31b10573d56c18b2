//! The site behind all contestants: nginx, which answers faster than anybody asks.

use std::fs;
use std::path::Path;

use crate::support::{CORES, Process, free_port, nginx_for};

/// The running site.
pub struct Origin {
    pub port: u16,
    _process: Process,
}

/// What the small answers say.
pub const HELLO: &str = "hello";

impl Origin {
    #[allow(dead_code, reason = "the soak has further locations")]
    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, "")
    }

    /// With further locations.
    pub fn start_with(dir: &Path, more: &str) -> Self {
        let root = dir.join("site");
        fs::create_dir(&root).expect("a folder");
        fs::write(root.join("contact.html"), page()).expect("a page");
        fs::write(root.join("download.bin"), vec![b'x'; 8 << 20]).expect("a file");
        // Workers of nginx are no longer root, and may not enter a private folder.
        #[cfg(unix)]
        fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a folder");
        let port = free_port();
        let lines: String = ANSWER.iter().map(|line| format!("add_header {line};\n")).collect();
        let http = format!(
            "keepalive_timeout 600s; sendfile on; tcp_nodelay on; open_file_cache max=16; open_file_cache_valid 600s;\n\
             types {{ text/html html; application/octet-stream bin; }}\n\
             server {{ listen 127.0.0.1:{port}; absolute_redirect off; root {};\n\
             location = / {{ return 200 '{HELLO}'; }}\n\
             location = /browser {{ {lines} return 200 '{HELLO}'; }}\n\
             location = /landing {{ default_type text/html; return 200 '<!doctype html><title>Chairs</title>'; }}\n\
             location = /quote {{ return 303 /thank-you; }} {more} }}",
            root.display()
        );
        Self { port, _process: nginx_for(8192, dir, "origin", &http, CORES.1, port) }
    }
}

/// Some 600 bytes of header lines, as an application and a cache plug-in send.
const ANSWER: &[&str] = &[
    "Cache-Control 'no-cache, must-revalidate, max-age=0'",
    "Expires 'Wed, 11 Jan 1984 05:00:00 GMT'",
    "Vary 'Accept-Encoding, Cookie'",
    "X-Powered-By 'PHP/8.2.29'",
    "Link '<http://shop.example/wp-json/>; rel=\"https://api.w.org/\"'",
    "Set-Cookie 'visit=0123456789abcdef; path=/; HttpOnly; SameSite=Lax'",
    "Content-Security-Policy \"default-src 'self'; img-src 'self' data:; frame-ancestors 'self'\"",
    "Referrer-Policy 'strict-origin-when-cross-origin'",
    "X-Content-Type-Options 'nosniff'",
    "X-Frame-Options 'SAMEORIGIN'",
];

/// 16 KiB: text with a form in its middle.
fn page() -> String {
    let text = "<p>An oak chair is made by hand, and it takes the time that it takes.</p>\n";
    let form = "<form method=post action=/quote><label>E-mail <input type=email name=f1></label>\
                <label>Phone <input type=tel name=f2></label><textarea name=f3></textarea><button>Send</button></form>\n";
    let mut page = "<!doctype html><html lang=en><title>Contact</title><body>\n".to_owned();
    while page.len() < 8 << 10 {
        page.push_str(text);
    }
    page.push_str(form);
    while page.len() < 16 << 10 {
        page.push_str(text);
    }
    page
}
