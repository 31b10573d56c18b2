//! A request body → its fields, in their order.
//!
//! What is promised: nothing here panics on any input, the cost is linear in the body, and a body that is not what its
//! Content-Type says is an error rather than a guess, with two exceptions that real sites need: JSON sent under
//! `text/plain` or `application/x-www-form-urlencoded`.

use std::fmt;

use encoding_rs::{Encoding, UTF_8};

use super::{json, multipart, urlencoded};

/// Fields kept of one submission. Long surveys have a few hundred; beyond this only the cost would grow.
pub const MAX_FIELDS: usize = 1000;
/// Longest field name, in bytes; the longest seen (labels in base64) have about 150.
pub(super) const MAX_NAME: usize = 256;
/// Bytes of names and values together: decoding may triple what `limits.capture_bytes` let in.
const MAX_TOTAL: usize = 4 << 20;

/// One submitted field.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    /// The name as submitted.
    pub name: String,
    /// The value as typed.
    pub value: String,
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=({} bytes)", self.name, self.value.len())
    }
}

/// The fields of a submission in their order.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The fields.
    pub list: Vec<Field>,
    /// There were more than are kept.
    pub truncated: bool,
    total: usize,
}

impl Fields {
    /// Adds a field, unless a bound is reached. `false` when no further field will be taken.
    pub(super) fn push(&mut self, name: String, value: String) -> bool {
        let size = name.len() + value.len();
        if self.list.len() >= MAX_FIELDS || self.total + size > MAX_TOTAL {
            self.truncated = true;
            return false;
        }
        if name.len() > MAX_NAME {
            self.truncated = true;
        } else if !name.is_empty() {
            self.total += size;
            self.list.push(Field { name, value });
        }
        true
    }

    /// The value of a field. Of repeated ones the last, as PHP sees it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.list.iter().rev().find(|field| field.name == name).map(|field| field.value.as_str())
    }

    /// Whether a field's name begins with this.
    #[must_use]
    pub fn has_prefix(&self, prefix: &str) -> bool {
        self.list.iter().any(|field| field.name.starts_with(prefix))
    }
}

/// The body is not what its Content-Type says, or is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The body types that carry fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyType {
    Urlencoded,
    Multipart,
    Json,
    Text,
}

impl BodyType {
    /// By Content-Type; `None` for those that are no form.
    pub(super) fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/x-www-form-urlencoded" => Some(Self::Urlencoded),
            "multipart/form-data" => Some(Self::Multipart),
            "application/json" | "text/json" => Some(Self::Json),
            "text/plain" => Some(Self::Text),
            // What browsers send about themselves (Reporting API), not what people typed.
            "application/reports+json" => None,
            other if other.starts_with("application/") && other.ends_with("+json") => Some(Self::Json),
            _ => None,
        }
    }
}

/// Decodes a body. `site_encoding` is what the site itself declares for its pages: forms are submitted in the
/// encoding of their page (HTML, form submission), and of a Latin-1 site nothing in the request says so.
pub(super) fn decode(
    content_type: &str,
    body: &[u8],
    site_encoding: Option<&'static Encoding>,
) -> Result<Fields, Malformed> {
    let declared = parameter(content_type, "charset").and_then(|label| Encoding::for_label(label.as_bytes()));
    let text = Text { declared, fallback: site_encoding };
    match BodyType::of(content_type).ok_or(Malformed)? {
        BodyType::Multipart => multipart::decode(content_type, body, text),
        BodyType::Json => json::decode(body),
        BodyType::Text => json::decode_object(body).ok_or(Malformed),
        BodyType::Urlencoded => match json::decode_object(body) {
            Some(fields) => Ok(fields),
            None => Ok(urlencoded::decode(body, text)),
        },
    }
}

/// How the bytes of names and values become text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Text {
    /// By Content-Type or the `_charset_` field.
    pub declared: Option<&'static Encoding>,
    /// Tried where nothing is declared and the bytes are not UTF-8.
    pub fallback: Option<&'static Encoding>,
}

impl Text {
    /// The `_charset_` field's word (HTML, form submission) beats the header's.
    pub(super) fn with_charset_field(mut self, value: &[u8]) -> Self {
        self.declared = Encoding::for_label(value).or(self.declared);
        self
    }

    /// Never fails: what cannot be read becomes U+FFFD.
    pub(super) fn decode(self, bytes: &[u8]) -> String {
        let encoding = match self.declared {
            Some(encoding) => encoding,
            None => match std::str::from_utf8(bytes) {
                Ok(text) => return text.to_owned(),
                Err(_) => self.fallback.unwrap_or(UTF_8),
            },
        };
        encoding.decode_without_bom_handling(bytes).0.into_owned()
    }
}

