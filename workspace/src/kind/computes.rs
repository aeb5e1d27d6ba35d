//! Computes: listed so that references to them can be checked, and recorded. They are made only where that is asked for,
//! since they cost money, and only those that need no person: clusters, and what is attached by its ARM id alone.

use serde_json::Value;

use super::{Asked, Kind, Machines, Origin, PLAIN, Restore};
use crate::ItemId;

pub(super) static ROW: Kind = Kind {
    name: "computes",
    singular: "compute",
    origin: Origin::Collection("computes"),
    free_text: &["/tags/**", "/properties/description"],
    region_fields: &["/location", "/properties/computeLocation"],
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/systemData",
        "/identity/principalId",
        "/identity/tenantId",
        "/identity/userAssignedIdentities/*/principalId",
        "/identity/userAssignedIdentities/*/clientId",
        "/properties/provisioningState",
        "/properties/createdOn",
        "/properties/modifiedOn",
        "/properties/provisioningErrors",
        "/properties/isAttachedCompute",
        "/properties/properties/allocationState",
        "/properties/properties/allocationStateTransitionTime",
        "/properties/properties/errors",
        "/properties/properties/currentNodeCount",
        "/properties/properties/targetNodeCount",
        "/properties/properties/nodeStateCounts",
        "/properties/properties/state",
        "/properties/properties/applications",
        "/properties/properties/connectivityEndpoints",
        "/properties/properties/createdBy",
        "/properties/properties/lastOperation",
        "/properties/properties/containers",
        "/properties/properties/dataDisks",
        "/properties/properties/dataMounts",
        "/properties/properties/versions",
        "/properties/properties/osImageMetadata",
    ],
    create_only: &[
        "/location",
        "/properties/computeType",
        "/properties/computeLocation",
        "/properties/disableLocalAuth",
    ],
    volatile: &[
        "/systemData/lastModifiedAt",
        "/properties/modifiedOn",
        "/properties/provisioningState",
        "/properties/provisioningErrors",
        "/properties/properties/allocationState",
        "/properties/properties/allocationStateTransitionTime",
        "/properties/properties/errors",
        "/properties/properties/currentNodeCount",
        "/properties/properties/targetNodeCount",
        "/properties/properties/nodeStateCounts",
        "/properties/properties/state",
        "/properties/properties/applications",
        "/properties/properties/connectivityEndpoints",
        "/properties/properties/lastOperation",
        "/properties/properties/containers",
        "/properties/properties/dataMounts",
        "/properties/properties/versions",
        "/properties/properties/osImageMetadata",
    ],
    // Databricks tokens, connection strings of data lakes, passwords of administrators.
    hides: true,
    mapped_by_name: made_by_a_person,
    restore: Restore::Put,
    asked: Asked::Compute,
    order: 70,
    order_reason: "jobs and schedules name computes",
    azml: Some(&crate::azml::COMPUTE),
    machines: Some(Machines {
        size: "/properties/properties/vmSize",
        count: "/properties/properties/scaleSettings/maxNodeCount",
    }),
    ..PLAIN
};

/// The types that a document is enough for.
const MADE: &[&str] = &["AmlCompute", "Kubernetes", "SynapseSpark"];

/// An instance is one person's, and others are attached with credentials that no document holds.
fn made_by_a_person(_: &ItemId, document: &Value) -> Option<&'static str> {
    match document.pointer("/properties/computeType")?.as_str()? {
        "ComputeInstance" => {
            Some("an instance belongs to a person, and its name is taken once a region")
        }
        other if MADE.contains(&other) => None,
        _ => Some("whoever attaches it gives its credentials"),
    }
}
