//! Submissions that wait for the page after their answer: who is expected where, and for how long.
//!
//! The waiting submission is a decision, hashed and ready; its contact data is gone. The visitor is known by address and
//! browser, which together with the page and a minute's time is enough: somebody else behind the same address would have
//! to load that page with the same browser first, and would then be shown no message.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::decision::Decision;
use crate::exchange::host_name;

/// Browsers follow a redirect at once; slow ones and slow sites take some seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// Submissions that may wait at once; then the one that has waited longest is given up.
const MAX_WAITING: usize = 256;

/// A visitor on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VisitKey(u64);

impl VisitKey {
    /// By address, browser, Host and target.
    pub fn new(visitor: Option<IpAddr>, user_agent: &[u8], host: &str, target: &str) -> Self {
        let mut hash = DefaultHasher::new();
        visitor.map(|address| address.to_canonical()).hash(&mut hash);
        (user_agent, host_name(host).to_ascii_lowercase(), target).hash(&mut hash);
        Self(hash.finish())
    }
}

/// The data plane's view: whether anybody is expected.
#[derive(Default)]
pub struct Visits {
    count: AtomicUsize,
    keys: Mutex<HashSet<VisitKey>>,
}

impl Visits {
    /// Whether anybody is expected at all: all that most requests ask.
    pub fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Whether this one is.
    pub fn expects(&self, key: VisitKey) -> bool {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }

    fn change(&self, change: impl FnOnce(&mut HashSet<VisitKey>)) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut keys);
        self.count.store(keys.len(), Ordering::Release);
    }
}

/// A submission that waits.
pub struct Awaited {
    /// Ready but for the outcome.
    pub decision: Decision,
    /// Its report.
    pub report: super::Report,
    /// Where it would go.
    pub pixels: Vec<String>,
    until: Instant,
}

/// The lead plane's side.
#[derive(Default)]
pub struct FollowUps {
    visits: Arc<Visits>,
    waiting: HashMap<VisitKey, Awaited>,
}

impl FollowUps {
    /// What the data plane looks at.
    pub fn visits(&self) -> Arc<Visits> {
        Arc::clone(&self.visits)
    }

    /// Waits for a page. What can wait no longer (one that waited for the same page, the oldest of too many) is given back.
    pub fn await_page(
        &mut self,
        key: VisitKey,
        decision: Decision,
        report: super::Report,
        pixels: Vec<String>,
    ) -> Option<Awaited> {
        self.put_back(key, Awaited { decision, report, pixels, until: Instant::now() + PATIENCE })
    }

    /// Waits on, for this page or another one, no longer than before.
    pub fn put_back(&mut self, key: VisitKey, awaited: Awaited) -> Option<Awaited> {
        let oldest = self.waiting.iter().min_by_key(|(_, one)| one.until).map(|(key, _)| *key);
        let full = self.waiting.len() >= MAX_WAITING && !self.waiting.contains_key(&key);
        let evicted = oldest.filter(|_| full).and_then(|oldest| self.take(oldest));
        self.visits.change(|keys| {
            keys.insert(key);
        });
        self.waiting.insert(key, awaited).or(evicted)
    }

    /// The submission that waited for this page.
    pub fn take(&mut self, key: VisitKey) -> Option<Awaited> {
        let awaited = self.waiting.remove(&key)?;
        self.visits.change(|keys| {
            keys.remove(&key);
        });
        Some(awaited)
    }

    /// When to look for those that waited in vain; `None`: nobody waits.
    pub fn deadline(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then_some(Duration::from_secs(1))
    }

    /// Those that waited in vain; at the end all.
    pub fn expired(&mut self, all: bool) -> Vec<Awaited> {
        let now = Instant::now();
        let keys: Vec<_> =
            self.waiting.iter().filter(|(_, one)| all || one.until <= now).map(|(key, _)| *key).collect();
        keys.into_iter().filter_map(|key| self.take(key)).collect()
    }
}
