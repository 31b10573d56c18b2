//! Submissions whose answer says nothing and whose next page does: Post/Redirect/Get with the outcome in the session.

use super::answer::Answer;
use super::handlers::{self, Expected, Outcome, Post};
use super::url::{self, Url};
use super::{Reading, Verdict};
use crate::exchange::{Exchange, RequestRecord};
use crate::reason::Reason;

/// What the next page says.
#[derive(Debug)]
pub enum FollowUp {
    /// The outcome.
    Told {
        /// Lead or not, and why.
        verdict: Verdict,
        /// As [`Reading::outcome`].
        outcome: &'static str,
        /// As [`Reading::marker`].
        marker: String,
    },
    /// It redirects again: to this.
    Moved(Expected),
}

/// What is to be kept of a submission until then; `None` when the redirect leads nowhere on this site.
pub(super) fn expect(post: &Post<'_>, handler: &'static str, answer: &Answer<'_>) -> Option<Expected> {
    Some(Expected { handler, form: post.form.cloned(), before: post.before, url: location(post.request, answer)? })
}

/// Asks the page that was expected.
#[must_use]
pub fn follow_up(expected: &Expected, exchange: &Exchange) -> FollowUp {
    let answer = exchange.response.as_ref().map(Answer::new);
    let redirected = answer.as_ref().filter(|answer| answer.status().is_redirection());
    if let Some(url) = redirected.and_then(|answer| location(&exchange.request, answer)) {
        return match handlers::refusal_of_url(&url) {
            Some(refusal) => told(refusal),
            None => FollowUp::Moved(Expected { url, ..expected.clone() }),
        };
    }
    let outcome = match (&answer, handlers::by_name(expected.handler)) {
        (Some(answer), Some(handler)) => handler.follow_up(expected, answer),
        _ => Outcome::unknown("follow_up_not_answered"),
    };
    told(outcome)
}

fn told(outcome: Outcome) -> FollowUp {
    let (verdict, outcome, marker) = Reading::conclusion(outcome);
    // What is not told by now is not told at all.
    let verdict = match verdict {
        Verdict::Later => Verdict::NoLead(Reason::UnknownOutcome),
        verdict => verdict,
    };
    FollowUp::Told { verdict, outcome, marker }
}

fn location(request: &RequestRecord, answer: &Answer<'_>) -> Option<String> {
    let own = url::own(request);
    let to = Url::resolve(answer.header("location")?, &Url::absolute(&own)?)?;
    let query = if to.query.is_empty() { String::new() } else { format!("?{}", to.query) };
    url::on_this_site(&format!("{}://{}{}{query}", request.scheme(), to.host, to.path), request)
}
