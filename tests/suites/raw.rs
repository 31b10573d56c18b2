//! Both ends of a proxy as bytes: a visitor who sends what he likes, and a site that keeps what it gets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::strict::{self, Ambiguity, Conversation, text};
use crate::support::{connect, wait_until};

/// Sends bytes and reads until the proxy has no more patience.
pub fn ask(proxy: SocketAddr, bytes: &[u8]) -> Vec<String> {
    let mut stream = connect(proxy);
    let mut writer = stream.try_clone().unwrap();
    let bytes = bytes.to_vec();
    // The proxy may answer and close before it has read everything.
    let writer = thread::spawn(move || drop(writer.write_all(&bytes)));
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut part) {
        answer.extend_from_slice(&part[..count]);
    }
    writer.join().unwrap();
    let answer = text(&answer);
    answer.split("HTTP/1.").skip(1).filter_map(|answer| answer.get(2..5)).map(str::to_owned).collect()
}

/// Takes whatever comes, answers what it can read as a request, and keeps all bytes of each connection.
pub struct Site {
    pub address: SocketAddr,
    open: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Site {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (open, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let site = Self { address: listener.local_addr().unwrap(), open: open.clone(), seen: seen.clone() };
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                open.fetch_add(1, Ordering::SeqCst);
                // In the order in which the connections came.
                let place = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(Vec::new());
                    seen.len() - 1
                };
                let (open, seen) = (open.clone(), seen.clone());
                thread::spawn(move || {
                    let mut all = Vec::new();
                    let (mut part, mut answered) = ([0; 4096], false);
                    // To its end, also after the answer: what is hidden behind a request would come then.
                    while let Ok(count @ 1..) = stream.read(&mut part) {
                        all.extend_from_slice(&part[..count]);
                        let is_whole = strict::read(&all).map_or(true, |read| !read.requests.is_empty());
                        if is_whole && !answered {
                            answered = true;
                            let _ =
                                stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                        }
                    }
                    seen.lock().unwrap()[place] = all;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        site
    }

    /// What came of the case that has just ended.
    pub fn take(&self) -> Vec<Result<Conversation, Ambiguity>> {
        // The proxy closes what it no longer needs.
        wait_until("the connections to the site to end", || self.open.load(Ordering::SeqCst) == 0);
        self.seen
            .lock()
            .unwrap()
            .drain(..)
            .filter(|bytes| !bytes.is_empty())
            .map(|bytes| strict::read(&bytes))
            .collect()
    }
}
