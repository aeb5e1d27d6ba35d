//! Data assets: bookmarks of a place in a datastore. The document is always kept, the bytes by policy.

use super::{ALL_VIEWS, Container, Content, Kind, Origin, PLAIN, Restore, attribute};
use crate::azure::InRegistry;

pub(super) static ROW: Kind = Kind {
    name: "data",
    singular: "data asset",
    origin: Origin::Collection("data"),
    versioned: true,
    container: Some(Container {
        versions: "versions",
        list_query: ALL_VIEWS,
        read_only: attribute::CONTAINER_READ_ONLY,
        order: 120,
    }),
    list_query: ALL_VIEWS,
    content: Content::Uri("/properties/dataUri"),
    tables: true,
    free_text: &[
        "/properties/tags/**",
        "/properties/description",
        "/properties/stage",
    ],
    read_only: attribute::VERSION_READ_ONLY,
    create_only: &[
        "/properties/isAnonymous",
        "/properties/dataType",
        "/properties/dataUri",
        "/properties/referencedUris",
    ],
    restore: Restore::Put,
    order: 40,
    order_reason: "a data asset names a datastore that must be there, and jobs name data assets",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::DATA),
    registry: Some(InRegistry::Bytes),
    ..PLAIN
};
