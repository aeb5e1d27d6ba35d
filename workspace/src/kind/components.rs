//! Components: a specification in untyped JSON with snake_case keys, which names code, environments and components.

use super::{
    ALL_VIEWS, ARM_API_VERSIONS, Container, Content, Kind, Restore, attribute, definition,
};

pub(super) static ROW: Kind = Kind {
    name: "components",
    singular: "component",
    collection: Some("components"),
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
    content: Content::None,
    must_have_files: false,
    free_text: definition::FREE_TEXT,
    bare_names: definition::BARE_NAMES,
    store: None,
    read_only: attribute::VERSION_READ_ONLY,
    create_only: &["/properties/isAnonymous", "/properties/componentSpec"],
    untyped: &["/properties/componentSpec"],
    volatile: &[],
    secrets: None,
    mapped_by_name: super::always_restored,
    has_children: super::no_children,
    terminal: &[],
    attribute: attribute::of_resource,
    held_back: None,
    restore: Restore::Put,
    order: 60,
    order_reason: "a component names code and environments, and a pipeline component other components: leaves first",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::COMPONENT),
};
