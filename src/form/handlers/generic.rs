//! Forms of unknown software: legacy scripts, frameworks, home-made endpoints.
//!
//! Only signs that mean the same everywhere count: a redirect to another page, a conventional key in a JSON answer, a
//! known form that is gone from the page. Whatever else a 200 says stays unknown; a `[[form]]` rule can decide it.

use super::{Handler, Outcome, Post, Recognised, json};
use crate::form::answer::Answer;
use crate::form::names::words;
use crate::form::url::{self, Url};
use crate::reason::Reason;

pub(super) struct Generic;

impl Handler for Generic {
    fn name(&self) -> &'static str {
        "generic"
    }

    fn recognise(&self, post: &Post<'_>) -> Option<Recognised> {
        Some(recognise(post))
    }

    fn outcome(&self, post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
        if let Some(failure) = Outcome::of_status(answer) {
            return failure;
        }
        // htmx tells the script, not the browser, where to go.
        let location = answer.header("location").filter(|_| answer.is_redirect());
        if let Some(location) = location.or_else(|| answer.header("hx-redirect")) {
            return redirect(post, location);
        }
        let status = answer.status();
        if !status.is_success() {
            return Outcome::unknown(format!("status:{}", status.as_u16()));
        }
        let body = match answer.body() {
            Ok(body) => body,
            Err(why) => return Outcome::without_body(why),
        };
        if let Some(json) = answer.json() {
            return match json::verdict(json) {
                // RFC 9110 15.3.2: something was created; frameworks answer with the record itself.
                Outcome::Unknown(_) if status.as_u16() == 201 => Outcome::accepted("status:201"),
                said => said,
            };
        }
        // Frameworks' bodiless "done" to a script. A browser that follows a form would show nothing: not that.
        if matches!(status.as_u16(), 201 | 204) && body.trim_ascii().is_empty() && post.is_by_script() {
            return Outcome::accepted(format!("status:{}", status.as_u16()));
        }
        html(post, answer)
    }
}

/// Every post that is nobody else's.
pub(super) fn recognise(post: &Post<'_>) -> Recognised {
    // Laravel Precognition: fields are checked while they are typed; nothing is submitted.
    let is_rehearsal = post.request.header("precognition").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_rehearsal { Recognised::Never(Reason::Step) } else { Recognised::Form(None) }
}

/// A thank-you page printed in place of the form.
fn html(post: &Post<'_>, answer: &Answer<'_>) -> Outcome {
    let Some(page) = answer.page().filter(|_| answer.status().as_u16() == 200) else {
        return Outcome::unknown("answer_not_telling");
    };
    let Some(form) = post.form else { return Outcome::unknown("page_not_learned") };
    let body = answer.body().unwrap_or_default();
    if body.trim_ascii().is_empty() {
        return Outcome::unknown("answer_empty");
    }
    if page.has_form(form) {
        return Outcome::unknown("form_still_there");
    }
    if page.invalid_marks > post.invalid_marks {
        return Outcome::refused(Reason::Validation, "marked_invalid");
    }
    // PHP's own words for a script that died half-way, under status 200.
    if [b"<b>Fatal error</b>".as_slice(), b"<b>Parse error</b>"].iter().any(|e| memchr::memmem::find(body, e).is_some())
    {
        return Outcome::refused(Reason::UpstreamError, "php_error");
    }
    Outcome::accepted("form_gone")
}

/// Words of a path or a query that say it went wrong.
const BAD: &[&str] = &[
    "error",
    "errors",
    "err",
    "fail",
    "failed",
    "failure",
    "invalid",
    "denied",
    "expired",
    "captcha",
    "spam",
    "fehler",
    "erreur",
    "errore",
    "erro",
    "fout",
    "blad",
    "fel",
    "forbidden",
];
/// Words of a path that lead to a login.
const LOGIN: &[&str] =
    &["login", "signin", "logon", "auth", "anmelden", "anmeldung", "connexion", "acceder", "logowanie", "inloggen"];
/// Words that say it went well: what tells a redirect to the form's own page from one that shows the errors.
const GOOD: &[&str] = &[
    "success",
    "sent",
    "thank",
    "thanks",
    "thankyou",
    "danke",
    "merci",
    "gracias",
    "grazie",
    "obrigado",
    "obrigada",
    "bedankt",
    "dziekujemy",
    "tack",
    "submitted",
    "ok",
    "done",
    "gesendet",
    "envoye",
    "enviado",
    "inviato",
    "verzonden",
    "confirmation",
    "confirmed",
];

/// Where a redirect leads: to another page, or to a login, an error, the form again.
pub(super) fn redirect(post: &Post<'_>, location: &str) -> Outcome {
    let own = url::own(post.request);
    let (Some(target), Some(page)) = (Url::absolute(&own), post.page()) else {
        return Outcome::unknown("no_page");
    };
    let Some(to) = Url::resolve(location, &target) else { return Outcome::unknown("redirect_to_no_page") };
    // `sign-in` counts in pieces and as a whole.
    let mut path = flat_words(&to.path);
    path.extend(to.path.split('/').map(|segment| flat_words(segment).concat()));
    let says = |words: &[String], list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let pairs: Vec<_> = form_urlencoded::parse(to.query.as_bytes()).collect();
    // `?error=0` is no error, `?status=error` and `?error=mail` are.
    let is_on = |value: &str| !matches!(value, "0" | "false" | "no" | "none");
    let query = |list: &[&str]| {
        pairs
            .iter()
            .any(|(key, value)| (says(&flat_words(key), list) && is_on(value)) || says(&flat_words(value), list))
    };
    if says(&path, BAD) || query(BAD) || says(&flat_words(to.fragment), BAD) {
        return Outcome::refused(Reason::Validation, "redirect_to_error");
    }
    if says(&path, LOGIN) {
        return Outcome::refused(Reason::Login, "redirect_to_login");
    }
    if to.is_same_page(&page) || to.is_same_page(&target) {
        if query(GOOD) || says(&flat_words(to.fragment), GOOD) {
            return Outcome::accepted("redirect_with_success_mark");
        }
        return Outcome::unknown("redirect_to_own_page");
    }
    Outcome::accepted("redirect_to_other_page")
}

fn flat_words(text: &str) -> Vec<String> {
    words(text).into_iter().flatten().collect()
}
