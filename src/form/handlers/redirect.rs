//! Where a redirect leads, as far as machines can tell.

use std::sync::LazyLock;

use super::{Outcome, Post};
use crate::form::answer::Answer;
use crate::form::url::{self, Url};
use crate::form::words::Words;
use crate::reason::Reason;
use crate::stems::Stems;

/// What a Location says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// No http URL, or nothing is known to compare it with.
    Nowhere,
    /// It names an error.
    Error,
    Login,
    /// The next of several steps, or a preview.
    Step,
    /// A checkout, or somebody who takes payments.
    Checkout,
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
            Self::Step => Outcome::refused(Reason::Step, "redirect_to_step"),
            Self::Checkout => Outcome::refused(Reason::Checkout, "redirect_to_checkout"),
            _ => Outcome::unknown("redirect_to_no_page"),
        })
    }

    /// For software that never redirects a form it refused: every page is a good end.
    pub(super) fn outcome_where_only_success_redirects(self) -> Outcome {
        match self {
            Self::OwnPage { marked: false } | Self::Step | Self::Checkout => Outcome::accepted("redirect_after_post"),
            other => other.outcome(),
        }
    }
}

/// What the answers say, before their page is looked at, of software that prints a page with the errors or redirects after
/// a success.
pub(super) fn before_page(post: &Post<'_>, answer: &Answer<'_>) -> Option<Outcome> {
    match answer.header("location").filter(|_| answer.is_redirect()) {
        Some(location) => Some(target(post, location).outcome_where_only_success_redirects()),
        None => Outcome::before_body(answer),
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
    "sorry",
    "oops",
    "nok",
    "blocked",
    "timeout",
    "retry",
];
/// Parts of longer words that say so, too: `mailerror`, `fehlermeldung`.
const BAD_STEMS: &[&str] = &["error", "fehler", "erreur", "failed", "failure", "problem", "wartung", "maintenance"];
/// Words that turn the next one round: `not-sent`, `nicht-gesendet`.
const NOT: &[&str] = &["not", "nicht", "non", "pas", "niet", "nie", "inte", "nao"];
/// Words of a path or a host that lead to a login.
const LOGIN: &[&str] = &["signin", "logon", "auth", "oauth", "sso"];
/// The same as a whole segment: in a longer one they may be a course's registration.
const LOGIN_SEGMENTS: &[&str] = &[
    "anmelden",
    "anmeldung",
    "connexion",
    "acceder",
    "accedi",
    "iniciarsesion",
    "inloggen",
    "logowanie",
    "zaloguj",
    "loggain",
];
/// The same inside longer words.
const LOGIN_STEMS: &[&str] = &["login", "signin"];
/// Words of paths that lead on in the same form.
const STEP: &[&str] = &["step", "schritt", "etape", "paso", "passo", "stap", "krok", "preview", "vorschau"];
/// Words of a path or a host where money is taken.
const CHECKOUT: &[&str] = &[
    "checkout",
    "payment",
    "payments",
    "kasse",
    "cart",
    "basket",
    "warenkorb",
    "panier",
    "carrito",
    "carrello",
    "paypal",
    "stripe",
    "mollie",
    "klarna",
    "sumup",
    "pay",
    "zahlung",
    "bezahlen",
    "paiement",
    "pago",
    "pagamento",
    "betaling",
];
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
    "confirmacion",
    "conferma",
    "confirmacao",
    "bestaetigung",
    "bestatigung",
    "bestaetigt",
    "bestatigt",
    "bevestiging",
    "potwierdzenie",
    "bekraftelse",
    "erhalten",
    "abgeschickt",
    "versendet",
    "verstuurd",
    "skickat",
    "complete",
    "completed",
    "posted",
    "subscribed",
    "angemeldet",
];
/// What turns a word of success in a query round.
const OFF: &[&str] =
    &["0", "-1", "false", "no", "none", "n", "nein", "non", "nee", "nie", "nej", "nao", "off", "null", "ko", "nok"];

