//! The wish to stop, as the program's signal handler or a test expresses it. A restore looks at it between two steps
//! and between two files, so that it always ends at a safe point.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A handle that is cloned freely; once asked, it stays asked.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks to stop at the next safe point.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether somebody asked.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
