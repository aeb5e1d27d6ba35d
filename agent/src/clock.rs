//! Waiting for a time of day. The clock itself is the caller's (`workspace::Clock`); here is how it is waited for, and
//! a clock that moves with tokio's timer, so that tests run simulated days in virtual time.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
pub use workspace::Clock;

/// The longest single wait: a machine that slept or whose clock was set is noticed after this much.
const SLICE: Duration = Duration::from_secs(30);

/// A clock that says `start` now and moves with tokio's timer: under a paused runtime exactly as far as waits do, and
/// with it the simulator, which waits on the same timer.
pub fn moving_with_timer(start: Timestamp) -> Clock {
    let since = Instant::now();
    Clock::new(move || start.saturating_add(since.elapsed()).unwrap_or(start))
}

/// Waits until a time of day, whatever the clock does meanwhile.
pub async fn sleep_until(clock: &Clock, moment: Timestamp) {
    loop {
        let Ok(left) = Duration::try_from(moment.duration_since(clock.now())) else {
            return;
        };
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(SLICE)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_virtual_day_passes_without_waiting() {
        let start = Timestamp::UNIX_EPOCH;
        let clock = moving_with_timer(start);
        let tomorrow = start + Duration::from_secs(86_400);
        sleep_until(&clock, tomorrow).await;
        assert_eq!(clock.now(), tomorrow);
        sleep_until(&clock, start).await;
        assert_eq!(
            clock.now(),
            tomorrow,
            "a moment in the past is not waited for"
        );
    }
}
