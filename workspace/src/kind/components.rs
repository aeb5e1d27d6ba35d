//! Components: a specification in untyped JSON with snake_case keys, which names code, environments and components.

use super::{ALL_VIEWS, Container, Kind, Origin, PLAIN, Restore, attribute, definition};
use crate::azure::InRegistry;

pub(super) static ROW: Kind = Kind {
    name: "components",
    singular: "component",
    origin: Origin::Collection("components"),
    versioned: true,
    container: Some(Container {
        versions: "versions",
        list_query: ALL_VIEWS,
        read_only: attribute::CONTAINER_READ_ONLY,
        order: 120,
    }),
    list_query: ALL_VIEWS,
    free_text: definition::FREE_TEXT,
    bare_names: definition::BARE_NAMES,
    read_only: attribute::VERSION_READ_ONLY,
    create_only: &["/properties/isAnonymous", "/properties/componentSpec"],
    untyped: &["/properties/componentSpec"],
    // The official client's own digest, of ids as well: of the same component another one in each workspace.
    volatile: &["/properties/properties/client_component_hash"],
    restore: Restore::Put,
    order: 60,
    order_reason: "a component names code and environments, and a pipeline component other components: leaves first",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::COMPONENT),
    registry: Some(InRegistry::Documents),
    ..PLAIN
};
