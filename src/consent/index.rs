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

const BUCKETS: usize = 1024;

/// Names that share a bucket are compared in full; no name that is looked for is shorter than two bytes.
fn bucket(name: &str) -> usize {
    let mut bytes = name.bytes().map(usize::from);
    let (first, second) = (bytes.next().unwrap_or_default(), bytes.next().unwrap_or_default());
    (first * 37 + second) % BUCKETS
}

struct Index {
    /// By the first two bytes: most cookies begin like none of the names.
    entries: Vec<Vec<Entry>>,
    always: u64,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { entries: vec![Vec::new(); BUCKETS], always: 0 };
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
            if let Some(list) = index.entries.get_mut(bucket(name)) {
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
        let entries = self.entries.get(bucket(name)).map_or(&[][..], Vec::as_slice);
        let fits =
            |(known, is_beginning, _): &&Entry| if *is_beginning { name.starts_with(known) } else { name == *known };
        entries.iter().filter(fits).fold(0, |bits, (_, _, bit)| bits | bit)
    }
}

/// The readers whose cookies are there, and those that look elsewhere.
pub fn asked(signals: &Signals<'_>) -> Asked {
    let index = &*INDEX;
    Asked(signals.cookies().fold(index.always, |bits, (name, _)| bits | index.of(name)))
}
