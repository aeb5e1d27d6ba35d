//! Codes: the source folders that jobs and components run. Their containers are no datastore's; only a pending upload
//! gives a new place.

use super::{ARM_API_VERSIONS, Container, Content, Kind, Restore, attribute};

pub(super) static ROW: Kind = Kind {
    name: "codes",
    singular: "code",
    collection: Some("codes"),
    versioned: true,
    container: Some(Container {
        versions: "versions",
        list_query: &[],
        read_only: attribute::CONTAINER_READ_ONLY,
        order: 120,
    }),
    named_by_path: false,
    list_query: &[],
    api_versions: ARM_API_VERSIONS,
    content: Content::Uri("/properties/codeUri"),
    must_have_files: true,
    free_text: &["/properties/tags/**", "/properties/description"],
    bare_names: &[],
    store: None,
    read_only: attribute::VERSION_READ_ONLY,
    create_only: &["/properties/isAnonymous", "/properties/codeUri"],
    untyped: &[],
    volatile: &[],
    secrets: None,
    mapped_by_name: super::always_restored,
    has_children: super::no_children,
    terminal: &[],
    attribute: attribute::of_resource,
    held_back: None,
    restore: Restore::PendingUpload,
    order: 20,
    order_reason: "components and jobs name code, which names nothing",
    losses: &[
        attribute::CREATOR_LOSS,
        (
            "the place of its bytes",
            "the service gives each upload of code a container of its own",
            "`codeUri` names the new one",
        ),
    ],
    azml: None,
};
