//! Which readers have anything to read in a request: one look at each cookie's name, instead of each reader looking at
//! each cookie.

use std::sync::LazyLock;

use super::readers::{Name, READERS, Source};
use super::signals::Signals;

/// A set of readers: bit n is `READERS[n]`.
#[derive(Clone, Copy, Default)]
pub struct Asked(u64);

const _: () = assert!(READERS.len() <= 64, "a reader is a bit of a u64");

impl Asked {
    /// Whether reader n has something to read.
    pub const fn has(self, reader: usize) -> bool {
        self.0 >> reader & 1 == 1
    }
}

/// A name, whether it is only the beginning of one, and whose it is.
type Entry = (&'static str, bool, u64);

struct Index {
    /// By first byte: most cookies begin like none of the names, or differ from the few in length.
    entries: [Vec<Entry>; 256],
    always: u64,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { entries: [const { Vec::new() }; 256], always: 0 };
    for (number, reader) in READERS.iter().enumerate() {
        let bit = 1 << number;
        let names = match reader.source {
            Source::Rules => continue,
            Source::Cookies(names) => names,
            Source::Request(names) => {
                index.always |= bit;
                names
            }
        };
        for name in names {
            let (name, is_beginning) = match *name {
                Name::Is(name) => (name, false),
                Name::Begins(start) => (start, true),
            };
            let first = name.bytes().next().unwrap_or_default();
            if let Some(list) = index.entries.get_mut(usize::from(first)) {
                list.push((name, is_beginning, bit));
            }
        }
    }
    index
});

/// Whether any reader reads a cookie of this name.
pub fn is_known(name: &str) -> bool {
    INDEX.of(name) != 0
}

impl Index {
    fn of(&self, name: &str) -> u64 {
        let first = name.bytes().next().unwrap_or_default();
        let entries = self.entries.get(usize::from(first)).map_or(&[][..], Vec::as_slice);
        let fits =
            |(known, is_beginning, _): &&Entry| if *is_beginning { name.starts_with(known) } else { name == *known };
        entries.iter().filter(fits).fold(0, |bits, (_, _, bit)| bits | bit)
    }
}

/// The readers whose cookies are there, and those that look elsewhere; with the request's cookies split once, since several
/// readers will look through all of them.
pub fn asked<'a>(signals: &'a Signals<'_>) -> (Asked, Signals<'a>) {
    let index = &*INDEX;
    let split = signals.split();
    let bits = split.cookies().fold(index.always, |bits, (name, _)| bits | index.of(name));
    (Asked(bits), split)
}
