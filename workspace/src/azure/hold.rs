//! Addresses that a service asked to be left alone, and until when.
//!
//! Two items may lie in the same blob and be read at the same time: what one request is told to wait for, the other must
//! not ask for before.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Beyond so many, those whose time is over are forgotten.
const KEPT: usize = 256;

/// What is held back. An address is a method and a url without its query.
#[derive(Debug, Default)]
pub(crate) struct Hold(Mutex<HashMap<String, Instant>>);

impl Hold {
    /// Holds an address back from now on for a while.
    pub(crate) fn back(&self, address: String, wait: Duration) {
        let now = Instant::now();
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= KEPT {
            held.retain(|_, until| *until > now);
        }
        let until = now + wait;
        let entry = held.entry(address).or_insert(until);
        *entry = until.max(*entry);
    }

    /// The moment until which an address is held back, if it is now.
    pub(crate) fn until(&self, address: &str) -> Option<Instant> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(address)
            .copied()
            .filter(|until| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_address_is_held_back_as_long_as_the_longest_wait_says() {
        let hold = Hold::default();
        hold.back("GET a".to_owned(), Duration::from_secs(5));
        hold.back("GET a".to_owned(), Duration::from_secs(2));
        assert_eq!(hold.until("GET b"), None);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(hold.until("GET a").is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(hold.until("GET a"), None);
        for number in 0..2 * KEPT {
            hold.back(number.to_string(), Duration::ZERO);
        }
        let held = hold.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(held.len() <= KEPT, "{}", held.len());
    }
}
