//! Which data packs reading a snapshot takes, by names alone: what lies in an archive tier must be brought back before it can
//! be read, and that is planned, priced and begun before anything is.

use std::collections::BTreeSet;

use futures::TryStreamExt;

use super::SnapshotReader;
use crate::check::packs::packs_of;
use crate::pack::Class;
use crate::{Address, Error, Item, PackName};

/// So many addresses are looked up at once.
const LOOKUPS: usize = 1000;

impl SnapshotReader {
    /// All data packs that the snapshot needs.
    pub async fn data_packs(&self) -> Result<BTreeSet<PackName>, Error> {
        self.packs_of_classes(|class| class != Class::Meta).await
    }

    /// Those of them that hold documents: planning a restore reads them, whatever it is to bring back.
    pub async fn document_packs(&self) -> Result<BTreeSet<PackName>, Error> {
        self.packs_of_classes(|class| class == Class::Documents)
            .await
    }

    async fn packs_of_classes(
        &self,
        wanted: impl Fn(Class) -> bool,
    ) -> Result<BTreeSet<PackName>, Error> {
        let inner = &self.repository.inner;
        let all = packs_of(inner, &self.record).await?;
        let classes = inner.catalogue.classes_of(all.into_iter().collect());
        let classes = classes.await?.into_iter();
        Ok(classes
            .filter(|(_, class)| wanted(*class))
            .map(|(name, _)| name)
            .collect())
    }

    /// The data packs that an item's documents, secrets and files lie in. Of an object with several copies the one that is
    /// read first counts.
    pub async fn packs_of_item(&self, item: &Item) -> Result<BTreeSet<PackName>, Error> {
        let mut packs = BTreeSet::new();
        let mut addresses: Vec<Address> = Vec::new();
        addresses.extend(item.documents.iter().map(|entry| entry.address));
        addresses.extend(item.secrets.iter().map(|entry| entry.address));
        for content in item.files.iter().filter_map(|file| file.content.as_ref()) {
            let mut chunks = self.chunks(content);
            while let Some(chunk) = chunks.try_next().await? {
                addresses.push(chunk.address);
                if addresses.len() >= LOOKUPS {
                    packs.extend(self.data_packs_of(std::mem::take(&mut addresses)).await?);
                }
            }
        }
        packs.extend(self.data_packs_of(addresses).await?);
        Ok(packs)
    }

    async fn data_packs_of(&self, addresses: Vec<Address>) -> Result<BTreeSet<PackName>, Error> {
        self.repository
            .inner
            .catalogue
            .data_packs_of(addresses)
            .await
    }
}
