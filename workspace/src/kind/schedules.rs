//! Schedules: a trigger and the definition of the job that it starts.

use super::{ARM_API_VERSIONS, Content, HeldBack, Kind, Restore, attribute, definition};

pub(super) static ROW: Kind = Kind {
    name: "schedules",
    singular: "schedule",
    collection: Some("schedules"),
    versioned: false,
    container: None,
    named_by_path: false,
    // Another set of words than other kinds have: EnabledOnly (the default), DisabledOnly, All.
    list_query: &[("listViewType", "All")],
    api_versions: ARM_API_VERSIONS,
    content: Content::None,
    must_have_files: false,
    free_text: definition::FREE_TEXT,
    bare_names: definition::BARE_NAMES,
    store: None,
    read_only: attribute::VERSION_READ_ONLY,
    create_only: &[
        "/properties/displayName",
        "/properties/action/monitorDefinition",
    ],
    untyped: &[
        "/properties/action/jobDefinition/jobs",
        "/properties/action/jobDefinition/settings",
        "/properties/action/endpointInvocationDefinition",
    ],
    volatile: &[],
    secrets: None,
    mapped_by_name: super::always_restored,
    has_children: super::no_children,
    terminal: &[],
    attribute: attribute::of_resource,
    held_back: Some(HeldBack {
        pointer: "/properties/isEnabled",
        value: "false",
        reason: "an enabled schedule could start jobs at once, and cost money",
        by_hand: "enable",
    }),
    restore: Restore::Put,
    order: 110,
    order_reason: "a schedule starts what it names, so all of that comes first",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::SCHEDULE),
};
