//! An export at its destination, as commands name it: by its address (that of the destination with its name at the end), by
//! its id, or by its name in the log.

use std::sync::Arc;

use archive_format::{Repository, StreamingStorage};
use restore::bag::SealRecord;
use restore::bag::events::read_seal;

use crate::command::export::erase::known;
use crate::config::Destination;
use crate::failure::Failure;
use crate::session::Session;
use crate::store::Address;

/// An export that is whole.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Where it lies.
    pub address: Address,
    /// The store of that place.
    pub storage: Arc<dyn StreamingStorage>,
    /// What its seal says.
    pub record: SealRecord,
}

impl Sealed {
    /// Its address with its name.
    pub fn url(&self) -> String {
        format!("{}/{}", self.address, self.record.name)
    }
}

impl Session {
    /// Opens the export that a word of the command line means.
    pub async fn sealed(&self, repository: &Repository, word: &str) -> Result<Sealed, Failure> {
        match word.trim_end_matches('/').rsplit_once('/') {
            Some((place, name)) => self.open_sealed(place, name).await,
            None => {
                let export = known(repository, word).await?.export;
                self.open_sealed(&export.url, &export.name).await
            }
        }
    }

    /// Opens the export of a name at a place.
    pub async fn open_sealed(&self, place: &str, name: &str) -> Result<Sealed, Failure> {
        let found = self.find_sealed(place, name).await?;
        found.ok_or_else(|| {
            no_export(
                place,
                name,
                "its seal.json, which is written last, is missing",
            )
        })
    }

    /// The same; none where the place answers and has no seal of that name.
    pub async fn find_sealed(&self, place: &str, name: &str) -> Result<Option<Sealed>, Failure> {
        let (destination, address) = self.destination_at(place)?;
        let storage = self.destination_storage(&destination, &address).await?;
        let read = read_seal(storage.as_ref(), name).await;
        let Some(record) = read.map_err(|error| Failure::of_restore(&error))? else {
            return Ok(None);
        };
        if record.name != name {
            let why = format!("its seal says that it is `{}`", record.name);
            return Err(no_export(place, name, &why));
        }
        Ok(Some(Sealed {
            address,
            storage,
            record,
        }))
    }

    /// The destination of the configuration at an address, or that address alone.
    fn destination_at(&self, place: &str) -> Result<(Destination, Address), Failure> {
        let (unnamed, address) = self.destination(place)?;
        let lies_there = |it: &&Destination| {
            let known = self.destination(&it.name);
            known.is_ok_and(|(_, known)| known == address)
        };
        let named = self.config.destination.iter().find(lies_there);
        Ok((named.cloned().unwrap_or(unnamed), address))
    }
}

fn no_export(place: &str, name: &str, why: &str) -> Failure {
    Failure::usage("There is no whole export of that name")
        .on(format!("{place}/{name}"))
        .why(why)
        .next("`mlark export status` lists what the log knows")
}
