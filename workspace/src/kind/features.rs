//! What a feature store has: entities, and sets of features with their specification.

use super::{ALL_VIEWS, Container, Content, Kind, Origin, PLAIN, Restore, attribute};

const CONTAINER: Container = Container {
    versions: "versions",
    list_query: ALL_VIEWS,
    read_only: attribute::CONTAINER_READ_ONLY,
    order: 120,
};

pub(super) static ENTITY: Kind = Kind {
    name: "featurestoreEntities",
    singular: "feature store entity",
    origin: Origin::Collection("featurestoreEntities"),
    versioned: true,
    container: Some(CONTAINER),
    list_query: ALL_VIEWS,
    optional: true,
    free_text: &[
        "/properties/tags/**",
        "/properties/description",
        "/properties/stage",
    ],
    read_only: attribute::VERSION_READ_ONLY,
    create_only: &["/properties/isAnonymous", "/properties/indexColumns"],
    restore: Restore::Put,
    order: 72,
    order_reason: "feature sets name entities, which name nothing",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::FEATURE_STORE_ENTITY),
    ..PLAIN
};

pub(super) static SET: Kind = Kind {
    name: "featuresets",
    singular: "feature set",
    origin: Origin::Collection("featuresets"),
    versioned: true,
    container: Some(CONTAINER),
    list_query: ALL_VIEWS,
    optional: true,
    content: Content::Uri("/properties/specification/path"),
    must_have_files: true,
    free_text: &[
        "/properties/tags/**",
        "/properties/description",
        "/properties/stage",
        "/properties/materializationSettings/sparkConfiguration/**",
    ],
    read_only: attribute::VERSION_READ_ONLY,
    create_only: &[
        "/properties/isAnonymous",
        "/properties/entities",
        "/properties/specification",
    ],
    restore: Restore::Put,
    order: 74,
    order_reason: "a feature set names its entities and a place in a datastore",
    losses: &[
        attribute::CREATOR_LOSS,
        (
            "materialized features",
            "they are computed from the source data",
            "fill them again from the feature set",
        ),
    ],
    azml: Some(&crate::azml::FEATURE_SET),
    ..PLAIN
};
