//! Judges an export where it lies: its seal alone, which costs a few reads, or with the whole tar.
//!
//! What the seal says is held against the repository's log where that is at hand, the stored files against the seal, the
//! signature against the tag files, the time stamp against the signature, the chain of custody against itself; with the
//! data the tar against the seal and the bag against RFC 8493. What cannot be judged for want of a key is said to be open,
//! and never counts as good.

mod content;
mod models;
mod report;

use std::sync::Arc;

use archive_format::storage::{StorageFault, Thaw};
use archive_format::{Digest, FileName, Identity, Storage, StorageError};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;

pub use report::{Check, Outcome, VerifiedExport};

use self::content::{Sealed, Stored};
use super::custody::Custody;
use super::events::read_events;
use super::seal::{NAME, RECORD_BYTES_MAX, SealRecord};
use super::{ANSWER, QUESTION, SIGNATURE};
use crate::Error;
use crate::seal::{Authority, Bundle, Fault, Query, Stamp, Trust, stamp};

/// A question and an answer with its certificates.
const STAMP_BYTES_MAX: u64 = 1 << 20;

/// What the repository's log says of an export.
#[derive(Clone, Copy, Debug)]
pub enum Logged {
    /// No repository is at hand.
    Unasked,
    /// The log does not know it.
    Unknown,
    /// The SHA-256 of its `seal.json`, and when its key was erased.
    Known(Digest, Option<Timestamp>),
}

impl Logged {
    /// Whether the log says that the `seal.json` of this SHA-256 is the export's. The log is signed, so that this is enough
    /// where nobody is named who has to have signed the export besides.
    pub fn vouches(self, seal: Digest) -> bool {
        matches!(self, Self::Known(known, _) if known == seal)
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct VerifyRequest {
    /// What its files are named.
    pub name: String,
    /// Whether the tar is read.
    pub read_data: bool,
    /// What may open it.
    pub identities: Vec<Identity>,
    /// Whose signatures count.
    pub trust: Trust,
    /// Whether somebody named them, so that one of them has to have signed it, whatever the log says.
    pub signer_named: bool,
    /// Whose time stamps count.
    pub authority: Authority,
    /// What the log says.
    pub logged: Logged,
    /// The time.
    pub now: Timestamp,
}

/// Told how many bytes were read; the reading ends where it answers `false`.
pub type Reading = Arc<dyn Fn(u64) -> bool + Send + Sync>;

/// Reads `seal.json`; none where it is not there, so that there is no whole export of that name.
pub async fn read_seal(
    storage: &dyn Storage,
    name: &str,
) -> Result<Option<(SealRecord, Digest)>, Error> {
    let Some(bytes) = read(storage, &format!("{name}.seal/{NAME}"), RECORD_BYTES_MAX).await? else {
        return Ok(None);
    };
    Ok(Some((SealRecord::from_bytes(&bytes)?, Digest::of(&bytes))))
}

/// Judges an export.
///
/// # Errors
/// Where a store cannot be read, or where `seal.json` is not there or none; what is wrong with the export is a check that
/// is bad.
pub async fn verify_export(
    storage: &Arc<dyn Storage>,
    request: &VerifyRequest,
    reading: Reading,
) -> Result<VerifiedExport, Error> {
    let name = &request.name;
    let found = read_seal(storage.as_ref(), name).await?;
    let (seal, digest) =
        found.ok_or_else(|| Error::snapshot(format!("{name}.seal/{NAME}"), "it is not there"))?;
    let mut work = Work {
        storage,
        request,
        report: VerifiedExport::of(&seal, request.read_data),
        seal,
        reading,
        signed_by: request.now,
        vouched: request.logged.vouches(digest),
    };
    work.log();
    work.parts().await?;
    let sealed = work.files().await?;
    work.signature(&sealed).await?;
    work.custody(&sealed).await?;
    if request.read_data && !work.report.stopped && work.is_readable().await? {
        work.data(&sealed).await?;
    }
    work.report.origin();
    Ok(work.report)
}

async fn read(storage: &dyn Storage, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let name = FileName::new(path).map_err(|error| Error::snapshot(path, error))?;
    match storage.read(&name, limit).await {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(error) if error.fault == StorageFault::NotFound => Ok(None),
        Err(error) => Err(Error::snapshot(path, error)),
    }
}

struct Work<'a> {
    storage: &'a Arc<dyn Storage>,
    request: &'a VerifyRequest,
    seal: SealRecord,
    reading: Reading,
    report: VerifiedExport,
    /// By when it was signed: the time of a trusted time stamp, else now.
    signed_by: Timestamp,
    /// Whether the log says that the seal is the export's.
    vouched: bool,
}

impl Work<'_> {
    fn in_seal(&self, name: &str) -> String {
        format!("{}.seal/{name}", self.request.name)
    }

