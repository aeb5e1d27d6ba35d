//! Whether a snapshot's list of packs covers all that its lines need: a sweep spares what the lists name, and nothing
//! else.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Address, Catalogue, Error, PackName};

/// What was found about pieces of manifests, so that one that many snapshots share is read once.
#[derive(Debug, Default)]
pub(super) struct Covers {
    numbers: BTreeMap<PackName, u32>,
    pieces: BTreeMap<Address, Vec<u32>>,
}

/// Where an object lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lies {
    /// In this pack, which the snapshot names.
    Covered(PackName),
    /// Only in packs that the snapshot does not name.
    Elsewhere,
    /// In no pack whose table is known.
    Nowhere,
}

impl Covers {
    /// Whether a piece was read, and what it needs is in these packs.
    pub(super) fn is_covered(&self, piece: &Address, packs: &BTreeSet<PackName>) -> bool {
        let numbers: Option<&Vec<u32>> = self.pieces.get(piece);
        numbers.is_some_and(|numbers| {
            let named = packs.iter().filter_map(|pack| self.numbers.get(pack));
            let named: BTreeSet<u32> = named.copied().collect();
            numbers.iter().all(|number| named.contains(number))
        })
    }

    /// Whether a piece was read before.
    pub(super) fn knows(&self, piece: &Address) -> bool {
        self.pieces.contains_key(piece)
    }

    /// Remembers the packs that a piece needs.
    pub(super) fn learn(&mut self, piece: Address, packs: BTreeSet<PackName>) {
        let mut numbers = Vec::with_capacity(packs.len());
        for pack in packs {
            let next = self.numbers.len() as u32;
            numbers.push(*self.numbers.entry(pack).or_insert(next));
        }
        self.pieces.insert(piece, numbers);
    }
}

/// Where an object lies, as seen from a snapshot that names these packs.
pub(super) async fn lies(
    catalogue: &Catalogue,
    address: Address,
    packs: &BTreeSet<PackName>,
) -> Result<Lies, Error> {
    let locations = catalogue.locate(address).await?;
    let covered = locations
        .iter()
        .find(|location| packs.contains(&location.pack));
    Ok(match covered {
        Some(location) => Lies::Covered(location.pack),
        None if locations.is_empty() => Lies::Nowhere,
        None => Lies::Elsewhere,
    })
}
