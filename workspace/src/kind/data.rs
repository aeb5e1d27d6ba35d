//! Data assets: bookmarks of a place in a datastore. The document is always kept, the bytes by policy.

use super::{ALL_VIEWS, ARM_API_VERSIONS, Container, Content, Kind, Restore, attribute};

pub(super) static ROW: Kind = Kind {
    name: "data",
    singular: "data asset",
    collection: Some("data"),
    versioned: true,
    container: Some(Container {
        versions: "versions",
        list_query: ALL_VIEWS,
        read_only: attribute::CONTAINER_READ_ONLY,
        order: 120,
    }),
    named_by_path: false,
    list_query: ALL_VIEWS,
    api_versions: ARM_API_VERSIONS,
    content: Content::Uri("/properties/dataUri"),
    must_have_files: false,
    free_text: &[
        "/properties/tags/**",
        "/properties/description",
        "/properties/stage",
    ],
    bare_names: &[],
    store: None,
    read_only: attribute::VERSION_READ_ONLY,
    create_only: &[
        "/properties/isAnonymous",
        "/properties/dataType",
        "/properties/dataUri",
        "/properties/referencedUris",
    ],
    untyped: &[],
    volatile: &[],
    secrets: None,
    mapped_by_name: super::always_restored,
    has_children: super::no_children,
    terminal: &[],
    attribute: attribute::of_resource,
    held_back: None,
    restore: Restore::Put,
    order: 40,
    order_reason: "a data asset names a datastore that must be there, and jobs name data assets",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::DATA),
};
