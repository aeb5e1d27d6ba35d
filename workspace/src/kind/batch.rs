//! Batch endpoints and the deployments below them.

use super::{
    Asked, HeldBack, Kind, Origin, PLAIN, Restore, Secrets, Until, Without, attribute, definition,
    online,
};

pub(super) static ENDPOINT: Kind = Kind {
    name: "batchEndpoints",
    singular: "batch endpoint",
    origin: Origin::Collection("batchEndpoints"),
    secrets: Some(Secrets {
        operation: "listkeys",
        pointer: "/properties/keys",
        answer: "",
        has_any: online::is_opened_by_key,
        without: Without::New,
    }),
    held_back: &[HeldBack {
        pointer: "/properties/defaults/deploymentName",
        value: "null",
        reason: "it names a deployment, and those are made after their endpoint",
        until: Until::Below,
        by_hand: "update",
    }],
    azml: Some(&crate::azml::BATCH_ENDPOINT),
    ..online::ENDPOINT
};

pub(super) static DEPLOYMENT: Kind = Kind {
    name: "batchDeployments",
    singular: "batch deployment",
    origin: Origin::Nested {
        parent: "batchEndpoints",
        segment: "deployments",
    },
    optional: true,
    free_text: &[
        "/tags/**",
        "/properties/description",
        "/properties/outputFileName",
        "/properties/codeConfiguration/scoringScript",
        "/properties/deploymentConfiguration/description",
        "/properties/deploymentConfiguration/tags/**",
    ],
    bare_names: &[
        definition::compute("/properties/compute"),
        definition::compute("/properties/deploymentConfiguration/settings/default_compute"),
        definition::named("/properties/model/jobId", &["jobs"]),
        definition::named("/properties/model/datastoreId", &["datastores"]),
    ],
    region_fields: &["/location"],
    read_only: online::DEPLOYMENT_READ_ONLY,
    create_only: &["/location"],
    restore: Restore::Put,
    asked: Asked::Deployments,
    order: 95,
    order_reason: "a deployment lies below its endpoint and names models, environments, code and a compute",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::BATCH_DEPLOYMENT),
    ..PLAIN
};
