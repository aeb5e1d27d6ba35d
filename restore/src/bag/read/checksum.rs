//! The checksums that manifests name.

use aws_lc_rs::digest;
use md5::{Digest, Md5};

/// An algorithm, by its name in `manifest-<name>.txt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    pub(super) const ALL: [Self; 6] = [
        Self::Md5,
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        let same = |known: &Self| known.name() == name;
        Self::ALL.into_iter().find(same)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Its place in [`Algorithm::ALL`].
    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// A checksum: as many bytes as its algorithm gives.
pub(super) type Checksum = Box<[u8]>;

/// Several checksums of one file while it streams by.
pub(super) struct Checksums(Vec<(Algorithm, Running)>);

enum Running {
    Md5(Md5),
    Other(digest::Context),
}

impl Checksums {
    pub(super) fn new(algorithms: &[Algorithm]) -> Self {
        let running = |algorithm: &Algorithm| {
            let of = match algorithm {
                Algorithm::Md5 => return (*algorithm, Running::Md5(Md5::new())),
                Algorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
                Algorithm::Sha224 => &digest::SHA224,
                Algorithm::Sha256 => &digest::SHA256,
                Algorithm::Sha384 => &digest::SHA384,
                Algorithm::Sha512 => &digest::SHA512,
            };
            (*algorithm, Running::Other(digest::Context::new(of)))
        };
        Self(algorithms.iter().map(running).collect())
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        for (_, running) in &mut self.0 {
            match running {
                Running::Md5(running) => running.update(bytes),
                Running::Other(running) => running.update(bytes),
            }
        }
    }

    pub(super) fn finish(self) -> Vec<(Algorithm, Checksum)> {
        let finish = |(algorithm, running)| {
            let checksum: Checksum = match running {
                Running::Md5(running) => running.finalize().as_slice().into(),
                Running::Other(running) => running.finish().as_ref().into(),
            };
            (algorithm, checksum)
        };
        self.0.into_iter().map(finish).collect()
    }
}
