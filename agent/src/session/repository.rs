//! Opens the repository of a run: finds it, its cache and the keys that this machine has, and tells what opening found.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive_format::magic::RECORD_BYTES_MAX;
use archive_format::storage::StorageFault;
use archive_format::{
    EntryHash, Error, FileName, Notice, OpenOptions, Repository, RepositoryId, Signer, Storage,
};
use serde::Deserialize;

use crate::failure::Failure;
use crate::session::Session;
use crate::store;

/// What the log records as its writer.
pub const PROGRAM: &str = concat!("mlark ", env!("CARGO_PKG_VERSION"));

impl Session {
    /// The repository's storage.
    pub async fn storage(&self) -> Result<Arc<dyn Storage>, Failure> {
        store::open(
            &self.repository_address()?,
            &self.config.repository,
            &self.config.azure,
            &self.context,
        )
        .await
    }

    /// Opens the repository with every key at hand.
    pub async fn open_repository(&self) -> Result<Repository, Failure> {
        self.open_repository_as(false).await
    }

    /// Opens the repository although its log is damaged, for looking at what is left.
    pub async fn open_damaged_repository(&self) -> Result<Repository, Failure> {
        self.open_repository_as(true).await
    }

    /// Opens the repository for something that reads contents: without an owner's key that is refused at once.
    pub async fn open_repository_with_contents(&self) -> Result<Repository, Failure> {
        with_contents(self.open_repository().await?)
    }

    /// The same although its log is damaged.
    pub async fn open_damaged_repository_with_contents(&self) -> Result<Repository, Failure> {
        with_contents(self.open_damaged_repository().await?)
    }

    async fn open_repository_as(&self, tolerate_damage: bool) -> Result<Repository, Failure> {
        let storage = self.storage().await?;
        let id = id_at(&storage).await?;
        self.same_place(storage.as_ref(), &id)?;
        let cache = self.cache_root()?;
        let keys = self.key_chain(&storage, &id).await?;
        let options = OpenOptions {
            cache,
            trusted_signers: self.trusted_signers()?,
            expect_head: self.expected_head()?,
            tolerate_damage,
            program: PROGRAM.to_owned(),
        };
        // Where the catalogue is missing it is made anew first, which takes a while.
        let progress = self.ui.progress("opening the repository");
        let repository = Repository::open(Arc::clone(&storage), keys, options)
            .await
            .map_err(|error| Failure::of_archive(&error))?;
        progress.finish();
        self.remember_place(storage.as_ref(), &id)?;
        self.tell_notices(repository.notices());
        Ok(repository)
    }

    /// The folder of an open repository in the cache.
    pub fn repository_cache(&self, repository: &Repository) -> Result<PathBuf, Failure> {
        Ok(self.cache_root()?.join(repository.id().to_string()))
    }

    /// Tells what happened since the repository was opened.
    pub fn tell_late_notices(&self, repository: &Repository) {
        self.tell_notices(&repository.late_notices());
    }

    /// Tells what opening or refreshing the repository found.
    pub fn tell_notices(&self, notices: &[Notice]) {
        for notice in notices {
            match notice {
                Notice::CatalogueRebuilt { moved_to, reason } => self.ui.warn(&format!(
                    "The catalogue was broken ({reason}) and was made anew; the broken one is {}",
                    moved_to.display()
                )),
                Notice::Damaged { name, reason } => {
                    self.ui.warn(&format!(
                        "{name} is damaged: {reason}; `mlark check` says what it touches"
                    ));
                }
                Notice::PassedOver {
                    entry,
                    signer,
                    reason: Some(reason),
                } => self.ui.warn(&format!(
                    "Log entry {entry} of the machine {signer} is refused: {reason}"
                )),
                Notice::PassedOver { entry, signer, .. } => self.ui.detail(&format!(
                    "Log entry {entry} counts for nothing: its signer {signer} was revoked"
                )),
                Notice::NoCheckpoint { entry, reason } => self.ui.warn(&format!(
                    "No checkpoint could be written at log entry {entry}: {reason}; a later run tries again"
                )),
                _ => {}
            }
        }
    }

    fn trusted_signers(&self) -> Result<Vec<Signer>, Failure> {
        let named = &self.config.repository.trusted_signers;
        named
            .iter()
            .map(|text| {
                text.parse().map_err(|error| {
                    Failure::usage("A signer of `trusted_signers` is refused")
                        .on(format!("`{text}`"))
                        .because(&error)
                        .next("a signer is 64 hexadecimal digits, as in the comment of a key file")
                })
            })
            .collect()
    }

    fn expected_head(&self) -> Result<Option<(u64, EntryHash)>, Failure> {
        let Some(text) = &self.global.expect_head else {
            return Ok(None);
        };
        let head = text
            .split_once(':')
            .and_then(|(number, hash)| Some((number.parse().ok()?, hash.parse().ok()?)));
        match head {
            Some(head) => Ok(Some(head)),
            None => Err(Failure::usage("--expect-head is refused")
                .on(format!("`{text}`"))
                .why("it is not NUMBER:HASH, an entry of the log and its SHA-256")
                .next("`mlark status` prints the head of the log in that form")),
        }
    }
}

fn with_contents(repository: Repository) -> Result<Repository, Failure> {
    match repository.contents_lack() {
        None => Ok(repository),
        Some(lack) => Err(Failure::of_archive(&Error::NoKey(lack))),
    }
}

/// The id of the repository in a storage, before any key is at hand: where the keys are depends on it. Everything else
/// of the record is checked when the repository is opened.
pub async fn id_at(storage: &Arc<dyn Storage>) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Named {
        id: RepositoryId,
    }
    let name = FileName::record();
    let bytes = match storage.read(&name, RECORD_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) if error.fault == StorageFault::NotFound => {
            let error = Repository::without_record(storage.as_ref()).await;
            return Err(Failure::of_archive(&error));
        }
        Err(error) => return Err(Failure::of_archive(&Error::Storage(error))),
    };
    let named: Named = serde_json::from_slice(&bytes).map_err(|error| {
        Failure::of_archive(&Error::Damaged {
            name,
            reason: error.to_string(),
        })
    })?;
    Ok(named.id.to_string())
}

/// The folder in which a file lies, made if it is not there.
pub fn make_parent(file: &Path) -> Result<(), Failure> {
    let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    else {
        return Ok(());
    };
    make_folder(folder)
}

/// Makes a folder that only its owner can look into, and those above it.
pub fn make_folder(folder: &Path) -> Result<(), Failure> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| {
        Failure::failed("A folder cannot be made")
            .on(folder.display())
            .why(error)
    })
}

/// This machine's name, for people.
pub fn machine_label() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| fs::read_to_string("/etc/hostname"))
        .map(|name| {
            name.trim()
                .chars()
                .filter(|c| !c.is_control())
                .take(64)
                .collect::<String>()
        })
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unnamed".to_owned())
}

/// A path made absolute by the current folder, so that it means the same tomorrow.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The user in whose name this process runs: the name that this machine gives it, else its number.
pub fn user_label() -> String {
    let id = rustix::process::geteuid().as_raw().to_string();
    let named = fs::read_to_string("/etc/passwd").ok().and_then(|text| {
        let mut lines = text.lines().map(|line| line.split(':'));
        lines.find_map(|mut fields| {
            let name = fields.next()?;
            (fields.nth(1) == Some(id.as_str())).then(|| name.to_owned())
        })
    });
    let name = named.map(|name| name.chars().filter(|c| !c.is_control()).take(64).collect());
    let name = name.filter(|name: &String| !name.is_empty());
    name.unwrap_or_else(|| format!("user {id}"))
}
