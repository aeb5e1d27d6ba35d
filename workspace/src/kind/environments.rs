//! Environments: an image, a conda file, or a folder with a build context.

use serde_json::Value;

use super::{ALL_VIEWS, Container, Content, Kind, Origin, PLAIN, Restore, attribute};
use crate::ItemId;
use crate::azure::InRegistry;

pub(super) static ROW: Kind = Kind {
    name: "environments",
    singular: "environment",
    origin: Origin::Collection("environments"),
    versioned: true,
    container: Some(Container {
        versions: "versions",
        list_query: ALL_VIEWS,
        read_only: attribute::CONTAINER_READ_ONLY,
        order: 120,
    }),
    list_query: ALL_VIEWS,
    content: Content::Uri("/properties/build/contextUri"),
    must_have_files: true,
    free_text: &[
        "/properties/tags/**",
        "/properties/description",
        "/properties/stage",
        "/properties/condaFile",
        "/properties/build/dockerfilePath",
        "/properties/inferenceConfig/**",
    ],
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/systemData",
        "/properties/provisioningState",
        "/properties/environmentType",
    ],
    create_only: &[
        "/properties/isAnonymous",
        "/properties/autoRebuild",
        "/properties/build",
        "/properties/condaFile",
        "/properties/image",
        "/properties/inferenceConfig",
        "/properties/osType",
    ],
    mapped_by_name,
    restore: Restore::Put,
    order: 30,
    order_reason: "components, jobs and deployments name environments, which name nothing but a datastore",
    losses: &[
        attribute::CREATOR_LOSS,
        (
            "the built image",
            "it lies in the source's container registry and belongs to no item",
            "the service builds it again at first use",
        ),
    ],
    azml: Some(&crate::azml::ENVIRONMENT),
    registry: Some(InRegistry::Front),
    ..PLAIN
};

/// Curated environments belong to Microsoft: every workspace has them by the same names.
fn mapped_by_name(id: &ItemId, document: &Value) -> Option<&'static str> {
    let curated = document
        .pointer("/properties/environmentType")
        .and_then(Value::as_str)
        == Some("Curated");
    (curated || id.name.starts_with("AzureML-"))
        .then_some("curated by Microsoft: every workspace has it by the same name")
}
