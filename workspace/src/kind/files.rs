//! Files of a folder: each file, directory and symbolic link is an item, named by its path.

use super::{Content, Kind, Restore, notebooks};

pub(super) static ROW: Kind = Kind {
    name: "files",
    singular: "file",
    collection: None,
    versioned: false,
    container: None,
    named_by_path: true,
    list_query: &[],
    api_versions: &[],
    content: Content::Folder,
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
    attribute: notebooks::no_document,
    held_back: None,
    restore: Restore::Files,
    order: 5,
    order_reason: "files name nothing",
    losses: &[(
        "owner, group, access lists and extended attributes",
        "they belong to the machine that they came from",
        "content, times, permission bits and links are kept",
    )],
    azml: None,
};
