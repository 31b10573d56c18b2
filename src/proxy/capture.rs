//! A request of which somebody wants a copy, while it waits for its answer. However the wait ends, it is handed over once.

use std::cell::RefCell;
use std::rc::Rc;

use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};

use super::copy::{Copy, HandOver};
use super::forward::Shared;
use super::hooks::{LandingEdit, Settled};
use super::tee::{Reservation, Tee};
use crate::exchange::{Exchange, RequestRecord, ResponseRecord};

/// A captured request.
pub struct Capture {
    shared: Rc<Shared>,
    record: Option<Box<RequestRecord>>,
    tee: Rc<RefCell<Tee>>,
}

impl Capture {
    /// Of a request whose body is copied into `tee`.
    #[must_use]
    pub fn new(shared: &Rc<Shared>, record: RequestRecord, tee: Tee) -> Self {
        Self { shared: Rc::clone(shared), record: Some(Box::new(record)), tee: Rc::new(RefCell::new(tee)) }
    }

    /// Where the body goes as it passes.
    #[must_use]
    pub fn tee(&self) -> Rc<RefCell<Tee>> {
        Rc::clone(&self.tee)
    }

    /// The site has answered, and this is the head as it came: what the answer gains, and the copy of its body.
    #[must_use]
    pub fn answered(mut self, status: StatusCode, mut headers: HeaderMap) -> (Option<LandingEdit>, Copy) {
        let shared = Rc::clone(&self.shared);
        let edit = self.record.as_ref().and_then(|record| shared.hooks.answering(record, status, &headers));
        if let Some(edit) = &edit {
            // In the copy as well: the listener knows the browser again by it.
            headers.extend(edit.set_cookies.iter().map(|cookie| (SET_COOKIE, cookie.clone())));
        }
        let cap = if shared.hooks.reads_answer(&headers) { shared.limits.capture_bytes } else { 0 };
        let hand_over: HandOver = Box::new(move |tee| {
            let (body, memory) = tee.into_captured();
            self.complete(Some((ResponseRecord { status, headers, body }, memory)))
        });
        (edit, Copy::new(Tee::new(cap, &shared.budget, None), hand_over))
    }

    /// The site has given no answer that could be passed on.
    pub fn unanswered(mut self) {
        drop(self.complete(None));
    }

    fn complete(&mut self, response: Option<(ResponseRecord, Reservation)>) -> Option<Settled> {
        let mut request = *self.record.take()?;
        // The upload may still hold the other end of the cell.
        let tee = self.tee.replace(Tee::new(0, &self.shared.budget, None));
        let (body, memory) = tee.into_captured();
        request.body = body;
        let (response, answer_memory) = response.unzip();
        let memory = std::iter::once(memory).chain(answer_memory).collect();
        self.shared.hooks.complete(Exchange { request, response }, memory)
    }
}

impl Drop for Capture {
    /// The visitor left before the site had answered: what was copied proves nothing.
    fn drop(&mut self) {
        if self.record.is_some() {
            self.tee.replace(Tee::new(0, &self.shared.budget, None));
            drop(self.complete(None));
        }
    }
}
