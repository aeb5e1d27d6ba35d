//! A snapshot as a sealed package for years of cold storage, in a form that others' programs check: a bag of BagIt 1.0
//! (RFC 8493) as one tar, encrypted unless that is not wanted, with its seal beside it.
//!
//! Write order: the key, the tar, the files of the seal, `seal.json`, the log entry. A tar without `seal.json` beside it is
//! one that was cut off, and nothing of it is believed. Nothing is copied to a local disk; what must wait for the end of the
//! tar, names and digests, waits in spools. A bag holds no credentials.

use std::path::PathBuf;
use std::sync::Arc;

use archive_format::log::{Export, LogHead};
use archive_format::storage::{Created, FileUse};
use archive_format::{
    Digest, ExportId, FileName, Pair, Recipient, SnapshotReader, StreamingStorage,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, json};
use tokio::sync::mpsc;
use workspace::Selection;

mod csv;
mod custody;
mod cut;
mod deposit;
mod drills;
pub mod events;
mod info;
mod layout;
mod ledger;
mod metric;
mod opened;
mod packing;
mod parts;
mod press;
pub mod read;
mod record;
mod seal;
mod sealing;
mod signing;
mod spool;
mod stored;
mod survey;
mod tar;
pub mod verify;

pub use custody::{Actor, Custody};
pub use opened::ExportedBag;
pub use seal::{EDITION, NAME as SEAL_NAME, PlainTar, SealRecord, StoredFile};
pub use sealing::{ANSWER, QUESTION, SIGNATURE};

use crate::origin::Origin;
use crate::seal::Signer;
use crate::snapshot::Source;
use crate::{Error, LostPart, Observer, Stop};
use deposit::{Names, PIECES_MAX, deposit};
use ledger::Ledger;
use packing::Packing;
use press::{Press, Pressed};

/// Where an export goes.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The store.
    pub storage: Arc<dyn StreamingStorage>,
    /// Its address for people and for the log: no query, no secret.
    pub url: String,
    /// A longer tar is cut into files of this length.
    pub split_bytes: u64,
    /// The access tier that the store gives the tar, in the service's words.
    pub tier: Option<String>,
    /// Until when the export is to be kept.
    pub retain_until: Option<Timestamp>,
}

/// What an export is asked for.
#[derive(Clone, Debug)]
pub struct BagRequest {
    /// Its id.
    pub export: ExportId,
    /// What the names of its files begin with: small letters, digits, `.`, `-`, `_`.
    pub name: String,
    /// The selectors, as they were given; none means everything.
    pub selectors: Vec<String>,
    /// The time.
    pub now: Timestamp,
    /// Whether what a damaged repository lost is left out; else it is an error.
    pub partial: bool,
    /// Whether the tar is not encrypted.
    pub plain: bool,
    /// Who opens it besides the owners.
    pub recipients: Vec<Recipient>,
    /// Whether a legal hold lies on it.
    pub hold: bool,
    /// Who makes it.
    pub by: Actor,
    /// Checks that were made before, for the chain of custody.
    pub checks: Vec<serde_json::Value>,
    /// Who signs it.
    pub signer: Option<Arc<Signer>>,
    /// The address of the time-stamp authority that will be asked, for the record; the question is written into the seal.
    pub timestamp_url: Option<String>,
    /// A folder of this machine for names and digests that wait.
    pub folder: PathBuf,
}

/// The JSON document of `export bag`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Bagged {
    /// The export's id.
    pub export: String,
    /// What the names of its files begin with.
    pub name: String,
    /// Where it lies.
    pub to: String,
    /// The snapshot.
    pub snapshot: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Items in it.
    pub items: u64,
    /// Files of its payload.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Things that are not in it, as `exclusions.csv` lists them.
    pub excluded: u64,
    /// The tar as it is stored.
    pub parts: Vec<StoredFile>,
    /// The SHA-256 of `seal.json`.
    pub seal: String,
    /// Whether it is signed.
    pub signed: bool,
    /// Whether a time-stamp authority answered.
    pub stamped: bool,
    /// The log entry.
    pub entry: u64,
    /// What a damaged repository lost.
    pub lost: Vec<LostPart>,
    /// Whether it ended before it was whole: then there is no seal and no log entry.
    pub stopped: bool,
}

