//! Metric names and counters, in one place.
//!
//! Each worker counts for itself, so that the data path shares no cache line; the sum is made when somebody asks.

use std::sync::{Arc, Mutex, PoisonError};

/// Makes a struct of counters with a table of their names and help texts.
macro_rules! counters {
    ($(#[$meta:meta])* $name:ident { $($(#[doc = $doc:literal])+ $field:ident: $kind:ident $metric:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub struct $name { $($(#[doc = $doc])+ pub $field: std::sync::atomic::AtomicU64,)+ }

        impl $name {
            /// Each counter with its name, help text and current value.
            pub fn read(&self) -> Vec<$crate::metrics::Sample> {
                vec![$($crate::metrics::Sample {
                    name: $metric,
                    help: concat!($($doc),+),
                    kind: $crate::metrics::Kind::$kind,
                    value: self.$field.load(std::sync::atomic::Ordering::Relaxed),
                },)+]
            }
        }
    };
}

pub(crate) use counters;

/// Counter or gauge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes both ways.
    Gauge,
}

/// One value with what Prometheus wants to know of it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Full name.
    pub name: &'static str,
    /// Help text.
    pub help: &'static str,
    /// Type.
    pub kind: Kind,
    /// Value.
    pub value: u64,
}

counters! {
    /// What one worker counts.
    ProxyCounts {
        /// Connections accepted.
        connections: Counter "capi_connections_total",
        /// Connections closed before their first request: TLS or the PROXY header failed.
        refused_connections: Counter "capi_refused_connections_total",
        /// Requests forwarded or refused.
        requests: Counter "capi_requests_total",
        /// Requests that took the plain way.
        plain_requests: Counter "capi_plain_requests_total",
        /// Requests refused because they are ambiguous or malformed.
        refused_requests: Counter "capi_refused_requests_total",
        /// Requests that the site did not answer.
        failures: Counter "capi_upstream_failures_total",
        /// Connections opened to the site.
        upstream_opened: Counter "capi_upstream_connections_total",
        /// Requests sent over a connection that had carried one before.
        upstream_reused: Counter "capi_upstream_reused_total",
        /// Requests sent again because a pooled connection had died.
        upstream_retries: Counter "capi_upstream_retries_total",
        /// Answers that gained a landing cookie.
        landing_cookies: Counter "capi_landing_cookies_total",
        /// Upgraded connections open now.
        tunnels: Gauge "capi_tunnels",
    }
}

/// The counters of all workers.
#[derive(Debug, Default)]
pub struct WorkerCounts(Mutex<Vec<Arc<ProxyCounts>>>);

impl WorkerCounts {
    /// Called once by each worker at its start.
    pub fn register(&self, counts: Arc<ProxyCounts>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(counts);
    }

    /// The sums.
    #[must_use]
    pub fn read(&self) -> Vec<Sample> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums = ProxyCounts::default().read();
        for samples in all.iter().map(|counts| counts.read()) {
            for (sum, sample) in sums.iter_mut().zip(samples) {
                sum.value += sample.value;
            }
        }
        sums
    }
}
