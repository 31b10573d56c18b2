//! Which readers have anything to read in a request: one look at each cookie's name, instead of each reader looking at
//! each cookie.

use std::collections::HashMap;
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

struct Index {
    names: HashMap<&'static str, u64>,
    /// By first byte, since few cookies begin like any of them.
    beginnings: HashMap<u8, Vec<(&'static str, u64)>>,
    always: u64,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { names: HashMap::new(), beginnings: HashMap::new(), always: 0 };
    for (number, reader) in READERS.iter().enumerate() {
        let bit = 1 << number;
        match reader.source {
            Source::Request(_) => index.always |= bit,
            Source::Rules => {}
            Source::Cookies(names) => {
                for name in names {
                    match *name {
                        Name::Is(name) => *index.names.entry(name).or_default() |= bit,
                        Name::Begins(start) => {
                            let first = start.as_bytes().first().copied().unwrap_or_default();
                            index.beginnings.entry(first).or_default().push((start, bit));
                        }
                    }
                }
            }
        }
    }
    index
});

/// The readers whose cookies are there, and those that look elsewhere.
pub fn asked(signals: &Signals<'_>) -> Asked {
    let index = &*INDEX;
    let named = |name: &str| index.names.get(name).copied().unwrap_or_default();
    let begun = |name: &str| {
        let starts = name.as_bytes().first().and_then(|first| index.beginnings.get(first));
        let fitting = starts.into_iter().flatten().filter(|(start, _)| name.starts_with(start));
        fitting.fold(0, |bits, (_, bit)| bits | bit)
    };
    Asked(signals.cookies().fold(index.always, |bits, (name, _)| bits | named(name) | begun(name)))
}
