//! What the proxy speaks besides HTTP/1.1 over TCP in cleartext: each with real sockets and raw peers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/demo/graph.rs"]
mod graph;
#[path = "protocols/http2.rs"]
mod http2;
#[path = "protocols/listener.rs"]
mod listener;
#[path = "protocols/peers.rs"]
mod peers;
#[path = "protocols/proxy_header.rs"]
mod proxy_header;
mod support;
#[path = "protocols/tls.rs"]
mod tls;
#[path = "protocols/upstream.rs"]
mod upstream;

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";