    /// Whether a signature of somebody who does not count is no fault: nobody was named who has to have signed, and there is
    /// either nobody who counts, or the log vouches for what an earlier key or another machine signed.
    fn may_be_by_others(&self) -> bool {
        let trust = &self.request.trust;
        let nobody = trust.keys.is_empty() && trust.roots.is_empty();
        !self.request.signer_named && (nobody || self.vouched)
    }

    fn log(&mut self) {
        const WHAT: &str = "log";
        if self.seal.name != self.request.name {
            let name = self.seal.name.escape_debug().to_string();
            self.report
                .bad("seal", format!("it is of an export named `{name}`"));
        }
        match self.request.logged {
            Logged::Unasked => self.report.note(WHAT, "no repository was asked"),
            Logged::Unknown => self
                .report
                .bad(WHAT, "the repository's log does not know this export"),
            Logged::Known(..) if !self.vouched => {
                self.report
                    .bad(WHAT, "seal.json is not the one that the log names");
            }
            Logged::Known(_, None) => self
                .report
                .good(WHAT, "seal.json is the one that the log names"),
            Logged::Known(_, Some(erased)) => {
                self.report
                    .open(WHAT, format!("its key was erased at {erased}"));
            }
        }
    }

    /// The tar's files: there, and as long as they should be.
    async fn parts(&mut self) -> Result<(), Error> {
        let mut bad = 0;
        for part in &self.seal.parts {
            let name = FileName::new(part.name.as_str())
                .map_err(|error| Error::snapshot(part.name.as_str(), error))?;
            let size = self.storage.size(&name).await;
            let size = size.map_err(|error| Error::snapshot(part.name.as_str(), error))?;
            let why = match size {
                Some(size) if size == part.size => continue,
                Some(size) => format!("{} has {size} bytes and not {}", part.name, part.size),
                None => format!("{} is not there", part.name),
            };
            bad += 1;
            self.report.bad("parts", why);
        }
        if bad == 0 {
            let count = self.seal.parts.len();
            let bytes: u64 = self.seal.parts.iter().map(|part| part.size).sum();
            self.report
                .good("parts", format!("{count} of {bytes} bytes are there"));
        }
        Ok(())
    }

    /// The seal's own files, by their digests; what is in them is kept.
    async fn files(&mut self) -> Result<Sealed, Error> {
        let mut sealed = Sealed::default();
        let (mut bad, mut count) = (0, 0);
        for file in self.seal.files.clone() {
            let stored = Stored {
                storage: Arc::clone(self.storage),
                path: self.in_seal(&file.name),
                file,
            };
            let outcome = content::seal_file(
                stored,
                self.request.identities.clone(),
                Arc::clone(&self.reading),
                &mut sealed,
            )
            .await?;
            count += 1;
            if let Err(why) = outcome {
                bad += 1;
                self.report.bad("seal", why);
            }
        }
        if let Some(tags) = &mut sealed.tags {
            tags.sort();
        }
        if sealed.stopped {
            self.report.stopped = true;
        }
        if bad == 0 && !sealed.stopped {
            self.report
                .good("seal", format!("{count} files are what seal.json says"));
        }
        Ok(sealed)
    }

