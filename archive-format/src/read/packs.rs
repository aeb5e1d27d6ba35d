//! Lists of pack names: which packs a snapshot needs.
//!
//! The sorted list is cut where a name's bytes say so, so that most of it is shared with the list of the snapshot before.

use crate::magic::PACK_LIST_MAGIC;
use crate::{Error, PackName};

/// The most names in one object of the list.
const NAMES_MAX: usize = 1 << 16;

/// The objects of a sorted list, in order.
pub(crate) fn cut_list(names: &[PackName]) -> Vec<Vec<u8>> {
    let mut objects = Vec::new();
    let mut names_of_object: Vec<&PackName> = Vec::new();
    for name in names {
        names_of_object.push(name);
        let [.., a, b] = name.as_bytes();
        let ends = u16::from_be_bytes([*a, *b]) % 4096 == 0;
        if ends || names_of_object.len() == NAMES_MAX {
            objects.push(to_bytes(&names_of_object));
            names_of_object.clear();
        }
    }
    if !names_of_object.is_empty() {
        objects.push(to_bytes(&names_of_object));
    }
    objects
}

fn to_bytes(names: &[&PackName]) -> Vec<u8> {
    let mut bytes = PACK_LIST_MAGIC.to_vec();
    for name in names {
        bytes.extend_from_slice(name.as_bytes());
    }
    bytes
}

/// Reads one object of a list.
pub(crate) fn parse_list(bytes: &[u8]) -> Result<Vec<PackName>, Error> {
    let refused = |reason: &str| Error::Json {
        what: "a list of packs".to_owned(),
        reason: reason.to_owned(),
    };
    let names = bytes
        .strip_prefix(&PACK_LIST_MAGIC)
        .ok_or_else(|| refused("it does not begin with its magic"))?;
    let (names, rest) = names.as_chunks::<32>();
    if !rest.is_empty() || names.len() > NAMES_MAX {
        return Err(refused("its length is not that of a list"));
    }
    let names: Vec<PackName> = names
        .iter()
        .map(|name| PackName::from_bytes(*name))
        .collect();
    if names.is_sorted_by(|left, right| left < right) {
        Ok(names)
    } else {
        Err(refused("its names are not sorted"))
    }
}
