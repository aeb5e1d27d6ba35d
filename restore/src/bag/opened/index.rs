//! Where everything lies in an export's tar: `members.jsonl` of its seal, and which member speaks of which item.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use archive_format::{Decryption, Identity, Storage};
use serde::Deserialize;
use tokio::runtime::Handle;
use workspace::ItemId;

use crate::Error;
use crate::bag::layout;
use crate::bag::parts::{Parts, PartsReader};
use crate::bag::seal::{SealRecord, StoredFile};

const MEMBERS: &str = "members.jsonl";
/// A line has a path, three numbers and a digest.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Each takes about 200 bytes, so that these fit into the memory that a restore has.
const MEMBERS_MAX: usize = 800_000;

/// Where a file lies in the tar.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) sha256: [u8; 32],
}

/// Where everything lies.
#[derive(Debug, Default)]
pub(super) struct Index {
    members: BTreeMap<Box<str>, Member>,
    items: BTreeMap<ItemId, Box<str>>,
    /// Records of items whose names were too long for a path, so that only they themselves say whose they are.
    cut: Vec<String>,
}

#[derive(Deserialize)]
struct Row {
    path: Box<str>,
    offset: u64,
    size: u64,
    sha256: String,
}

impl Index {
    /// Reads the table out of the seal, and checks the file that it lies in.
    pub(super) async fn read(
        storage: &Arc<dyn Storage>,
        seal: &SealRecord,
        identities: &[Identity],
    ) -> Result<Self, Error> {
        let file = Self::file(seal)?;
        let path = file.name.clone();
        let parts = Parts::new(Arc::clone(storage), std::slice::from_ref(&file))?;
        let (handle, encrypted) = (Handle::current(), seal.encrypted);
        let (identities, wanted) = (identities.to_vec(), file.sha256);
        let at = path.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut source = PartsReader::whole(parts, handle);
            let index = match encrypted {
                false => Self::parse(&mut source),
                true => Decryption::begin(&identities, &mut source)
                    .map_err(|error| Error::snapshot(at.as_str(), error))
                    .and_then(Self::unpack),
            };
            let index = match index {
                Ok(index) => index,
                Err(error) => return Err(error),
            };
            io::copy(&mut source, &mut io::sink())
                .map_err(|error| Error::snapshot(at.as_str(), error))?;
            match source.digests().first() {
                Some(digest) if *digest == wanted => Ok(index),
                _ => Err(Error::snapshot(at, "it is not what seal.json says")),
            }
        });
        read.await.map_err(|error| Error::snapshot(path, error))?
    }

    /// The file of the seal that the table lies in, under its name in the store.
    fn file(seal: &SealRecord) -> Result<StoredFile, Error> {
        let name = match seal.encrypted {
            true => "tags.tar.age",
            false => "tags/members.jsonl",
        };
        let path = format!("{}.seal/{name}", seal.name);
        let file = seal.files.iter().find(|file| file.name == name);
        let file =
            file.ok_or_else(|| Error::snapshot(path.as_str(), "seal.json does not name it"))?;
        Ok(StoredFile {
            name: path,
            ..file.clone()
        })
    }

    /// Tries the keys on the head of that file.
    pub(super) async fn try_keys(
        storage: &Arc<dyn Storage>,
        seal: &SealRecord,
        identities: &[Identity],
    ) -> Result<(), Error> {
        let file = Self::file(seal)?;
        let parts = Parts::new(Arc::clone(storage), std::slice::from_ref(&file))?;
        let (handle, identities) = (Handle::current(), identities.to_vec());
        let path = file.name.clone();
        let begun = tokio::task::spawn_blocking(move || {
            let source = PartsReader::here_and_there(parts, handle);
            Decryption::begin(&identities, source).map(drop)
        });
        let begun = begun
            .await
            .map_err(|error| Error::snapshot(path.as_str(), error))?;
        begun.map_err(|error| Error::snapshot(path, error))
    }

    fn unpack(source: impl Read) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::snapshot("tags.tar.age", error);
        let mut archive = tar::Archive::new(source);
        let mut found = None;
        for member in archive.entries().map_err(failed)? {
            let mut member = member.map_err(failed)?;
            if member.path_bytes().as_ref() == MEMBERS.as_bytes() {
                found = Some(Self::parse(&mut member)?);
            }
        }
        found.ok_or_else(|| Error::snapshot(MEMBERS, "it is not in the seal"))
    }

    fn parse(source: &mut impl Read) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::snapshot(MEMBERS, error);
        let mut lines = BufReader::new(source);
        let mut index = Self::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut lines)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line);
            if read.map_err(failed)? == 0 {
                return Ok(index);
            }
            let row: Row =
                serde_json::from_slice(&line).map_err(|error| Error::snapshot(MEMBERS, error))?;
            index.take(row)?;
        }
    }

    fn take(&mut self, row: Row) -> Result<(), Error> {
        let mut sha256 = [0; 32];
        hex::decode_to_slice(&row.sha256, &mut sha256)
            .map_err(|error| Error::snapshot(MEMBERS, error))?;
        if self.members.len() == MEMBERS_MAX {
            return Err(Error::snapshot(MEMBERS, "it has more than 800000 files"));
        }
        if let Some(below) = row.path.strip_prefix(layout::ITEMS) {
            match item_of(below) {
                Some(id) => drop(self.items.insert(id, row.path.clone())),
                None => self.cut.push(row.path.to_string()),
            }
        }
        let member = Member {
            offset: row.offset,
            size: row.size,
            sha256,
        };
        self.members.insert(row.path, member);
        Ok(())
    }

    /// Records that have to be read to know whose they are.
    pub(super) fn cut(&self) -> &[String] {
        &self.cut
    }

    pub(super) fn add(&mut self, named: Vec<(ItemId, String)>) {
        self.cut.clear();
        self.items
            .extend(named.into_iter().map(|(id, path)| (id, path.into())));
    }

    pub(super) fn member(&self, path: &str) -> Option<Member> {
        self.members.get(path).copied()
    }

    pub(super) fn record_of(&self, id: &ItemId) -> Option<&str> {
        self.items.get(id).map(AsRef::as_ref)
    }

    /// All items, or those of a kind whose names begin so, in the order of lines.
    pub(super) fn ids(&self, kind: Option<&str>, prefix: &str) -> Vec<ItemId> {
        let wanted =
            |id: &&ItemId| kind.is_none_or(|kind| id.kind == kind) && id.name.starts_with(prefix);
        self.items.keys().filter(wanted).cloned().collect()
    }
}

