//! What must wait for the end of a tar: names, sizes, digests and reasons, in files of the cache that vanish with the export.
//! No content of anybody's goes into them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A spool that grows beyond this is given up: some ten million files.
const BYTES_MAX: u64 = 8 << 30;

/// A local file that is written from its beginning, and then read.
#[derive(Debug)]
pub(crate) struct Spool {
    path: PathBuf,
    file: BufWriter<File>,
    /// A handle of its own, since a copy would share the place where the next byte is written.
    reader: File,
    bytes: u64,
}

impl Spool {
    /// A new one in a folder, readable by its owner alone.
    pub(crate) fn create(folder: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        let reader = File::open(&path)?;
        // A name that is gone at once leaves nothing behind, however the process ends.
        #[cfg(unix)]
        fs::remove_file(&path)?;
        Ok(Self {
            path,
            file: BufWriter::with_capacity(64 << 10, file),
            reader,
            bytes: 0,
        })
    }

    /// Where the next byte will lie.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        if self.bytes > BYTES_MAX {
            return Err(io::Error::other(
                "the list of its files is longer than 8 GiB",
            ));
        }
        self.file.write_all(bytes)
    }

    /// Everything from a place on. One reader at a time: it has the place where it reads in common with the next.
    pub(crate) fn read_from(&mut self, at: u64) -> io::Result<impl BufRead + use<>> {
        self.file.flush()?;
        let mut file = self.reader.try_clone()?;
        file.seek(SeekFrom::Start(at))?;
        Ok(BufReader::with_capacity(
            64 << 10,
            file.take(self.bytes - at),
        ))
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if cfg!(not(unix))
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(path = %self.path.display(), %error, "a spool stays");
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test says where")]

    use super::*;

    #[test]
    fn what_was_appended_is_read_from_any_place_and_nothing_stays_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(folder.path(), "a").unwrap();
        spool.append(b"one\n").unwrap();
        let mut read = String::new();
        spool
            .read_from(0)
            .unwrap()
            .read_to_string(&mut read)
            .unwrap();
        spool.append(b"two\n").unwrap();
        spool
            .read_from(4)
            .unwrap()
            .read_to_string(&mut read)
            .unwrap();
        assert_eq!((read.as_str(), spool.bytes()), ("one\ntwo\n", 8));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
