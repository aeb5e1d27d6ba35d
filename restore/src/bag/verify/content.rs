//! Reads the files of a seal and the tar, on threads that may block, and says what is in them.

use std::io::{self, Read};
use std::sync::Arc;

use archive_format::{Decryption, Error as Archive, Identity, Storage};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::Reading;
use crate::Error;
use crate::bag::StoredFile;
use crate::bag::parts::{Parts, PartsReader};
use crate::bag::read::{self, Judgement};
use crate::seal::Resource;

/// What the seal has of the bag's custody chain is a few lines.
const CUSTODY_BYTES_MAX: u64 = 16 << 20;
const CUSTODY: &str = "custody.jsonl";
/// What is in the seal's tar and is no tag file.
const TABLES: [&str; 2] = ["index.csv", "members.jsonl"];
const PIECE_BYTES: usize = 256 << 10;
/// Where the signatures of models lie in a bag.
pub(super) const MODELS: &str = "signatures/models/";

/// What is in the seal.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    /// The tag files, sorted; none while they are not open.
    pub(super) tags: Option<Vec<Resource>>,
    pub(super) custody: Option<Vec<u8>>,
    pub(super) stopped: bool,
}

impl Sealed {
    fn add(&mut self, name: &str, sha256: [u8; 32]) {
        if TABLES.contains(&name) {
            return;
        }
        let tags = self.tags.get_or_insert_default();
        tags.push(Resource {
            name: name.to_owned(),
            sha256,
        });
    }
}

/// A file of the seal.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) storage: Arc<dyn Storage>,
    /// Its name in the store.
    pub(super) path: String,
    pub(super) file: StoredFile,
}

/// Reads a file of the seal. The inner error is why it is not what `seal.json` says.
pub(super) async fn seal_file(
    stored: Stored,
    identities: Vec<Identity>,
    reading: Reading,
    sealed: &mut Sealed,
) -> Result<Result<(), String>, Error> {
    let name = archive_format::FileName::new(stored.path.as_str())
        .map_err(|error| Error::snapshot(stored.path.as_str(), error))?;
    let size = stored.storage.size(&name).await;
    let size = size.map_err(|error| Error::snapshot(stored.path.as_str(), error))?;
    match size {
        None => return Ok(Err(format!("{} is not there", stored.file.name))),
        Some(size) if size != stored.file.size => {
            let (name, wanted) = (&stored.file.name, stored.file.size);
            return Ok(Err(format!("{name} has {size} bytes and not {wanted}")));
        }
        Some(_) => {}
    }
    let handle = Handle::current();
    let before = std::mem::take(sealed);
    let read = tokio::task::spawn_blocking(move || {
        let mut sealed = before;
        let judged = read_seal_file(&stored, &identities, &reading, &mut sealed, handle);
        (sealed, judged)
    });
    let (after, judged) = read
        .await
        .map_err(|error| Error::snapshot("the seal", error))?;
    *sealed = after;
    judged
}

fn read_seal_file(
    stored: &Stored,
    identities: &[Identity],
    reading: &Reading,
    sealed: &mut Sealed,
    handle: Handle,
) -> Result<Result<(), String>, Error> {
    let failed = |error| Error::snapshot(stored.path.as_str(), error);
    let whole = StoredFile {
        name: stored.path.clone(),
        ..stored.file.clone()
    };
    let parts = Parts::new(Arc::clone(&stored.storage), &[whole])?;
    let mut source = Told {
        source: PartsReader::whole(parts, handle),
        reading: Arc::clone(reading),
        stopped: false,
    };
    let name = stored.file.name.as_str();
    // What cannot be unpacked is told by its digest, which comes after.
    let mut found = Sealed::default();
    let unpacked: Result<(), String> = match name {
        "tags.tar.age" => match Decryption::begin(identities, &mut source) {
            Ok(plain) => unpack(plain, &mut found).map_err(|error| error.to_string()),
            Err(Archive::NoKey(_)) => Ok(()),
            Err(error) => Err(error.to_string()),
        },
        "tags/signatures.tar" => unpack(&mut source, &mut found).map_err(|error| error.to_string()),
        _ => match name.strip_prefix("tags/") {
            Some(tag) => take(tag, &mut source, &mut found).map_err(|error| error.to_string()),
            None => Ok(()),
        },
    };
    let drained = io::copy(&mut source, &mut io::sink());
    if source.stopped {
        sealed.stopped = true;
        return Ok(Ok(()));
    }
    drained.map_err(failed)?;
    let digest = source.source.digests().pop().unwrap_or_default();
    if digest != stored.file.sha256 {
        return Ok(Err(format!("{name} is not what seal.json says")));
    }
    if let Err(why) = unpacked {
        return Ok(Err(format!("{name}: {why}")));
    }
    for tag in found.tags.into_iter().flatten() {
        sealed.add(&tag.name, tag.sha256);
    }
    sealed.custody = found.custody.or(sealed.custody.take());
    Ok(Ok(()))
}

