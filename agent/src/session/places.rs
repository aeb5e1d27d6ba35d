//! Which repository lay at an address when it was opened before, as `known_hosts` does for machines: somebody who can
//! write to the store could put a whole repository of his own in its place, made for the same owners.

use std::fs;
use std::io;
use std::path::PathBuf;

use archive_format::Storage;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::session::keys::{read_key_file, read_machine_key};
use crate::session::repository::{id_at, make_folder};

/// The largest file that is read, in bytes.
const BYTES_MAX: u64 = 1 << 20;

impl Session {
    /// The file: a line for each address, the repository's id in front.
    fn places_file(&self) -> Result<PathBuf, Failure> {
        Ok(self.cache_root()?.join("repositories"))
    }

    fn places(&self) -> Result<String, Failure> {
        let file = self.places_file()?;
        let refused = |error: io::Error| {
            Failure::failed("The list of known repositories cannot be read")
                .on(file.display())
                .why(error)
        };
        match fs::metadata(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(refused(error)),
            Ok(about) if about.len() > BYTES_MAX => Ok(String::new()),
            Ok(_) => fs::read_to_string(&file).map_err(refused),
        }
    }

    /// The id of the repository that lay there before.
    pub(super) fn known_id(&self, storage: &dyn Storage) -> Result<Option<String>, Failure> {
        let place = storage.describe();
        let places = self.places()?;
        let known = places
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(_, known)| *known == place);
        Ok(known.map(|(id, _)| id.to_owned()))
    }

    /// Refuses another repository than the one that lay there before.
    pub(super) fn same_place(&self, storage: &dyn Storage, id: &str) -> Result<(), Failure> {
        match self.known_id(storage)? {
            Some(known) if known != id => {
                let why = format!("repository {known} lay there before, and now it is {id}");
                let next = format!(
                    "restore nothing from it before that is explained; if you made a new one there, take its line out of {}",
                    self.places_file()?.display()
                );
                let failure = Failure::new(ExitStatus::Damage, "This is another repository");
                Err(failure.on(storage.describe()).why(why).next(next))
            }
            _ => Ok(()),
        }
    }

    /// Remembers which repository lies there; `init` replaces what it made anew.
    pub fn remember_place(&self, storage: &dyn Storage, id: &str) -> Result<(), Failure> {
        if self.known_id(storage)?.as_deref() == Some(id) {
            return Ok(());
        }
        let place = storage.describe();
        let mut text: String = self
            .places()?
            .lines()
            .filter(|line| line.split_once(' ').is_none_or(|(_, known)| known != place))
            .map(|line| format!("{line}\n"))
            .collect();
        text.push_str(&format!("{id} {place}\n"));
        let file = self.places_file()?;
        make_folder(&self.cache_root()?)?;
        let new = file.with_extension(format!("new-{}", std::process::id()));
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &file))
            .map_err(|error| {
                Failure::failed("The list of known repositories cannot be written")
                    .on(file.display())
                    .why(error)
            })
    }

    /// The folder of the cache in which this machine remembers the repository, found without opening it.
    pub async fn remembered_cache(&self) -> Result<Option<PathBuf>, Failure> {
        let storage = self.storage().await?;
        let mut id = self.known_id(storage.as_ref())?;
        if id.is_none() {
            id = id_at(&storage).await.ok();
        }
        if id.is_none()
            && let Some(file) = self.named_key_file()
            && read_key_file(&file)?.is_some()
        {
            id = read_machine_key(&file)?.map(|key| key.repository().to_string());
        }
        Ok(match id {
            Some(id) => Some(self.cache_root()?.join(id)),
            None => None,
        })
    }
}
