//! When to try again, and when to give up. Pure: the clock and the dice are parameters.

use std::time::Duration;

use crate::clock::{Moment, after};
use crate::exchange::UnixMillis;

/// First wait at most.
const BASE: Duration = Duration::from_secs(1);
/// Longest wait by our own judgement; Graph may ask for more.
const CAP: Duration = Duration::from_secs(60);
/// Longest wait that is granted to Graph.
const ASKED_CAP: Duration = Duration::from_secs(3600);
/// How long a pixel rests whose token or permission is refused, before one request finds out whether that has changed.
pub const PROBE: Duration = Duration::from_secs(60);

/// Meta refuses a whole request for one event that is older than 7 days; an hour is left for clocks and queues.
const HORIZON_S: u64 = 7 * 24 * 3600 - 3600;
/// Meta recognises a repeat by its id for 48 hours from the first one.
const DOUBT: Duration = Duration::from_secs(48 * 3600);

/// Full jitter: anything up to an exponentially growing bound, so that many sidecars do not come back together. `dice` is
/// any number.
#[must_use]
pub fn backoff(failures: u32, dice: u64) -> Duration {
    let bound = BASE.saturating_mul(1 << failures.min(10)).min(CAP);
    let bound = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(dice % bound)
}

/// What Graph asked for, within reason.
#[must_use]
pub fn asked(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(ASKED_CAP)
}

/// Why a delivery is not worth another attempt.
#[must_use]
pub fn given_up(event_time: u64, in_doubt_since: Option<UnixMillis>, moment: Moment) -> Option<&'static str> {
    if event_time.saturating_add(HORIZON_S) < moment.wall.as_secs() {
        return Some("expired");
    }
    // A repeat could now count as a second lead. A doubt of the future is from before the clock was set back.
    let now = |since: UnixMillis| if since > moment.wall { moment.steady } else { moment.wall };
    in_doubt_since.filter(|since| after(*since, DOUBT) < now(*since)).map(|_| "ambiguous")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        for failures in 0..40 {
            for dice in [0, 1, 999, 12_345_678, u64::MAX] {
                assert!(backoff(failures, dice) <= CAP);
            }
        }
        assert!(backoff(0, u64::MAX) <= BASE);
        assert_eq!(backoff(10, 59_999), Duration::from_millis(59_999));
        assert_eq!(asked(u64::MAX), ASKED_CAP);
    }

    #[test]
    fn old_and_doubtful_deliveries_are_given_up() {
        const NOW: u64 = 1_000_000_000_000;
        const HOUR: u64 = 3_600_000;
        let moment = |set_back| Moment {
            wall: UnixMillis(NOW),
            steady: UnixMillis(NOW + set_back * HOUR),
            doubtful_for: Duration::ZERO,
        };
        // Hours since the event, since the first doubt, by which the clock was set back since the program started.
        for (event, doubt, set_back, reason) in [
            (1, None, 0, None),
            (7 * 24 - 2, None, 0, None),
            (7 * 24, None, 0, Some("expired")),
            (7 * 24, Some(49), 0, Some("expired")),
            (60, Some(47), 0, None),
            (60, Some(49), 0, Some("ambiguous")),
            // Of a time that is yet to come again.
            (60, Some(-9), 30, None),
            (60, Some(-9), 58, Some("ambiguous")),
            (60, Some(-9), 0, None),
            (60, Some(47), 240, None),
        ] {
            let since = doubt.map(|hours: i64| UnixMillis(NOW.saturating_add_signed(-hours * 3_600_000)));
            let given_up = given_up((NOW - event * HOUR) / 1000, since, moment(set_back));
            assert_eq!(given_up, reason, "{event} {doubt:?} {set_back}");
        }
        assert_eq!(given_up(u64::MAX, Some(UnixMillis(u64::MAX)), moment(0)), None);
    }
}
