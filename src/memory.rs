//! Giving memory back to the system.
//!
//! glibc keeps what was freed in the middle of its heaps, for good if nothing large follows: after ten thousand connections
//! the process would stay as large as it was with them. Asked, it gives every free page back.
//! <https://man7.org/linux/man-pages/man3/malloc_trim.3.html>

/// Connections that must have gone before it is worth asking: less than a MiB would come of it.
const WORTH: usize = 500;

/// Below glibc's threshold for memory that is mapped by itself, above the one from which a free looks at the end of the heap.
const PROBE: usize = 96 * 1024;

/// Gives all free pages back, with the end of this thread's heap. Takes milliseconds, in which whoever allocates may wait.
/// Elsewhere than with glibc it does nothing.
#[allow(unsafe_code, reason = "a call of the C library that nobody has wrapped; see SAFETY")]
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes a number, touches free memory only, and takes the allocator's own locks.
    let _ = unsafe { libc::malloc_trim(0) };
    // What is free at the end of a thread's heap is left out of that; it goes when something large is freed next to it.
    drop(std::hint::black_box(Vec::<u8>::with_capacity(PROBE)));
}

/// Watches how many connections are open, and says when their memory should be given back.
#[derive(Debug, Default)]
pub struct Tide {
    high: usize,
    /// Some of it is still being taken apart when the connections are counted as gone.
    again: bool,
}

impl Tide {
    /// `true` when many have gone since the last time, and once more after that. To be asked now and then.
    pub fn is_out(&mut self, open: usize) -> bool {
        let out = self.high.saturating_sub(open) >= WORTH;
        self.high = if out { open } else { self.high.max(open) };
        std::mem::replace(&mut self.again, out) || out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_when_many_have_gone_and_once_more() {
        let mut tide = Tide::default();
        let seen = [10, 700, 900, 600, 401, 400, 399, 0, 499, 0, 500, 0, 0].map(|open| tide.is_out(open));
        let expected = [false, false, false, false, false, true, true, false, false, false, false, true, true];
        assert_eq!(seen, expected);
    }
}
