//! Who posted a form, and what came of it: a stand-in for Graph that accepts everything and remembers whose lead it was.

#[path = "../../examples/demo/http.rs"]
mod http;

use std::collections::{HashMap, HashSet};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Body {
    data: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    event_id: String,
    #[serde(default)]
    user_data: UserData,
}

#[derive(Default, Deserialize)]
struct UserData {
    #[serde(default)]
    em: Vec<String>,
}

/// By the hash of an e-mail address; by event id where consent was denied, since nothing else says whose it was.
#[derive(Default)]
struct Book {
    posted: HashSet<String>,
    denied: usize,
    delivered: HashMap<String, u32>,
    nameless: HashMap<String, u32>,
}

/// The running stand-in, and its books.
pub struct Ledger {
    pub graph: String,
    book: Arc<Mutex<Book>>,
}

impl Ledger {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let graph = format!("http://{}", listener.local_addr().expect("its port"));
        let book = Arc::new(Mutex::new(Book::default()));
        let written = Arc::clone(&book);
        http::serve(listener, move |request| {
            let body: Body = serde_json::from_slice(&request.body).ok()?;
            let count = body.data.len();
            let mut book = written.lock().expect("no writer panics");
            for event in body.data {
                let times = match event.user_data.em.into_iter().next() {
                    Some(hash) => book.delivered.entry(hash).or_default(),
                    None => book.nameless.entry(event.event_id).or_default(),
                };
                *times += 1;
            }
            Some(http::answer(200, &["Content-Type: application/json"], &format!("{{\"events_received\":{count}}}")))
        });
        Self { graph, book }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no writer panics")
    }

    /// The site has accepted this visitor's form.
    pub fn posted(&self, email: &str) {
        self.book().posted.insert(hex::encode(Sha256::digest(email)));
    }

    /// The site has accepted the form of somebody who denies consent.
    pub fn denied(&self) {
        self.book().denied += 1;
    }

    /// Events posted, and delivered.
    pub fn counts(&self) -> (usize, usize) {
        let book = self.book();
        (book.posted.len() + book.denied, book.delivered.len() + book.nameless.len())
    }

    /// Gives what is on its way half a minute to arrive.
    pub fn settle(&self) {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(30) {
            let (posted, delivered) = self.counts();
            if delivered >= posted {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What is not as it should be: leads that are missing, came twice, or nobody posted.
    pub fn errors(&self) -> Vec<String> {
        let book = self.book();
        let missing = book.posted.iter().filter(|hash| !book.delivered.contains_key(*hash)).count();
        let twice = book.delivered.values().chain(book.nameless.values()).filter(|times| **times > 1).count();
        let unknown = book.delivered.keys().filter(|hash| !book.posted.contains(*hash)).count();
        let nameless = book.nameless.len().abs_diff(book.denied);
        let told = [
            (missing, "leads are missing"),
            (twice, "leads were delivered twice"),
            (unknown, "leads were delivered that nobody posted"),
            (nameless, "events of visitors without consent are missing or too many"),
        ];
        told.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }
}
