//! `Expect: 100-continue` (RFC 9110 10.1.1): the visitor is told to go on when the site has said so, and not before, so that
//! an upload the site refuses is never sent. hyper tells the visitor as soon as its body is asked for; so the body waits.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, StatusCode};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

/// How long a site may take to say anything: as long as curl waits for a server that knows nothing of expectations.
const PATIENCE: Duration = Duration::from_secs(1);

/// The site's leave to send the body.
pub struct Permission {
    /// `None` when the site has answered without giving it.
    given: Option<oneshot::Receiver<()>>,
    patience: Pin<Box<Sleep>>,
}

/// The other end: listens to what the site says.
pub struct Listener(oneshot::Sender<()>);

/// Both ends.
#[must_use]
pub fn wait() -> (Listener, Permission) {
    let (sender, receiver) = oneshot::channel();
    (Listener(sender), Permission { given: Some(receiver), patience: Box::pin(sleep(PATIENCE)) })
}

impl Listener {
    /// Listens to the informational answers to this request. hyper drops the listener when the final answer is there.
    pub fn listen<B>(self, request: &mut Request<B>) {
        let sender = Mutex::new(Some(self.0));
        hyper::ext::on_informational(request, move |answer| {
            if answer.status() == StatusCode::CONTINUE
                && let Ok(mut sender) = sender.lock()
                && let Some(sender) = sender.take()
            {
                // Nobody is there any more when the visitor has left.
                let _ = sender.send(());
            }
        });
    }
}

impl Permission {
    /// Ready when the body may be read. Never, when the site has answered without wanting it.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(given) = &mut self.given else { return Poll::Pending };
        match Pin::new(given).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(_)) => {
                self.given = None;
                Poll::Pending
            }
            Poll::Pending => self.patience.as_mut().poll(cx),
        }
    }
}
