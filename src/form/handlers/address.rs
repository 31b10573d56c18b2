//! What the address of a post says whatever the software: accounts, checkouts, comments, the back office, and the calls by
//! which scripts check and record. Their forms carry addresses and numbers, are accepted, and are no leads; nothing in them
//! tells it but where they go.

use std::sync::LazyLock;

use super::Post;
use crate::form::url::Url;
use crate::form::words::Words;
use crate::reason::Reason;
use crate::stems::Stems;

/// Segments of paths, without punctuation and diacritics.
const LOGIN: &[&str] = &[
    "login",
    "signin",
    "logon",
    "logout",
    "magiclink",
    "passwordless",
    "connexion",
    "inloggen",
    "logowanie",
    "twofactorchallenge",
    "verificationnotification",
];
/// Who leaves a list is the opposite of a lead: parts of a path.
const LEAVING: &[&str] = &[
    "unsubscribe",
    "optout",
    "abbestellen",
    "abmelden",
    "abmeldung",
    "austragen",
    "desinscription",
    "desabonn",
    "disiscri",
    "uitschrijven",
    "afmelden",
];
/// What customers change of their own: whole segments.
const ACCOUNT: &[&str] = &["account", "myaccount", "meinkonto", "profile", "settings", "preferences"];
/// The back office: who writes there works for the site.
const OFFICE: &[&str] = &["admin", "administrator", "backend", "dashboard"];
const CHECKOUT: &[&str] = &[
    "checkout",
    "cart",
    "basket",
    "kasse",
    "warenkorb",
    "panier",
    "carrito",
    "carrello",
    "winkelwagen",
    "koszyk",
    "varukorg",
    "payment",
    "payments",
    "orders",
];
const COMMENT: &[&str] =
    &["comment", "comments", "kommentar", "kommentare", "commentaires", "comentarios", "commenti", "reviews"];
/// Words of calls by which a script checks what is typed.
const CHECKING: &[&str] = &["validate", "validation", "verify", "exists", "unique", "autocomplete", "suggest"];
/// What is checked, where the word is only "check": an availability may be asked for.
const CHECKED: &[&str] = &["email", "mail", "phone", "username", "user"];
/// Words of calls by which a script saves or reports what goes on.
const SAVING: &[&str] = &["draft", "drafts", "autosave"];
const REPORTING: &[&str] =
    &["track", "tracking", "identify", "beacon", "analytics", "log", "logs", "collect", "telemetry"];
/// One of several steps, with its number.
const STEP: &[&str] = &["step", "schritt", "etape", "paso", "passo", "stap", "krok"];

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

static OF_LEAVING: LazyLock<Stems> = LazyLock::new(|| Stems::new(LEAVING.iter().copied()));
static OF_LOST: LazyLock<Stems> = LazyLock::new(|| Stems::new(LOST.iter().copied()));
static OF_LOSING: LazyLock<Stems> = LazyLock::new(|| Stems::new(LOSING.iter().copied()));

/// Why a submission to this address, or of this kind, is no lead.
pub(super) fn of_target(post: &Post<'_>) -> Option<Reason> {
    // How HTML forms say PUT, PATCH and DELETE to frameworks: something that exists is changed.
    let method = post.fields.get("_method").unwrap_or_default().to_ascii_lowercase();
    if matches!(method.as_str(), "put" | "patch" | "delete") {
        return Some(Reason::NotAForm);
    }
    // bbPress posts its topics to any page.
    if post.fields.get("action").is_some_and(|action| action.starts_with("bbp-")) {
        return Some(Reason::Comment);
    }
    let path = post.request.path();
    of_path(path)
        .filter(|reason| match reason {
            // A mailer may live in the folder of the back office and serve the site: the page decides.
            Reason::Editor => of_page(post) == Some(Reason::Editor),
            Reason::Login => is_plain_login(path) || of_page(post) == Some(Reason::Login),
            _ => true,
        })
        .or_else(|| of_call(path).filter(|_| post.is_by_script()))
}

/// The same of the page that it came from, for software that posts everything to one address.
pub(super) fn of_page(post: &Post<'_>) -> Option<Reason> {
    of_path(&Url::absolute(post.page_url)?.path)
}

