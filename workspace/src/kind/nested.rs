//! Items that lie below others: `onlineEndpoints/EP/deployments/NAME` is the item `EP/NAME` of a kind of its own.

use super::{KINDS, Kind, Origin};
use crate::ItemId;

impl Kind {
    /// The kind above and the path part between the names, for a kind whose items lie below others.
    pub fn above(&self) -> Option<(&'static Self, &'static str)> {
        match self.origin {
            Origin::Nested { parent, segment } => {
                let kind = Self::find(parent).or_else(|| Self::find_made(parent));
                Some((kind?, segment))
            }
            _ => None,
        }
    }

    /// The kinds whose items lie below items of this one, each with its path part.
    pub fn below(&self) -> impl Iterator<Item = (&'static Self, &'static str)> {
        let parent = self.name;
        KINDS.iter().filter_map(move |kind| match kind.origin {
            Origin::Nested {
                parent: own,
                segment,
            } if own == parent => Some((*kind, segment)),
            _ => None,
        })
    }

    /// The kind whose items lie below items of this one by a path part, which ARM writes in varying letter case.
    pub fn below_by(&self, segment: &str) -> Option<&'static Self> {
        let mut below = self.below();
        below.find_map(|(kind, own)| own.eq_ignore_ascii_case(segment).then_some(kind))
    }
}

impl ItemId {
    /// The item that this one lies below, the path part between them, and its own name below it.
    pub fn nested(&self) -> Option<(Self, &'static str, &str)> {
        let (kind, segment) = Kind::find(&self.kind)?.above()?;
        let (above, name) = self.name.split_once('/')?;
        (!above.is_empty() && !name.is_empty())
            .then(|| (Self::new(kind.name, above), segment, name))
    }

    /// The item of a kind that lies below this one.
    pub(crate) fn with_below(&self, kind: &Kind, name: &str) -> Self {
        Self::new(kind.name, format!("{}/{name}", self.name))
    }
}