/// The item that a record is about, by its path below the folder of records: `/KIND/NAME/item.json` or
/// `/KIND/NAME/VERSION.item.json`. None where a name was cut.
fn item_of(below: &str) -> Option<ItemId> {
    let plain = decoded(below.strip_prefix('/')?, b'~')?;
    let mut parts = plain.split('/');
    let (kind, name, file) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = |part: &str| match part.contains('~') {
        true => None,
        false => decoded(part, b'%'),
    };
    let (kind, name) = (whole(kind)?, whole(name)?);
    if parts.next().is_some() {
        return None;
    }
    Some(match file {
        "item.json" => ItemId::new(kind.as_str(), name.as_str()),
        _ => {
            let version = whole(file.strip_suffix(".item.json")?)?;
            ItemId::versioned(kind.as_str(), name.as_str(), version.as_str())
        }
    })
}

/// A text in which a byte is written as a mark and two hexadecimal digits.
fn decoded(text: &str, mark: u8) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != mark {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        let mut value = [0];
        hex::decode_to_slice(digits, &mut value).ok()?;
        out.push(value[0]);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    #[test]
    fn the_item_of_a_record_is_known_by_its_path_unless_its_name_was_cut() {
        let ids = [
            ItemId::new("models", "churn"),
            ItemId::versioned("models", "churn", "3"),
            ItemId::new("notebooks", "Users/ana/my note 50% ~1.ipynb"),
            ItemId::versioned("data", "ä/ö", "1.0"),
            ItemId::new("files", ".hidden"),
        ];
        for id in ids {
            let path = layout::of_text(layout::ITEMS, &id, "item");
            let below = path.strip_prefix(layout::ITEMS).unwrap();
            assert_eq!(item_of(below), Some(id), "{path}");
        }
        let long = ItemId::new("files", "x".repeat(300).as_str());
        let path = layout::of_text(layout::ITEMS, &long, "item");
        assert_eq!(item_of(path.strip_prefix(layout::ITEMS).unwrap()), None);
    }
}
