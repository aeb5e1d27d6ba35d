//! The registry itself with its settings, where a registry is backed up. Its storage and container registry belong to the
//! service, which makes new ones for each.

use super::{Kind, Origin, PLAIN, WORKSPACE_VERSIONS};
use crate::azure::InRegistry;

pub(super) static ROW: Kind = Kind {
    name: "registries",
    singular: "registry",
    origin: Origin::Workspace,
    api_versions: WORKSPACE_VERSIONS,
    free_text: &["/tags/**", "/properties/intellectualPropertyPublisher"],
    region_fields: &["/location", "/properties/regionDetails/*/location"],
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/etag",
        "/systemData",
        "/identity/principalId",
        "/identity/tenantId",
        "/properties/discoveryUrl",
        "/properties/mlFlowRegistryUri",
        "/properties/managedResourceGroup",
        "/properties/regionDetails/*/acrDetails/*/systemCreatedAcrAccount/acrAccountName",
        "/properties/regionDetails/*/acrDetails/*/systemCreatedAcrAccount/armResourceId",
        "/properties/regionDetails/*/storageAccountDetails/*/systemCreatedStorageAccount/armResourceId",
        "/properties/regionDetails/*/storageAccountDetails/*/systemCreatedStorageAccount/storageAccountName",
        "/properties/registryPrivateEndpointConnections",
    ],
    order: 1,
    order_reason: "everything else lies in it",
    losses: &[(
        "the registry's own settings",
        "the target is a registry of its own, with its own storage, container registry and network",
        "set what it should share with the source",
    )],
    registry: Some(InRegistry::Itself),
    azml: Some(&crate::azml::REGISTRY),
    ..PLAIN
};
