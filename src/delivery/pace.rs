//! How fast a pixel's requests may follow each other. Pure: the clock is a parameter.
//!
//! As long as Graph does not complain there is no limit: a lead goes out when it comes. A throttle halves the rate, every
//! accepted request raises it by a little, until it is free again (additive increase, multiplicative decrease, as TCP
//! does). What waits meanwhile goes out with the next request: slower means fewer requests, not fewer leads.
//! <https://developers.facebook.com/docs/graph-api/overview/rate-limiting>

use std::time::Duration;

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
/// Requests per minute from which on nothing is limited any more.
const FREE: u32 = 600;
/// At least so many per minute: one that only finds out whether the throttle is over must not hurt anybody.
const MIN: u32 = 1;
/// By so many per minute an accepted request raises the rate.
const STEP: u32 = 1;

/// What an answer says of the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Accepted.
    Fine,
    /// Accepted or refused for other reasons, but the quota is nearly used up.
    NearlyFull,
    /// Too much, with how long Graph asks to be left alone.
    Throttled(Option<Duration>),
    /// Nothing: no answer, a refusal.
    None,
}

/// The rate of one pixel.
#[derive(Debug, Default)]
pub struct Pace {
    /// Requests per minute; `None`: as they come.
    per_minute: Option<u32>,
    /// The start of the minute that is being counted, and its requests: what there is to halve at the first throttle.
    counted: Option<(Instant, u32)>,
    /// When the last request went out.
    last: Option<Instant>,
    /// Graph's own wish, which wins over ours until it is over.
    wish: Option<Instant>,
}

impl Pace {
    /// When the next request may go out; `None`: at once.
    pub fn next(&self) -> Option<Instant> {
        self.wish.or_else(|| Some(self.last? + MINUTE / self.per_minute?))
    }

    /// A request goes out.
    pub fn sent(&mut self, now: Instant) {
        self.counted = match self.counted {
            Some((since, requests)) if now.saturating_duration_since(since) < MINUTE => Some((since, requests + 1)),
            _ => Some((now, 1)),
        };
        self.last = Some(now);
        self.wish = None;
    }

    /// Its answer is there.
    pub fn answered(&mut self, signal: Signal, now: Instant) {
        match signal {
            Signal::Fine => self.per_minute = self.per_minute.map(|rate| rate + STEP).filter(|rate| *rate < FREE),
            Signal::NearlyFull => self.halve(now),
            Signal::Throttled(wish) => {
                self.halve(now);
                self.wish = wish.map(|wish| now + wish);
            }
            Signal::None => {}
        }
    }

    fn halve(&mut self, now: Instant) {
        let rate = self.per_minute.unwrap_or_else(|| self.observed(now));
        self.per_minute = Some((rate / 2).max(MIN));
    }

    /// Requests per minute of late.
    fn observed(&self, now: Instant) -> u32 {
        let Some((since, requests)) = self.counted else { return FREE };
        // One request after a pause says nothing of a rate; it is taken for one a second.
        let elapsed = now.saturating_duration_since(since).as_secs().max(1);
        u32::try_from(u64::from(requests) * MINUTE.as_secs() / elapsed).unwrap_or(FREE).clamp(2 * MIN, FREE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Requests as fast as the pace allows, each taking 100 ms, against a quota per minute. Returns how many were accepted
    /// and how many throttled.
    fn drive(pace: &mut Pace, quota: u32, minutes: u32) -> (u32, u32) {
        let start = Instant::now();
        let (mut now, mut minute, mut used) = (start, 0, 0);
        let (mut accepted, mut throttled) = (0, 0);
        while now < start + MINUTE * minutes {
            let this = (now - start).as_secs() / 60;
            if this != minute {
                (minute, used) = (this, 0);
            }
            pace.sent(now);
            now += Duration::from_millis(100);
            used += 1;
            let fits = used <= quota;
            pace.answered(if fits { Signal::Fine } else { Signal::Throttled(None) }, now);
            *if fits { &mut accepted } else { &mut throttled } += 1;
            now = pace.next().unwrap_or(now).max(now);
        }
        (accepted, throttled)
    }

    #[test]
    fn a_throttle_halves_and_successes_free_it_again() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.sent(start);
        assert_eq!(pace.next(), None, "nobody complained");
        // Two a second, for half a minute.
        for n in 1..60 {
            pace.sent(start + Duration::from_millis(500) * n);
        }
        let last = start + Duration::from_millis(500) * 59;
        pace.answered(Signal::Throttled(None), start + Duration::from_secs(30));
        assert_eq!(pace.next(), Some(last + Duration::from_secs(1)), "half of two a second");
        pace.answered(Signal::NearlyFull, last);
        assert_eq!(pace.next(), Some(last + Duration::from_secs(2)), "before the throttle comes");
        pace.answered(Signal::Fine, last);
        assert_eq!(pace.next(), Some(last + MINUTE / 31));
        for _ in 0..600 {
            pace.answered(Signal::Fine, last);
        }
        assert_eq!(pace.next(), None, "free again");
    }

    #[test]
    fn graphs_own_wish_wins_in_both_directions_and_once() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        for wish in [Duration::from_millis(100), Duration::from_secs(1800)] {
            pace.sent(now);
            pace.answered(Signal::Throttled(Some(wish)), now);
            assert_eq!(pace.next(), Some(now + wish));
        }
        pace.sent(now + Duration::from_secs(1800));
        assert!(pace.next().unwrap() <= now + Duration::from_secs(1860));
    }

    #[test]
    fn it_finds_the_quota_and_seldom_runs_into_it() {
        for quota in [30, 60, 300] {
            let (accepted, throttled) = drive(&mut Pace::default(), quota, 60);
            assert!(accepted > quota * 60 / 3, "{accepted} of {quota} a minute");
            assert!(throttled < accepted / 8, "{throttled} throttled beside {accepted}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_answered_a_request_may_go_within_a_minute_unless_graph_asked_for_more(
            signals in prop::collection::vec((0_u8..4, 0_u64..120), 0..200)
        ) {
            let (mut pace, mut now) = (Pace::default(), Instant::now());
            for (signal, seconds) in signals {
                pace.sent(now);
                let before = pace.per_minute;
                let signal = [Signal::Fine, Signal::NearlyFull, Signal::Throttled(None), Signal::None][usize::from(signal)];
                pace.answered(signal, now);
                prop_assert!(pace.next().is_none_or(|next| next <= now + MINUTE));
                let slowed = matches!(signal, Signal::NearlyFull | Signal::Throttled(_));
                prop_assert!(!slowed || pace.per_minute.unwrap() <= before.unwrap_or(FREE).div_ceil(2));
                now += Duration::from_secs(seconds);
            }
        }
    }
}
