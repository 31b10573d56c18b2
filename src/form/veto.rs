//! What makes a submission no lead, whatever the site answers: filled honeypots, passwords, payment data, searches,
//! somebody who is logged in to the site.

use std::sync::LazyLock;

use super::names::last_bracket;
use super::page::{FieldKind, PageForm};
use super::submitted::Submitted;
use super::words::Words;
use crate::exchange::{RequestRecord, cookies};
use crate::glob;
use crate::reason::Reason;
use crate::stems::Stems;

/// Fields that people cannot see; lower case. Their names are those of the software that sets the traps.
const HONEYPOTS: &[&str] = &[
    "_mc4wp_honeypot",
    "everest_forms[hp]",
    "wpforms[hp]",
    "srfm-honeypot-field",
    "_kb_verify_email",
    "item_*__fluent_sf",
    "frm_verify",
    "et_pb_contact_et_number_*",
    "tx_powermail_pi1[field][__hp]",
    "ak_hp_textarea",
    "hcap_hp_*",
    "alt_s",
    "*honeypot*",
    "hp",
    "_gotcha",
];
static TRAPS: LazyLock<glob::Set> = LazyLock::new(|| glob::Set::new(HONEYPOTS));
/// Names that are traps only where the page hides them.
const CONCEALED_HONEYPOTS: &[&str] = &["website", "url", "homepage", "fax"];

/// Fields out of sight that may be traps.
const MAX_CONCEALED: usize = 2;

/// Words of passwords and one-time codes: one of the words of a name.
const PASSWORD_WORDS: &[&str] =
    &["pwd", "passwd", "passphrase", "passcode", "kennwort", "mdp", "senha", "losenord", "otp", "totp"];
/// The same inside a longer word.
const PASSWORD_STEMS: &[&str] =
    &["password", "passwort", "motdepasse", "contrasena", "palavrapasse", "wachtwoord", "losenord"];
static PASSWORDS: LazyLock<Stems> = LazyLock::new(|| Stems::new(PASSWORD_STEMS.iter().copied()));
/// The same, only as the whole name: they mean other things too (a keyword, a slogan, an Indian postal code).
const PASSWORD_NAMES: &[&str] = &["pin", "clave", "haslo"];

/// Words of cards, accounts and national numbers.
const PAYMENT_WORDS: &[&str] = &["cvv", "cvc", "iban", "creditcard"];
/// The same inside a longer word.
const PAYMENT_STEMS: &[&str] = &["cardnumber", "creditcard", "cardholder", "cardexp", "cardcv"];
static PAYMENTS: LazyLock<Stems> = LazyLock::new(|| Stems::new(PAYMENT_STEMS.iter().copied()));

/// Fields of a search box.
const SEARCH: &[&str] = &["s", "q", "query", "search"];

/// The first reason that holds.
pub(super) fn check(request: &RequestRecord, fields: &[Submitted<'_>], form: Option<&PageForm>) -> Option<Reason> {
    let on_page = |submitted: &Submitted<'_>| form.and_then(|form| form.field(submitted.name()));
    let filled = || fields.iter().filter(|submitted| submitted.is_filled());
    // More than a field or two out of sight are a part of the form that is shown later, and no trap.
    let concealed = form.map_or(0, |form| form.fields.iter().filter(|f| f.concealed && f.kind.is_typed()).count());
    let is_honeypot = |submitted: &Submitted<'_>| {
        let name = submitted.name().to_ascii_lowercase();
        is_trap(&name)
            || on_page(submitted).is_some_and(|field| field.trap)
            || (CONCEALED_HONEYPOTS.contains(&name.as_str())
                && concealed <= MAX_CONCEALED
                && on_page(submitted).is_some_and(|field| field.concealed))
    };
    if filled().any(is_honeypot) {
        return Some(Reason::Honeypot);
    }
    // WordPress sets it for whoever is logged in: editors trying their own form, and members who are no new leads.
    if cookies(&request.headers).any(|(name, _)| name.starts_with("wordpress_logged_in_")) {
        return Some(Reason::Editor);
    }
    let is_password = |submitted: &Submitted<'_>| {
        submitted.secrets.password || on_page(submitted).is_some_and(|field| field.kind == FieldKind::Password)
    };
    let is_payment = |submitted: &Submitted<'_>| {
        submitted.secrets.payment || on_page(submitted).is_some_and(|field| field.is_payment)
    };
    if fields.iter().any(is_password) {
        return Some(if is_login_path(request.path()) { Reason::Login } else { Reason::Password });
    }
    if fields.iter().any(is_payment) {
        return Some(Reason::Payment);
    }
    let mut told = filled().filter(|submitted| !submitted.is_volatile).map(Submitted::name).peekable();
    let is_search = |name: &str| SEARCH.iter().any(|search| search.eq_ignore_ascii_case(name));
    (told.peek().is_some() && told.all(is_search)).then_some(Reason::Search)
}

fn is_trap(name: &str) -> bool {
    // What the software of the trap keeps beside it is always filled: Drupal's `honeypot_time`, tokens.
    let is_equipment = || ["time", "token", "nonce"].iter().any(|word| name.contains(word));
    TRAPS.matches(name) && !is_equipment()
}

