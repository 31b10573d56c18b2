//! The smallest HTTP/1.1 server that the demo's site and the stand-in for Graph can live on: loopback, a thread per
//! connection, keep-alive, bodies by Content-Length. Not for anything real.
#![allow(dead_code, reason = "each includer uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// A request as it arrived.
pub struct Request {
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Request line and header lines.
    pub head: String,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (n, value) = line.split_once(':')?;
            n.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// What a server does about a request.
pub enum Reaction {
    /// Answers, and keeps the connection.
    Answer(Vec<u8>),
    /// Answers a byte at a time, with this pause after each.
    Drip(Vec<u8>, Duration),
    /// Sends these bytes, which may be less than an answer, and closes the connection.
    Close(Vec<u8>),
    /// Resets the connection: what is on its way to the client is lost.
    Reset,
    /// Says nothing for as long as the client waits.
    Silence,
}

/// Answers every request by the handler; `None` closes the connection without an answer.
pub fn serve(listener: TcpListener, handler: impl Fn(&Request) -> Option<Vec<u8>> + Send + Sync + 'static) {
    react(listener, move |request| handler(request).map_or(Reaction::Close(Vec::new()), Reaction::Answer));
}

/// Does with every request what the handler says.
pub fn react(listener: TcpListener, handler: impl Fn(&Request) -> Reaction + Send + Sync + 'static) {
    let handler = Arc::new(handler);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handler = Arc::clone(&handler);
            thread::spawn(move || converse(stream, &*handler));
        }
    });
}

fn converse(stream: TcpStream, handler: &dyn Fn(&Request) -> Reaction) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        match handler(&read(&mut reader)?) {
            Reaction::Answer(bytes) => writer.write_all(&bytes).ok()?,
            Reaction::Drip(bytes, pause) => {
                for byte in bytes {
                    writer.write_all(&[byte]).ok()?;
                    thread::sleep(pause);
                }
            }
            Reaction::Close(bytes) => return writer.write_all(&bytes).ok(),
            Reaction::Reset => return socket2::SockRef::from(&writer).set_linger(Some(Duration::ZERO)).ok(),
            Reaction::Silence => return reader.read(&mut [0]).map(drop).ok(),
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut words = head.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut request = Request { method, target, head, body: Vec::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// An answer with a Content-Length; `headers` are complete lines.
pub fn answer(status: u16, headers: &[&str], body: &str) -> Vec<u8> {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("HTTP/1.1 {status} -\r\n{lines}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
