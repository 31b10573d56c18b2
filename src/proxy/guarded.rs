//! A listener whose panics end here: a fault in tracking must not cost a visitor the page.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::fields::Fields;
use super::hooks::{Head, Hooks, LandingEdit, PageAddress, PageCopy, PageTicket, Settled, Watch};
use super::tee::Reservation;
use crate::exchange::{Exchange, RequestRecord};

/// Asks the listener; where that panics, nobody was listening. What the panic was is said by the process's panic hook.
pub struct Guarded(Arc<dyn Hooks>);

impl Guarded {
    /// Around that listener.
    #[must_use]
    pub fn new(hooks: Arc<dyn Hooks>) -> Self {
        Self(hooks)
    }

    fn ask<T>(&self, nothing: T, question: impl FnOnce(&dyn Hooks) -> T) -> T {
        // The listener's own state is behind locks and atomics, whose holders expect poison.
        catch_unwind(AssertUnwindSafe(|| question(&*self.0))).unwrap_or(nothing)
    }
}

impl Hooks for Guarded {
    fn watch(&self, head: &Head<'_>) -> Watch {
        self.ask(Watch::Nothing, |hooks| hooks.watch(head))
    }

    fn landing(&self, request: &RequestRecord, answer: &dyn Fields) -> Option<LandingEdit> {
        self.ask(None, |hooks| hooks.landing(request, answer))
    }

    fn answering(&self, request: &RequestRecord, status: StatusCode, answer: &HeaderMap) -> Option<LandingEdit> {
        self.ask(None, |hooks| hooks.answering(request, status, answer))
    }

    fn hand_over(&self, request: &RequestRecord) -> Vec<(HeaderName, HeaderValue)> {
        self.ask(Vec::new(), |hooks| hooks.hand_over(request))
    }

    fn reads_answer(&self, answer: &HeaderMap) -> bool {
        self.ask(false, |hooks| hooks.reads_answer(answer))
    }

    fn reads_page(&self, page: &PageAddress, answer: &dyn Fields) -> Option<PageTicket> {
        self.ask(None, |hooks| hooks.reads_page(page, answer))
    }

    fn page(&self, copy: PageCopy) {
        self.ask((), |hooks| hooks.page(copy));
    }

    fn complete(&self, exchange: Exchange, memory: Vec<Reservation>) -> Option<Settled> {
        self.ask(None, |hooks| hooks.complete(exchange, memory))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Once;
    use std::thread;

    use super::*;
    use crate::config::{Purpose, Sources, load};
    use crate::exchange::{Captured, UnixMillis};
    use crate::proxy::dial::Dialer;
    use crate::proxy::front::Front;
    use crate::proxy::listener::Listener;
    use crate::proxy::server::{Options, Server};
    use crate::proxy::tee::Budget;
    use http::Method;

    struct Faulty;

    #[allow(clippy::panic)]
    impl Hooks for Faulty {
        fn watch(&self, _: &Head<'_>) -> Watch {
            panic!("a bug")
        }
        fn landing(&self, _: &RequestRecord, _: &dyn Fields) -> Option<LandingEdit> {
            panic!("a bug")
        }
        fn answering(&self, _: &RequestRecord, _: StatusCode, _: &HeaderMap) -> Option<LandingEdit> {
            panic!("a bug")
        }
        fn hand_over(&self, _: &RequestRecord) -> Vec<(HeaderName, HeaderValue)> {
            panic!("a bug")
        }
        fn reads_answer(&self, _: &HeaderMap) -> bool {
            panic!("a bug")
        }
        fn reads_page(&self, _: &PageAddress, _: &dyn Fields) -> Option<PageTicket> {
            panic!("a bug")
        }
        fn page(&self, _: PageCopy) {
            panic!("a bug")
        }
        fn complete(&self, _: Exchange, _: Vec<Reservation>) -> Option<Settled> {
            panic!("a bug")
        }
    }

    #[test]
    fn a_listener_that_panics_is_a_listener_that_is_not_there() {
        let hooks = Guarded::new(Arc::new(Faulty));
        let (answer, method) = (HeaderMap::new(), Method::GET);
        let visitor = || [192, 0, 2, 7].into();
        let head = Head { method: &method, target: "/", host: "a", fields: &answer, visitor: &visitor };
        assert!(matches!(hooks.watch(&head), Watch::Nothing));
        let request = RequestRecord {
            method,
            target: "/".to_owned(),
            https: false,
            host: "a".to_owned(),
            headers: HeaderMap::new(),
            body: Captured::Aborted,
            client_ip: None,
            received: UnixMillis(0),
        };
        assert!(hooks.landing(&request, &answer).is_none());
        assert!(hooks.answering(&request, StatusCode::OK, &answer).is_none());
        assert!(hooks.hand_over(&request).is_empty() && !hooks.reads_answer(&answer));
        assert!(hooks.reads_page(&PageAddress::joined("a", "/"), &answer).is_none());
        assert!(hooks.complete(Exchange { request, response: None }, Vec::new()).is_none());
    }

    #[test]
    fn visitors_get_their_pages_whatever_the_listener_does() {
        let site = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = format!("http://{}", site.local_addr().unwrap());
        thread::spawn(move || {
            for mut stream in site.incoming().flatten() {
                thread::spawn(move || {
                    let mut read = [0; 4096];
                    while stream.read(&mut read).is_ok_and(|length| length > 0) {
                        let page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\npage";
                        stream.write_all(page).unwrap();
                    }
                });
            }
        });
        let flags = [("upstream", &*upstream), ("listen", "127.0.0.1:0"), ("pixel-id", "1234567890"), ("workers", "1")];
        let flags = flags.map(|(name, value)| (name.to_owned(), vec![value.to_owned()])).into();
        let env = [("CAPI_ACCESS_TOKEN".to_owned(), "test-token".to_owned())].into();
        let config = load(&Sources { file: None, env, flags }, Purpose::Run).unwrap().config;
        let listener = Listener::open(&config.listen, None).unwrap();
        let options = Options {
            hooks: Arc::new(Faulty),
            budget: Budget::new(1 << 20),
            counts: Arc::default(),
            proto_hint: Arc::new(Once::new()),
            front: Front::new(&config).unwrap(),
            dialer: Dialer::new(config.upstream.clone(), &[]).unwrap(),
            config,
        };
        let server = Server::start(options, listener).unwrap();
        let address = server.place().to_string();
        let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b";
        for request in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", &format!("POST / HTTP/1.1\r\nHost: a\r\n{form}")] {
            let mut visitor = TcpStream::connect(&address).unwrap();
            visitor.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
            visitor.write_all(request.as_bytes()).unwrap();
            let mut reply = Vec::new();
            while !reply.ends_with(b"page") {
                let mut piece = [0; 1024];
                let read = visitor.read(&mut piece).unwrap();
                assert!(read > 0, "the connection ended: {request}");
                reply.extend_from_slice(&piece[..read]);
            }
            assert!(reply.starts_with(b"HTTP/1.1 200 OK"), "{request}");
        }
        assert!(server.drain());
    }
}