/// Reads the members of a tar of the seal, which has no folder at its top.
fn unpack(source: impl Read, found: &mut Sealed) -> io::Result<()> {
    let mut archive = tar::Archive::new(source);
    for member in archive.entries()? {
        let mut member = member?;
        let name = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        take(&name, &mut member, found)?;
    }
    Ok(())
}

fn take(name: &str, source: &mut impl Read, found: &mut Sealed) -> io::Result<()> {
    let mut digest = Sha256::new();
    let mut kept = (name == CUSTODY).then(Vec::new);
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
        if let Some(kept) = &mut kept
            && (kept.len() + read) as u64 <= CUSTODY_BYTES_MAX
        {
            kept.extend_from_slice(&buffer[..read]);
        }
    }
    found.add(name, digest.finalize().into());
    found.custody = kept.or(found.custody.take());
    Ok(())
}

/// The tar of an export.
pub(super) struct Tar {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) parts: Vec<StoredFile>,
    pub(super) encrypted: bool,
    pub(super) identities: Vec<Identity>,
    pub(super) reading: Reading,
}

/// What the tar is.
#[derive(Debug, Default)]
pub(super) struct TarRead {
    /// The SHA-256 of each part.
    pub(super) parts: Vec<String>,
    pub(super) stored_bytes: u64,
    /// What is in it, where it was opened.
    pub(super) inner: Option<Inner>,
    /// Whether no key opens it.
    pub(super) locked: bool,
    /// Why it was not opened.
    pub(super) broken: Option<String>,
    pub(super) stopped: bool,
}

/// The plain tar.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) sha256: String,
    pub(super) size: u64,
    pub(super) judgement: Judgement,
}

/// Reads the whole tar, once.
pub(super) fn tar(tar: Tar, handle: Handle) -> Result<TarRead, Error> {
    let failed = |error: io::Error| Error::snapshot("the tar", error);
    let mut source = Told {
        source: PartsReader::whole(Parts::new(Arc::clone(&tar.storage), &tar.parts)?, handle),
        reading: Arc::clone(&tar.reading),
        stopped: false,
    };
    let mut found = TarRead::default();
    match tar.encrypted {
        false => {
            found.inner =
                Some(judged(&mut source).map_err(|error| Error::snapshot("the tar", error))?)
        }
        true => match Decryption::begin(&tar.identities, &mut source) {
            Err(Archive::NoKey(_)) => found.locked = true,
            Err(error) => found.broken = Some(error.to_string()),
            // A store that fails and a chunk that does not open look alike here; the rest of the source tells.
            Ok(plain) => match judged(plain) {
                Ok(inner) => found.inner = Some(inner),
                Err(error) => {
                    found.broken = Some(match error {
                        read::ReadError::Read { source, .. } => source.to_string(),
                        error => error.to_string(),
                    })
                }
            },
        },
    }
    let drained = io::copy(&mut source, &mut io::sink());
    if source.stopped {
        found.stopped = true;
        return Ok(found);
    }
    drained.map_err(failed)?;
    found.stored_bytes = tar.parts.iter().map(|part| part.size).sum();
    found.parts = source.source.digests();
    Ok(found)
}

fn judged(source: impl Read) -> Result<Inner, read::ReadError> {
    let mut hashed = Hashed {
        source,
        digest: Sha256::new(),
        size: 0,
    };
    let reading = read::Reading {
        keep: &|path| path.starts_with(MODELS),
        read: &|_| true,
    };
    let judgement = read::read_tar(&mut hashed, reading)?;
    let rest = io::copy(&mut hashed, &mut io::sink());
    rest.map_err(|source| read::ReadError::Read {
        path: "the tar".to_owned(),
        source,
    })?;
    Ok(Inner {
        sha256: hex::encode(hashed.digest.finalize()),
        size: hashed.size,
        judgement,
    })
}

struct Hashed<R> {
    source: R,
    digest: Sha256,
    size: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.digest.update(&buffer[..read]);
        self.size += read as u64;
        Ok(read)
    }
}

/// Tells how much is read, and ends where it is told to.
struct Told {
    source: PartsReader,
    reading: Reading,
    stopped: bool,
}

impl Read for Told {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stopped {
            return Err(io::Error::other("it was stopped"));
        }
        let read = self.source.read(buffer)?;
        self.stopped = !(self.reading)(read as u64);
        Ok(read)
    }
}
