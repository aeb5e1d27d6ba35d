//! Computes, codes and environments.

use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::builder::Builder;
use super::decoys;
use super::words::training_script;
use crate::error::Error;

/// The clusters that jobs and schedules name.
pub(super) const CLUSTERS: [(&str, &str); 2] = [
    ("cpu-cluster", "Standard_DS3_v2"),
    ("gpu-cluster", "Standard_NC6s_v3"),
];

/// The name under which the official CLI and SDK keep environments without a name.
pub(super) const ANONYMOUS_ENVIRONMENT: &str = "CliV2AnonymousEnvironment";

/// The version of the anonymous environment, a hash in form.
pub(super) const ANONYMOUS_VERSION: &str = "5d1a9a2f4c1e0b7d3f6a8c9e1b2d4f60";

/// Environments of a base image and a conda file, with their versions.
const CONDA: [(&str, &[&str]); 3] = [
    ("sklearn-train", &["1", "2", "3"]),
    ("torch-gpu", &["1", "2"]),
    ("forecasting", &["2024.05", "2024.06"]),
];

/// The base image of those.
const BASE_IMAGE: &str = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest";

/// Two clusters.
pub(super) fn computes(builder: &Builder<'_>) -> Result<(), Error> {
    for (name, size) in CLUSTERS {
        let body = json!({
            "location": builder.world.spec.location, "tags": {"team": "platform"},
            "properties": {"computeType": "AmlCompute", "disableLocalAuth": true, "properties": {
                "vmSize": size, "vmPriority": "Dedicated", "osType": "Linux", "enableNodePublicIp": true,
                "remoteLoginPortPublicAccess": "NotSpecified",
                "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 4, "nodeIdleTimeBeforeScaleDown": "PT2M"},
            }},
        });
        builder.put_whole(&format!("computes/{name}"), &body, builder.ago(24 * 300))?;
    }
    Ok(())
}

/// Code assets with their files, each in a container of its own. Returns their ARM ids.
pub(super) fn codes(builder: &Builder<'_>) -> Result<Vec<String>, Error> {
    let count = (builder.world.jobs / 20).clamp(2, 8);
    (0..count).map(|number| code(builder, number)).collect()
}

fn code(builder: &Builder<'_>, number: usize) -> Result<String, Error> {
    let name = builder.guid();
    let path = format!("codes/{name}/versions/1");
    let started = builder.send(
        Method::POST,
        &format!("{path}/startPendingUpload"),
        &json!({"pendingUploadType": "TemporaryBlobReference"}),
    )?;
    let started = started.body_json();
    let uri = started
        .pointer("/blobReferenceForConsumption/blobUri")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let container = uri.rsplit('/').next().unwrap_or_default();
    let at = builder.ago(24 * 280 - number as u64);
    let script = training_script(number);
    let hash = hex::encode(Sha256::digest(&script));
    let evaluation = "import json\nprint(json.dumps({\"auc\": 0.9}))\n";
    let loading = "def load(path):\n    return open(path).read()\n";
    for (file, text) in [
        ("src/train.py", script),
        ("src/evaluate.py", evaluation.to_owned()),
        ("src/lib/__init__.py", String::new()),
        ("src/lib/data loading.py", loading.to_owned()),
        (
            "src/conf/params.yml",
            format!("lr: 0.0{number}\nepochs: 20\n"),
        ),
    ] {
        builder.blob(container, file, text.into(), at);
    }
    let properties = json!({
        "codeUri": format!("{uri}/src"), "isAnonymous": true,
        "properties": {"hash_sha256": hash, "hash_version": 202208},
    });
    builder.put(&path, properties, at)?;
    Ok(builder.id(&path))
}

fn conda(name: &str, version: &str) -> String {
    format!(
        "name: {name}\nchannels:\n- conda-forge\ndependencies:\n- python=3.10\n- pip\n- pip:\n  - mlflow==2.9.2\n  - azureml-mlflow==1.55.0\n  - scikit-learn==1.3.{}\n",
        version.len()
    )
}

/// Nine environments: conda files, plain images, build contexts, an anonymous one, one with decoys.
pub(super) fn environments(builder: &Builder<'_>) -> Result<(), Error> {
    for (order, (name, versions)) in CONDA.iter().enumerate() {
        for (index, version) in versions.iter().enumerate() {
            let properties = json!({
                "image": BASE_IMAGE, "condaFile": conda(name, version), "isAnonymous": false,
                "description": format!("{name}, edition {version}"),
                "tags": {"stage": if index == 0 { "old" } else { "prod" }},
            });
            let at = builder.ago(24 * (260 - 10 * order as u64 - 3 * index as u64));
            let path = format!("environments/{name}/versions/{version}");
            builder.put(&path, properties, at)?;
        }
    }
    images(builder)?;
    built(builder, "gpu-built", &["1", "2"])?;
    built(builder, "r-runtime", &["1"])?;
    anonymous(builder)?;
    decoys::environment(builder)
}

fn images(builder: &Builder<'_>) -> Result<(), Error> {
    let serving = "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cpu-inference:latest";
    for (name, image, archived) in [
        ("onnx-serving", serving, false),
        ("retired-image", "python:3.8-slim", true),
    ] {
        let mut properties = json!({
            "image": image, "isAnonymous": false, "osType": "Linux", "tags": {"ünï": "✓"},
            "inferenceConfig": {
                "livenessRoute": {"path": "/live", "port": 5001},
                "readinessRoute": {"path": "/ready", "port": 5001},
                "scoringRoute": {"path": "/score", "port": 5001},
            },
        });
        let path = format!("environments/{name}/versions/1");
        builder.put(&path, properties.clone(), builder.ago(24 * 230))?;
        if archived {
            properties["isArchived"] = json!(true);
            builder.put(&path, properties, builder.ago(24 * 230))?;
        }
    }
    Ok(())
}

fn built(builder: &Builder<'_>, name: &str, versions: &[&str]) -> Result<(), Error> {
    for version in versions {
        let at = builder.ago(24 * 220);
        let dockerfile = format!("FROM ubuntu:22.04\nLABEL edition={version}\nCOPY files /opt\n");
        let files = vec![
            ("Dockerfile".to_owned(), dockerfile.into()),
            (
                "files/entry point.sh".to_owned(),
                "#!/bin/sh\nexec \"$@\"\n".into(),
            ),
            ("files/empty".to_owned(), "".into()),
            ("requirements.txt".to_owned(), "numpy==1.26.4\n".into()),
        ];
        let place = builder.upload(name, version, "ctx", files, at);
        let properties = json!({
            "build": {"contextUri": builder.blob_url(&format!("{place}/")), "dockerfilePath": "Dockerfile"},
            "isAnonymous": false,
        });
        builder.put(
            &format!("environments/{name}/versions/{version}"),
            properties,
            at,
        )?;
    }
    Ok(())
}

fn anonymous(builder: &Builder<'_>) -> Result<(), Error> {
    let properties = json!({
        "image": BASE_IMAGE, "condaFile": conda("inline", "1"), "isAnonymous": true,
    });
    let path = format!("environments/{ANONYMOUS_ENVIRONMENT}/versions/{ANONYMOUS_VERSION}");
    builder.put(&path, properties, builder.ago(24 * 150))
}
