//! Notebooks: every file and directory of the workspace's file share is an item, named by its path.

use super::{Content, Kind, PLAIN, Restore};
use crate::Document;
use crate::select::{AttributeName, AttributeValue};

pub(super) static ROW: Kind = Kind {
    name: "notebooks",
    singular: "notebook",
    named_by_path: true,
    api_versions: &[],
    content: Content::Share,
    attribute: no_document,
    restore: Restore::Files,
    order: 5,
    order_reason: "notebooks name nothing that the service checks, and people ask for them first",
    losses: &[(
        "time of last access, permissions by identity",
        "identities of the source mean nothing elsewhere",
        "the share's own permissions",
    )],
    ..PLAIN
};

/// Entries of a share or folder have no document.
pub(super) fn no_document(_: &[Document], _: &AttributeName) -> Option<AttributeValue> {
    None
}
