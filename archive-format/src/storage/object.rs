//! A repository in an object store: Azure Blob Storage, S3, Google Cloud Storage, or memory.
//!
//! Whose a file is: every create is conditional on the name being free, and carries a random number as metadata. When a
//! create is answered with "exists", or is not answered, the number tells our own file from another's; so a create may
//! be sent again. A large file goes up in parts, few of which are in memory at a time.
//!
//! It is handed an [`ObjectStore`] that somebody else made: it knows no address, no credential and no way to the network.

mod copies;
mod fault;
pub mod guard;
mod read;
mod single;
mod streaming;
mod upload;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::path::Path as ObjectPath;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
};
use tokio::sync::Semaphore;

use self::copies::Copies;
use self::fault::{Failed, Verdict};
use super::{
    ColdStorage, CopiesDeleted, Created, FileUse, Remains, Storage, StorageError, StorageFault,
    StoredFile,
};
use crate::{Error, FileName};

/// The metadata that tells our own file from another's. Azure takes letters and digits alone.
const MARK: &str = "mlarkwrite";

/// How often a create whose answer was lost is sent again.
const TRIES: u32 = 5;

/// The wait before a second try; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What a store does when the last part of a large file is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// It creates the file or refuses because the name is taken: Azure and S3 behind [`guard::Guarded`].
    CreateOnly,
    /// It overwrites. Parts are used for the largest files alone, after a look whether the name is free; the names of
    /// packs are new for ever, so that nothing is there to be overwritten.
    Overwrites,
}

/// How a repository lies in an object store.
#[derive(Clone, Debug)]
pub struct ObjectOptions {
    /// Its name for people: a URL without secrets.
    pub place: String,
    /// What each name begins with: letters, digits, `.`, `-`, `_`, and `/` between parts; empty: nothing.
    pub prefix: String,
    /// The storage class or access tier of data packs, in the service's words; none: the store's default.
    pub data_class: Option<String>,
    /// What completing an upload in parts does.
    pub completion: Completion,
}

/// A place in an object store.
#[derive(Clone)]
pub struct ObjectStorage {
    store: Arc<dyn ObjectStore>,
    options: Arc<ObjectOptions>,
    /// Memory for uploads, in units of [`upload::UNIT_BYTES`].
    memory: Arc<Semaphore>,
    /// Its tiers, locks and holds, where it has such.
    cold: Option<Arc<dyn ColdStorage>>,
    /// Archived files that have a copy.
    copies: Arc<Copies>,
}

/// Where the bytes of a new file come from.
enum Source<'a> {
    Bytes(Bytes),
    File { path: &'a Path, bytes: u64 },
}