    /// The signature over the tag files and its time stamp.
    async fn signature(&mut self, sealed: &Sealed) -> Result<(), Error> {
        const WHAT: &str = "signature";
        let path = self.in_seal(SIGNATURE);
        let Some(bytes) = read(self.storage.as_ref(), &path, RECORD_BYTES_MAX).await? else {
            self.report.note(WHAT, "the export is not signed");
            return Ok(());
        };
        let stamped = self.stamp(&bytes).await?;
        if let Some(stamp) = stamped.filter(|stamp| stamp.trusted) {
            self.signed_by = stamp.time;
        }
        let at = self.signed_by;
        let (trust, by_others) = (&self.request.trust, self.may_be_by_others());
        let judged = Bundle::parse(&bytes).and_then(|bundle| match bundle.verify(trust, at) {
            // Whoever it was: what is signed is compared all the same.
            Err(fault @ Fault::Untrusted { .. }) if by_others => {
                Ok((bundle.statement()?, Err(fault)))
            }
            Err(fault @ Fault::Expired { .. }) => Ok((bundle.statement()?, Err(fault))),
            other => other.map(|(statement, by)| (statement, Ok(by))),
        });
        let (statement, by) = match judged {
            Ok(judged) => judged,
            Err(fault) => {
                self.report.bad(WHAT, fault.to_string());
                return Ok(());
            }
        };
        match by {
            Ok(by) => self.report.good(WHAT, format!("it is by {by}")),
            Err(fault @ Fault::Expired { .. }) => self.report.open(WHAT, fault.to_string()),
            Err(_) if self.vouched => self.report.open(
                WHAT,
                "it is by nobody whose signature counts here; the log vouches for the export",
            ),
            Err(_) => self
                .report
                .open(WHAT, "nobody was named whose signature counts"),
        }
        match &sealed.tags {
            None => self
                .report
                .open("tag files", "they are encrypted, and no key opens them"),
            Some(tags) => match statement.differences(tags) {
                Err(fault) => self.report.bad("tag files", fault.to_string()),
                Ok(differences) if differences.is_empty() => {
                    let count = tags.len();
                    self.report
                        .good("tag files", format!("{count} are what was signed"));
                }
                Ok(differences) => {
                    for difference in differences {
                        self.report.bad("tag files", difference);
                    }
                }
            },
        }
        Ok(())
    }

    async fn stamp(&mut self, signature: &[u8]) -> Result<Option<Stamp>, Error> {
        const WHAT: &str = "time stamp";
        let storage = self.storage.as_ref();
        let question = read(storage, &self.in_seal(QUESTION), STAMP_BYTES_MAX).await?;
        let answer = read(storage, &self.in_seal(ANSWER), STAMP_BYTES_MAX).await?;
        let (question, answer) = match (question, answer) {
            (Some(question), Some(answer)) => (question, answer),
            (None, None) if self.seal.timestamp_url.is_none() => return Ok(None),
            (None, Some(_)) => {
                self.report.bad(WHAT, format!("{QUESTION} is not there"));
                return Ok(None);
            }
            (_, None) => {
                self.report.open(WHAT, "the authority has not answered yet");
                return Ok(None);
            }
        };
        let judged = Query::from_der(&question).and_then(|query| {
            let digest: [u8; 32] = Sha256::digest(signature).into();
            match query.sha256() == digest {
                true => stamp::judge(&answer, &query, &self.request.authority),
                false => Err(Fault::OtherStamp { what: "digest" }),
            }
        });
        match judged {
            Ok(stamp) => {
                let said = format!("{} by {}", stamp.time, stamp.signer);
                match stamp.trusted {
                    true => self.report.good(WHAT, said),
                    false => self
                        .report
                        .open(WHAT, format!("{said}; no authority was named that counts")),
                }
                Ok(Some(stamp))
            }
            Err(fault) => {
                self.report.bad(WHAT, fault.to_string());
                Ok(None)
            }
        }
    }

