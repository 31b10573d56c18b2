//! Texts → their words: what names, labels, paths and queries are read by. Reading is dear and looking up is cheap, so a
//! text is read once and asked as often as needed.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The folded words of a text: lower case, without diacritics. Its numbers, and the brackets and dots of names, cut them
/// into groups: `name-1-first-name` → `[name] [first name]`. Between two brackets is a group also where no word is;
/// between two numbers is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    joined: String,
    ends: Vec<End>,
}

/// Where a word ends, and the number of its group.
#[derive(Clone, Copy, Debug)]
struct End {
    at: usize,
    group: usize,
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let mut reader = Reader::default();
        reader.words.joined.reserve(text.len());
        for segment in text.split(['[', ']', '.', '$', ':']) {
            if segment.is_ascii() {
                segment.chars().for_each(|char| reader.take(char));
            } else {
                segment.nfkd().filter(|char| !is_combining_mark(*char)).for_each(|char| reader.take(char));
            }
            reader.end_segment();
        }
        reader.words
    }

    /// All of them.
    pub(super) fn all(&self) -> Phrase<'_> {
        self.between(0, self.ends.len())
    }

    /// All of them, run together.
    pub(super) fn joined(&self) -> &str {
        &self.joined
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.all().iter()
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether one of them is on the list.
    pub(super) fn has(&self, list: &[&str]) -> bool {
        self.iter().any(|word| list.contains(&word))
    }

    /// These words but one.
    pub(super) fn without(self, unwanted: &str) -> Self {
        if !self.has(&[unwanted]) {
            return self;
        }
        let mut kept = Self::default();
        for (word, end) in self.iter().zip(&self.ends).filter(|(word, _)| *word != unwanted) {
            kept.joined.push_str(word);
            kept.ends.push(End { at: kept.joined.len(), group: end.group });
        }
        kept
    }

    /// The last group for which `holds`, with what is before it.
    pub(super) fn last_group(&self, holds: impl Fn(Phrase<'_>) -> bool) -> Option<Group<'_>> {
        let mut to = self.ends.len();
        while let Some(number) = self.ends.get(..to)?.last().map(|end| end.group) {
            let from = self.start_of(number, to);
            let words = self.between(from, to);
            if holds(words) {
                let parent = number.checked_sub(1).map_or(from, |parent| self.start_of(parent, from));
                return Some(Group { before: self.between(0, from), parent: self.between(parent, from), words });
            }
            to = from;
        }
        None
    }

    /// The first word of a group of which no word is behind `to`.
    fn start_of(&self, group: usize, to: usize) -> usize {
        let before = self.ends.get(..to).unwrap_or_default();
        before.iter().rposition(|end| end.group != group).map_or(0, |last| last + 1)
    }

    fn between(&self, from: usize, to: usize) -> Phrase<'_> {
        let start = from.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(0, |end| end.at);
        Phrase { joined: &self.joined, start, ends: self.ends.get(from..to).unwrap_or_default() }
    }
}

/// A group of words.
pub(super) struct Group<'a> {
    /// All words before.
    pub before: Phrase<'a>,
    /// The group right before.
    pub parent: Phrase<'a>,
    pub words: Phrase<'a>,
}

/// Words that follow one another.
#[derive(Clone, Copy)]
pub(super) struct Phrase<'a> {
    joined: &'a str,
    start: usize,
    ends: &'a [End],
}

impl<'a> Phrase<'a> {
    /// Run together.
    pub(super) fn joined(self) -> &'a str {
        self.ends.last().and_then(|end| self.joined.get(self.start..end.at)).unwrap_or_default()
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'a str> {
        let starts = std::iter::once(self.start).chain(self.ends.iter().map(|end| end.at));
        starts.zip(self.ends).map(move |(start, end)| self.joined.get(start..end.at).unwrap_or_default())
    }

    /// Without the words at its beginning and its end for which `goes`; one stays.
    pub(super) fn trim(mut self, goes: impl Fn(&str) -> bool) -> Self {
        loop {
            self = match self.ends {
                [first, rest @ ..] if !rest.is_empty() && goes(self.word(self.start, *first)) => {
                    Self { start: first.at, ends: rest, ..self }
                }
                [rest @ .., last] if rest.last().is_some_and(|end| goes(self.word(end.at, *last))) => {
                    Self { ends: rest, ..self }
                }
                _ => return self,
            };
        }
    }

    fn word(self, start: usize, end: End) -> &'a str {
        self.joined.get(start..end.at).unwrap_or_default()
    }
}

/// Takes a text character by character.
struct Reader {
    words: Words,
    group: usize,
    /// The first group since the last bracket.
    first_group: usize,
    last: char,
}

