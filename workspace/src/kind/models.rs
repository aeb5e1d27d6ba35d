//! Models: a version's bytes lie wherever its `modelUri` leads.

use super::{ALL_VIEWS, Container, Content, Kind, Origin, PLAIN, Restore, attribute, definition};
use crate::azure::InRegistry;

pub(super) static ROW: Kind = Kind {
    name: "models",
    singular: "model",
    origin: Origin::Collection("models"),
    versioned: true,
    container: Some(Container {
        versions: "versions",
        list_query: ALL_VIEWS,
        read_only: attribute::CONTAINER_READ_ONLY,
        order: 120,
    }),
    list_query: ALL_VIEWS,
    content: Content::Uri("/properties/modelUri"),
    must_have_files: true,
    free_text: &[
        "/properties/tags/**",
        "/properties/description",
        "/properties/stage",
        "/properties/flavors/**",
    ],
    bare_names: &[definition::named("/properties/jobName", &["jobs"])],
    read_only: attribute::VERSION_READ_ONLY,
    create_only: &[
        "/properties/isAnonymous",
        "/properties/modelUri",
        "/properties/modelType",
        "/properties/jobName",
    ],
    untyped: &["/properties/flavors"],
    restore: Restore::Put,
    order: 50,
    order_reason: "a model names a datastore that must be there, and deployments and jobs name models",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::MODEL),
    registry: Some(InRegistry::Bytes),
    ..PLAIN
};
