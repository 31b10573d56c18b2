//! Posts of people who have an account: who asks for a new password, signs in by a link or changes what is stored is no
//! new lead. Such forms need no password field, so nothing else tells them.

use super::Post;
use super::redirect::flat_words;
use crate::form::url::Url;
use crate::reason::Reason;

/// Segments of paths, without punctuation and diacritics.
const LOGIN: &[&str] = &[
    "login",
    "signin",
    "logon",
    "logout",
    "magiclink",
    "passwordless",
    "anmelden",
    "connexion",
    "inloggen",
    "logowanie",
    "twofactorchallenge",
    "verificationnotification",
];
/// Who leaves a list is the opposite of a lead.
const LEAVING: &[&str] = &["unsubscribe", "optout", "abbestellen", "desinscription", "uitschrijven"];

/// What was lost, and what is done about it: together they tell `password-reset` from the site of a password manager.
const LOST: &[&str] = &[
    "password",
    "passwort",
    "kennwort",
    "motdepasse",
    "contrasena",
    "clave",
    "senha",
    "wachtwoord",
    "losenord",
    "haslo",
];
const LOSING: &[&str] = &[
    "forgot",
    "lost",
    "reset",
    "recover",
    "remind",
    "vergessen",
    "zuruecksetzen",
    "oublie",
    "recuper",
    "restablec",
    "olvid",
    "dimenticat",
    "esquec",
    "vergeten",
    "glomt",
    "przypomn",
    // Laravel's own address.
    "passwordemail",
];

/// Why a submission to this address, or of this kind, is no lead.
pub(super) fn of_target(post: &Post<'_>) -> Option<Reason> {
    // How HTML forms say PUT, PATCH and DELETE to frameworks: something that exists is changed.
    let method = post.fields.get("_method").unwrap_or_default().to_ascii_lowercase();
    if matches!(method.as_str(), "put" | "patch" | "delete") {
        return Some(Reason::NotAForm);
    }
    of_path(post.request.path())
}

/// The same of the page that it came from, for software that posts everything to one address.
pub(super) fn of_page(post: &Post<'_>) -> Option<Reason> {
    of_path(&Url::absolute(post.page_url)?.path)
}

fn of_path(path: &str) -> Option<Reason> {
    let path = path.strip_suffix(".php").or_else(|| path.strip_suffix(".html")).unwrap_or(path);
    let whole = flat_words(path).concat();
    let holds = |stems: &[&str]| stems.iter().any(|stem| whole.contains(stem));
    let has = |list: &[&str]| path.split('/').any(|segment| list.contains(&flat_words(segment).concat().as_str()));
    if has(LOGIN) || (holds(LOST) && holds(LOSING)) {
        Some(Reason::Login)
    } else {
        has(LEAVING).then_some(Reason::NotAForm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::testing::{ANA, Case};

    #[test]
    fn accounts_are_known_by_their_addresses() {
        for path in [
            "/forgot-password",
            "/password/email",
            "/accounts/password_reset/",
            "/user/passwort-vergessen.html",
            "/mot-de-passe-oublie",
            "/login",
            "/Sign-In.php",
            "/email/verification-notification",
        ] {
            assert_eq!(of_path(path), Some(Reason::Login), "{path}");
        }
        assert_eq!(of_path("/newsletter/unsubscribe"), Some(Reason::NotAForm));
        for path in ["/", "/contact", "/login-page-builder/quote", "/register", "/password-manager/demo", "/passport"] {
            assert_eq!(of_path(path), None, "{path}");
        }
    }

    #[test]
    fn what_changes_something_that_exists_is_no_lead() {
        let with =
            |method: &str| Case::post("/send", format!("{ANA}&_method={method}")).redirect(303, "/thanks").verdict();
        assert_eq!([with("PUT"), with("patch"), with("DELETE")], ["not_a_form"; 3]);
        assert_eq!(with("POST"), "lead");
    }
}
