//! What documents that hold the definition of a job have in common: jobs, schedules (`jobDefinition`), components
//! (`componentSpec`). Below them lie untyped copies with snake_case keys, nested as deep as pipelines are.

use super::BareName;

/// Free text at any depth. An input that happens to be called `command` is an object, and its `uri` is none of these.
pub(super) const FREE_TEXT: &[&str] = &[
    "/properties/tags/**",
    "/properties/**/jobs/*/tags/**",
    "/properties/componentSpec/tags/**",
    "/properties/action/jobDefinition/tags/**",
    "/properties/**/description",
    "/properties/**/displayName",
    "/properties/**/display_name",
    "/properties/**/experimentName",
    "/properties/**/experiment_name",
    "/properties/**/command",
    "/properties/**/args",
    "/properties/**/condaFile",
    "/properties/**/conda_file",
    "/properties/**/scoringScript",
    "/properties/**/program_arguments",
    // What Spark is told and starts, in a job, a specification, a schedule, and their steps, nested ones too. Any step, input
    // or output may be called so as well, and leads somewhere.
    "/properties/conf/**",
    "/properties/entry/**",
    "/properties/componentSpec/conf/**",
    "/properties/componentSpec/entry/**",
    "/properties/action/jobDefinition/conf/**",
    "/properties/action/jobDefinition/entry/**",
    "/properties/jobs/*/conf/**",
    "/properties/jobs/*/entry/**",
    "/properties/componentSpec/jobs/*/conf/**",
    "/properties/componentSpec/jobs/*/entry/**",
    "/properties/action/jobDefinition/jobs/*/conf/**",
    "/properties/action/jobDefinition/jobs/*/entry/**",
    "/properties/**/jobs/*/jobs/*/conf/**",
    "/properties/**/jobs/*/jobs/*/entry/**",
];

/// Words that stand for no compute of the workspace.
const NO_COMPUTE: &[&str] = &["serverless", "local"];

/// Bare names at any depth.
pub(super) const BARE_NAMES: &[BareName] = &[
    compute("/properties/**/computeId"),
    compute("/properties/**/compute"),
    compute("/properties/**/default_compute"),
    compute("/properties/**/defaultCompute"),
    named("/properties/**/default_datastore", &["datastores"]),
    named("/properties/**/defaultDatastore", &["datastores"]),
    named("/properties/**/sourceJobId", &["jobs"]),
    named("/properties/**/checkpointRunId", &["jobs"]),
    BareName {
        at: "/properties/**/outputs/*/assetName",
        kinds: &["data", "models"],
        except: &[],
        must_exist: false,
    },
];

/// A field that names a compute, or says that there is none.
pub(super) const fn compute(at: &'static str) -> BareName {
    BareName {
        at,
        kinds: &["computes"],
        except: NO_COMPUTE,
        must_exist: true,
    }
}

/// A field that names something which must exist.
pub(super) const fn named(at: &'static str, kinds: &'static [&'static str]) -> BareName {
    BareName {
        at,
        kinds,
        except: &[],
        must_exist: true,
    }
}
