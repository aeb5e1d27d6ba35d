//! How many bytes a second go out over the network and come in: a lane each way, which all connections of a program share.
//!
//! Who sends waits until its bytes are due and then sends them together; who reads gets each piece once that is due. So no
//! more goes than the rate allows, counted from the first byte on, and in any stretch of time no more than that and one
//! piece. What was not used is not saved up. A request without a body never waits, so that a lease is renewed in time.

use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Bytes a second; `None`: as many as there may be.
pub type Rate = Option<NonZero<u64>>;

/// Both lanes. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Bandwidth {
    out: Lane,
    into: Lane,
}

impl Bandwidth {
    /// Sets both rates, out and in, for whatever is sent or read from now on.
    pub fn set(&self, out: Rate, into: Rate) {
        self.out.state().rate = out;
        self.into.state().rate = into;
    }

    /// Waits until so many bytes may be sent.
    pub(crate) async fn send(&self, bytes: usize) {
        self.out.pass(bytes).await;
    }

    /// Waits until so many bytes that came may be taken.
    pub(crate) async fn receive(&self, bytes: usize) {
        self.into.pass(bytes).await;
    }
}

#[derive(Clone, Debug, Default)]
struct Lane(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    rate: Rate,
    /// When all bytes that were let in are due.
    taken_until: Option<Instant>,
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who asks first goes first.
    async fn pass(&self, bytes: usize) {
        let due = self.state().take(bytes as u64, Instant::now());
        if let Some(due) = due {
            tokio::time::sleep_until(due).await;
        }
    }
}

impl State {
    /// When bytes are due that are asked for now; `None` where they need not wait.
    fn take(&mut self, bytes: u64, now: Instant) -> Option<Instant> {
        let rate = self.rate?;
        if bytes == 0 {
            return None;
        }
        let begin = self.taken_until.map_or(now, |until| until.max(now));
        let nanos = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(rate.get()));
        let lasts = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let due = begin.checked_add(lasts).unwrap_or(begin);
        self.taken_until = Some(due);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use futures::stream::FuturesUnordered;

    use super::*;

    const RATE: u64 = 100_000;
    const PIECE: u64 = 70_000;

    /// That so many bytes went at those times keeps to the rate, in every stretch of time: but for a byte, since the sum is
    /// rounded.
    fn keeps_to_the_rate(went: &[(Instant, u64)], start: Instant) {
        let allowed = |time: Duration| time.as_secs_f64() * RATE as f64 + 1.0;
        for (first, (from, _)) in went.iter().enumerate() {
            let mut sum = 0;
            for (until, bytes) in &went[first..] {
                sum += bytes;
                let within = allowed(until.duration_since(*from));
                assert!(sum as f64 <= within + PIECE as f64, "{sum} of {within}");
            }
        }
        let mut sum = 0;
        for (until, bytes) in went {
            sum += bytes;
            let within = allowed(until.duration_since(start));
            assert!(sum as f64 <= within, "{sum} of {within} from the start");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn in_no_stretch_of_time_more_goes_than_the_rate_and_one_piece_and_none_of_it_is_wasted()
    {
        let bandwidth = Bandwidth::default();
        bandwidth.set(NonZero::new(RATE), None);
        let (start, went) = (Instant::now(), Mutex::new(Vec::new()));
        let sender = |number: u64| {
            let (bandwidth, went) = (&bandwidth, &went);
            async move {
                for turn in 0..20 {
                    let bytes = 1 + (number * 7_919 + turn * 104_729) % PIECE;
                    bandwidth.send(bytes as usize).await;
                    let mut went = went.lock().unwrap_or_else(PoisonError::into_inner);
                    went.push((Instant::now(), bytes));
                }
            }
        };
        let mut senders: FuturesUnordered<_> = (0..12).map(sender).collect();
        while senders.next().await.is_some() {}
        drop(senders);
        let went = went.into_inner().unwrap_or_else(PoisonError::into_inner);
        keeps_to_the_rate(&went, start);
        let all: u64 = went.iter().map(|(_, bytes)| bytes).sum();
        let took = start.elapsed().as_secs_f64();
        assert!(took < all as f64 / RATE as f64 + 0.3, "{all} in {took}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_saves_nothing_up() {
        let bandwidth = Bandwidth::default();
        bandwidth.set(None, NonZero::new(RATE));
        bandwidth.receive(1).await;
        tokio::time::advance(Duration::from_secs(3_600)).await;
        let start = Instant::now();
        for _ in 0..10 {
            bandwidth.receive(50_000).await;
        }
        assert!(start.elapsed() >= Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_a_body_waits_for_nobody_and_the_other_lane_is_free() {
        let bandwidth = Bandwidth::default();
        bandwidth.set(NonZero::new(RATE), None);
        let large = bandwidth.send(10_000_000);
        tokio::pin!(large);
        assert!(futures::poll!(&mut large).is_pending());
        let start = Instant::now();
        bandwidth.send(0).await;
        bandwidth.receive(10_000_000).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_that_is_taken_away_holds_nobody_up_who_comes_after() {
        let bandwidth = Bandwidth::default();
        let clone = bandwidth.clone();
        bandwidth.set(NonZero::new(RATE), None);
        let large = bandwidth.send(10_000_000);
        tokio::pin!(large);
        assert!(futures::poll!(&mut large).is_pending());
        clone.set(None, None);
        let start = Instant::now();
        bandwidth.send(10_000_000).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
