//! Leads that wait in memory because the store refuses writes. Bounded: a store that is broken for good must not take the
//! visitors' proxy along.

use std::collections::VecDeque;

use super::{Admission, Tie};

/// Leads at most, and their bytes: a few minutes of a busy site.
const MAX_LEADS: usize = 1000;
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Oldest first.
#[derive(Default)]
pub struct Ring {
    leads: VecDeque<Admission>,
    bytes: usize,
}

impl Ring {
    /// Takes all of them, or gives them back when they do not fit.
    pub fn put(&mut self, admissions: Vec<Admission>) -> Result<(), Vec<Admission>> {
        let bytes: usize = admissions.iter().map(|admission| admission.body.len()).sum();
        if self.leads.len() + admissions.len() > MAX_LEADS || self.bytes + bytes > MAX_BYTES {
            return Err(admissions);
        }
        self.bytes += bytes;
        self.leads.extend(admissions);
        Ok(())
    }

    /// The first few, which stay until they are [`Ring::forget`]ten.
    pub fn first(&self, count: usize) -> Vec<Admission> {
        self.leads.iter().take(count).cloned().collect()
    }

    /// The first few are in the store.
    pub fn forget(&mut self, count: usize) {
        for admission in self.leads.drain(..count.min(self.leads.len())) {
            self.bytes = self.bytes.saturating_sub(admission.body.len());
        }
    }

    /// Removes what belongs to one of these; how many it was.
    pub fn withdraw(&mut self, ties: &[Tie]) -> usize {
        let before = self.leads.len();
        self.leads.retain(|admission| !admission.ties.iter().any(|tie| ties.contains(tie)));
        self.bytes = self.leads.iter().map(|admission| admission.body.len()).sum();
        before - self.leads.len()
    }

    pub fn len(&self) -> usize {
        self.leads.len()
    }
}
