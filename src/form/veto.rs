//! What makes a submission no lead, whatever the site answers: filled honeypots, passwords, payment data, searches,
//! somebody who is logged in to the site.

use super::body::{Field, Fields};
use super::names::words;
use super::page::{FieldKind, PageForm};
use super::volatile;
use crate::exchange::{RequestRecord, cookies};
use crate::glob;
use crate::reason::Reason;

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
/// The same, only as the whole name: they mean other things too (a keyword, a slogan, an Indian postal code).
const PASSWORD_NAMES: &[&str] = &["pin", "clave", "haslo"];

/// Words of cards, accounts and national numbers.
const PAYMENT_WORDS: &[&str] = &["cvv", "cvc", "iban", "creditcard"];
/// The same inside a longer word.
const PAYMENT_STEMS: &[&str] = &["cardnumber", "creditcard", "cardholder", "cardexp", "cardcv"];

/// Fields of a search box.
const SEARCH: &[&str] = &["s", "q", "query", "search"];

/// The first reason that holds.
pub(super) fn check(request: &RequestRecord, fields: &Fields, form: Option<&PageForm>) -> Option<Reason> {
    let on_page = |name: &str| form.and_then(|form| form.field(name));
    let filled = |field: &&Field| !field.value.trim().is_empty();
    // More than a field or two out of sight are a part of the form that is shown later, and no trap.
    let concealed = form.map_or(0, |form| form.fields.iter().filter(|f| f.concealed && f.kind.is_typed()).count());
    let is_honeypot = |field: &Field| {
        let name = field.name.to_ascii_lowercase();
        is_trap(&name)
            || on_page(&field.name).is_some_and(|field| field.trap)
            || (CONCEALED_HONEYPOTS.contains(&name.as_str())
                && concealed <= MAX_CONCEALED
                && on_page(&field.name).is_some_and(|field| field.concealed))
    };
    let mut list = fields.list.iter();
    if list.by_ref().filter(filled).any(is_honeypot) {
        return Some(Reason::Honeypot);
    }
    // WordPress sets it for whoever is logged in: editors trying their own form, and members who are no new leads.
    if cookies(&request.headers).any(|(name, _)| name.starts_with("wordpress_logged_in_")) {
        return Some(Reason::Editor);
    }
    let has = |is: &dyn Fn(&Field) -> bool| fields.list.iter().any(is);
    if has(&|field| is_password(&field.name) || on_page(&field.name).is_some_and(|f| f.kind == FieldKind::Password)) {
        return Some(if is_login_path(request.path()) { Reason::Login } else { Reason::Password });
    }
    if has(&|field| is_payment(&field.name) || on_page(&field.name).is_some_and(|f| f.is_payment)) {
        return Some(Reason::Payment);
    }
    let mut told = fields.list.iter().filter(filled).filter(|field| !volatile::is_volatile(&field.name)).peekable();
    let is_search = |field: &Field| SEARCH.contains(&field.name.to_ascii_lowercase().as_str());
    (told.peek().is_some() && told.all(is_search)).then_some(Reason::Search)
}

fn is_trap(name: &str) -> bool {
    // What the software of the trap keeps beside it is always filled: Drupal's `honeypot_time`, tokens.
    let is_equipment = ["time", "token", "nonce"].iter().any(|word| name.contains(word));
    !is_equipment && HONEYPOTS.iter().any(|pattern| glob::matches(pattern, name))
}

/// Whether a field holds what must never be kept in any form: not even its fingerprint.
pub(super) fn is_secret(name: &str) -> bool {
    is_password(name) || is_payment(name) || is_national_id(name)
}

/// Numbers of people. Forms for quotes ask for them in some countries: they are no reason against a lead, and never kept.
const NATIONAL_IDS: &[&str] = &["ssn", "cpf", "dni", "nif", "pesel", "personnummer", "codicefiscale", "bsn"];

/// Whether a field holds the number by which a state knows somebody.
pub(super) fn is_national_id(name: &str) -> bool {
    let words: Vec<String> = words(name).into_iter().flatten().collect();
    let whole = words.concat();
    words.iter().any(|word| NATIONAL_IDS.contains(&word.as_str())) || NATIONAL_IDS.contains(&whole.as_str())
}

fn is_password(name: &str) -> bool {
    let words: Vec<String> = words(name).into_iter().flatten().collect();
    let whole = words.concat();
    words.iter().any(|word| PASSWORD_WORDS.contains(&word.as_str()))
        || has_word_alone(&words, "pass", OWN_PASS)
        || PASSWORD_STEMS.iter().any(|stem| whole.contains(stem))
        || PASSWORD_NAMES.contains(&last_segment(name).as_str())
        || name.starts_with("2fa")
}

/// A word that is the first of a name, or follows one of these: `user_pass`, not `season_pass`; `credit_card`, not
/// `gift_card`.
fn has_word_alone(words: &[String], word: &str, before: &[&str]) -> bool {
    let follows =
        |at: usize| at.checked_sub(1).and_then(|at| words.get(at)).is_none_or(|w| before.contains(&w.as_str()));
    words.iter().enumerate().any(|(at, own)| own == word && follows(at))
}

/// Whose pass it is when it is a password.
const OWN_PASS: &[&str] =
    &["user", "login", "my", "your", "new", "old", "current", "confirm", "account", "admin", "wp", "log", "repeat"];
/// Which card it is when it pays.
const OWN_CARD: &[&str] = &["credit", "debit", "bank", "payment", "stripe", "billing", "cc"];

fn is_payment(name: &str) -> bool {
    let words: Vec<String> = words(name).into_iter().flatten().collect();
    let whole = words.concat();
    words.iter().any(|word| PAYMENT_WORDS.contains(&word.as_str()))
        || has_word_alone(&words, "card", OWN_CARD)
        || PAYMENT_STEMS.iter().any(|stem| whole.contains(stem))
        || ["cc-", "cc_"].iter().any(|cc| name.to_ascii_lowercase().strip_prefix(cc).is_some_and(is_card_detail))
}

/// What follows `cc-` in the autofill names of HTML; `cc-email` is a copy of the mail.
fn is_card_detail(rest: &str) -> bool {
    ["number", "num", "exp", "csc", "cvc", "cvv", "name", "type", "given", "family"].iter().any(|d| rest.starts_with(d))
}

fn last_segment(name: &str) -> String {
    let last = name.trim_end_matches(']').rsplit('[').next().unwrap_or_default();
    words(last).concat().concat()
}

fn is_login_path(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    ["login", "signin", "sign-in", "anmelden", "connexion"].iter().any(|word| path.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert!(is_password(name), "{name}");
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
            assert!(!is_password(name), "{name}");
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
            assert!(is_payment(name), "{name}");
        }
        for name in ["cardboard", "gift_card", "cc-email", "cc", "discard", "account", "unifi", "dnieper"] {
            assert!(!is_payment(name), "{name}");
        }
    }
}