/// A parameter of a Content-Type or Content-Disposition value (RFC 9110 5.6.6), unquoted.
pub(super) fn parameter(value: &str, name: &str) -> Option<String> {
    multipart::parameters(value.as_bytes())
        .find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))
        .and_then(|(_, value)| String::from_utf8(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(content_type: &str, body: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
        let fields = decode(content_type, body, None)?;
        Ok(fields.list.into_iter().map(|f| (f.name, f.value)).collect())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_content_type_is_read_without_case_or_parameters() {
        for (content_type, expected) in [
            ("Application/X-WWW-Form-Urlencoded; charset=UTF-8", Some(BodyType::Urlencoded)),
            ("multipart/form-data; boundary=x", Some(BodyType::Multipart)),
            ("application/ld+json", Some(BodyType::Json)),
            ("application/reports+json", None),
            ("text/plain;charset=UTF-8", Some(BodyType::Text)),
            ("multipart/mixed; boundary=x", None),
            ("image/png", None),
            ("", None),
        ] {
            assert_eq!(BodyType::of(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn json_is_recognised_under_a_lying_content_type() {
        let body = br#" {"email":"ana@example.com"}"#;
        for content_type in ["text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "application/json"] {
            assert_eq!(pairs(content_type, body), Ok(vec![pair("email", "ana@example.com")]), "{content_type}");
        }
    }

    #[test]
    fn a_body_that_is_not_what_it_says_is_malformed() {
        for (content_type, body) in [
            ("text/plain", "hello"),
            ("text/plain", "[1,2]"),
            ("application/json", "email=ana%40example.com"),
            ("application/json", ""),
            ("application/json", "{\"a\":"),
            ("multipart/form-data", "--x\r\n\r\n--x--"),
            ("multipart/form-data; boundary=x", "a=b"),
            ("image/png", "a=b"),
        ] {
            assert_eq!(pairs(content_type, body.as_bytes()), Err(Malformed), "{content_type}: {body}");
        }
    }

    #[test]
    fn the_encoding_comes_from_the_header_or_the_charset_field_or_the_site() {
        let urlencoded = "application/x-www-form-urlencoded";
        let ruiz = [pair("n", "Ru\u{ed}z")];
        let first = |content_type: &str, body: &[u8], site| decode(content_type, body, site).unwrap().list[0].clone();
        let expected = Field { name: ruiz[0].0.clone(), value: ruiz[0].1.clone() };
        assert_eq!(first(urlencoded, b"n=Ru%C3%ADz", None), expected);
        assert_eq!(first(&format!("{urlencoded}; charset=iso-8859-1"), b"n=Ru%EDz", None), expected);
        assert_eq!(first(urlencoded, b"n=Ru%EDz&_charset_=windows-1252", None), expected);
        assert_eq!(first(urlencoded, b"n=Ru%EDz", Some(encoding_rs::WINDOWS_1252)), expected);
        // What is UTF-8 stays UTF-8, whatever the site calls itself.
        assert_eq!(first(urlencoded, b"n=Ru%C3%ADz", Some(encoding_rs::WINDOWS_1252)), expected);
        assert_eq!(first(urlencoded, b"n=Ru%EDz", None).value, "Ru\u{fffd}z");
    }

    #[test]
    fn a_form_of_ten_thousand_fields_is_cut() {
        let body = (0..10_000).map(|i| format!("f{i}=v")).collect::<Vec<_>>().join("&");
        let fields = decode("application/x-www-form-urlencoded", body.as_bytes(), None).unwrap();
        assert_eq!(fields.list.len(), MAX_FIELDS);
        assert!(fields.truncated);
    }

    #[test]
    fn of_repeated_fields_the_last_one_counts() {
        let fields = decode("application/x-www-form-urlencoded", b"a=1&a=2&b=", None).unwrap();
        assert_eq!(fields.get("a"), Some("2"));
        assert_eq!(fields.get("b"), Some(""));
        assert_eq!(fields.get("c"), None);
        assert!(!fields.truncated);
    }

    proptest! {
        #[test]
        fn decoding_never_panics(
            content_type in prop_oneof![
                Just("application/x-www-form-urlencoded"), Just("multipart/form-data; boundary=\"a\""),
                Just("multipart/form-data; boundary="), Just("application/json"), Just("text/plain; charset=utf-16"),
                Just("application/x-www-form-urlencoded; charset=shift_jis"),
            ],
            body in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            drop(decode(content_type, &body, Some(encoding_rs::EUC_JP)));
        }

        #[test]
        fn structured_noise_never_panics(
            body in "(--a|\r\n|Content-Disposition: form-data; |name=|filename\\*?=|\"|\\\\|--|:|%2|[a-z]|=|&|\\{|\\}|\\[){0,60}",
            content_type in prop_oneof![
                Just("application/x-www-form-urlencoded"), Just("multipart/form-data; boundary=a"),
                Just("application/json"),
            ],
        ) {
            drop(decode(content_type, body.as_bytes(), None));
        }
    }
}