impl Default for Reader {
    fn default() -> Self {
        Self { words: Words::default(), group: 0, first_group: 0, last: ' ' }
    }
}

impl Reader {
    fn take(&mut self, char: char) {
        // What is both (a Chinese 0) is a number.
        if char.is_numeric() {
            self.end_word();
            self.group += usize::from(self.has_words());
        } else if char.is_alphabetic() {
            if self.last.is_lowercase() && char.is_uppercase() {
                self.end_word();
            }
            let joined = &mut self.words.joined;
            match char {
                '\u{df}' | '\u{1e9e}' => joined.push_str("ss"),
                '\u{142}' | '\u{141}' => joined.push('l'),
                '\u{f8}' | '\u{d8}' => joined.push('o'),
                '\u{111}' | '\u{110}' => joined.push('d'),
                '\u{e6}' | '\u{c6}' => joined.push_str("ae"),
                '\u{153}' | '\u{152}' => joined.push_str("oe"),
                other if other.is_ascii() => joined.push(other.to_ascii_lowercase()),
                other => joined.extend(other.to_lowercase()),
            }
        } else {
            self.end_word();
        }
        self.last = char;
    }

    fn end_word(&mut self) {
        let at = self.words.joined.len();
        if self.words.ends.last().map_or(0, |end| end.at) < at {
            self.words.ends.push(End { at, group: self.group });
        }
    }

    fn end_segment(&mut self) {
        self.end_word();
        // A group that a number has begun and nothing has followed is none.
        if self.has_words() || self.group == self.first_group {
            self.group += 1;
        }
        self.first_group = self.group;
        self.last = ' ';
    }

    /// Whether the group has a word.
    fn has_words(&self) -> bool {
        self.words.ends.last().is_some_and(|end| end.group == self.group)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        Words::of(text).iter().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_are_folded_and_told_by_punctuation_numbers_and_case() {
        for (text, words) in [
            ("ctl00$txtVorname", "ctl txt vorname"),
            ("your-E-Mail (2)", "your e mail"),
            ("FNAME", "fname"),
            ("num\u{e9}ro-tel", "numero tel"),
            ("Stra\u{df}e \u{141}\u{f3}d\u{17a}", "strasse lodz"),
            ("\u{c6}r\u{f8} c\u{153}ur", "aero coeur"),
            ("\u{ff21}\u{2460}\u{fb01}n", "a fin"),
            ("12", ""),
        ] {
            assert_eq!(shown(text), words, "{text}");
        }
    }

    #[test]
    fn groups_are_told_by_numbers_and_brackets() {
        let parent_and_last = |text: &str| {
            let words = Words::of(text);
            let group = words.last_group(|group| group.joined() != "value").unwrap();
            format!("{}|{}|{}", group.before.joined(), group.parent.joined(), group.words.joined())
        };
        for (text, groups) in [
            ("name-1-first-name", "name|name|firstname"),
            ("name[first]", "name|name|first"),
            ("a[b][value]", "a|a|b"),
            ("names[0][first]", "names||first"),
            ("names[][first]", "names||first"),
            ("a1[b]", "a|a|b"),
            ("a.b2c", "ab|b|c"),
            ("value", ""),
        ] {
            if groups.is_empty() {
                assert!(Words::of(text).last_group(|group| group.joined() != "value").is_none(), "{text}");
            } else {
                assert_eq!(parent_and_last(text), groups, "{text}");
            }
        }
    }

    #[test]
    fn words_at_the_ends_go_and_one_stays() {
        let trimmed = |text: &str| Words::of(text).all().trim(|word| word == "your").joined().to_owned();
        assert_eq!(trimmed("your your name your"), "name");
        assert_eq!(trimmed("my your name"), "myyourname");
        assert_eq!(trimmed("your your"), "your");
        assert_eq!(trimmed(""), "");
        assert_eq!(Words::of("number to reach to").without("to").joined(), "numberreach");
    }

    proptest! {
        /// The two ways to read a character agree.
        #[test]
        fn ascii_words_are_the_same_beside_other_letters(text in "[a-zA-Z0-9 _\\[\\].-]{0,30}") {
            let beside = Words::of(&format!("{text} \u{e9}"));
            prop_assert_eq!(format!("{}e", Words::of(&text).joined()), beside.joined());
        }

        #[test]
        fn words_run_together_are_all_letters(text in any::<String>()) {
            let words = Words::of(&text);
            prop_assert_eq!(words.iter().collect::<String>(), words.joined());
            prop_assert!(words.iter().all(|word| !word.is_empty()));
            prop_assert!(words.joined().chars().all(|char| !char.is_whitespace()));
        }
    }
}
