//! Files of a folder: each file, directory and symbolic link is an item, named by its path.

use super::{Content, Kind, PLAIN, Restore, notebooks};

pub(super) static ROW: Kind = Kind {
    name: "files",
    singular: "file",
    named_by_path: true,
    api_versions: &[],
    content: Content::Folder,
    attribute: notebooks::no_document,
    restore: Restore::Files,
    order: 5,
    order_reason: "files name nothing",
    losses: &[(
        "owner, group, access lists and extended attributes",
        "they belong to the machine that they came from",
        "content, times, permission bits and links are kept",
    )],
    ..PLAIN
};
