//! The wrappings that banners put around their values.

use std::borrow::Cow;
use std::iter;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Longer values are not looked into. Browsers refuse cookies beyond 4 KiB (RFC 6265bis).
const MAX_VALUE: usize = 8 * 1024;
/// Seen in the wild: encoded twice by the banner, and once more by the site that copies it.
const MAX_ROUNDS: usize = 3;

/// The value as it is, and percent-decoded once, twice, three times, for as long as that changes anything. Readers take
/// the first layer they recognise, so that what is encoded *inside* a field (a landing page's URL) stays inside.
pub fn layers(raw: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let outermost = (raw.len() <= MAX_VALUE).then_some(Cow::Borrowed(raw));
    iter::successors(outermost, |layer| {
        // Most values are not encoded, and need no look at each of their bytes.
        memchr::memchr(b'%', layer.as_bytes())?;
        let decoded = percent_decode_str(layer).decode_utf8_lossy();
        (decoded != *layer).then(|| Cow::Owned(decoded.into_owned()))
    })
    .take(1 + MAX_ROUNDS)
}

/// The value of a key that is there once, or several times with the same value. A key that contradicts itself has none.
pub fn sole<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, key: &str) -> Option<&'a str> {
    let mut values = pairs.into_iter().filter(|(name, _)| *name == key).map(|(_, value)| value);
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// `a:1,b:2` → pairs, trimmed of blanks and of quotes around either part.
pub fn colon_pairs(list: &str) -> impl Iterator<Item = (&str, &str)> + Clone {
    list.split(',').filter_map(|pair| pair.split_once(':')).map(|(key, value)| (unquoted(key), unquoted(value)))
}

/// A value that banners compare with words: booleans and numbers are written out.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

/// The first layer that is a JSON object. What is encoded inside its texts stays inside.
pub fn object(raw: &str) -> Option<Map<String, Value>> {
    layers(raw).find_map(|layer| match serde_json::from_str(&layer) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    })
}

/// The same behind base64, standard or URL-safe, padded or not.
pub fn base64_object(raw: &str) -> Option<Map<String, Value>> {
    layers(raw).find_map(|layer| match serde_json::from_str(&base64_text(&layer)?) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    })
}

/// The text behind base64.
pub fn base64_text(layer: &str) -> Option<String> {
    let standard = layer.trim().replace('-', "+").replace('_', "/");
    String::from_utf8(BASE64.decode(standard.as_bytes()).ok()?).ok()
}

/// A bool, or one of the words and numbers that stand for it.
pub fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(bool) => Some(*bool),
        Value::String(text) if matches!(text.as_str(), "1" | "true" | "yes") => Some(true),
        Value::String(text) if matches!(text.as_str(), "0" | "false" | "no") => Some(false),
        Value::Number(number) => match number.as_u64() {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['\'', '"'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_end_when_nothing_changes_or_after_three_rounds() {
        let all = |raw| layers(raw).map(Cow::into_owned).collect::<Vec<_>>();
        assert_eq!(all("a:b"), ["a:b"]);
        assert_eq!(all("a%253Ab"), ["a%253Ab", "a%3Ab", "a:b"]);
        assert_eq!(all("%2525252541").last().map(String::as_str), Some("%2541"));
        assert_eq!(all("100%"), ["100%"]);
        assert!(all(&"a".repeat(MAX_VALUE + 1)).is_empty());
    }

    #[test]
    fn a_key_that_contradicts_itself_has_no_value() {
        assert_eq!(sole(colon_pairs("a:yes,b:no,a:yes"), "a"), Some("yes"));
        assert_eq!(sole(colon_pairs("a:yes,b:no,a:no"), "a"), None);
        assert_eq!(sole(colon_pairs("{'a':true"), "b"), None);
    }
}
