//! Jobs: specification from ARM, run record, metrics, logs and outputs from the data plane.
//!
//! A PUT of a job starts it and costs money, so a finished job comes back as an MLflow run and never as a job.

use serde_json::Value;

use super::{ALL_VIEWS, Content, Kind, Origin, PLAIN, Restore, Sorts, attribute, definition};

pub(super) static ROW: Kind = Kind {
    name: "jobs",
    singular: "job",
    origin: Origin::Collection("jobs"),
    list_query: ALL_VIEWS,
    content: Content::Run,
    free_text: definition::FREE_TEXT,
    bare_names: definition::BARE_NAMES,
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/systemData",
        "/properties/status",
        // The service's own; others, such as a terminal, are asked for with the job.
        "/properties/services/Studio",
        "/properties/services/Tracking",
        "/properties/services/*/errorMessage",
        "/properties/services/*/status",
        "/properties/parameters",
        "/properties/provisioningState",
    ],
    create_only: &[
        "/properties/componentId",
        "/properties/computeId",
        "/properties/displayName",
        "/properties/experimentName",
        "/properties/identity",
        "/properties/jobType",
        "/properties/codeId",
        "/properties/command",
        "/properties/distribution",
        "/properties/environmentId",
        "/properties/environmentVariables",
        "/properties/inputs",
        "/properties/outputs",
        "/properties/limits",
        "/properties/queueSettings",
        "/properties/resources",
        "/properties/jobs",
        "/properties/settings",
        "/properties/sourceJobId",
    ],
    untyped: &["/properties/jobs", "/properties/settings"],
    // A run under way counts its own time.
    volatile: &["/properties/services", "/currentComputeTime"],
    has_children,
    // Of all api-versions; a run without a specification is of the type `Base`.
    sorts: Some(Sorts {
        field: "/properties/jobType",
        known: &[
            "AutoML",
            "Base",
            "Command",
            "Distillation",
            "FineTuning",
            "Labeling",
            "Pipeline",
            "Spark",
            "Sweep",
        ],
    }),
    terminal: &["Completed", "Failed", "Canceled"],
    attribute: attribute::of_job,
    restore: Restore::Run,
    order: 80,
    order_reason: "runs name data, models and code, and nothing that is restored before them names a run",
    losses: &[
        (
            "the job itself",
            "Azure starts every job that is created; a finished one cannot be put back",
            "an MLflow run with parameters, metrics, tags, logs and outputs, and the specification ready to submit",
        ),
        (
            "its id",
            "the service gives a new run its own id",
            "the tag `mlark.source_run` of the run",
        ),
        (
            "creator and times of the record",
            "the service writes them itself",
            "tags `mlark.*`; start and end are kept",
        ),
    ],
    azml: Some(&crate::azml::JOB),
    ..PLAIN
};

/// Job types whose steps, trials or iterations are runs that no list shows, in either form of the document: such a run may
/// be a pipeline or a sweep itself.
fn has_children(document: &Value) -> bool {
    let text = |pointer| document.pointer(pointer).and_then(Value::as_str);
    let of_job = text("/properties/jobType");
    let of_run = text("/runType").unwrap_or_default().to_ascii_lowercase();
    matches!(of_job, Some("Pipeline" | "Sweep" | "AutoML" | "FineTuning"))
        || ["pipeline", "hyperdrive", "sweep", "automl"]
            .iter()
            .any(|word| of_run.contains(word))
}
