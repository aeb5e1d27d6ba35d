//! Codes: the source folders that jobs and components run. Their containers are no datastore's; only a pending upload
//! gives a new place.

use super::{Container, Content, Kind, Origin, PLAIN, Restore, attribute};
use crate::azure::InRegistry;

pub(super) static ROW: Kind = Kind {
    name: "codes",
    singular: "code",
    origin: Origin::Collection("codes"),
    versioned: true,
    container: Some(Container {
        versions: "versions",
        list_query: &[],
        read_only: attribute::CONTAINER_READ_ONLY,
        order: 120,
    }),
    content: Content::Uri("/properties/codeUri"),
    // What the official client writes, and looks for before it uploads.
    content_digest: Some("/properties/properties/hash_sha256"),
    must_have_files: true,
    free_text: &["/properties/tags/**", "/properties/description"],
    read_only: attribute::VERSION_READ_ONLY,
    create_only: &["/properties/isAnonymous", "/properties/codeUri"],
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
    azml: Some(&crate::azml::CODE),
    registry: Some(InRegistry::Bytes),
    ..PLAIN
};
