//! What the page says that a browser loads after a redirect back to the form.

use super::{Expected, Outcome, generic};
use crate::form::answer::Answer;
use crate::form::flash::{self, Flash};
use crate::reason::Reason;

/// Its body; an error page tells nothing of the submission.
pub(super) fn body<'a>(page: &'a Answer<'_>) -> Result<&'a [u8], Outcome> {
    if !page.status().is_success() {
        return Err(Outcome::unknown(format!("next_page_status:{}", page.status().as_u16())));
    }
    page.body().map_err(Outcome::without_body)
}

/// That nothing is marked wrong is not enough for yes: a site may show its errors in a way of its own. It takes a message
/// of success that the page does not always show, or a page without the form.
pub(super) fn outcome(expected: &Expected, page: &Answer<'_>) -> Outcome {
    let body = match body(page) {
        Ok(body) => body,
        Err(said) => return said,
    };
    let Some(forms) = page.page().filter(|_| !body.trim_ascii().is_empty()) else {
        return Outcome::unknown("next_page_not_html");
    };
    let Some(form) = &expected.form else { return Outcome::unknown("page_not_learned") };
    if forms.invalid_marks > expected.before.invalid_marks {
        return Outcome::refused(Reason::Validation, "marked_invalid");
    }
    match flash::read(body) {
        // No more marks than the page always has: a lasting notice, or a warning that is not counted as a mark.
        Flash::Failure => Outcome::unknown("message_of_failure"),
        Flash::Success if forms.success_messages > expected.before.success_messages => {
            Outcome::accepted("message_of_success")
        }
        _ if !forms.has_form(form) => generic::failure_in(forms, body, expected.before)
            .unwrap_or_else(|| generic::form_gone(forms, expected.before)),
        _ => Outcome::unknown("next_page_not_telling"),
    }
}
