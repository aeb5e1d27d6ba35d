//! Opens a repository: its record, its keys, the catalogue, and the log's new entries.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt;

use super::key_files;
use super::{Inner, Notice, OpenOptions, Repository};
use crate::catalogue::entries::PASSED;
use crate::keys::ring::{Ring, RingCell};
use crate::log::Body;
use crate::log::chain::Chain;
use crate::magic::{ENTRY_BYTES_MAX, RECORD_BYTES_MAX};
use crate::pack::CodecPool;
use crate::read::lately::ReadLately;
use crate::read::objects::{FrameCache, Objects};
use crate::removal::KnownReplacements;
use crate::storage::StorageFault;
use crate::{
    Catalogue, EntryHash, Error, FileName, KeyChain, KeyLack, Record, SnapshotId, Storage,
};

pub(super) async fn open(
    storage: Arc<dyn Storage>,
    keys: KeyChain,
    options: OpenOptions,
) -> Result<Repository, Error> {
    let seen = match &keys.machine {
        Some(machine) => {
            remembered_record(&options.cache.join(machine.repository.to_string())).await
        }
        None => None,
    };
    let record = match read_record(storage.as_ref()).await {
        // A record is never written anew, so it was no later version that wrote this.
        Err(error @ (Error::UnknownVersion { .. } | Error::UnknownFlag { .. }))
            if seen.is_some() =>
        {
            return Err(Error::Damaged {
                name: FileName::record(),
                reason: error.to_string(),
            });
        }
        record => record?,
    };
    let folder = options.cache.join(record.id.to_string());
    same_record(&folder, &record).await?;
    let ring = match Ring::open(storage.as_ref(), &record, &keys).await {
        Err(Error::NoKey(KeyLack::NoneFits)) => {
            return Err(key_files::why_none_fits(storage.as_ref(), &folder, &keys).await?);
        }
        ring => ring?,
    };
    make_folder(&folder).await?;
    let (catalogue, moved) = Catalogue::open(folder.join("catalogue.sqlite")).await?;
    let mut notices: Vec<Notice> = moved
        .map(|moved| Notice::CatalogueRebuilt {
            moved_to: moved.to,
            reason: moved.reason,
        })
        .into_iter()
        .collect();
    let mut chain = Chain::new(&record, options.trusted_signers.clone())?;
    let tolerant = options.tolerate_damage.then_some(&mut notices);
    let fresh = remember(&catalogue, &mut chain, storage.as_ref(), tolerant).await?;
    let encrypted = ring.encrypted;
    let ring = RingCell::new(ring);
    let objects = Objects {
        storage: Arc::clone(&storage),
        catalogue: catalogue.clone(),
        encrypted,
        ring: ring.clone(),
        codecs: CodecPool::default(),
        cache: FrameCache::default(),
        lately: ReadLately::default(),
    };
    let mut inner = Inner {
        storage,
        record,
        ring,
        keys,
        catalogue,
        objects,
        chain: tokio::sync::Mutex::new(chain),
        notices: Vec::new(),
        late: std::sync::Mutex::default(),
        folder,
        program: options.program.clone(),
        tolerate_damage: options.tolerate_damage,
        repacked: KnownReplacements::default(),
    };
    inner.read_log(fresh, &mut notices).await?;
    inner.expect_heads(&options).await?;
    inner.sync_packs(&mut notices).await?;
    if fresh {
        inner.rebuild_lines(&mut notices).await?;
    }
    inner.notices = notices;
    remember_record(&inner).await?;
    Ok(Repository {
        inner: Arc::new(inner),
    })
}

async fn read_record(storage: &dyn Storage) -> Result<Record, Error> {
    match storage.read(&FileName::record(), RECORD_BYTES_MAX).await {
        Ok(bytes) => Record::from_bytes(&bytes).map_err(|error| match error {
            Error::Json { reason, .. } => Error::Damaged {
                name: FileName::record(),
                reason,
            },
            error => error,
        }),
        Err(error) if error.fault == StorageFault::NotFound => Err(no_record(storage).await),
        Err(error) => Err(error.into()),
    }
}

/// Why there is no record: nothing is there, or a repository that lost it.
pub(super) async fn no_record(storage: &dyn Storage) -> Error {
    let first = storage.list("log/").next().await;
    if matches!(first, Some(Ok(_))) {
        return Error::Damaged {
            name: FileName::record(),
            reason: "it is missing, and the rest of a repository is there".to_owned(),
        };
    }
    Error::NotARepository {
        place: storage.describe(),
    }
}

