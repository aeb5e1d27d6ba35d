//! Notebooks: every file and directory of the workspace's file share is an item, named by its path.

use super::{Content, Kind, Restore};
use crate::Document;
use crate::select::{AttributeName, AttributeValue};

pub(super) static ROW: Kind = Kind {
    name: "notebooks",
    singular: "notebook",
    collection: None,
    versioned: false,
    container: None,
    named_by_path: true,
    list_query: &[],
    api_versions: &[],
    content: Content::Share,
    must_have_files: false,
    free_text: &[],
    bare_names: &[],
    store: None,
    read_only: &[],
    create_only: &[],
    untyped: &[],
    volatile: &[],
    secrets: None,
    mapped_by_name: super::always_restored,
    has_children: super::no_children,
    terminal: &[],
    attribute: no_document,
    held_back: None,
    restore: Restore::Files,
    order: 5,
    order_reason: "notebooks name nothing that the service checks, and people ask for them first",
    losses: &[(
        "time of last access, permissions by identity",
        "identities of the source mean nothing elsewhere",
        "the share's own permissions",
    )],
    azml: None,
};

/// Entries of a share or folder have no document.
pub(super) fn no_document(_: &[Document], _: &AttributeName) -> Option<AttributeValue> {
    None
}
