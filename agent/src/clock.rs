//! The time of day. The clock itself is the caller's (`workspace::Clock`); here is one that moves with tokio's timer, so that
//! tests run simulated days in virtual time.

use jiff::Timestamp;
use tokio::time::Instant;
pub use workspace::Clock;

/// A clock that says `start` now and moves with tokio's timer: under a paused runtime exactly as far as waits do, and
/// with it the simulator, which waits on the same timer.
pub fn moving_with_timer(start: Timestamp) -> Clock {
    let since = Instant::now();
    Clock::new(move || start.saturating_add(since.elapsed()).unwrap_or(start))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_virtual_day_passes_without_waiting() {
        let clock = moving_with_timer(Timestamp::UNIX_EPOCH);
        let day = Duration::from_secs(86_400);
        tokio::time::sleep(day).await;
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH + day);
    }
}
