//! Places on a lead's way where a test can end the process, to see what the next start makes of what was left.
//!
//! `CAPI_FAILPOINT=name:n` aborts at the n-th passing of the point `name`: no destructor runs, nothing is flushed, as
//! with `kill -9`. Only builds with debug assertions have it; a release neither counts nor reads the variable.
//!
//! | Point | What has happened, and what has not |
//! |---|---|
//! | `before_commit` | The transaction of a submission is complete, and not on disk |
//! | `after_commit` | It is on disk, and the visitor has no answer |
//! | `taking_due` | A delivery is noted as under way, and not sent |
//! | `before_mark_sent` | Graph has answered, and the verdict is not on disk |
//! | `after_mark_sent` | The verdict is on disk, and nobody has heard of it |
//!
//! What is committed together passes all points that it is about.
//!
//! SQLite writes its log back by itself, inside a commit: no line of ours is in the middle of that. `tests/crash.rs` has the
//! kernel end the process there.

/// A point is passed.
#[inline]
pub fn pass(name: &'static str) {
    #[cfg(debug_assertions)]
    armed::pass(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static ARMED: LazyLock<Option<(String, AtomicU64)>> = LazyLock::new(|| {
        let variable = std::env::var("CAPI_FAILPOINT").ok()?;
        let (name, passings) = variable.split_once(':')?;
        Some((name.to_owned(), AtomicU64::new(passings.parse().ok()?)))
    });

    pub fn pass(name: &str) {
        if let Some((armed, left)) = &*ARMED
            && armed == name
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            std::process::abort();
        }
    }
}
