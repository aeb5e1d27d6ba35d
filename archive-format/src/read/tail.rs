//! Reads a pack's table from the pack's own end, for the day when its index is lost or damaged.
//!
//! Three ranged reads: the age header, the seek table, the table. What the table leads to is checked against the
//! addresses like everything else.

use super::objects::{Objects, PackKeys, Source};
use crate::keys::envelope::{CHUNK_BYTES, TAG_BYTES};
use crate::magic::{INDEX_BYTES_MAX, PACK_FRAMES_MAX, SEEK_TABLE_MAGIC};
use crate::pack::index::{HEADER_BYTES_MAX, Index};
use crate::pack::scan;
use crate::storage::StorageFault;
use crate::{Error, FileName, PackName};

/// The number of records, a byte 0, and the magic, at the very end.
const FOOT_BYTES: u64 = 9;

/// The magic and the length of a skippable frame.
const FRAME_HEAD_BYTES: u64 = 8;

/// Bytes of age's nonce behind its header.
const NONCE_BYTES: usize = 16;

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
        let plain_bytes = end.plain_bytes()?;
        let refused = |reason: &str| end.damaged(reason);
        let foot = end.read(plain_bytes.saturating_sub(FOOT_BYTES), plain_bytes);
        let foot = foot.await?;
        let Some((count, [0, magic @ ..])) = foot.split_first_chunk::<4>() else {
            return Err(refused("it does not end with a seek table"));
        };
        let count = u32::from_le_bytes(*count);
        if magic != SEEK_TABLE_MAGIC.to_le_bytes() || count == 0 || count > PACK_FRAMES_MAX + 1 {
            return Err(refused("it does not end with a seek table"));
        }
        let seek_bytes = FRAME_HEAD_BYTES + u64::from(count) * 8 + FOOT_BYTES;
        let seek_at = plain_bytes.checked_sub(seek_bytes);
        let seek_at = seek_at.ok_or_else(|| refused("its seek table is longer than it"))?;
        // The last record is that of the table's own frame.
        let record = end.read(plain_bytes - FOOT_BYTES - 8, plain_bytes - FOOT_BYTES - 4);
        let table_bytes = match record.await?.first_chunk::<4>() {
            Some(length) => u64::from(u32::from_le_bytes(*length)),
            None => 0,
        };
        let table_at = seek_at.checked_sub(table_bytes);
        let table_at = table_at
            .filter(|_| (FRAME_HEAD_BYTES..=INDEX_BYTES_MAX).contains(&table_bytes))
            .ok_or_else(|| refused("its table is not where the seek table says"))?;
        let tail = end.read(table_at, plain_bytes).await?;
        let table = tail.get(FRAME_HEAD_BYTES as usize..table_bytes as usize);
        let index = Index::of_table(
            pack,
            stored_bytes,
            plain_bytes,
            end.header.clone(),
            table.unwrap_or_default(),
        );
        let index = index.map_err(|error| refused(&error.to_string()))?;
        scan::check_tail(&tail, &index).map_err(|error| refused(&error.to_string()))?;
        Ok(index)
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
        let length = stored_bytes.min(HEADER_BYTES_MAX as u64);
        let head = self.storage.read_range(&name, 0..length).await;
        let head = head.map_err(|error| match error.fault {
            StorageFault::NotFound | StorageFault::TooShort => {
                damaged("it is missing or ends too early")
            }
            _ => error.into(),
        })?;
        // The line of the header's MAC is its last (age-encryption.org/v1).
        let end = (head.windows(5).position(|window| window == b"\n--- "))
            .and_then(|mac| {
                let line = head
                    .get(mac + 1..)?
                    .iter()
                    .position(|byte| *byte == b'\n')?;
                head.get(..mac + 1 + line + 1 + NONCE_BYTES)
            })
            .ok_or_else(|| damaged("it does not begin with an age header"))?;
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

    /// The length before encryption: each age chunk has a tag, and only the last may be shorter.
    fn plain_bytes(&self) -> Result<u64, Error> {
        if !self.objects.encrypted {
            return Ok(self.stored_bytes);
        }
        let payload = self.stored_bytes.saturating_sub(self.header.len() as u64);
        let tags = payload.div_ceil(CHUNK_BYTES + TAG_BYTES) * TAG_BYTES;
        payload
            .checked_sub(tags)
            .ok_or_else(|| self.damaged("it ends too early"))
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