/// Makes an export of a snapshot.
pub async fn export_bag(
    reader: &SnapshotReader,
    destination: &Destination,
    request: &BagRequest,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Bagged, Error> {
    let selection = Selection::parse(&request.selectors, request.now).map_err(Error::Selection)?;
    let source = Source::new(&Origin::from(reader), request.partial)?;
    let repository = reader.repository();
    let (entry, hash) =
        (repository.head().await).map_err(|error| Error::snapshot("the end of the log", error))?;
    let log = LogHead { entry, hash };
    (repository.check_author().await).map_err(|error| Error::export("the log entry", error))?;
    free(destination, request).await?;
    let estimated = survey::bytes(&source, &selection).await?;
    let numbered = estimated > destination.split_bytes;
    let pair = match request.plain {
        true => None,
        false => Some(key(reader, request).await?),
    };
    let work = Work {
        reader,
        destination,
        request,
        source: &source,
        selection: &selection,
        log,
        pair,
    };
    work.run(numbered, observer, stop).await
}

/// Refuses a name that is taken before anything is written: whoever creates files finds that too, but only then.
async fn free(destination: &Destination, request: &BagRequest) -> Result<(), Error> {
    let tar = ["tar", "tar-001", "tar.age", "tar.age-001"];
    let tar = tar.map(|ending| format!("{}.{ending}", request.name));
    let seal = format!("{}.seal/{SEAL_NAME}", request.name);
    for name in tar.into_iter().chain([seal]) {
        let file = FileName::new(name.as_str());
        let file = file.map_err(|error| Error::export(name.as_str(), error))?;
        let there = destination.storage.size(&file).await;
        if there
            .map_err(|error| Error::export(name.as_str(), error))?
            .is_some()
        {
            return Err(Error::export(name, "it is at the destination already"));
        }
    }
    Ok(())
}

async fn key(reader: &SnapshotReader, request: &BagRequest) -> Result<Pair, Error> {
    let repository = reader.repository();
    repository
        .create_export_key(request.export, &request.recipients, request.now)
        .await
        .map_err(|error| Error::export("the key of the export", error))
}

/// An export under way.
struct Work<'a> {
    reader: &'a SnapshotReader,
    destination: &'a Destination,
    request: &'a BagRequest,
    source: &'a Source,
    selection: &'a Selection,
    log: LogHead,
    pair: Option<Pair>,
}

