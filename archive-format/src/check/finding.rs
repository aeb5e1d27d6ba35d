//! Damage: what was found while checking, and how it is told once it is known what it touches.

use std::collections::BTreeSet;

use crate::{Address, LineKey, PackName, SnapshotId};

/// Damage, and what it touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file of the repository.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
    /// Snapshots that it touches.
    pub snapshots: Vec<SnapshotId>,
    /// Items that it touches, each with the newest snapshot in which it does; at most 1,000 are listed.
    pub items: Vec<(SnapshotId, LineKey)>,
    /// Whether a repair entered it into the log already: nothing new rests on it.
    pub known: bool,
}

/// Damage that was found; what it touches is found out at the end, for all of it at once.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) name: String,
    pub(super) reason: String,
    pub(super) snapshots: Vec<SnapshotId>,
    pub(super) items: Vec<(SnapshotId, LineKey)>,
    pub(super) touches: Touches,
    pub(super) known: bool,
}

/// What a finding touches besides what it lists itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Touches {
    /// Nothing.
    Nothing,
    /// What needs these objects of a pack; none means all of it.
    Pack(PackName, Option<BTreeSet<Address>>),
    /// Everything: without this file nothing is read or believed.
    Everything,
}

impl Finding {
    pub(super) fn new(name: impl ToString, reason: impl ToString) -> Self {
        Self {
            name: name.to_string(),
            reason: reason.to_string(),
            snapshots: Vec::new(),
            items: Vec::new(),
            touches: Touches::Nothing,
            known: false,
        }
    }

    /// One that touches all that needs a pack.
    pub(super) fn of_pack(name: impl ToString, reason: impl ToString, pack: PackName) -> Self {
        Self {
            touches: Touches::Pack(pack, None),
            ..Self::new(name, reason)
        }
    }

    /// One of a snapshot.
    pub(super) fn of_snapshot(
        name: impl ToString,
        reason: impl ToString,
        snapshot: SnapshotId,
    ) -> Self {
        Self {
            snapshots: vec![snapshot],
            ..Self::new(name, reason)
        }
    }

    /// The pack that it is about.
    pub(super) fn pack(&self) -> Option<PackName> {
        match &self.touches {
            Touches::Pack(pack, _) => Some(*pack),
            _ => None,
        }
    }

    /// The pack whose file, or whose index, has the finding's name.
    pub(super) fn name_of_pack(&self) -> Option<PackName> {
        self.name.rsplit('/').next()?.parse().ok()
    }

    /// Whether it takes an object of a pack away.
    pub(super) fn takes(&self, pack: &PackName, address: &Address) -> bool {
        match &self.touches {
            Touches::Pack(own, objects) => {
                own == pack
                    && objects
                        .as_ref()
                        .is_none_or(|objects| objects.contains(address))
            }
            _ => false,
        }
    }

    pub(super) fn into_damage(self) -> Damage {
        Damage {
            name: self.name,
            reason: self.reason,
            snapshots: self.snapshots,
            items: self.items,
            known: self.known,
        }
    }
}
