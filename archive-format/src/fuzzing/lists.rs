//! Lists of chunks and of packs.

use super::Seed;
use crate::magic::TREE_DEPTH_MAX;
use crate::read::{chunks, packs};
use crate::{Address, Chunk, Error, PackName};

/// The bytes as a list of the sort that their magic names.
pub(super) fn any(bytes: &[u8]) -> Result<(), Error> {
    let depth = bytes.get(8).copied().unwrap_or_default();
    if let Ok(records) = chunks::parse(bytes, depth) {
        assert!((1..=TREE_DEPTH_MAX).contains(&depth));
        assert_eq!(chunks::to_bytes(depth, &records), bytes);
        assert!(chunks::parse(bytes, depth ^ 1).is_err(), "another depth");
        assert!(records.len() < chunks::RECORDS_MAX || chunks::ends(&records));
        return Ok(());
    }
    let names = packs::parse_list(bytes)?;
    let again: Vec<PackName> = packs::cut_list(&names)
        .iter()
        .map(|object| packs::parse_list(object))
        .collect::<Result<Vec<_>, _>>()?
        .concat();
    assert_eq!(again, names);
    Ok(())
}

pub(super) fn all() -> Result<Vec<Seed>, Error> {
    let address = |number: u32| Address::of(&number.to_le_bytes());
    let record = |number| Chunk {
        address: address(number),
        size: u64::from(number) * 1000,
    };
    let few: Vec<Chunk> = (0..3).map(record).collect();
    let many: Vec<Chunk> = (0..300).map(record).collect();
    let mut names: Vec<PackName> = (0..40)
        .map(|number| PackName::from_bytes(*address(number).as_bytes()))
        .collect();
    names.push(PackName::from_bytes([0; 32]));
    names.sort_unstable();
    let list = packs::cut_list(&names).concat();
    let [first, second] = [0, 1].map(|number| *names[number].as_bytes());
    let unsorted = [b"mlarkpl1".as_slice(), &second, &first].concat();
    let chunk_list = chunks::to_bytes(1, &few);
    Ok(vec![
        ("chunks", chunk_list.clone(), true),
        ("chunks-many", chunks::to_bytes(2, &many), true),
        ("chunks-deepest", chunks::to_bytes(8, &few), true),
        ("chunks-too-deep", chunks::to_bytes(9, &few), false),
        ("chunks-none", chunks::to_bytes(1, &[]), false),
        ("chunks-cut-off", chunk_list[..40].to_vec(), false),
        ("packs", packs::cut_list(&names[1..]).concat(), true),
        ("packs-two-objects", list, false),
        ("packs-none", b"mlarkpl1".to_vec(), true),
        ("packs-unsorted", unsorted, false),
        ("packs-cut-off", b"mlarkpl1 cut off".to_vec(), false),
    ])
}