    /// The chain of custody: in the bag, and beside it.
    async fn custody(&mut self, sealed: &Sealed) -> Result<(), Error> {
        const WHAT: &str = "custody";
        let mut whole = true;
        if let Some(text) = &sealed.custody {
            let lines = std::str::from_utf8(text).map(str::lines);
            let followed = lines
                .ok()
                .and_then(|lines| Custody::default().follow(lines));
            if followed.as_ref() != Some(&self.seal.custody) {
                whole = false;
                self.report.bad(
                    WHAT,
                    "the chain in the bag does not lead to where seal.json says",
                );
            }
        }
        match read_events(self.storage.as_ref(), &self.seal).await {
            Ok((_, end)) if whole => {
                let count = end.events;
                self.report
                    .good(WHAT, format!("{count} events follow one another"));
            }
            Ok(_) => {}
            Err(Error::Snapshot { source, .. }) if !source.is::<StorageError>() => {
                self.report.bad(WHAT, source.to_string());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Whether the tar can be read. What is archived is asked about and not for, which would be paid in vain.
    async fn is_readable(&mut self) -> Result<bool, Error> {
        let names = self.seal.part_names()?.into_iter().collect();
        let thaw = Thaw::look(self.storage.as_ref(), &names, self.request.now).await;
        let thaw = thaw.map_err(|error| Error::snapshot("the tar", error))?;
        let archived = thaw.archived.len() + thaw.returning.len();
        self.storage.use_copies(thaw.copied);
        if archived > 0 {
            self.report.archived = archived as u64;
            let count = names.len();
            self.report.open(
                "tar",
                format!("{archived} of {count} files are archived: it is read when they are back"),
            );
        }
        Ok(archived == 0)
    }

    /// The tar and the bag in it.
    async fn data(&mut self, sealed: &Sealed) -> Result<(), Error> {
        let source = content::Tar {
            storage: Arc::clone(self.storage),
            parts: self.seal.parts.clone(),
            encrypted: self.seal.encrypted,
            identities: self.request.identities.clone(),
            reading: Arc::clone(&self.reading),
        };
        let handle = Handle::current();
        let read = tokio::task::spawn_blocking(move || content::tar(source, handle));
        let read = read
            .await
            .map_err(|error| Error::snapshot("the tar", error))??;
        if read.stopped {
            self.report.stopped = true;
            return Ok(());
        }
        self.report.bytes = read.stored_bytes;
        let stored = self.seal.parts.iter().zip(&read.parts);
        let changed: Vec<String> = stored
            .filter(|(part, digest)| part.sha256 != **digest)
            .map(|(part, _)| part.name.clone())
            .collect();
        match changed.is_empty() {
            true => self.report.good("tar", "its files are what seal.json says"),
            false => self.report.bad(
                "tar",
                format!("{} is not what seal.json says", changed.join(", ")),
            ),
        }
        let Some(inner) = read.inner else {
            match read.locked {
                true => {
                    self.report.locked = true;
                    self.report
                        .open("bag", "it is encrypted, and no key opens it");
                }
                false => self.report.bad("bag", read.broken.unwrap_or_default()),
            }
            return Ok(());
        };
        if inner.sha256 != self.seal.tar.sha256 || inner.size != self.seal.tar.size {
            self.report
                .bad("tar", "the plain tar is not what seal.json says");
        }
        let judgement = inner.judgement;
        for finding in &judgement.errors {
            let path = finding.path.escape_debug();
            self.report
                .bad("bag", format!("{path} {}", finding.what).trim().to_owned());
        }
        for finding in &judgement.warnings {
            let path = finding.path.escape_debug();
            self.report.note("bag", format!("{path} {}", finding.what));
        }
        if judgement.is_valid() {
            let (files, bytes) = (judgement.files, judgement.bytes);
            self.report.good(
                "bag",
                format!(
                    "BagIt {}: {files} files of {bytes} bytes",
                    judgement.version
                ),
            );
        }
        self.report.files = judgement.files;
        let trust = &self.request.trust;
        let signers = models::Signers {
            trust,
            may_be_others: self.may_be_by_others(),
            signed_by: self.signed_by,
        };
        models::judge(&judgement, &signers, &mut self.report);
        let same = sealed
            .tags
            .as_ref()
            .is_none_or(|tags| *tags == judgement.tags());
        if !same {
            self.report
                .bad("tag files", "those in the seal are not those in the bag");
        }
        Ok(())
    }
}
