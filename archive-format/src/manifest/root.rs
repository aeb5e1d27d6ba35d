//! The root of a manifest: its pieces with their first keys; above 10,000 pieces a tree of such lists.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::LineKey;
use crate::magic::{OBJECT_BYTES_MAX, ROOT_PIECES_MAX, TREE_DEPTH_MAX};
use crate::{Address, Error, json};

/// A piece, or a list of the level below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Child {
    /// The object.
    pub(crate) address: Address,
    /// Lines in it and below it.
    pub(crate) count: u64,
    /// The key of its first line.
    pub(crate) first: LineKey,
    /// The object's length.
    pub(crate) size: u64,
}

/// A list of pieces (level 0) or of lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    /// 0: the children are pieces.
    pub(crate) level: u8,
    /// The children, by their first keys.
    pub(crate) children: Vec<Child>,
}

/// In a tree a list is cut at about this number of children.
const NODE_CHILDREN: u32 = 1024;

impl Node {
    /// The object's bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        json::to_canonical(self, "a manifest's root")
    }

    /// Reads a node, which must have this level where one is said.
    pub(crate) fn from_bytes(bytes: &[u8], level: Option<u8>) -> Result<Self, Error> {
        let limit = usize::try_from(OBJECT_BYTES_MAX).unwrap_or(usize::MAX);
        let node: Self = json::from_canonical(bytes, limit, "a manifest's root")?;
        let refused = |reason: &str| Error::Json {
            what: "a manifest's root".to_owned(),
            reason: reason.to_owned(),
        };
        if node.level > TREE_DEPTH_MAX || level.is_some_and(|level| level != node.level) {
            return Err(refused("its level does not fit"));
        }
        if node.children.len() > ROOT_PIECES_MAX
            || !node
                .children
                .is_sorted_by(|left, right| left.first < right.first)
        {
            return Err(refused("its children are too many or not sorted"));
        }
        node.sum()
            .ok_or_else(|| refused("its counts do not add up"))?;
        Ok(node)
    }

    /// How many lines are below it.
    pub(crate) fn count(&self) -> u64 {
        self.sum().unwrap_or(u64::MAX)
    }

    fn sum(&self) -> Option<u64> {
        let mut counts = self.children.iter().map(|child| child.count);
        counts.try_fold(0, u64::checked_add)
    }
}

/// Cuts a list that is too long for one node into several, where a hash of the first key says so.
pub(crate) fn cut(children: Vec<Child>, level: u8) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut children_of_node: Vec<Child> = Vec::new();
    for child in children {
        let hash: [u8; 32] = Sha256::digest(child.first.sort_bytes()).into();
        let [a, b, c, d, ..] = hash;
        let begins = u32::from_be_bytes([a, b, c, d]) < u32::MAX / NODE_CHILDREN;
        if (begins && !children_of_node.is_empty()) || children_of_node.len() == ROOT_PIECES_MAX {
            let children = std::mem::take(&mut children_of_node);
            nodes.push(Node { level, children });
        }
        children_of_node.push(child);
    }
    nodes.push(Node {
        level,
        children: children_of_node,
    });
    nodes
}
