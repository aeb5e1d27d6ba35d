//! Opens the repository of a run: finds it, its cache and the keys that this machine has, and tells what opening found.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive_format::magic::RECORD_BYTES_MAX;
use archive_format::storage::StorageFault;
use archive_format::{
    EntryHash, Error, FileName, Identity, KeyChain, MachineKey, Notice, OpenOptions, Repository,
    RepositoryId, Signer, Storage,
};
use serde::Deserialize;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::store;

/// What the log records as its writer.
pub const PROGRAM: &str = concat!("mlark ", env!("CARGO_PKG_VERSION"));

/// The largest key file that is taken, in bytes.
const KEY_BYTES_MAX: u64 = 1 << 20;

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

    async fn open_repository_as(&self, tolerate_damage: bool) -> Result<Repository, Failure> {
        let storage = self.storage().await?;
        let id = id_at(&storage).await?;
        self.same_place(storage.as_ref(), &id)?;
        let cache = self.cache_root()?;
        let key_file = self.key_file(&id)?;
        let keys = KeyChain {
            machine: read_machine_key(&key_file)?,
            owners: self.owners()?,
        };
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
        self.tell_notices(&repository);
        Ok(repository)
    }

    /// The folder of an open repository in the cache.
    pub fn repository_cache(&self, repository: &Repository) -> Result<PathBuf, Failure> {
        Ok(self.cache_root()?.join(repository.id().to_string()))
    }

    fn tell_notices(&self, repository: &Repository) {
        for notice in repository.notices() {
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
                _ => {}
            }
        }
    }

    /// The identities of the named identity file; none where none is named or the named one is not on this machine.
    fn owners(&self) -> Result<Vec<Identity>, Failure> {
        let Some(file) = self.identity_file() else {
            return Ok(Vec::new());
        };
        match read_key_file(&file)? {
            None => Ok(Vec::new()),
            Some(text) => read_identities(&text, &file),
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

/// Reads the identities of an age identity file's text.
pub fn read_identities(text: &str, file: &Path) -> Result<Vec<Identity>, Failure> {
    Identity::parse_file(text).map_err(|error| {
        Failure::new(ExitStatus::NoKey, "The identity file cannot be used")
            .on(file.display())
            .because(&error)
            .next("it holds lines AGE-SECRET-KEY-1…, as `mlark key generate` writes them")
    })
}

pub(super) fn read_machine_key(file: &Path) -> Result<Option<MachineKey>, Failure> {
    let Some(text) = read_key_file(file)? else {
        return Ok(None);
    };
    MachineKey::parse(&text).map(Some).map_err(|error| {
        Failure::new(ExitStatus::NoKey, "This machine's key file cannot be used")
            .on(file.display())
            .because(&error)
            .next("bring back the file that `mlark init` wrote, or name another with `key_file`")
    })
}

/// The text of a file with a key in it; `None` where there is no such file.
pub fn read_key_file(file: &Path) -> Result<Option<String>, Failure> {
    let refused = |error: io::Error| {
        Failure::failed("A key file cannot be read")
            .on(file.display())
            .why(error)
    };
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(error)),
        Ok(about) if about.len() > KEY_BYTES_MAX => {
            return Err(Failure::failed("A key file cannot be used")
                .on(file.display())
                .why("it is larger than 1 MiB"));
        }
        Ok(_) => {}
    }
    fs::read_to_string(file).map(Some).map_err(refused)
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
