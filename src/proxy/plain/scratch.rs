//! What a worker's plain connections share: they hold no buffer while they wait.

use std::time::{SystemTime, UNIX_EPOCH};

/// One read. Large enough that a download costs few system calls, small enough to stay in the cache.
const INPUT: usize = 256 * 1024;
/// A head with a small body; what an exchange needs beyond that is given back after it.
const OUTPUT: usize = 16 * 1024;

/// Buffers for the moment between a read and a write.
pub struct Scratch {
    /// What was read.
    pub input: Box<[u8]>,
    /// What is to be written.
    pub output: Vec<u8>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { input: vec![0; INPUT].into(), output: Vec::with_capacity(OUTPUT) }
    }
}

impl Scratch {
    /// Empties the output.
    pub fn clear(&mut self) {
        self.output.clear();
        self.output.shrink_to(OUTPUT);
    }
}

/// `Date` of this second.
#[must_use]
pub fn date() -> String {
    httpdate::fmt_http_date(SystemTime::now().max(UNIX_EPOCH))
}
