//! Jobs: command, sweep, spark, pipeline, AutoML and fine-tuning. Other sorts have no YAML that `az ml job create` takes.

use serde_json::{Map, Value};

use super::asset::IS_ARCHIVED;
use super::field::{Field, How, Walk, field, known, same};
use super::input::{input, output};
use super::refer::{compute, reference};
use super::{AzMl, Unmapped, automl, node, sweep};

/// Jobs.
pub static JOB: AzMl = AzMl {
    noun: "job",
    file: "job.yml",
    map: |walk| {
        let of = walk.given.document.pointer("/properties/jobType");
        let (schema, fields) = sort(of.and_then(Value::as_str))?;
        walk.whole(schema, fields)
    },
};

/// A definition of a job without an item of its own, as schedules hold it.
pub(super) fn definition(
    members: &Map<String, Value>,
    walk: &mut Walk<'_>,
) -> Result<Map<String, Value>, Unmapped> {
    let (schema, fields) = sort(members.get("jobType").and_then(Value::as_str))?;
    let inner = fields.iter().find_map(Field::inline).unwrap_or_default();
    let mut out = walk.object(members, inner);
    out.insert(
        "$schema".to_owned(),
        super::field::schema_url(schema).into(),
    );
    Ok(out)
}

/// The schema's name and the table of a sort of job.
fn sort(job_type: Option<&str>) -> Result<(&'static str, &'static [Field]), Unmapped> {
    match job_type {
        Some("Command") => Ok(("commandJob", COMMAND)),
        Some("Sweep") => Ok(("sweepJob", SWEEP)),
        Some("Spark") => Ok(("sparkJob", SPARK)),
        Some("Pipeline") => Ok(("pipelineJob", PIPELINE)),
        Some("AutoML") => Ok(("autoMLJob", AUTOML)),
        Some("FineTuning") => Ok(("fineTuningJob", FINE_TUNING)),
        Some(other) => Err(Unmapped(format!(
            "`az ml` has no YAML for jobs of type {other}"
        ))),
        None => Err(Unmapped(
            "it has no specification, only a run record".to_owned(),
        )),
    }
}

/// A table of a job: what all jobs say, and what its sort says, below `properties`.
macro_rules! job {
    ($($own:expr),* $(,)?) => {
        &[
            known("id"),
            known("name"),
            known("type"),
            known("systemData"),
            field("properties", "", How::Inline(&[
                field("jobType", "type", How::Word(&[("AutoML", "automl"), ("FineTuning", "finetuning")])),
                same("displayName", "display_name"),
                same("experimentName", "experiment_name"),
                same("description", "description"),
                same("tags", "tags"),
                same("properties", "properties"),
                field("computeId", "compute", How::By(compute)),
                field("identity", "identity", How::Object(IDENTITY)),
                field("services", "services", How::EachBy(service)),
                field("inputs", "inputs", How::EachBy(input)),
                field("outputs", "outputs", How::EachBy(output)),
                known("status"),
                known("parameters"),
                known("provisioningState"),
                // A definition in a schedule names the job that it was made from.
                known("sourceJobId"),
                IS_ARCHIVED,
                $($own),*
            ])),
        ]
    };
}

const COMMAND: &[Field] = job![
    field("codeId", "code", How::By(reference)),
    same("command", "command"),
    field("environmentId", "environment", How::By(reference)),
    same("environmentVariables", "environment_variables"),
    field("resources", "resources", How::Object(RESOURCES)),
    field("distribution", "distribution", How::Object(DISTRIBUTION)),
    field("limits", "limits", How::Object(sweep::LIMITS)),
    field("queueSettings", "queue_settings", How::Object(QUEUE)),
    same("parentJobName", "parent_job_name"),
];

const SWEEP: &[Field] = job![
    field(
        "samplingAlgorithm",
        "sampling_algorithm",
        How::By(sweep::sampling)
    ),
    field("searchSpace", "search_space", How::EachBy(sweep::dimension)),
    field("objective", "objective", How::Object(sweep::OBJECTIVE)),
    field(
        "earlyTermination",
        "early_termination",
        How::Object(sweep::EARLY_TERMINATION)
    ),
    field("limits", "limits", How::Object(sweep::LIMITS)),
    field("queueSettings", "queue_settings", How::Object(QUEUE)),
    field("resources", "resources", How::Object(RESOURCES)),
    field(
        "trial",
        "trial",
        How::Object(&[
            field("codeId", "code", How::By(reference)),
            same("command", "command"),
            field("environmentId", "environment", How::By(reference)),
            same("environmentVariables", "environment_variables"),
            field("resources", "resources", How::Object(RESOURCES)),
            field("distribution", "distribution", How::Object(DISTRIBUTION)),
        ]),
    ),
];

const SPARK: &[Field] = job![
    field("codeId", "code", How::By(reference)),
    field("entry", "entry", How::Object(ENTRY)),
    same("args", "args"),
    same("conf", "conf"),
    field("pyFiles", "py_files", How::EachBy(reference)),
    field("jars", "jars", How::EachBy(reference)),
    field("files", "files", How::EachBy(reference)),
    field("archives", "archives", How::EachBy(reference)),
    field("environmentId", "environment", How::By(reference)),
    same("environmentVariables", "environment_variables"),
    field(
        "resources",
        "resources",
        How::Object(&[
            same("instanceType", "instance_type"),
            same("runtimeVersion", "runtime_version")
        ]),
    ),
    field(
        "queueSettings",
        "",
        How::Left("the YAML of Spark jobs has no place for it")
    ),
];

