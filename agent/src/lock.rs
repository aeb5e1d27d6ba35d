//! One run of a workspace at a time on one machine. The operating system drops the lock with the process, however that
//! ends, so there is never a stale one to remove by hand.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::repository::make_folder;

/// A workspace held by this process, until it is dropped.
#[derive(Debug)]
pub struct WorkspaceLock {
    _file: File,
}

impl WorkspaceLock {
    /// Takes the lock of a workspace in the cache of its repository; refuses where another run has it.
    pub fn take(cache: &Path, workspace: &str) -> Result<Self, Failure> {
        let folder = cache.join("locks");
        make_folder(&folder)?;
        let path = folder.join(format!("{workspace}.lock"));
        let refused = |error: std::io::Error| {
            Failure::failed("The lock of a workspace cannot be taken")
                .on(path.display())
                .why(error)
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(refused)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Failure::new(
                ExitStatus::Busy,
                "Another run backs up this workspace",
            )
            .on(format!("`{workspace}`"))
            .next("wait for it to end; `mlark status` shows what runs")),
            Err(TryLockError::Error(error)) => Err(refused(error)),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_of_a_workspace_is_busy_until_the_first_ends() {
        let cache = tempfile::tempdir().unwrap();
        let first = WorkspaceLock::take(cache.path(), "prod").unwrap();
        assert_eq!(
            WorkspaceLock::take(cache.path(), "prod")
                .unwrap_err()
                .status
                .code(),
            11
        );
        WorkspaceLock::take(cache.path(), "other").unwrap();
        drop(first);
        WorkspaceLock::take(cache.path(), "prod").unwrap();
    }
}