impl fmt::Debug for ObjectStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStorage")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl ObjectStorage {
    /// A place in a store. The store must not send a create twice on its own account, and its reads may.
    ///
    /// # Errors
    /// [`Error::Id`] where the prefix has more than letters, digits, `.`, `-`, `_` and `/`, an empty part, `.` or `..`.
    pub fn new(store: Arc<dyn ObjectStore>, options: ObjectOptions) -> Result<Self, Error> {
        let prefix = options.prefix.as_str();
        if !prefix.is_empty() && !guard::is_path(prefix) {
            return Err(Error::Id {
                what: "a prefix of names in an object store",
                text: prefix.chars().take(80).collect(),
            });
        }
        Ok(Self {
            store,
            options: Arc::new(options),
            memory: Arc::new(Semaphore::new(upload::UNITS)),
            cold: None,
            copies: Arc::default(),
        })
    }

    /// The same store with its tiers, locks and holds.
    #[must_use]
    pub fn with_cold(self, cold: Arc<dyn ColdStorage>) -> Self {
        Self {
            cold: Some(cold),
            ..self
        }
    }

    fn path(&self, name: &str) -> Result<ObjectPath, object_store::Error> {
        let prefix = &self.options.prefix;
        let path = match (prefix.as_str(), name) {
            ("", name) => ObjectPath::parse(name),
            (prefix, "") => ObjectPath::parse(prefix),
            (prefix, name) => ObjectPath::parse(format!("{prefix}/{name}")),
        };
        Ok(path?)
    }

    fn error(&self, act: &'static str, name: &str, failed: Failed) -> StorageError {
        StorageError {
            act,
            name: name.to_owned(),
            place: self.describe(),
            fault: failed.fault,
            source: failed.source,
        }
    }

    /// Asks for a file's bytes or, with `head`, for what is known about it.
    async fn get(
        &self,
        name: &FileName,
        range: Option<Range<u64>>,
        head: bool,
    ) -> Result<object_store::GetResult, object_store::Error> {
        let options = GetOptions {
            range: range.map(GetRange::Bounded),
            head,
            ..GetOptions::default()
        };
        self.store
            .get_opts(&self.path(name.as_str())?, options)
            .await
    }

    /// The length of a file and the mark that it was created with.
    async fn look(&self, name: &FileName) -> Result<Option<(u64, Option<String>)>, Failed> {
        match self.get(name, None, true).await {
            Ok(found) => {
                let mark = found.attributes.get(&Attribute::Metadata(MARK.into()));
                Ok(Some((
                    found.meta.size,
                    mark.map(|mark| mark.as_ref().to_owned()),
                )))
            }
            Err(error) => match Failed::reading(&error) {
                failed if failed.fault == StorageFault::NotFound => Ok(None),
                failed => Err(failed),
            },
        }
    }

    /// Sends a create until it is known what became of it.
    async fn create_from(
        &self,
        name: &FileName,
        source: Source<'_>,
        used: FileUse,
    ) -> Result<Created, StorageError> {
        let fails = |failed| self.error("create", name.as_str(), failed);
        let mark = mark().map_err(fails)?;
        let attributes = self.attributes(&mark, used);
        let mut wait = FIRST_WAIT;
        for tries in 1.. {
            let error = match self.put(name, &source, attributes.clone()).await {
                Ok(()) => return Ok(Created::New),
                Err(error) => error,
            };
            match Verdict::of(&error) {
                Verdict::Exists => return self.whose(name, &mark, error).await.map_err(fails),
                Verdict::Failed => return Err(fails(Failed::creating(error))),
                Verdict::Unclear if tries >= TRIES => {
                    return self.whose(name, &mark, error).await.map_err(fails);
                }
                Verdict::Unclear => {
                    tracing::debug!(%name, tries, "a create is sent again");
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
            }
        }
        Err(fails(Failed::unclear("no try was made".into())))
    }

    /// Whether the file that is there is the one that carries this mark. Where none is there, a create may still be
    /// under way.
    async fn whose(
        &self,
        name: &FileName,
        mark: &str,
        error: upload::Error,
    ) -> Result<Created, Failed> {
        match self.look(name).await {
            Ok(Some((_, Some(found)))) if found == mark => Ok(Created::New),
            Ok(Some(_)) => Ok(Created::Exists),
            Ok(None) => Err(Failed::unclear(Failed::creating(error).source)),
            Err(failed) => Err(Failed::unclear(failed.source)),
        }
    }

    async fn put(
        &self,
        name: &FileName,
        source: &Source<'_>,
        attributes: Attributes,
    ) -> Result<(), upload::Error> {
        let path = self.path(name.as_str())?;
        let bytes = match source {
            Source::Bytes(bytes) => bytes.clone(),
            Source::File { path: file, bytes } => {
                let by_parts = match self.options.completion {
                    Completion::CreateOnly => *bytes > upload::WHOLE_BYTES_MAX,
                    Completion::Overwrites => *bytes > upload::WHOLE_PACK_BYTES_MAX,
                };
                if by_parts {
                    return self.put_parts(name, &path, file, *bytes, attributes).await;
                }
                return self.put_file(&path, file, *bytes, attributes).await;
            }
        };
        self.put_whole(&path, bytes, attributes).await
    }

    async fn put_whole(
        &self,
        path: &ObjectPath,
        bytes: Bytes,
        attributes: Attributes,
    ) -> Result<(), upload::Error> {
        let options = PutOptions {
            mode: PutMode::Create,
            attributes,
            ..PutOptions::default()
        };
        self.store.put_opts(path, bytes.into(), options).await?;
        Ok(())
    }
}

