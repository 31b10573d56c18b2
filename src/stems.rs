//! Parts of words, looked for all at once: `mail` in `usermailbox`.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// A list of our own, made ready once.
pub struct Stems(Option<AhoCorasick>);

impl Stems {
    /// Gets them ready. An empty one is in every text.
    pub fn new<'a>(stems: impl IntoIterator<Item = &'a str>) -> Self {
        // It fails for lists of a length that nobody writes.
        Self(AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(stems).ok())
    }

    /// Whether one of them is in the text.
    pub fn any_in(&self, text: &str) -> bool {
        self.0.as_ref().is_some_and(|stems| stems.is_match(text))
    }
}

#[cfg(test)]
mod tests {
    use super::Stems;

    #[test]
    fn any_of_them_is_found_anywhere() {
        let stems = Stems::new(["mail", "courriel"]);
        assert!(stems.any_in("usermailbox") && stems.any_in("courriel"));
        assert!(!stems.any_in("mai") && !stems.any_in(""));
        assert!(!Stems::new([]).any_in("mail"));
    }
}
