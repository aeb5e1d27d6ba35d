//! Codecs that work on threads of their own, and how many may at once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::Codec;
use crate::Error;

/// A codec keeps buffers of at most this size between two uses.
const KEPT_BYTES: usize = 2 << 20;

/// How much work of the processor goes on at once: one more than there are cores, so that none is idle while a piece of
/// work waits for a disk or its turn at a pack; up to eight, since each holds buffers.
pub(crate) fn turns_at_once() -> usize {
    std::thread::available_parallelism().map_or(3, |cores| cores.get().saturating_add(1).min(8))
}

/// Codecs that are not in use, and how many may be in use at once.
#[derive(Clone, Debug)]
pub(crate) struct CodecPool {
    idle: Arc<Mutex<Vec<Codec>>>,
    turns: Arc<Semaphore>,
}

impl Default for CodecPool {
    fn default() -> Self {
        Self {
            idle: Arc::default(),
            turns: Arc::new(Semaphore::new(turns_at_once())),
        }
    }
}

impl CodecPool {
    /// Runs work with a codec on a worker thread.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Codec) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let stopped = || Error::Worker {
            what: "compression",
        };
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| stopped())?;
        let pool = self.clone();
        let working = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let idle = pool.lock().pop();
            let mut codec = match idle {
                Some(codec) => codec,
                None => Codec::new()?,
            };
            let result = work(&mut codec);
            codec.shrink(KEPT_BYTES);
            pool.lock().push(codec);
            result
        });
        working.await.map_err(|_| stopped())?
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Codec>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
