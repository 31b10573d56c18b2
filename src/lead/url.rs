//! Page addresses as they may leave: personal data in the query stays here.

use percent_encoding::percent_decode_str;

use super::event::is_contact_like;

/// Longer addresses are cut at the path: Meta does not need them, and they are where forms dump their fields.
const MAX_URL: usize = 2000;

/// Words in a parameter's name that say its value is somebody's or secret. Whole words, so that `ref` or `item` pass.
const PRIVATE: [&str; 56] = [
    "email",
    "mail",
    "e",
    "phone",
    "tel",
    "telefon",
    "telephone",
    "telefono",
    "mobile",
    "handy",
    "name",
    "fname",
    "lname",
    "firstname",
    "lastname",
    "vorname",
    "nachname",
    "prenom",
    "nom",
    "nombre",
    "apellido",
    "nome",
    "cognome",
    "voornaam",
    "achternaam",
    "imie",
    "nazwisko",
    "fornamn",
    "efternamn",
    "address",
    "street",
    "zip",
    "plz",
    "postcode",
    "birthday",
    "dob",
    "user",
    "username",
    "login",
    "password",
    "passwd",
    "pwd",
    "token",
    "key",
    "apikey",
    "auth",
    "code",
    "secret",
    "session",
    "sessionid",
    "sid",
    "phpsessid",
    "jwt",
    "signature",
    "sig",
    "hash",
];

/// A URL without query and fragment.
#[must_use]
pub fn without_query(url: &str) -> String {
    without_user(url.split(['?', '#']).next().unwrap_or_default())
}

/// A URL without fragment, credentials, and query parameters that hold personal data. `fbclid` and everything harmless
/// stay byte for byte.
#[must_use]
pub fn clean_url(url: &str) -> String {
    let url = without_user(url.split('#').next().unwrap_or_default());
    let Some((page, query)) = url.split_once('?') else { return shortened(url) };
    let kept: Vec<_> = query.split('&').filter(|pair| !is_private(pair)).collect();
    if kept.iter().all(|pair| pair.is_empty()) {
        return shortened(page.to_owned());
    }
    let full = format!("{page}?{}", kept.join("&"));
    if full.len() > MAX_URL { shortened(page.to_owned()) } else { full }
}

fn shortened(url: String) -> String {
    match url.char_indices().nth(MAX_URL) {
        Some((end, _)) => url.get(..end).unwrap_or_default().to_owned(),
        None => url,
    }
}

fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

fn is_private(pair: &str) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    if name == "fbclid" {
        return false;
    }
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let (name, value) = (decode(name), decode(value));
    // Encoded twice, as newsletters do.
    if is_contact_like(&value) || is_contact_like(&decode(&value)) || name.contains('@') {
        return true;
    }
    let mut word = String::new();
    let mut words = Vec::new();
    for c in name.chars() {
        // `firstName`, `user[email]`, `billing_phone`
        if !c.is_alphanumeric() || (c.is_uppercase() && word.chars().next_back().is_some_and(char::is_lowercase)) {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    words.push(word);
    words.iter().any(|word| PRIVATE.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn personal_data_is_removed_and_the_rest_stays() {
        for (url, clean) in [
            ("https://a.example/x", "https://a.example/x"),
            (
                "https://a.example/x?fbclid=IwAR0_-&utm_source=fb&p=%2F",
                "https://a.example/x?fbclid=IwAR0_-&utm_source=fb&p=%2F",
            ),
            ("https://a.example/?email=a%40example.com&x=1#top", "https://a.example/?x=1"),
            ("https://a.example/?q=a%2540example.com", "https://a.example/"),
            ("https://a.example/?contact=%2B4917155501234&id=7", "https://a.example/?id=7"),
            ("https://a.example/?firstName=Ana&user[name]=x&reset_token=abc&ref=1", "https://a.example/?ref=1"),
            ("https://ana:pw@a.example/x?y=1", "https://a.example/x?y=1"),
            ("https://a.example/?", "https://a.example/"),
            ("not a url", "not a url"),
        ] {
            assert_eq!(clean_url(url), clean, "{url}");
        }
        assert_eq!(without_query("https://u@a.example/x?y#z"), "https://a.example/x");
    }

    proptest! {
        #[test]
        fn no_url_gets_longer(url in ".*") {
            prop_assert!(clean_url(&url).len() <= url.len());
        }
    }
}
