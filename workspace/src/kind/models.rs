//! Models: a version's bytes lie wherever its `modelUri` leads.

use super::{
    ALL_VIEWS, ARM_API_VERSIONS, Container, Content, Kind, Restore, attribute, definition,
};

pub(super) static ROW: Kind = Kind {
    name: "models",
    singular: "model",
    collection: Some("models"),
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
    content: Content::Uri("/properties/modelUri"),
    must_have_files: true,
    free_text: &[
        "/properties/tags/**",
        "/properties/description",
        "/properties/stage",
        "/properties/flavors/**",
    ],
    bare_names: &[definition::named("/properties/jobName", &["jobs"])],
    store: None,
    read_only: attribute::VERSION_READ_ONLY,
    create_only: &[
        "/properties/isAnonymous",
        "/properties/modelUri",
        "/properties/modelType",
        "/properties/jobName",
    ],
    untyped: &["/properties/flavors"],
    volatile: &[],
    secrets: None,
    mapped_by_name: super::always_restored,
    has_children: super::no_children,
    terminal: &[],
    attribute: attribute::of_resource,
    held_back: None,
    restore: Restore::Put,
    order: 50,
    order_reason: "a model names a datastore that must be there, and deployments and jobs name models",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::MODEL),
};
