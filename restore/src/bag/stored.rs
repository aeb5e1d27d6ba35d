//! The files of an export as they lie at its destination, for who moves, locks or holds them.

use archive_format::{FileName, Storage};
use futures::TryStreamExt;

use super::seal::SealRecord;
use crate::Error;

impl SealRecord {
    /// The files of the tar.
    pub fn part_names(&self) -> Result<Vec<FileName>, Error> {
        let names = self.parts.iter().map(|part| {
            let name = FileName::new(part.name.as_str());
            name.map_err(|error| Error::export(part.name.clone(), error))
        });
        names.collect()
    }

    /// All stored files of the export: its parts, and what lies in its seal, later events of custody among it.
    pub async fn stored(&self, storage: &dyn Storage) -> Result<Vec<FileName>, Error> {
        let mut names = self.part_names()?;
        let folder = format!("{}.seal/", self.name);
        let mut listed = storage.list(&folder);
        while let Some(file) = listed
            .try_next()
            .await
            .map_err(|error| Error::export(folder.clone(), error))?
        {
            names.push(file.name);
        }
        Ok(names)
    }
}
