//! The wish to stop: asked once by a signal, seen everywhere. It never kills anything; whoever works looks at it at
//! its safe points.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// A wish to stop that all clones share.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// When it was asked.
    sender: Arc<watch::Sender<Option<Instant>>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            sender: Arc::new(watch::Sender::new(None)),
        }
    }
}

impl Shutdown {
    /// Asks everything to stop at its next safe point.
    pub fn request(&self) {
        self.sender.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert_with(Instant::now);
            first
        });
    }

    /// Whether it was asked.
    pub fn requested(&self) -> bool {
        self.sender.borrow().is_some()
    }

    /// Returns when it is asked; at once if it was.
    pub async fn wait(&self) {
        self.wait_and(Duration::ZERO).await;
    }

    /// Returns so long after it was asked: the end of the time that something has which is to stop soon. Whatever is done
    /// one after the other has all of it together, since it is counted from the wish.
    pub async fn wait_and(&self, more: Duration) {
        let mut receiver = self.sender.subscribe();
        // The sender lives as long as `self`, so waiting ends only with the wish.
        let asked = receiver.wait_for(Option::is_some).await.ok();
        let asked = asked.and_then(|asked| *asked);
        if let Some(asked) = asked.filter(|_| !more.is_zero()) {
            tokio::time::sleep_until(asked + more).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_sees_the_wish_to_stop() {
        let shutdown = Shutdown::default();
        let other = shutdown.clone();
        assert!(!other.requested());
        shutdown.request();
        other.wait().await;
        assert!(other.requested());
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_left_is_counted_from_the_first_wish() {
        let shutdown = Shutdown::default();
        shutdown.request();
        let asked = Instant::now();
        tokio::time::sleep(Duration::from_secs(3)).await;
        shutdown.request();
        shutdown.wait_and(Duration::from_secs(5)).await;
        assert_eq!(asked.elapsed().as_secs(), 5);
        shutdown.wait_and(Duration::from_secs(4)).await;
        assert_eq!(asked.elapsed().as_secs(), 5, "it has passed already");
    }
}