/// A new mark: 32 hexadecimal digits.
fn mark() -> Result<String, Failed> {
    let mut random = [0; 16];
    match getrandom::fill(&mut random) {
        Ok(()) => Ok(hex::encode(random)),
        Err(_) => Err(Failed::other("no random bytes".into())),
    }
}

#[async_trait]
impl Storage for ObjectStorage {
    fn describe(&self) -> String {
        self.options.place.clone()
    }

    async fn create(&self, name: &FileName, bytes: Bytes) -> Result<Created, StorageError> {
        self.create_from(name, Source::Bytes(bytes), FileUse::Names)
            .await
    }

    async fn create_from_file(
        &self,
        name: &FileName,
        file: &Path,
        used: FileUse,
    ) -> Result<Created, StorageError> {
        let bytes = match tokio::fs::metadata(file).await {
            Ok(metadata) => metadata.len(),
            Err(error) => {
                return Err(self.error("create", name.as_str(), Failed::other(error.into())));
            }
        };
        self.create_from(name, Source::File { path: file, bytes }, used)
            .await
    }

    async fn read(&self, name: &FileName, limit: u64) -> Result<Bytes, StorageError> {
        self.or_copy(
            name,
            |name| async move { self.read_whole(&name, limit).await },
        )
        .await
    }

    async fn read_range(&self, name: &FileName, range: Range<u64>) -> Result<Bytes, StorageError> {
        self.or_copy(name, |name| {
            let range = range.clone();
            async move { self.read_part(&name, range).await }
        })
        .await
    }

    async fn size(&self, name: &FileName) -> Result<Option<u64>, StorageError> {
        let found = self.look(name).await;
        let found = found.map_err(|failed| self.error("read", name.as_str(), failed))?;
        Ok(found.map(|(size, _)| size))
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<StoredFile, StorageError>> {
        let prefix = prefix.to_owned();
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = match self.path(folder) {
            Ok(path) => path,
            Err(error) => {
                let failed = Failed::reading(&error);
                let error = self.error("list", &prefix, failed);
                return futures::stream::once(std::future::ready(Err(error))).boxed();
            }
        };
        let before = match self.options.prefix.as_str() {
            "" => String::new(),
            own => format!("{own}/"),
        };
        let listed = self.store.list(Some(&path));
        let wanted = prefix.clone();
        listed
            .map_err(move |error| self.error("list", &prefix, Failed::reading(&error)))
            .try_filter_map(move |found| {
                let name = found.location.as_ref().strip_prefix(before.as_str());
                let name = name.filter(|name| name.starts_with(&wanted));
                // What is no name of ours was put there by somebody else.
                let file = name
                    .and_then(|name| FileName::new(name).ok())
                    .map(|name| StoredFile {
                        name,
                        size: found.size,
                        modified: found
                            .last_modified
                            .timestamp_nanos_opt()
                            .and_then(|time| Timestamp::from_nanosecond(time.into()).ok()),
                    });
                std::future::ready(Ok(file))
            })
            .boxed()
    }

    async fn delete(&self, name: &FileName) -> Result<(), StorageError> {
        let deleted = match self.path(name.as_str()) {
            Ok(path) => self.store.delete(&path).await,
            Err(error) => Err(error),
        };
        match deleted.map_err(|error| Failed::reading(&error)) {
            Ok(()) => Ok(()),
            Err(failed) if failed.fault == StorageFault::NotFound => Ok(()),
            Err(failed) => Err(self.error("delete", name.as_str(), failed)),
        }
    }

    async fn delete_for_ever(&self, name: &FileName) -> Result<Remains, StorageError> {
        self.delete(name).await?;
        match &self.cold {
            Some(cold) => cold.delete_versions(name).await,
            None => Ok(Remains::Unknown {
                why: "a bucket with versions keeps what is deleted, and does not say so here"
                    .to_owned(),
            }),
        }
    }

    fn cold(&self) -> Option<&dyn ColdStorage> {
        self.cold.as_deref()
    }

    async fn delete_copies(&self) -> Result<CopiesDeleted, StorageError> {
        self.forget_copies().await
    }

    fn use_copies(&self, names: Vec<FileName>) {
        for name in &names {
            self.copies.add(name);
        }
    }
}