/// Logins and lost passwords are such whatever page they come from.
fn is_plain_login(path: &str) -> bool {
    !path.split('/').any(|segment| ACCOUNT.contains(&Words::of(segment).joined()))
}

/// What a script calls while a form is filled in, by the end of its address. A page of log cabins may end like this, too,
/// and is posted to by a browser.
fn of_call(path: &str) -> Option<Reason> {
    if path.ends_with(is_digit) && Words::of(path).has(STEP) {
        return Some(Reason::Step);
    }
    let words = Words::of(path.trim_end_matches('/').rsplit('/').next().unwrap_or_default());
    if words.has(SAVING) {
        Some(Reason::Draft)
    } else if words.has(CHECKING) || (words.has(&["check"]) && words.has(CHECKED)) {
        Some(Reason::Step)
    } else {
        words.has(REPORTING).then_some(Reason::NotAForm)
    }
}

fn is_digit(char: char) -> bool {
    char.is_ascii_digit()
}

fn of_path(path: &str) -> Option<Reason> {
    let path = path.strip_suffix(".php").or_else(|| path.strip_suffix(".html")).unwrap_or(path);
    let segments: Vec<Words> = path.split('/').map(Words::of).collect();
    let whole: String = segments.iter().map(Words::joined).collect();
    let has = |list: &[&str]| segments.iter().any(|segment| list.contains(&segment.joined()));
    if has(LOGIN) || has(ACCOUNT) || (OF_LOST.any_in(&whole) && OF_LOSING.any_in(&whole)) {
        Some(Reason::Login)
    } else if has(OFFICE) {
        Some(Reason::Editor)
    } else if has(CHECKOUT) {
        Some(Reason::Checkout)
    } else if has(COMMENT) {
        Some(Reason::Comment)
    } else {
        OF_LEAVING.any_in(&whole).then_some(Reason::NotAForm)
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
        for path in [
            "/",
            "/contact",
            "/login-page-builder/quote",
            "/register",
            "/password-manager/demo",
            "/passport",
            "/check-availability",
            "/order",
            "/blog/contact",
            "/step-by-step",
            "/accounting/quote",
            "/admissions",
        ] {
            assert_eq!(of_path(path), None, "{path}");
        }
    }

    #[test]
    fn what_else_is_no_lead_is_known_by_its_address() {
        for (path, reason) in [
            ("/newsletter/unsubscribe", Reason::NotAForm),
            ("/newsletter_unsubscribe.php", Reason::NotAForm),
            ("/newsletter/abmelden", Reason::NotAForm),
            ("/checkout/address", Reason::Checkout),
            ("/kasse", Reason::Checkout),
            ("/api/orders", Reason::Checkout),
            ("/blog/post-1/comments", Reason::Comment),
            ("/admin/crm/customer/add/", Reason::Editor),
            ("/settings/email", Reason::Login),
            ("/profile", Reason::Login),
        ] {
            assert_eq!(of_path(path), Some(reason), "{path}");
        }
        for (path, reason) in [
            ("/quote/step/1", Reason::Step),
            ("/api/validate-email", Reason::Step),
            ("/ajax/check_email", Reason::Step),
            ("/api/draft", Reason::Draft),
            ("/api/identify", Reason::NotAForm),
            ("/api/log/", Reason::NotAForm),
        ] {
            assert_eq!(of_call(path), Some(reason), "{path}");
        }
        let cabins = Case::post("/log", ANA).redirect(303, "/thanks");
        assert_eq!(cabins.verdict(), "lead");
        let call =
            Case::post("/api/log", ANA).header("x-requested-with", "XMLHttpRequest").json(200, r#"{"success":true}"#);
        assert_eq!(call.verdict(), "not_a_form");
    }

    #[test]
    fn what_changes_something_that_exists_is_no_lead() {
        let with =
            |method: &str| Case::post("/send", format!("{ANA}&_method={method}")).redirect(303, "/thanks").verdict();
        assert_eq!([with("PUT"), with("patch"), with("DELETE")], ["not_a_form"; 3]);
        assert_eq!(with("POST"), "lead");
    }
}
