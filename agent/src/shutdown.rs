//! The wish to stop: asked once by a signal, seen everywhere. It never kills anything; whoever works looks at it at
//! its safe points.

use std::sync::Arc;

use tokio::sync::watch;

/// A wish to stop that all clones share.
#[derive(Clone, Debug)]
pub struct Shutdown {
    sender: Arc<watch::Sender<bool>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            sender: Arc::new(watch::Sender::new(false)),
        }
    }
}

impl Shutdown {
    /// Asks everything to stop at its next safe point.
    pub fn request(&self) {
        self.sender.send_replace(true);
    }

    /// Whether it was asked.
    pub fn requested(&self) -> bool {
        *self.sender.borrow()
    }

    /// Returns when it is asked; at once if it was.
    pub async fn wait(&self) {
        let mut receiver = self.sender.subscribe();
        // The sender lives as long as `self`, so waiting ends only with the wish.
        let _ = receiver.wait_for(|asked| *asked).await;
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
}