/// What a field holds, by its name, that must never be kept in any form: not even its fingerprint.
#[derive(Clone, Copy)]
pub(super) struct Secrets {
    pub password: bool,
    pub payment: bool,
    /// The number by which a state knows somebody.
    pub national_id: bool,
}

impl Secrets {
    /// Reads a name; `words` are its own.
    pub(super) fn of(name: &str, words: &Words) -> Self {
        Self {
            password: is_password(name, words),
            payment: is_payment(name, words),
            national_id: words.has(NATIONAL_IDS) || NATIONAL_IDS.contains(&words.joined()),
        }
    }

    /// Whether it holds any.
    pub(super) const fn any(self) -> bool {
        self.password || self.payment || self.national_id
    }
}

/// Numbers of people. Forms for quotes ask for them in some countries: they are no reason against a lead, and never kept.
const NATIONAL_IDS: &[&str] = &["ssn", "cpf", "dni", "nif", "pesel", "personnummer", "codicefiscale", "bsn"];

fn is_password(name: &str, words: &Words) -> bool {
    // The last segment's words are the last words.
    let may_end = || PASSWORD_NAMES.iter().any(|password| words.joined().ends_with(password));
    words.has(PASSWORD_WORDS)
        || has_word_alone(words, "pass", OWN_PASS)
        || PASSWORDS.any_in(words.joined())
        || (may_end() && PASSWORD_NAMES.contains(&Words::of(last_bracket(name)).joined()))
        || name.starts_with("2fa")
}

/// A word that is the first of a name, or follows one of these: `user_pass`, not `season_pass`; `credit_card`, not
/// `gift_card`.
fn has_word_alone(words: &Words, word: &str, before: &[&str]) -> bool {
    let ones_before = std::iter::once(None).chain(words.iter().map(Some));
    words.iter().zip(ones_before).any(|(own, one)| own == word && one.is_none_or(|one| before.contains(&one)))
}

/// Whose pass it is when it is a password.
const OWN_PASS: &[&str] =
    &["user", "login", "my", "your", "new", "old", "current", "confirm", "account", "admin", "wp", "log", "repeat"];
/// Which card it is when it pays.
const OWN_CARD: &[&str] = &["credit", "debit", "bank", "payment", "stripe", "billing", "cc"];

fn is_payment(name: &str, words: &Words) -> bool {
    words.has(PAYMENT_WORDS)
        || has_word_alone(words, "card", OWN_CARD)
        || PAYMENTS.any_in(words.joined())
        || is_card_detail(name)
}

/// The autofill names of HTML begin with `cc-`; `cc-email` is a copy of the mail.
fn is_card_detail(name: &str) -> bool {
    let Some((cc, rest)) = name.split_at_checked(3) else { return false };
    if !["cc-", "cc_"].iter().any(|own| own.eq_ignore_ascii_case(cc)) {
        return false;
    }
    let rest = rest.to_ascii_lowercase();
    ["number", "num", "exp", "csc", "cvc", "cvv", "name", "type", "given", "family"].iter().any(|d| rest.starts_with(d))
}

fn is_login_path(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    ["login", "signin", "sign-in", "anmelden", "connexion"].iter().any(|word| path.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(name: &str) -> Secrets {
        Secrets::of(name, &Words::of(name))
    }

    #[test]
    fn passwords_are_known_in_many_languages_and_not_in_other_words() {
        for name in [
            "pwd",
            "user_pass",
            "password-1",
            "newPassword",
            "Passwort2",
            "mot_de_passe",
            "contrase\u{f1}a",
            "user[password]",
            "wachtwoord",
            "has\u{142}o",
            "otp",
            "account[pin]",
            "2fa_code",
            "confirm_password",
        ] {
            assert!(secrets(name).password, "{name}");
        }
        for name in [
            "passenger",
            "season_pass",
            "passport",
            "compass",
            "pin_code",
            "opinion",
            "shipping",
            "palabra_clave",
            "compassion",
        ] {
            assert!(!secrets(name).password, "{name}");
        }
    }

    #[test]
    fn traps_are_known_and_their_equipment_is_none() {
        for name in ["my-honeypot-1", "hp", "wpforms[hp]", "item_3__fluent_sf", "ak_hp_textarea"] {
            assert!(is_trap(name), "{name}");
        }
        for name in ["honeypot_time", "honeypot-1-time-start", "php", "email", "website"] {
            assert!(!is_trap(name), "{name}");
        }
    }

    #[test]
    fn cards_and_accounts_are_payment_and_cardboard_is_not() {
        for name in ["cc-number", "cc_exp_month", "card_number", "cardNumber", "cvv", "iban", "billing[cvc]"] {
            assert!(secrets(name).payment, "{name}");
        }
        for name in ["cardboard", "gift_card", "cc-email", "cc", "discard", "account", "unifi", "dnieper"] {
            assert!(!secrets(name).payment, "{name}");
        }
    }
}
