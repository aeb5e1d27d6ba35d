//! A run's own folder in the cache: temporary packs and the spool of lines. Whoever finds one that nobody has locked
//! removes it; what it held is in the repository already, or lost with its run.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, SnapshotId};

/// The folder. It is removed when the run ends.
#[derive(Debug)]
pub(super) struct RunFolder {
    path: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Makes the folder of a run, and removes those of runs that crashed.
    pub(super) fn create(repository_folder: &Path, run: SnapshotId) -> Result<Self, Error> {
        let runs = repository_folder.join("runs");
        let path = runs.join(run.to_string());
        let local = |act, path: &Path| {
            let path = path.to_owned();
            move |source| Error::Local { act, path, source }
        };
        make(&runs).map_err(local("make", &runs))?;
        remove_abandoned(&runs).map_err(local("clean", &runs))?;
        // Locked before it is made, so that nobody finds it unlocked.
        let lock_path = runs.join(format!("{run}.lock"));
        let lock = File::create_new(&lock_path).map_err(local("create", &lock_path))?;
        lock.lock().map_err(local("lock", &lock_path))?;
        make(&path).map_err(local("make", &path))?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "a run's folder stays");
        }
        if let Err(error) = fs::remove_file(self.path.with_extension("lock")) {
            tracing::debug!(path = %self.path.display(), %error, "a run's lock file stays");
        }
    }
}

fn make(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn remove_abandoned(runs: &Path) -> io::Result<()> {
    for entry in fs::read_dir(runs)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        let lock = match File::open(&path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        for removed in [
            fs::remove_dir_all(path.with_extension("")),
            fs::remove_file(&path),
        ] {
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}
