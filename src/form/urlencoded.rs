//! `application/x-www-form-urlencoded` (WHATWG URL, section 5), in whatever encoding the page had.

use std::borrow::Cow;

use memchr::memmem;
use percent_encoding::percent_decode;

use super::body::{Fields, Text};

/// Decodes a body; every sequence of bytes is one.
pub(super) fn decode(body: &[u8], mut text: Text) -> Fields {
    if memmem::find(body, b"_charset_=").is_some()
        && let Some((_, value)) = pairs(body).find(|(name, _)| name == b"_charset_")
    {
        text = text.with_charset_field(value);
    }
    let mut fields = Fields::default();
    for (name, value) in pairs(body) {
        if !fields.push(text.decode(&unescape(name)), text.decode(&unescape(value))) {
            break;
        }
    }
    fields
}

fn pairs(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let end = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let (name, value) = pair.split_at_checked(end).unwrap_or((pair, b""));
        (name, value.get(1..).unwrap_or_default())
    })
}

fn unescape(bytes: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', bytes).is_none() {
        return Cow::Borrowed(bytes);
    }
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn utf8_bodies_are_read_as_the_url_standard_reads_them(body in "[a-c%2&=+\u{e9}0-9F]{0,80}") {
            let ours = decode(body.as_bytes(), Text::default()).list.into_iter().map(|f| (f.name, f.value));
            let theirs = form_urlencoded::parse(body.as_bytes()).into_owned().filter(|(name, _)| !name.is_empty());
            prop_assert!(ours.eq(theirs));
        }
    }
}