static OF_BAD: LazyLock<Stems> = LazyLock::new(|| Stems::new(BAD_STEMS.iter().copied()));
static OF_LOGIN: LazyLock<Stems> = LazyLock::new(|| Stems::new(LOGIN_STEMS.iter().copied()));

/// An address in words.
struct Address<'a> {
    url: &'a Url<'a>,
    host: Words,
    path: Words,
    /// Each segment of the path: `sign-in` as a whole is one word, too.
    segments: Vec<Words>,
    fragment: Words,
    /// The last segment of the path says that all is well, whatever the ones before are about: `/maintenance/thank-you`.
    is_good_end: bool,
}

/// Reads a Location, seen from the submission.
pub(super) fn target(post: &Post<'_>, location: &str) -> Target {
    let own = url::own(post.request);
    let (Some(posted), Some(page)) = (Url::absolute(&own), post.page()) else { return Target::Nowhere };
    let Some(to) = Url::resolve(location, &posted) else { return Target::Nowhere };
    let address = Address::of(&to);
    if address.names_error() {
        return Target::Error;
    }
    if address.names_login() {
        return Target::Login;
    }
    if to.is_same_page(&page) || to.is_same_page(&posted) {
        // Who submits again from `/contact?sent=1` is sent back there when it goes wrong, too.
        let is_new = || !query_is_good(page.query) && !query_is_good(posted.query);
        return Target::OwnPage { marked: address.fragment.has(GOOD) || (query_is_good(to.query) && is_new()) };
    }
    if address.is_good_end {
        return Target::OtherPage;
    }
    let was_step = || posted.path.ends_with(|c: char| c.is_ascii_digit()) && Words::of(&posted.path).has(STEP);
    if address.path_has(STEP) || was_step() || is_next_number(&posted.path, &to.path) {
        return Target::Step;
    }
    if address.path_has(CHECKOUT) || address.host.has(CHECKOUT) {
        return Target::Checkout;
    }
    Target::OtherPage
}

/// `/quote/1` and `/quote/2`.
fn is_next_number(from: &str, to: &str) -> bool {
    let without = |path: &str| path.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    from != to && from.len() != without(from).len() && without(from) == without(to)
}

/// `not-sent`, `nicht-gesendet`.
fn is_turned(words: &Words) -> bool {
    words
        .iter()
        .zip(words.iter().skip(1))
        .any(|(not, word)| NOT.contains(&not) && (GOOD.contains(&word) || word == "be"))
}

/// What an address is whatever was posted.
pub(super) fn refusal_of(to: &Url<'_>) -> Option<Outcome> {
    let address = Address::of(to);
    if address.names_error() {
        return Target::Error.refusal();
    }
    address.names_login().then(|| Target::Login.refusal()).flatten()
}

impl<'a> Address<'a> {
    fn of(url: &'a Url<'a>) -> Self {
        let last = Words::of(url.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
        Self {
            host: Words::of(&url.host),
            path: Words::of(&url.path),
            segments: url.path.split('/').map(Words::of).collect(),
            fragment: Words::of(url.fragment),
            is_good_end: last.has(GOOD) && !last.has(BAD) && !is_turned(&last),
            url,
        }
    }

    /// The words of the path, and its segments as a whole.
    fn of_path(&self) -> impl Iterator<Item = &str> {
        self.path.iter().chain(self.segments.iter().map(Words::joined))
    }

    fn path_has(&self, list: &[&str]) -> bool {
        self.of_path().any(|word| list.contains(&word))
    }

    fn names_error(&self) -> bool {
        // `/404.html`
        let is_status = |segment: &str| {
            let name = segment.split('.').next().unwrap_or_default();
            name.len() == 3 && name.starts_with(['4', '5']) && name.bytes().all(|b| b.is_ascii_digit())
        };
        let by_path = || {
            self.path_has(BAD)
                || self.of_path().any(|word| OF_BAD.any_in(word))
                || is_turned(&self.path)
                || self.url.path.split('/').any(is_status)
        };
        (!self.is_good_end && by_path()) || query_is_bad(self.url.query) || self.fragment.has(BAD)
    }

    fn names_login(&self) -> bool {
        let is_segment = |segment: &Words| LOGIN_SEGMENTS.contains(&segment.joined());
        let by_path = || {
            self.path_has(LOGIN)
                || self.of_path().any(|word| OF_LOGIN.any_in(word))
                || self.segments.iter().any(is_segment)
        };
        let by_host = || self.host.has(LOGIN) || self.host.iter().any(|word| OF_LOGIN.any_in(word));
        !self.is_good_end && (by_path() || by_host())
    }
}

fn is_on(value: &str) -> bool {
    !OFF.contains(&value.trim().to_ascii_lowercase().as_str())
}

/// `?sent=1`, `?status=success`. A sentence is no mark, whatever words it has.
fn query_is_good(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(key, value)| {
        let told = Words::of(&value);
        (Words::of(&key).has(GOOD) && is_on(&value)) || (told.len() <= 2 && told.has(GOOD) && !is_turned(&told))
    })
}

