//! URLs as they may leave the house: without fragment, password and personal data; everything else byte for byte,
//! because Meta compares them and `fbclid` is case-sensitive.

use std::borrow::Cow;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;

use super::shape::{has_email, has_international_phone, is_bare_phone};
use crate::stems::Stems;

/// Longest URL that is sent; browsers and servers agree on about this much.
const MAX_BYTES: usize = 2048;
/// A URL in a parameter is encoded once more, and so on; deeper nesting is not looked into.
const MAX_DECODING: usize = 3;

/// Parts of parameter names that hold personal data or secrets, wherever they occur in the name.
const STEMS: &[&str] = &[
    "mail",
    "correo",
    "courriel",
    "epost",
    "phone",
    "telefon",
    "téléphone",
    "téléfono",
    "firstname",
    "lastname",
    "fullname",
    "surname",
    "vorname",
    "nachname",
    "prenom",
    "prénom",
    "apellid",
    "cognome",
    "sobrenome",
    "voornaam",
    "achternaam",
    "nazwisko",
    "fornamn",
    "förnamn",
    "efternamn",
    "passw",
    "token",
    "session",
    "secret",
    "address",
    "adresse",
    "birth",
    "geburt",
    "iban",
];
static OF_STEMS: LazyLock<Stems> = LazyLock::new(|| Stems::new(STEMS.iter().copied()));
/// The same as a word of the name: as parts of longer words they are harmless.
const WORDS: &[&str] = &[
    "tel",
    "fon",
    "mobile",
    "mobil",
    "handy",
    "cell",
    "gsm",
    "celular",
    "movil",
    "móvil",
    "cellulare",
    "telemovel",
    "telemóvel",
    "komorka",
    "komórka",
    "key",
    "auth",
    "sid",
    "pw",
    "pwd",
    "pass",
    "pin",
    "otp",
    "jwt",
    "dob",
    "whatsapp",
];
/// The same as the whole name, punctuation aside: `utm_name` and `product_name` are harmless.
const NAMES: &[&str] = &[
    "name",
    "nom",
    "nome",
    "nombre",
    "imie",
    "imię",
    "namn",
    "naam",
    "yourname",
    "username",
    "customername",
    "contactname",
    "billingname",
    "clientname",
    "fname",
    "lname",
    "user",
    "login",
    "apikey",
    "phpsessid",
    "jsessionid",
];
/// Names under which digits are a telephone number, and anything else is not.
const PHONE_NAMES: &[&str] = &["contact", "kontakt", "contacto", "number", "nummer", "numero", "número", "to", "wa"];

/// A URL without query and fragment, and without what [`clean_url`] takes from the rest.
#[must_use]
pub fn without_query(url: &str) -> String {
    let base = clean_base(url.split(['?', '#']).next().unwrap_or_default());
    if base.len() <= MAX_BYTES { base } else { origin(&base).to_owned() }
}

/// A URL without fragment, user info, and path segments and query parameters that hold personal data; `fbclid` stays.
/// Never longer than the input, nor than 2048 bytes: of a longer one the query goes, then the path.
#[must_use]
pub fn clean_url(url: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let Some((base, query)) = url.split_once('?') else { return without_query(url) };
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_personal(pair)).collect();
    let base = without_query(base);
    let query = kept.join("&");
    if query.is_empty() || base.len() + 1 + query.len() > MAX_BYTES { base } else { format!("{base}?{query}") }
}

fn clean_base(base: &str) -> String {
    let (scheme, rest) = base.find("//").and_then(|at| base.split_at_checked(at + 2)).unwrap_or(("", base));
    let end = if scheme.is_empty() { 0 } else { rest.find(['/', '\\']).unwrap_or(rest.len()) };
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path: Vec<&str> =
        path.split('/').map(|segment| if holds_contact(&decoded(segment)) { "" } else { segment }).collect();
    format!("{scheme}{host}{}", path.join("/"))
}

fn origin(base: &str) -> &str {
    let start = base.find("//").map_or(0, |at| at + 2);
    let end = base.get(start..).and_then(|rest| rest.find('/')).map_or(base.len(), |at| start + at);
    base.get(..end).filter(|origin| origin.len() <= MAX_BYTES).unwrap_or_default()
}