/// The record as it was when the repository was opened before.
async fn remembered_record(folder: &Path) -> Option<Record> {
    let bytes = tokio::fs::read(folder.join("record")).await.ok()?;
    Record::from_bytes(&bytes).ok()
}

/// A record is written once: another one, of the same repository, is somebody's who put his own keys in their place.
async fn same_record(folder: &Path, record: &Record) -> Result<(), Error> {
    match remembered_record(folder).await {
        Some(seen) if seen != *record => Err(Error::Forged {
            what: FileName::record().to_string(),
            reason: "it is another one than the one that was seen before".to_owned(),
        }),
        _ => Ok(()),
    }
}

async fn remember_record(inner: &Inner) -> Result<(), Error> {
    let path = inner.folder.join("record");
    if remembered_record(&inner.folder).await.is_some() {
        return Ok(());
    }
    tokio::fs::write(&path, inner.record.to_bytes()?)
        .await
        .map_err(|source| Error::Local {
            act: "write",
            path,
            source,
        })
}

async fn make_folder(folder: &Path) -> Result<(), Error> {
    let mut builder = tokio::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(folder).await.map_err(|source| Error::Local {
        act: "make",
        path: folder.to_owned(),
        source,
    })
}

/// Takes up the log where the catalogue ends, and makes sure that it still ends so. Says whether nothing is remembered.
async fn remember(
    catalogue: &Catalogue,
    chain: &mut Chain,
    storage: &dyn Storage,
    tolerant: Option<&mut Vec<Notice>>,
) -> Result<bool, Error> {
    let Some((number, hash)) = catalogue.log_end().await? else {
        return Ok(true);
    };
    let name = FileName::log(number);
    let found = match storage.read(&name, ENTRY_BYTES_MAX).await {
        Ok(bytes) if EntryHash::of(&bytes) == hash => None,
        Ok(_) => Some("another one"),
        Err(error) if error.fault == StorageFault::NotFound => Some("missing"),
        Err(error) => return Err(error.into()),
    };
    for (number, _, entry) in catalogue.entries_of("keys").await? {
        if let Body::Keys(keys) = &entry.body {
            chain.apply_keys(number, keys)?;
        }
    }
    for (number, signer, sort) in catalogue.signers().await? {
        if sort == PASSED {
            chain.note_passed(number, signer, "it was refused when it was read".to_owned());
        } else {
            chain.trusts(number, &signer, &sort)?;
        }
    }
    chain.damaged = catalogue.first_hole(number).await?;
    chain.resume(number, hash);
    match (found, tolerant) {
        (None, _) => {}
        (Some(found), None) => {
            return Err(Error::Rollback {
                remembered: number,
                found,
            });
        }
        // What it said was verified when it was seen, so reading can go on from the catalogue.
        (Some(found), Some(notices)) => {
            chain.damaged.get_or_insert(number);
            notices.push(Notice::Damaged {
                name: name.to_string(),
                reason: format!("it was seen before and is {found}"),
            });
        }
    }
    Ok(false)
}

impl Inner {
    /// The file that remembers the log's head beside the catalogue, for the day when that is lost.
    fn head_file(&self) -> PathBuf {
        self.folder.join("head")
    }

    /// The heads that were seen before, here or outside, must be in the log.
    async fn expect_heads(&self, options: &OpenOptions) -> Result<(), Error> {
        let remembered = tokio::fs::read_to_string(self.head_file()).await.ok();
        let remembered = remembered.and_then(|text| {
            let (number, hash) = text.trim().split_once(':')?;
            Some((number.parse().ok()?, hash.parse().ok()?))
        });
        for (number, hash) in remembered.into_iter().chain(options.expect_head) {
            let found = match self.catalogue.entry_hash(number).await? {
                Some(found) if found == hash => continue,
                Some(_) => "another one",
                None => "missing",
            };
            return Err(Error::Rollback {
                remembered: number,
                found,
            });
        }
        self.write_head().await
    }

    /// Remembers the head.
    pub(crate) async fn write_head(&self) -> Result<(), Error> {
        let Some((number, hash)) = self.catalogue.log_end().await? else {
            return Ok(());
        };
        let (path, new) = (
            self.head_file(),
            self.folder
                .join(format!("head.{}", SnapshotId::new(self.record.created)?)),
        );
        let local = |act, path: &Path| {
            let path = path.to_owned();
            move |source| Error::Local { act, path, source }
        };
        tokio::fs::write(&new, format!("{number}:{hash}\n"))
            .await
            .map_err(local("write", &new))?;
        tokio::fs::rename(&new, &path)
            .await
            .map_err(local("rename", &path))
    }
}
