//! Where a redirect leads, as far as machines can tell.

use super::{Outcome, Post};
use crate::form::names::words;
use crate::form::url::{self, Url};
use crate::reason::Reason;

/// What a Location says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// No http URL, or nothing is known to compare it with.
    Nowhere,
    /// It names an error.
    Error,
    Login,
    /// The page the form was on, or the address that was posted to. Marked: with a word of success that was not there
    /// before.
    OwnPage {
        marked: bool,
    },
    OtherPage,
}

impl Target {
    /// What is refused whatever the software.
    pub(super) fn refusal(self) -> Option<Outcome> {
        match self {
            Self::Error => Some(Outcome::refused(Reason::Validation, "redirect_to_error")),
            Self::Login => Some(Outcome::refused(Reason::Login, "redirect_to_login")),
            _ => None,
        }
    }

    /// For software of which nothing else is known: another page is a good end, the form's own page says nothing.
    pub(super) fn outcome(self) -> Outcome {
        self.refusal().unwrap_or_else(|| match self {
            Self::OwnPage { marked: true } => Outcome::accepted("redirect_with_success_mark"),
            Self::OwnPage { marked: false } => Outcome::unknown("redirect_to_own_page"),
            Self::OtherPage => Outcome::accepted("redirect_to_other_page"),
            _ => Outcome::unknown("redirect_to_no_page"),
        })
    }

    /// For software that never redirects a form it refused: every page is a good end.
    pub(super) fn outcome_where_only_success_redirects(self) -> Outcome {
        match self {
            Self::OwnPage { marked: false } => Outcome::accepted("redirect_after_post"),
            other => other.outcome(),
        }
    }
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
    "rejected",
    "denied",
    "expired",
    "captcha",
    "spam",
    "fehler",
    "fehlgeschlagen",
    "erreur",
    "echec",
    "errore",
    "erro",
    "fout",
    "mislukt",
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
    "succes",
    "successful",
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
    "dziekuje",
    "dziekujemy",
    "tack",
    "submitted",
    "received",
    "ok",
    "done",
    "gesendet",
    "erfolg",
    "erfolgreich",
    "envoye",
    "enviado",
    "enviada",
    "inviato",
    "inviata",
    "verzonden",
    "wyslano",
    "confirmation",
    "confirmed",
];

/// Reads a Location, seen from the submission.
pub(super) fn target(post: &Post<'_>, location: &str) -> Target {
    let own = url::own(post.request);
    let (Some(posted), Some(page)) = (Url::absolute(&own), post.page()) else { return Target::Nowhere };
    let Some(to) = Url::resolve(location, &posted) else { return Target::Nowhere };
    // `sign-in` counts in pieces and as a whole.
    let mut path = flat_words(&to.path);
    path.extend(to.path.split('/').map(|segment| flat_words(segment).concat()));
    let fragment = flat_words(to.fragment);
    if says(&path, BAD) || query_says(to.query, BAD) || says(&fragment, BAD) {
        return Target::Error;
    }
    if says(&path, LOGIN) {
        return Target::Login;
    }
    if to.is_same_page(&page) || to.is_same_page(&posted) {
        // Who submits again from `/contact?sent=1` is sent back there when it goes wrong, too.
        let is_new = !query_says(page.query, GOOD) && !query_says(posted.query, GOOD);
        return Target::OwnPage { marked: (is_new && query_says(to.query, GOOD)) || says(&fragment, GOOD) };
    }
    Target::OtherPage
}

fn says(words: &[String], list: &[&str]) -> bool {
    words.iter().any(|word| list.contains(&word.as_str()))
}

/// `?error=0` is no error, `?status=error` and `?error=mail` are.
fn query_says(query: &str, list: &[&str]) -> bool {
    let is_on = |value: &str| !matches!(value, "0" | "false" | "no" | "none");
    form_urlencoded::parse(query.as_bytes())
        .any(|(key, value)| (says(&flat_words(&key), list) && is_on(&value)) || says(&flat_words(&value), list))
}

/// Whether a word of a machine's own (an event's name, a component's) says that it went well, or that it did not.
pub(super) fn verdict_of_word(word: &str) -> Option<bool> {
    let words = flat_words(word);
    if says(&words, BAD) || says(&words, &["warning", "danger"]) {
        return Some(false);
    }
    says(&words, GOOD).then_some(true)
}

/// Whether a word names a login.
pub(super) fn is_login_word(word: &str) -> bool {
    says(&flat_words(word), LOGIN)
}

pub(super) fn flat_words(text: &str) -> Vec<String> {
    words(text).into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::testing::{ANA, Case};

    #[test]
    fn a_mark_of_success_that_was_there_before_says_nothing() {
        let case = |page: &str, to| Case::post("/send.php", ANA).header("referer", page).redirect(302, to).verdict();
        assert_eq!(case("https://shop.example/contact", "/contact?sent=1"), "lead");
        assert_eq!(case("https://shop.example/contact?sent=1", "/contact?sent=1"), "later");
        assert_eq!(case("https://shop.example/contact?sent=1", "/contact?sent=1&error=mail"), "validation");
        assert_eq!(case("https://shop.example/contact?sent=1", "/thanks"), "lead");
        let own = Case::post("/contact?ok=1", ANA).header("referer", "about:blank").redirect(302, "/contact?ok=1");
        assert_eq!(own.verdict(), "later");
    }

    #[test]
    fn words_of_machines_say_yes_no_or_nothing() {
        for (word, verdict) in [
            ("contactSent", Some(true)),
            ("form:success", Some(true)),
            ("form-error", Some(false)),
            ("successButFailed", Some(false)),
            ("showMessage", None),
            ("", None),
        ] {
            assert_eq!(verdict_of_word(word), verdict, "{word}");
        }
    }
}