impl Work<'_> {
    async fn run(
        self,
        numbered: bool,
        observer: &dyn Observer,
        stop: &Stop,
    ) -> Result<Bagged, Error> {
        let request = self.request;
        let ledger = Ledger::create(&request.folder, &request.export.to_string())
            .map_err(|error| Error::export("the list of its files", error))?;
        let (out, pieces) = mpsc::channel(PIECES_MAX);
        let recipient = self.pair.as_ref().map(Pair::to_recipient);
        let part_bytes = numbered.then_some(self.destination.split_bytes);
        let press = Press::begin(&request.name, recipient, part_bytes, ledger, out)?;
        let names = Names {
            base: format!(
                "{}.{}",
                request.name,
                if request.plain { "tar" } else { "tar.age" }
            ),
            numbered,
        };
        let storage = Arc::clone(&self.destination.storage);
        let stored = tokio::spawn(deposit(storage, names, FileUse::Contents, pieces));
        let packed = self.pack(press, observer, stop).await;
        let stored = stored
            .await
            .unwrap_or_else(|error| Err(Error::export("the tar", error)));
        let (pressed, mut bagged, custody) = match (packed, &stored) {
            (Ok(Some(packed)), Ok(_)) => packed,
            // The one who stopped is not at fault.
            (Ok(None), _) => return Ok(self.stopped()),
            (Err(error), Err(other)) if is_closed(&error) && !is_given_up(other) => {
                return Err(stored.err().unwrap_or(error));
            }
            (Err(error), _) => return Err(error),
            (Ok(Some(_)), Err(_)) => {
                return Err(stored
                    .err()
                    .unwrap_or_else(|| Error::export("the tar", "it was not stored")));
            }
        };
        bagged.parts = stored?;
        let (seal, bytes) = self.seal(pressed, &bagged, custody).await?;
        bagged.seal = Digest::of(&bytes).to_string();
        bagged.entry = self.log(&seal, Digest::of(&bytes)).await?;
        bagged.lost = self.source.lost_parts();
        Ok(bagged)
    }

    /// Writes everything into the tar; none where it was asked to stop.
    async fn pack(
        &self,
        press: Press,
        observer: &dyn Observer,
        stop: &Stop,
    ) -> Result<Option<(Pressed, Bagged, Custody)>, Error> {
        let mut packing = Packing::new(self, press, observer);
        if !packing.items(stop).await? {
            return Ok(None);
        }
        packing.end().await.map(Some)
    }

    fn bagged(&self) -> Bagged {
        Bagged {
            export: self.request.export.to_string(),
            name: self.request.name.clone(),
            to: self.destination.url.clone(),
            snapshot: self.reader.record().id.to_string(),
            encrypted: !self.request.plain,
            signed: self.request.signer.is_some(),
            ..Bagged::default()
        }
    }

    fn stopped(&self) -> Bagged {
        Bagged {
            stopped: true,
            ..self.bagged()
        }
    }

    /// Writes the files of the seal, the record last. Gives it with its bytes.
    async fn seal(
        &self,
        pressed: Pressed,
        bagged: &Bagged,
        custody: Custody,
    ) -> Result<(SealRecord, Vec<u8>), Error> {
        let tar = PlainTar {
            size: pressed.size,
            sha256: pressed.sha256.clone(),
        };
        let signature = signing::over_tags(self.request, &pressed.tags)?;
        let mut files = sealing::files(self, pressed).await?;
        files.extend(sealing::signature(self, signature).await?);
        let record = self.reader.record();
        let seal = SealRecord {
            edition: EDITION,
            export: self.request.export,
            name: self.request.name.clone(),
            repository: self.reader.repository().id(),
            workspace: record.workspace.clone(),
            snapshot: record.id,
            log: self.log,
            created: self.request.now,
            program: self.request.by.program.clone(),
            parts: bagged.parts.clone(),
            tar,
            encrypted: !self.request.plain,
            recipients: (self.request.recipients.iter())
                .filter_map(Recipient::to_public_text)
                .collect(),
            tier: self.destination.tier.clone(),
            retain_until: self.destination.retain_until,
            files,
            custody,
            timestamp_url: self.request.timestamp_url.clone(),
        };
        let bytes = seal.to_bytes()?;
        let file = events::file(&self.request.name, SEAL_NAME)?;
        let name = file.as_str();
        let failed = |error| Error::export(name, error);
        let created = self
            .destination
            .storage
            .create(&file, bytes.clone().into())
            .await;
        match created.map_err(|error| Error::export(name, error))? {
            Created::New => Ok((seal, bytes)),
            Created::Exists => Err(failed("it is at the destination already")),
        }
    }

    async fn log(&self, seal: &SealRecord, digest: Digest) -> Result<u64, Error> {
        let export = Export {
            export: seal.export,
            name: seal.name.clone(),
            url: self.destination.url.clone(),
            snapshot: seal.snapshot,
            seal: digest,
            encrypted: seal.encrypted,
            tier: seal.tier.clone(),
            retain_until: seal.retain_until,
            hold: self.request.hold,
            more: Map::new(),
        };
        let repository = self.reader.repository();
        repository
            .log_export(export, self.request.now)
            .await
            .map_err(|error| Error::export("the log entry", error))
    }

    /// The first lines of the chain of custody.
    fn custody(&self, tags: &[(String, String)], octets: u64, files: u64) -> (String, Custody) {
        let (mut chain, mut text) = (Custody::default(), String::new());
        let record = self.reader.record();
        let taken_by = Actor {
            program: record.program.clone(),
            ..Actor::default()
        };
        let snapshot = json!({
            "workspace": record.workspace, "identity": record.identity, "snapshot": record.id,
            "started": record.started, "outcome": record.outcome, "manifest": record.manifest,
        });
        let (by, now) = (&self.request.by, self.request.now);
        let digests: Map<String, serde_json::Value> = (tags.iter())
            .map(|(name, sha256)| (name.clone(), sha256.as_str().into()))
            .collect();
        let exported = json!({
            "export": self.request.export, "snapshot": record.id, "repository": self.reader.repository().id(),
            "log": self.log, "to": self.destination.url, "selectors": self.request.selectors,
            "encrypted": !self.request.plain, "retain_until": self.destination.retain_until,
            "tier": self.destination.tier, "hold": self.request.hold,
        });
        let payload = json!({ "octets": octets, "files": files, "sha256": digests });
        let mut add = |time, act, by: &Actor, says: &serde_json::Value| {
            text.push_str(&chain.event(time, act, by, says));
            text.push('\n');
        };
        add(record.finished, "snapshot", &taken_by, &snapshot);
        for check in &self.request.checks {
            add(now, "check", by, check);
        }
        add(now, "export", by, &exported);
        add(now, "payload", by, &payload);
        (text, chain)
    }
}

/// Whether the worker ended since nobody took what it made: the upload's own error says why.
fn is_closed(error: &Error) -> bool {
    let cause =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Whether an upload ended since the worker gave up.
fn is_given_up(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        if inner.is_some_and(|inner| inner.is::<deposit::GivenUp>()) {
            return true;
        }
        cause = error.source();
    }
    false
}
