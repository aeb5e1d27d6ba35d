//! Reads bags that anybody wrote, and judges them by RFC 8493 (BagIt 1.0) and, for those of before, by the drafts 0.93 to
//! 0.97: from a folder or from a tar that streams by.
//!
//! Nothing of a bag is trusted: paths that leave it, links, names that stand twice, endless lines and files are findings
//! or named limits. A file's bytes are read once and kept nowhere; kept are a path and its digests. Where 1.0 is stricter
//! than the drafts were, a bag is held to the version that it claims.

mod checksum;
mod declaration;
mod folder;
mod judge;
mod manifest;
mod path;
mod tape;
mod text;

pub use folder::read_folder;
pub use judge::{Finding, Judgement};
pub use tape::read_tar;

use std::io;

/// What can end the reading of a bag. That a bag is not good is a [`Judgement`], not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes cannot be read.
    #[error("Cannot read {path}")]
    Read {
        /// The file in the bag, or the tar.
        path: String,
        /// The cause.
        source: io::Error,
    },

    /// A bag of more files than can be judged at once.
    #[error("The bag has more than {limit} files")]
    Files {
        /// The limit.
        limit: usize,
    },
}

/// What a reader is asked to do besides judging.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Whether a file's content is kept, by its path in the bag: small ones alone, up to 32 MiB together.
    pub keep: &'a (dyn Fn(&str) -> bool + Sync),
    /// Told how many bytes were read since it was told last. The reading ends where it answers `false`.
    pub read: &'a (dyn Fn(u64) -> bool + Sync),
}

impl std::fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests;
