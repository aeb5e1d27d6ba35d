//! Schedules: a trigger and the definition of the job that it starts.

use super::{HeldBack, Kind, Origin, PLAIN, Restore, Until, attribute, definition};

pub(super) static ROW: Kind = Kind {
    name: "schedules",
    singular: "schedule",
    origin: Origin::Collection("schedules"),
    // Another set of words than other kinds have: EnabledOnly (the default), DisabledOnly, All.
    list_query: &[("listViewType", "All")],
    free_text: definition::FREE_TEXT,
    bare_names: definition::BARE_NAMES,
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/systemData",
        "/properties/provisioningState",
        // Of the identity that a monitor computes with.
        "/properties/action/monitorDefinition/computeConfiguration/computeIdentity/identity/principalId",
        "/properties/action/monitorDefinition/computeConfiguration/computeIdentity/identity/tenantId",
        "/properties/action/monitorDefinition/computeConfiguration/computeIdentity/identity/userAssignedIdentities/*/principalId",
        "/properties/action/monitorDefinition/computeConfiguration/computeIdentity/identity/userAssignedIdentities/*/clientId",
    ],
    create_only: &[
        "/properties/displayName",
        "/properties/action/monitorDefinition",
    ],
    untyped: &[
        "/properties/action/jobDefinition/jobs",
        "/properties/action/jobDefinition/settings",
        "/properties/action/endpointInvocationDefinition",
    ],
    held_back: &[HeldBack {
        pointer: "/properties/isEnabled",
        value: "false",
        reason: "an enabled schedule could start jobs at once, and cost money",
        until: Until::Person,
        by_hand: "enable",
    }],
    must_lead: &["/properties/action/monitorDefinition/monitoringTarget/deploymentId"],
    restore: Restore::Put,
    order: 110,
    order_reason: "a schedule starts what it names, so all of that comes first",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::SCHEDULE),
    ..PLAIN
};
