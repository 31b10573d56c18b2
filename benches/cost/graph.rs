//! As much of Graph as costs nothing: it counts the events it takes. `examples/demo/graph.rs` judges and keeps them, which
//! would take the load's core.

#[path = "../../examples/demo/http.rs"]
mod http;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize)]
struct Body {
    data: Vec<IgnoredAny>,
}

/// The running stand-in.
pub struct Graph {
    pub url: String,
    taken: Arc<AtomicUsize>,
}

impl Graph {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its port"));
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        http::serve(listener, move |request| {
            let body: Body = serde_json::from_slice(&request.body).ok()?;
            let count = body.data.len();
            counter.fetch_add(count, Ordering::Relaxed);
            Some(http::answer(200, &["Content-Type: application/json"], &format!("{{\"events_received\":{count}}}")))
        });
        Self { url, taken }
    }

    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Waits until so many events have come.
    pub fn wait_for(&self, events: usize) {
        let start = Instant::now();
        while self.taken() < events {
            assert!(start.elapsed() < Duration::from_secs(30), "{} of {events} leads were delivered", self.taken());
            thread::sleep(Duration::from_millis(20));
        }
    }
}
