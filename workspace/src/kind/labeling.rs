//! Labeling projects, which only previews of the api have.

use super::{Kind, Origin, PLAIN};

pub(super) static ROW: Kind = Kind {
    name: "labelingJobs",
    singular: "labeling job",
    origin: Origin::Collection("labelingJobs"),
    api_versions: &[
        "2024-10-01-preview",
        "2024-07-01-preview",
        "2024-04-01-preview",
        "2023-08-01-preview",
    ],
    optional: true,
    free_text: &[
        "/properties/tags/**",
        "/properties/description",
        "/properties/displayName",
        "/properties/experimentName",
        "/properties/labelCategories/**",
    ],
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/systemData",
        "/properties/createdDateTime",
        "/properties/progressMetrics",
        "/properties/projectId",
        "/properties/provisioningState",
        "/properties/status",
        "/properties/statusMessages",
    ],
    order: 115,
    order_reason: "a labeling project names its data",
    losses: &[(
        "the labeling project",
        "its labels lie in the service, which takes none from outside",
        "export the labels as a data asset while the source is there, and make the project anew",
    )],
    ..PLAIN
};