/// `?error=0` is no error, `?status=error`, `?error=mail` and `?msg=not+sent` are; an empty `?err=` is none beside a mark of
/// success.
fn query_is_bad(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(key, value)| {
        let (key, told) = (Words::of(&key), Words::of(&value));
        let counts = || is_on(&value) && (!value.is_empty() || !query_is_good(query));
        (key.has(BAD) && counts()) || told.has(BAD) || is_turned(&told) || (key.has(GOOD) && !is_on(&value))
    })
}

/// Whether a word of a machine's own (an event's name, a component's) says that it went well, or that it did not.
pub(super) fn verdict_of_word(word: &str) -> Option<bool> {
    let words = Words::of(word);
    if words.has(BAD) || words.has(&["warning", "danger"]) {
        return Some(false);
    }
    words.has(GOOD).then_some(true)
}

/// Whether a word names a login.
pub(super) fn is_login_word(word: &str) -> bool {
    let words = Words::of(word);
    words.has(LOGIN) || words.iter().any(|word| OF_LOGIN.any_in(word))
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
    fn where_a_redirect_leads_is_told_by_words_parts_of_words_numbers_and_hosts() {
        for (to, verdict) in [
            ("/mailerror.php", "validation"),
            ("/fehlermeldung.html", "validation"),
            ("/contact-not-sent", "validation"),
            ("/nicht-gesendet.html", "validation"),
            ("/404.html", "validation"),
            ("/maintenance", "validation"),
            ("/kundenlogin.php", "login"),
            ("https://login.example/authorize", "login"),
            ("/quote/step-2", "step"),
            ("/contact/preview", "step"),
            ("/checkout/shipping", "checkout"),
            ("https://www.paypal.example/pay", "checkout"),
            ("/projects", "lead"),
            ("/maintenance/thank-you", "lead"),
            ("/heizungswartung/danke", "lead"),
            ("/newsletter/anmeldung-bestaetigung", "lead"),
            ("/payment-plan-thank-you", "lead"),
            ("/contact?contact_posted=true", "lead"),
            ("/contact?err=&sent=1", "lead"),
            ("/contact?gesendet=nein", "validation"),
            ("/contact?msg=nicht+gesendet", "validation"),
            ("/contact?msg=could+not+be+sent", "validation"),
            ("/contact?msg=Please+enter+ok", "later"),
            ("/zahlung", "checkout"),
            ("/sorry", "validation"),
            ("/anmeldung/danke", "lead"),
            ("/anmelden", "login"),
            ("/500-ideas", "lead"),
            ("https://booking.example/welcome", "lead"),
        ] {
            assert_eq!(Case::post("/send.php", ANA).redirect(302, to).verdict(), verdict, "{to}");
        }
    }

    #[test]
    fn steps_are_told_by_words_and_by_numbers_that_go_on() {
        let verdict =
            |from, to| Case::post(from, ANA).header("referer", "https://shop.example/x").redirect(302, to).verdict();
        assert_eq!(verdict("/quote/1", "/quote/2"), "step");
        assert_eq!(verdict("/quote/step-3", "/quote/details"), "step");
        assert_eq!(verdict("/quote/step-4", "/quote/thank-you"), "lead");
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
