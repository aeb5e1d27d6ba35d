//! Reads a pack's table from the pack's own end, for the day when its index is lost or damaged.
//!
//! Three ranged reads: the age header, the last bytes, the table. What the table leads to is checked against the
//! addresses like everything else.

use super::objects::{Objects, PackKeys, Source};
use crate::keys::envelope::{self, NONCE_BYTES};
use crate::magic::AGE_HEADER_BYTES_MAX;
use crate::pack::index::Index;
use crate::pack::tail::{self, LAST_BYTES};
use crate::storage::StorageFault;
use crate::{Error, FileName, PackName};

impl Objects {
    /// What the index of a pack should say, from the pack itself. Data packs need an owner's key.
    pub(crate) async fn own_table(
        &self,
        pack: PackName,
        stored_bytes: u64,
    ) -> Result<Index, Error> {
        let end = End {
            objects: self,
            name: FileName::pack(&pack),
            header: self.header(&pack, stored_bytes).await?,
            stored_bytes,
            keys: PackKeys::any(self.ring.get()),
        };
        let refused = |error: Error| end.damaged(&error.to_string());
        let plain_bytes = tail::plain_bytes(stored_bytes, end.header.len())
            .ok_or_else(|| end.damaged("it ends too early"))?;
        let last = end.read(plain_bytes.saturating_sub(LAST_BYTES), plain_bytes);
        let table_at = tail::table_at(&last.await?, plain_bytes).map_err(refused)?;
        let rest = end.read(table_at, plain_bytes).await?;
        tail::index(pack, stored_bytes, end.header.clone(), &rest).map_err(refused)
    }

    /// What stands in front of the encrypted chunks; nothing where nothing is encrypted.
    async fn header(&self, pack: &PackName, stored_bytes: u64) -> Result<Vec<u8>, Error> {
        if !self.encrypted {
            return Ok(Vec::new());
        }
        let name = FileName::pack(pack);
        let damaged = |reason: &str| Error::Damaged {
            name: name.clone(),
            reason: reason.to_owned(),
        };
        let length = stored_bytes.min(AGE_HEADER_BYTES_MAX as u64);
        let head = self.storage.read_range(&name, 0..length).await;
        let head = head.map_err(|error| match error.fault {
            StorageFault::NotFound | StorageFault::TooShort => {
                damaged("it is missing or ends too early")
            }
            _ => error.into(),
        })?;
        let length = envelope::header_bytes(&head)
            .ok_or_else(|| damaged("it does not begin with an age header"))?;
        let end = head
            .get(..length + NONCE_BYTES)
            .ok_or_else(|| damaged("it ends too early"))?;
        Ok(end.to_vec())
    }
}

/// The end of a pack.
struct End<'a> {
    objects: &'a Objects,
    name: FileName,
    header: Vec<u8>,
    stored_bytes: u64,
    keys: PackKeys,
}

impl End<'_> {
    fn damaged(&self, reason: &str) -> Error {
        Error::Damaged {
            name: self.name.clone(),
            reason: reason.to_owned(),
        }
    }

    async fn read(&self, from: u64, to: u64) -> Result<Vec<u8>, Error> {
        let source = Source {
            name: self.name.clone(),
            header: self.header.clone(),
            stored_bytes: self.stored_bytes,
            plain: from..to,
        };
        let keys = self.keys.clone();
        self.objects
            .open(source, keys, |_, bytes, _| Ok(bytes.to_vec()))
            .await
    }
}