const PIPELINE: &[Field] = job![
    field("settings", "settings", How::By(node::settings)),
    field("jobs", "jobs", How::EachBy(node::node)),
    field("componentId", "component", How::By(reference)),
];

const AUTOML: &[Field] = job![
    field("taskDetails", "", How::Inline(automl::TASK)),
    field("resources", "resources", How::Object(RESOURCES)),
    field("environmentId", "environment_id", How::By(reference)),
    same("environmentVariables", "environment_variables"),
    field("queueSettings", "queue_settings", How::Object(QUEUE)),
];

const FINE_TUNING: &[Field] = job![
    field(
        "fineTuningDetails",
        "",
        How::Inline(&[
            field("modelProvider", "model_provider", How::Word(&[])),
            field("taskType", "task", How::Word(&[])),
            field("model", "model", How::By(input)),
            field("trainingData", "training_data", How::By(input)),
            field("validationData", "validation_data", How::By(input)),
            field(
                "hyperParameters",
                "hyperparameters",
                How::By(hyper_parameters)
            ),
        ])
    ),
    field("queueSettings", "queue_settings", How::Object(QUEUE)),
    field(
        "resources",
        "resources",
        How::Object(&[same("instanceTypes", "instance_types")])
    ),
];

/// Of models of Azure OpenAI there are three, of others those that the user names.
fn hyper_parameters(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let provider = walk
        .given
        .document
        .pointer("/properties/fineTuningDetails/modelProvider");
    match provider.and_then(Value::as_str) {
        Some("AzureOpenAI") => walk.value(value, How::Object(OPEN_AI)),
        _ => Some(value.clone()),
    }
}

const OPEN_AI: &[Field] = &[
    same("nEpochs", "n_epochs"),
    same("learningRateMultiplier", "learning_rate_multiplier"),
    same("batchSize", "batch_size"),
];

pub(super) const IDENTITY: &[Field] = &[
    field(
        "identityType",
        "type",
        How::Word(&[("AMLToken", "aml_token"), ("Managed", "managed")]),
    ),
    field("type", "type", How::Word(&[])),
    same("clientId", "client_id"),
    same("objectId", "object_id"),
    same("resourceId", "msi_resource_id"),
    same("msiResourceId", "msi_resource_id"),
];

pub(super) const RESOURCES: &[Field] = &[
    same("instanceCount", "instance_count"),
    same("instanceType", "instance_type"),
    same("maxInstanceCount", "max_instance_count"),
    same("shmSize", "shm_size"),
    same("dockerArgs", "docker_args"),
    same("locations", "locations"),
    same("properties", "properties"),
];

pub(super) const DISTRIBUTION: &[Field] = &[
    field("distributionType", "type", How::Word(DISTRIBUTIONS)),
    field("type", "type", How::Word(DISTRIBUTIONS)),
    same("processCountPerInstance", "process_count_per_instance"),
    same("workerCount", "worker_count"),
    same("parameterServerCount", "parameter_server_count"),
    same("port", "port"),
    same("address", "address"),
    same("includeDashboard", "include_dashboard"),
    same("dashboardPort", "dashboard_port"),
    same("headNodeAdditionalArgs", "head_node_additional_args"),
    same("workerNodeAdditionalArgs", "worker_node_additional_args"),
];

const DISTRIBUTIONS: &[(&str, &str)] = &[("PyTorch", "pytorch"), ("TensorFlow", "tensorflow")];

pub(super) const QUEUE: &[Field] = &[
    field("jobTier", "job_tier", How::Word(&[])),
    field("priority", "priority", How::Word(&[])),
];

/// The program of a Spark job.
pub(super) const ENTRY: &[Field] = &[
    known("sparkJobEntryType"),
    known("spark_job_entry_type"),
    same("file", "file"),
    same("className", "class_name"),
];

/// Services of the service's own making: where the studio shows the job, where its metrics go.
const OWN_SERVICES: &[&str] = &["Studio", "Tracking"];

const SERVICE: &[Field] = &[
    field(
        "jobServiceType",
        "type",
        How::Word(&[
            ("SSH", "ssh"),
            ("VSCode", "vs_code"),
            ("TensorBoard", "tensor_board"),
            ("JupyterLab", "jupyter_lab"),
        ]),
    ),
    same("port", "port"),
    field(
        "nodes",
        "nodes",
        How::By(|value, _| {
            let all = value.get("nodesValueType").and_then(Value::as_str) == Some("All");
            all.then(|| "all".into())
        }),
    ),
    field(
        "properties",
        "",
        How::Inline(&[
            same("sshPublicKeys", "ssh_public_keys"),
            same("logDir", "log_dir"),
        ]),
    ),
    known("endpoint"),
    known("status"),
    known("errorMessage"),
];

/// A service that the job opens for people. What it does is of this run alone; how it was asked for is kept.
pub(super) fn service(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let sort = value.get("jobServiceType").and_then(Value::as_str);
    if sort.is_none_or(|sort| OWN_SERVICES.contains(&sort)) {
        return None;
    }
    walk.value(value, How::Object(SERVICE))
}
