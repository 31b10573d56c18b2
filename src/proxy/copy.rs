//! The copy of an answer, which is handed over once: when all of it has passed, or as it stands when somebody breaks off.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::LOCATION;
use tokio::time::{Sleep, sleep};

use super::fields::Fields;
use super::hooks::Settled;
use super::tee::Tee;

/// Takes a finished copy; what it returns is worth a wait.
pub type HandOver = Box<dyn FnOnce(Tee) -> Option<Settled>>;

/// The copy, and who gets it.
pub struct Copy(Option<(Tee, HandOver)>);

impl Copy {
    /// Into `tee`, for `hand_over`.
    #[must_use]
    pub fn new(tee: Tee, hand_over: HandOver) -> Self {
        Self(Some((tee, hand_over)))
    }

    /// What has come of the body.
    pub fn push(&mut self, data: &Bytes) {
        if let Some((tee, _)) = &mut self.0 {
            tee.push(data);
        }
    }

    /// All of it has passed.
    pub fn complete(&mut self) -> Option<Settled> {
        let (mut tee, hand_over) = self.0.take()?;
        tee.end();
        hand_over(tee)
    }
}

impl Drop for Copy {
    /// The visitor or the site broke off: it is handed over as it stands, and says so.
    fn drop(&mut self) {
        if let Some((tee, hand_over)) = self.0.take() {
            drop(hand_over(tee));
        }
    }
}

/// Whether a browser follows an answer as soon as it sees the head, whatever body comes with it: then it is the head that
/// waits for the commit.
#[must_use]
pub fn is_followed_at_once(status: StatusCode, answer: &dyn Fields) -> bool {
    status.is_redirection() && answer.first(&LOCATION).is_some()
}

/// The bounded wait for the lead plane.
pub struct Commit {
    settled: Settled,
    deadline: Pin<Box<Sleep>>,
}

impl Commit {
    /// Waits for `settled`, but no longer than `wait`.
    #[must_use]
    pub fn new(settled: Settled, wait: Duration) -> Self {
        Self { settled, deadline: Box::pin(sleep(wait)) }
    }
}

impl Future for Commit {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Pin::new(&mut self.settled).poll(cx).is_ready() {
            return Poll::Ready(());
        }
        // Fail open: the answer goes out, the commit goes on. The lead plane counts it as late when its reply finds
        // nobody waiting.
        self.deadline.as_mut().poll(cx)
    }
}
