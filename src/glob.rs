//! The one wildcard of rules and name lists: `*`, any text.

use std::collections::HashSet;

use crate::stems::Stems;

/// Whether `pattern` matches all of `text`. Time is bounded by the product of the lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = memchr::memmem::find(rest.as_bytes(), piece.as_bytes()) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// Patterns of our own, sorted by their kind, so that a text is held against all of them at once.
pub struct Set {
    exact: HashSet<&'static str>,
    beginnings: Vec<&'static str>,
    ends: Vec<&'static str>,
    parts: Stems,
    /// With a star in the middle.
    others: Vec<&'static str>,
}

impl Set {
    /// Gets them ready: a set is made once.
    pub fn new(patterns: &[&'static str]) -> Self {
        let (mut exact, mut parts) = (HashSet::new(), Vec::new());
        let (mut beginnings, mut ends, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for &pattern in patterns {
            let (end, beginning) = (pattern.strip_prefix('*'), pattern.strip_suffix('*'));
            let part = end.and_then(|end| end.strip_suffix('*'));
            let is_plain = |piece: &&str| !piece.contains('*');
            if is_plain(&pattern) {
                exact.insert(pattern);
            } else if let Some(part) = part.filter(is_plain) {
                parts.push(part);
            } else if let Some(beginning) = beginning.filter(is_plain) {
                beginnings.push(beginning);
            } else if let Some(end) = end.filter(is_plain) {
                ends.push(end);
            } else {
                others.push(pattern);
            }
        }
        Self { exact, beginnings, ends, parts: Stems::new(parts), others }
    }

    /// Whether one of the patterns matches all of `text`.
    pub fn matches(&self, text: &str) -> bool {
        self.exact.contains(text)
            || self.beginnings.iter().any(|beginning| text.starts_with(beginning))
            || self.ends.iter().any(|end| text.ends_with(end))
            || self.parts.any_in(text)
            || self.others.iter().any(|pattern| matches(pattern, text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Set, matches};

    #[test]
    fn a_star_is_any_text_and_nothing_else_is_special() {
        for (pattern, text, expected) in [
            ("/contact", "/contact", true),
            ("/contact", "/contact/", false),
            ("/contact*", "/contact/us", true),
            ("*", "", true),
            ("*honeypot*", "my-honeypot-1", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("aa*aa", "aaa", false),
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", false),
            ("*b*", "a", false),
            ("\u{e9}*", "\u{e9}t\u{e9}", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_set_matches_what_one_of_its_patterns_matches(text in "[abc]{0,6}", from in 0..10usize, to in 0..10usize) {
            let patterns = ["a", "", "ab*", "*ca", "*bb*", "a*c", "*a*c*", "b**", "*c*b", "cab"];
            let patterns = &patterns[from.min(to)..from.max(to)];
            let expected = patterns.iter().any(|pattern| matches(pattern, &text));
            prop_assert_eq!(Set::new(patterns).matches(&text), expected, "{:?}", patterns);
        }
    }
}
