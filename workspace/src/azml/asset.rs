//! Environments, models, data assets and codes.

use serde_json::{Map, Value};

use super::field::{Field, How, NO_PLACE, Walk, field, known, resource, same};
use super::refer::{own_place, reference};
use super::{AzMl, FILES};

/// The file that holds an environment's conda specification, byte by byte.
const CONDA: &str = "conda.yaml";

const ARCHIVED: &str = "whether it is archived is no field of YAML";
const INHERENT: &str = "only what a job defines inline is anonymous";

/// What versions of assets have in common.
pub(super) const IS_ARCHIVED: Field = field("isArchived", "", How::Only("false", ARCHIVED));
const IS_ANONYMOUS: Field = field("isAnonymous", "", How::Only("false", INHERENT));

/// Environments.
pub static ENVIRONMENT: AzMl = AzMl {
    noun: "environment",
    file: "environment.yml",
    map: |walk| walk.whole("environment", ENVIRONMENT_FIELDS),
};

pub(super) const ENVIRONMENT_FIELDS: &[Field] = &resource(&[
    same("description", "description"),
    same("tags", "tags"),
    same("properties", "properties"),
    same("image", "image"),
    field("condaFile", "conda_file", How::By(conda_file)),
    field(
        "build",
        "build",
        How::Object(&[
            field("contextUri", "path", How::By(context)),
            same("dockerfilePath", "dockerfile_path"),
        ]),
    ),
    field(
        "inferenceConfig",
        "inference_config",
        How::Object(&[
            field("livenessRoute", "liveness_route", How::Object(ROUTE)),
            field("readinessRoute", "readiness_route", How::Object(ROUTE)),
            field("scoringRoute", "scoring_route", How::Object(ROUTE)),
        ]),
    ),
    field("osType", "os_type", How::Word(&[])),
    known("environmentType"),
    known("provisioningState"),
    field("autoRebuild", "", How::Only("\"Disabled\"", NO_PLACE)),
    IS_ARCHIVED,
    // Of one that a job defines inline the name says it.
    known("isAnonymous"),
]);

const ROUTE: &[Field] = &[same("path", "path"), same("port", "port")];

fn conda_file(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let Some(text) = value.as_str() else {
        return Some(value.clone());
    };
    if walk.folder.is_empty() {
        walk.beside.push((CONDA, text.to_owned()));
        return Some(format!("./{CONDA}").into());
    }
    Some(format!("{}{CONDA}", walk.folder).into())
}

fn context(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    if !walk.has_files {
        return reference(value, walk);
    }
    let folder = if walk.folder.is_empty() {
        "./"
    } else {
        walk.folder.as_str()
    };
    Some(format!("{folder}{FILES}").into())
}

/// Models.
pub static MODEL: AzMl = AzMl {
    noun: "model",
    file: "model.yml",
    map: |walk| walk.whole("model", MODEL_FIELDS),
};

const MODEL_FIELDS: &[Field] = &resource(&[
    same("description", "description"),
    same("tags", "tags"),
    same("properties", "properties"),
    same("stage", "stage"),
    field("modelType", "type", How::Word(&[])),
    field("modelUri", "path", How::By(own_place)),
    field("flavors", "flavors", How::EachBy(flavor)),
    known("provisioningState"),
    field(
        "jobName",
        "",
        How::Left("the YAML of a model does not say which job made it"),
    ),
    IS_ARCHIVED,
    IS_ANONYMOUS,
]);

/// ARM wraps what a flavor says into `data`.
fn flavor(value: &Value, _: &mut Walk<'_>) -> Option<Value> {
    let said = value.get("data").unwrap_or(value);
    Some(match said {
        Value::Null => Value::Object(Map::new()),
        said => said.clone(),
    })
}

/// Data assets.
pub static DATA: AzMl = AzMl {
    noun: "data",
    file: "data.yml",
    map: |walk| walk.whole("data", DATA_FIELDS),
};

const DATA_FIELDS: &[Field] = &resource(&[
    same("description", "description"),
    same("tags", "tags"),
    field(
        "properties",
        "",
        How::Left("properties of a data asset are only read"),
    ),
    field("dataType", "type", How::Word(&[])),
    field("dataUri", "path", How::By(own_place)),
    // What an MLTable file says itself.
    known("referencedUris"),
    known("provisioningState"),
    IS_ARCHIVED,
    IS_ANONYMOUS,
]);

/// Codes. `az ml` makes them of what a job or component names; the SDK loads them by themselves.
pub static CODE: AzMl = AzMl {
    noun: "code",
    file: "code.yml",
    map: |walk| walk.whole("code", CODE_FIELDS),
};

/// The digest of the files, which the SDK makes anew.
const DIGEST: &[Field] = &[known("hash_sha256"), known("hash_version")];

const CODE_FIELDS: &[Field] = &resource(&[
    same("description", "description"),
    same("tags", "tags"),
    field("properties", "", How::Inline(DIGEST)),
    field("codeUri", "path", How::By(own_place)),
    known("provisioningState"),
    IS_ARCHIVED,
    // What the SDK uploads for a job is named by its content.
    known("isAnonymous"),
]);
