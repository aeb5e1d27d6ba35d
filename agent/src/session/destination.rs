//! Where an export goes: a destination of the configuration, or an address.

use std::sync::Arc;

use archive_format::StreamingStorage;

use crate::config::Destination;
use crate::failure::Failure;
use crate::session::Session;
use crate::session::repository::absolute;
use crate::store::{self, Address};

impl Session {
    /// The destination that a word of the command line means, and its address: a folder's from the root on, since the log and the
    /// chain of custody keep it and others read them elsewhere.
    pub fn destination(&self, word: &str) -> Result<(Destination, Address), Failure> {
        let named = self.config.destination.iter();
        let named = named.clone().find(|destination| destination.name == word);
        let destination = match named {
            Some(destination) => destination.clone(),
            None => Destination::unnamed(word),
        };
        let parsed = Address::parse(&destination.url).map_err(|why| {
            // The address is not repeated: people put signatures into it.
            Failure::usage("The address of the destination is refused")
                .why(why)
                .next("name a [[destination]] of the configuration, a path, az://, s3:// or gs://")
        })?;
        let address = match parsed {
            Address::Folder(folder) => Address::Folder(absolute(&folder)),
            address => address,
        };
        Ok((destination, address))
    }

    /// The store of a destination.
    pub async fn destination_storage(
        &self,
        destination: &Destination,
        address: &Address,
    ) -> Result<Arc<dyn StreamingStorage>, Failure> {
        let repository = destination.as_repository();
        store::open_streaming(address, &repository, &self.config.azure, &self.context)
            .await
            .map_err(of_destination)
    }
}

/// A destination's keys are a repository's, but for the section in which they stand.
fn of_destination(failure: Failure) -> Failure {
    let named = |text: String| text.replace("[repository]", "[[destination]]");
    Failure {
        what: named(failure.what),
        why: failure.why.map(named),
        next: failure.next.map(named),
        ..failure
    }
}