fn is_personal(pair: &str) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let name = decoded(name);
    let value = decoded(value);
    if holds_contact(&value) || holds_contact(&name) {
        return true;
    }
    let plain: String = name.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    if plain == "fbclid" {
        return false;
    }
    NAMES.contains(&plain.as_str())
        || OF_STEMS.any_in(&plain)
        || name_words(&name).iter().any(|word| WORDS.contains(&word.as_str()))
        || (PHONE_NAMES.contains(&plain.as_str()) && is_bare_phone(&value.replace('+', " ")))
}

fn holds_contact(text: &str) -> bool {
    has_email(text) || has_international_phone(text)
}

/// The words of `auth_key`, `authKey`, `auth[key]`, lower case.
fn name_words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (was_lower && c.is_uppercase()) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// Without percent-encoding, however often it was applied.
fn decoded(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..MAX_DECODING {
        if !text.contains('%') {
            break;
        }
        text = Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn harmless_urls_stay_byte_for_byte() {
        for url in [
            "https://shop.example/quote",
            "https://shop.example/quote?fbclid=IwAR0abcd1234_aem_-X&utm_campaign=A%20b+c&utm_name=x",
            "https://shop.example/?id=1234567890&hotel=Ritz&keyword=t%C3%A9l&product_name=x&page=2",
            "https://shop.example/@ana/pkg@1.2.3?b&a=&c==",
            "",
            "not a url",
        ] {
            assert_eq!(clean_url(url), url);
        }
    }

    #[test]
    fn personal_data_goes_and_the_click_id_stays() {
        for (url, expected) in [
            ("https://shop.example/a?email=ana%40example.com&fbclid=IwAR0aB", "https://shop.example/a?fbclid=IwAR0aB"),
            ("https://shop.example/a?x=1&q=ana@example.com&y=2#top", "https://shop.example/a?x=1&y=2"),
            (
                "https://shop.example/a?next=https%3A%2F%2Fx.example%2F%3Fu%3Dana%2540example.com",
                "https://shop.example/a",
            ),
            (
                "https://shop.example/a?your-email=x&form[phone]=y&Vorname=Ana&authToken=z&api_key=k&PHPSESSID=s&tel=1&p=1",
                "https://shop.example/a?p=1",
            ),
            (
                "https://shop.example/a?q=%2B49%20171%205550123&contact=0171+5550123&contact=us",
                "https://shop.example/a?contact=us",
            ),
            ("https://ana:secret@shop.example/a?password=b", "https://shop.example/a"),
            ("https://shop.example/u/ana%40example.com/ok", "https://shop.example/u//ok"),
            ("https://shop.example/a?fbclid=ana@example.com", "https://shop.example/a"),
            ("https://shop.example/a?ana@example.com", "https://shop.example/a"),
        ] {
            assert_eq!(clean_url(url), expected);
        }
    }

    #[test]
    fn without_query_leaves_origin_and_path() {
        assert_eq!(without_query("https://ana@shop.example/a/b?c=d#e"), "https://shop.example/a/b");
        assert_eq!(without_query("https://shop.example#e?f"), "https://shop.example");
    }

    #[test]
    fn long_urls_lose_their_query_then_their_path() {
        let long = "x".repeat(3000);
        assert_eq!(clean_url(&format!("https://shop.example/a?b={long}")), "https://shop.example/a");
        assert_eq!(clean_url(&format!("https://shop.example/{long}")), "https://shop.example");
        assert_eq!(clean_url(&format!("https://{long}/")), "");
    }

    proptest! {
        #[test]
        fn cleaning_never_lengthens_and_is_stable(url in prop_oneof![any::<String>(), "https?://[a-z@:.]{0,12}/[a-zé%40@.?&=#/]{0,40}"]) {
            let clean = clean_url(&url);
            prop_assert!(clean.len() <= url.len().min(MAX_BYTES));
            prop_assert!(!clean.contains('#'));
            prop_assert_eq!(clean_url(&clean), clean);
        }
    }
}
