//! The time, and whether it can be believed.
//!
//! The wall clock is set by people and by time servers, sometimes by years and sometimes wrongly; the time since the machine
//! started runs on by itself, also while a laptop sleeps. Compared, they show a leap. [`Timekeeper`] is pure: what the clocks
//! show is a parameter.

use std::time::Duration;

use crate::exchange::UnixMillis;

/// A wall clock that is further ahead than this has leapt.
const LEAP: Duration = Duration::from_secs(3600);
/// How long a clock that has leapt is not believed to say that something is too old: a wrong leap is set right by then.
const GRACE: Duration = Duration::from_secs(600);

/// What the clocks show.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The wall clock.
    pub wall: UnixMillis,
    /// Since the machine started.
    pub boot: Duration,
}

impl Reading {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { wall: UnixMillis::now(), boot: since_boot() }
    }
}

/// Time in suspend counts: else every opened lid were a leap.
#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}

/// Elsewhere since the program started.
#[cfg(not(target_os = "linux"))]
fn since_boot() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// A look at the clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub wall: UnixMillis,
    /// The same, but never set back: what was put off before the wall clock was set back by an hour must not wait an hour.
    pub steady: UnixMillis,
    /// How long the wall clock is not to be believed that something is too old.
    pub doubtful_for: Duration,
}

/// Compares the clocks from look to look.
#[derive(Debug)]
pub struct Timekeeper {
    last: Reading,
    steady: UnixMillis,
    /// By the time since the start.
    doubtful_until: Duration,
}

impl Timekeeper {
    /// A machine that has just started may not have been told the time yet.
    #[must_use]
    pub fn new(first: Reading) -> Self {
        let doubtful_until = if first.boot < GRACE { GRACE } else { Duration::ZERO };
        Self { last: first, steady: first.wall, doubtful_until }
    }

    /// What time it is.
    pub fn look(&mut self, reading: Reading) -> Moment {
        let elapsed = reading.boot.saturating_sub(self.last.boot);
        if reading.wall > after(after(self.last.wall, elapsed), LEAP) {
            self.doubtful_until = reading.boot.saturating_add(GRACE);
        }
        self.last = reading;
        self.steady = after(self.steady, elapsed).max(reading.wall);
        let doubtful_for = self.doubtful_until.saturating_sub(reading.boot);
        Moment { wall: reading.wall, steady: self.steady, doubtful_for }
    }
}

/// So much later.
#[must_use]
pub fn after(time: UnixMillis, wait: Duration) -> UnixMillis {
    UnixMillis(time.0.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;
    const START: u64 = 1_800_000_000_000;

    fn reading(wall: u64, boot_ms: u64) -> Reading {
        Reading { wall: UnixMillis(wall), boot: Duration::from_millis(boot_ms) }
    }

    #[test]
    fn only_a_leap_forward_makes_the_clock_doubtful_and_only_for_a_while() {
        /// How far the wall clock and the machine's went, and for how long the wall clock is doubtful then.
        type Step = (u64, u64, u64);
        let table: &[(&str, &[Step])] = &[
            ("an ordinary day", &[(1000, 1000, 0), (DAY, DAY, 0), (HOUR / 2, HOUR / 2, 0)]),
            ("a lid closed for a fortnight", &[(14 * DAY, 14 * DAY, 0)]),
            ("set by the time server", &[(HOUR - 1, 0, 0), (HOUR, 0, 0)]),
            ("a leap of ten days", &[(10 * DAY, 1000, 600_000), (60_000, 60_000, 540_000), (DAY, DAY, 0)]),
            ("two of them", &[(10 * DAY, 1, 600_000), (300_000, 300_000, 300_000), (10 * DAY, 1, 600_000)]),
            ("a leap while the machine slept", &[(9 * DAY, 2 * DAY, 600_000)]),
        ];
        for (what, steps) in table {
            let (mut wall, mut boot) = (START, DAY);
            let mut timekeeper = Timekeeper::new(reading(wall, boot));
            for (on, passed, doubtful_ms) in *steps {
                (wall, boot) = (wall + on, boot + passed);
                let moment = timekeeper.look(reading(wall, boot));
                assert_eq!(moment.doubtful_for, Duration::from_millis(*doubtful_ms), "{what}");
                assert_eq!((moment.wall.0, moment.steady.0), (wall, wall), "{what}");
            }
        }
    }

    #[test]
    fn set_back_it_goes_on_steadily() {
        let mut timekeeper = Timekeeper::new(reading(START, DAY));
        let moment = timekeeper.look(reading(START - HOUR, DAY + 1000));
        assert_eq!((moment.wall.0, moment.steady.0), (START - HOUR, START + 1000));
        assert!(moment.doubtful_for.is_zero());
        assert_eq!(timekeeper.look(reading(START - HOUR, DAY + 3000)).steady.0, START + 3000);
        // Set right again, which looks like any other leap: which of the two times is the right one cannot be known.
        let moment = timekeeper.look(reading(START + 4000, DAY + 4000));
        assert_eq!((moment.steady.0, moment.doubtful_for), (START + 4000, GRACE));
    }

    #[test]
    fn a_machine_that_has_just_started_may_not_know_the_time() {
        let mut timekeeper = Timekeeper::new(reading(START, 20_000));
        assert_eq!(timekeeper.look(reading(START, 30_000)).doubtful_for, Duration::from_secs(570));
        assert!(timekeeper.look(reading(START + HOUR, HOUR)).doubtful_for.is_zero());
    }

    #[test]
    fn no_reading_makes_it_stumble() {
        let mut timekeeper = Timekeeper::new(reading(0, u64::MAX));
        for (wall, boot) in [(u64::MAX, 0), (0, u64::MAX), (u64::MAX, u64::MAX), (0, 0)] {
            timekeeper.look(reading(wall, boot));
        }
        assert_eq!(timekeeper.look(reading(0, 0)).steady, UnixMillis(u64::MAX));
        let (first, second) = (Reading::now(), Reading::now());
        assert!(first.boot <= second.boot && !second.boot.is_zero());
    }
}
