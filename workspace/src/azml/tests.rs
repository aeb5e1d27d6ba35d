//! Documents as the service returns them, and the YAML that is made of them.

use serde_json::json;

use super::*;
use crate::Kind;

mod kinds;
mod published;

fn source() -> Identity {
    Identity::Azure {
        subscription: "s".to_owned(),
        resource_group: "g".to_owned(),
        workspace: "w".to_owned(),
        region: "westeurope".to_owned(),
        workspace_guid: "guid".to_owned(),
        storage_account: "account".to_owned(),
    }
}

fn arm(rest: &str) -> String {
    format!(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/{rest}"
    )
}

/// The YAML of a document, with files and neighbours.
fn sheet(
    azml: &AzMl,
    id: &ItemId,
    document: &Value,
    files: &[&str],
    neighbours: &[(ItemId, Neighbour)],
) -> Sheet {
    let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
    let neighbours: BTreeMap<_, _> = neighbours.iter().cloned().collect();
    let identity = source();
    let given = Given {
        id,
        document,
        identity: &identity,
        files: &files,
        neighbours: &neighbours,
        read_only: Kind::find(&id.kind).map_or(&[], |kind| kind.read_only_of(id)),
    };
    match azml.sheet(&given) {
        Ok(sheet) => sheet,
        Err(error) => panic!("{id} has no YAML: {error:?}"),
    }
}

fn text<'s>(sheet: &'s Sheet, name: &str) -> &'s str {
    sheet
        .files
        .iter()
        .find(|(file, _)| *file == name)
        .map_or("", |(_, text)| text)
}

fn pointers(sheet: &Sheet) -> Vec<&str> {
    sheet
        .left
        .iter()
        .map(|left| left.pointer.as_str())
        .collect()
}

/// The YAML without the line that names its schema.
fn body<'s>(sheet: &'s Sheet, name: &str) -> &'s str {
    let text = text(sheet, name);
    text.split_once('\n').map_or(text, |(_, rest)| rest)
}

#[test]
fn a_model_names_the_files_beside_it_and_what_yaml_cannot_say_is_listed() {
    let document = json!({"id": arm("models/m/versions/3"), "name": "3", "systemData": {"createdBy": "x"}, "properties": {
        "modelType": "mlflow_model", "modelUri": "azureml://subscriptions/s/resourceGroups/g/workspaces/w/datastores/d/paths/a/model",
        "flavors": {"python_function": {"data": {"loader_module": "x"}}}, "tags": {"v": "1.0"}, "description": null,
        "isArchived": true, "isAnonymous": false, "jobName": "j", "datasets": [{"id": "d"}], "provisioningState": "Succeeded"}});
    let id = ItemId::versioned("models", "m", "3");
    let sheet = sheet(
        &MODEL,
        &id,
        &document,
        &["MLmodel", "data/weights.bin"],
        &[],
    );
    assert_eq!(
        body(&sheet, "model.yml"),
        "name: m\nversion: '3'\ntype: mlflow_model\ntags:\n  v: '1.0'\nflavors:\n  python_function:\n    loader_module: x\npath: ./files\n"
    );
    assert_eq!(
        pointers(&sheet),
        [
            "/properties/datasets",
            "/properties/isArchived",
            "/properties/jobName"
        ]
    );
}

#[test]
fn a_single_file_is_the_place_itself_and_without_bytes_the_place_is_kept() {
    let document = json!({"properties": {"dataType": "uri_file",
        "dataUri": "azureml://subscriptions/s/resourceGroups/g/workspaces/w/datastores/d/paths/a/rows.csv"}});
    let id = ItemId::versioned("data", "rows", "1");
    let with = sheet(&DATA, &id, &document, &["rows.csv"], &[]);
    assert!(text(&with, "data.yml").ends_with("path: ./files/rows.csv\n"));
    let without = sheet(&DATA, &id, &document, &[], &[]);
    assert!(
        text(&without, "data.yml").ends_with("path: azureml://datastores/d/paths/a/rows.csv\n")
    );
}

#[test]
fn a_conda_file_lies_beside_its_environment_byte_by_byte() {
    let conda = "# mine\ndependencies:\n- python=3.11\n";
    let document = json!({"properties": {"condaFile": conda, "image": "mcr.microsoft.com/x:1", "osType": "Linux",
        "environmentType": "UserCreated", "autoRebuild": "OnBaseImageUpdate"}});
    let id = ItemId::versioned("environments", "e", "1");
    let sheet = sheet(&ENVIRONMENT, &id, &document, &[], &[]);
    assert_eq!(
        body(&sheet, "environment.yml"),
        "name: e\nversion: '1'\nconda_file: ./conda.yaml\nimage: mcr.microsoft.com/x:1\nos_type: linux\n"
    );
    assert_eq!(text(&sheet, "conda.yaml"), conda);
    assert_eq!(pointers(&sheet), ["/properties/autoRebuild"]);
}

#[test]
fn a_command_job_names_code_beside_it_and_holds_its_own_environment() {
    let anonymous = ItemId::versioned("environments", "CliV2AnonymousEnvironment", "h");
    let code = ItemId::versioned("codes", "c", "1");
    let neighbours = [
        (
            code,
            Neighbour {
                folder: "../../codes/c/1".to_owned(),
                has_files: true,
                ..Neighbour::default()
            },
        ),
        (
            anonymous.clone(),
            Neighbour {
                folder: "../../environments/CliV2AnonymousEnvironment/h".to_owned(),
                file: Some("environment.yml"),
                document: Some(
                    json!({"properties": {"image": "i", "condaFile": "x: y\n", "isAnonymous": true}}),
                ),
                ..Neighbour::default()
            },
        ),
    ];
    let document = json!({"name": "j", "properties": {"jobType": "Command", "command": "python a.py ${{inputs.lr}}",
        "codeId": arm("codes/c/versions/1"), "environmentId": arm("environments/CliV2AnonymousEnvironment/versions/h"),
        "computeId": arm("computes/cpu"), "experimentName": "e", "status": "Completed",
        "inputs": {"lr": {"jobInputType": "literal", "value": "0.1"},
            "rows": {"jobInputType": "uri_file", "uri": arm("data/rows/versions/1"), "mode": "ReadOnlyMount"}},
        "outputs": {"default": {"jobOutputType": "uri_folder", "mode": "ReadWriteMount",
                "uri": "azureml://datastores/workspaceartifactstore/ExperimentRun/dcid.j"},
            "model": {"jobOutputType": "custom_model", "assetName": "m"}},
        "limits": {"jobLimitsType": "Command", "timeout": "PT2H"},
        "distribution": {"distributionType": "PyTorch", "processCountPerInstance": 2},
        "identity": {"identityType": "AMLToken"}, "resources": {"instanceCount": 2, "shmSize": "2g"},
        "queueSettings": {"jobTier": "Standard"}, "notificationSetting": {"emails": ["a@b"]},
        "services": {"Studio": {"jobServiceType": "Studio", "endpoint": "https://x"},
            "tb": {"jobServiceType": "TensorBoard", "properties": {"logDir": "logs"}, "nodes": {"nodesValueType": "All"}}}}});
    let id = ItemId::new("jobs", "j");
    let sheet = sheet(&JOB, &id, &document, &[], &neighbours);
    assert_eq!(
        body(&sheet, "job.yml"),
        "name: j
type: command
experiment_name: e
code: ../../codes/c/1/files
command: python a.py ${{inputs.lr}}
compute: azureml:cpu
distribution:
  type: pytorch
  process_count_per_instance: 2
environment:
  conda_file: ../../environments/CliV2AnonymousEnvironment/h/conda.yaml
  image: i
identity:
  type: aml_token
inputs:
  lr: '0.1'
  rows:
    type: uri_file
    mode: ro_mount
    path: azureml:rows:1
limits:
  timeout: 7200
outputs:
  model:
    name: m
    type: custom_model
queue_settings:
  job_tier: standard
resources:
  instance_count: 2
  shm_size: 2g
services:
  tb:
    type: tensor_board
    log_dir: logs
    nodes: all
"
        .replace("shm_size: 2g", "shm_size: '2g'")
    );
    assert_eq!(pointers(&sheet), ["/properties/notificationSetting"]);
}

#[test]
fn a_sweep_spells_out_its_search_space() {
    let document = json!({"properties": {"jobType": "Sweep", "samplingAlgorithm": {"samplingAlgorithmType": "Random", "seed": 3},
        "searchSpace": {"a": ["uniform", [0.1, 0.9]], "b": ["choice", [[1, "x"]]], "c": ["randint", [5]], "d": ["strange", []]},
        "objective": {"goal": "Maximize", "primaryMetric": "Acc"}, "trial": {"command": "x", "environmentId": arm("environments/e/labels/latest")},
        "earlyTermination": {"policyType": "MedianStopping", "evaluationInterval": 2}, "limits": {"maxTotalTrials": 4, "trialTimeout": "PT1M"}}});
    let sheet = sheet(&JOB, &ItemId::new("jobs", "s"), &document, &[], &[]);
    let text = text(&sheet, "job.yml");
    for part in [
        "  a:\n    type: uniform\n    max_value: 0.9\n    min_value: 0.1\n",
        "  b:\n    type: choice\n    values:\n      - 1\n      - x\n",
        "  c:\n    type: randint\n    upper: 5\n",
        "sampling_algorithm:\n  type: random\n  seed: 3\n",
        "objective:\n  goal: maximize\n  primary_metric: Acc\n",
        "early_termination:\n  type: median_stopping\n  evaluation_interval: 2\n",
        "limits:\n  max_total_trials: 4\n  trial_timeout: 60\n",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert_eq!(pointers(&sheet), ["/properties/searchSpace/d"]);
}

#[test]
fn steps_of_a_pipeline_name_components_and_those_without_a_name_by_their_file() {
    let anonymous = ItemId::versioned("components", "azureml_anonymous", "h");
    let neighbours = [(
        anonymous,
        Neighbour {
            folder: "../../components/azureml_anonymous/h".to_owned(),
            file: Some("component.yml"),
            ..Neighbour::default()
        },
    )];
    let document = json!({"properties": {"jobType": "Pipeline",
        "settings": {"default_compute": arm("computes/cpu"), "_source": "DSL", "default_datastore": "blob"},
        "inputs": {"rows": {"jobInputType": "uri_file", "uri": "azureml://datastores/d/paths/x"}},
        "jobs": {
            "first": {"_source": "X", "componentId": arm("components/prepare/versions/1"), "name": "first", "type": "command",
                "limits": {"job_limits_type": "Command", "timeout": "PT5M"}, "distribution": {"distribution_type": "Mpi", "process_count_per_instance": 1},
                "inputs": {"rows": {"job_input_type": "literal", "value": "${{parent.inputs.rows}}"}}},
            "second": {"componentId": arm("components/azureml_anonymous/versions/h"), "computeId": arm("computes/gpu"), "type": "command",
                "tags": {"from": arm("jobs/x")}, "outputs": {"model": {"type": "literal", "value": "${{parent.outputs.model}}"}}}},
        "outputs": {"model": {"jobOutputType": "uri_folder"}}}});
    let sheet = sheet(&JOB, &ItemId::new("jobs", "p"), &document, &[], &neighbours);
    assert_eq!(
        body(&sheet, "job.yml"),
        format!(
            "name: p
type: pipeline
inputs:
  rows:
    type: uri_file
    path: azureml://datastores/d/paths/x
jobs:
  first:
    type: command
    component: azureml:prepare:1
    distribution:
      type: mpi
      process_count_per_instance: 1
    inputs:
      rows: ${{{{parent.inputs.rows}}}}
    limits:
      timeout: 300
  second:
    type: command
    tags:
      from: {}
    component: ../../components/azureml_anonymous/h/component.yml
    compute: azureml:gpu
    outputs:
      model: ${{{{parent.outputs.model}}}}
outputs:
  model:
    type: uri_folder
settings:
  default_compute: azureml:cpu
  default_datastore: azureml:blob
",
            arm("jobs/x")
        )
    );
    assert_eq!(pointers(&sheet), Vec::<&str>::new());
}

#[test]
fn a_component_is_the_specification_with_names_for_ids() {
    let document = json!({"properties": {"description": null, "tags": {"a": "b"}, "componentSpec": {
        "$schema": "https://example.com/mine.json", "_source": "YAML.COMPONENT", "name": "prepare", "version": "1", "type": "command",
        "code": format!("azureml:{}", arm("codes/c/versions/1")), "environment": format!("azureml:{}", arm("environments/e/versions/2")),
        "command": "x", "inputs": {"rows": {"type": "uri_file", "optional": true}}}}});
    let id = ItemId::versioned("components", "prepare", "1");
    let sheet = sheet(&COMPONENT, &id, &document, &[], &[]);
    assert_eq!(
        text(&sheet, "component.yml"),
        "$schema: https://example.com/mine.json\nname: prepare\nversion: '1'\ntype: command\ntags:\n  a: b\ncode: azureml:c:1\ncommand: x\nenvironment: azureml:e:2\ninputs:\n  rows:\n    type: uri_file\n    optional: true\n"
    );
}

#[test]
fn a_schedule_has_its_job_in_a_file_of_its_own() {
    let whole = json!({"properties": {"isEnabled": false, "trigger": {"triggerType": "Cron", "expression": "15 2 * * *", "timeZone": "UTC"},
        "action": {"actionType": "CreateJob", "jobDefinition": {"jobType": "Pipeline", "jobs": {"a": {"type": "command", "componentId": arm("components/c/versions/1")}}}}}});
    let id = ItemId::new("schedules", "nightly");
    let with = sheet(&SCHEDULE, &id, &whole, &[], &[]);
    assert!(
        text(&with, "schedule.yml").contains(
            "create_job: ./job.yml\ntrigger:\n  type: cron\n  expression: 15 2 * * *\n"
                .replace("15 2 * * *", "'15 2 * * *'")
                .as_str()
        )
    );
    assert!(
        text(&with, "job.yml").contains(
            "type: pipeline\njobs:\n  a:\n    type: command\n    component: azureml:c:1\n"
        )
    );
    assert_eq!(pointers(&with), ["/properties/isEnabled"]);

    let named = json!({"properties": {"trigger": {"triggerType": "Recurrence", "frequency": "Week", "interval": 1},
        "action": {"actionType": "CreateJob", "jobDefinition": {"jobType": "Pipeline", "sourceJobId": arm("jobs/j")}}}});
    let beside = Neighbour {
        folder: "../../jobs/j".to_owned(),
        file: Some("job.yml"),
        ..Neighbour::default()
    };
    let with = sheet(
        &SCHEDULE,
        &id,
        &named,
        &[],
        &[(ItemId::new("jobs", "j"), beside)],
    );
    assert!(text(&with, "schedule.yml").contains("create_job: ../../jobs/j/job.yml\n"));
    let without = sheet(&SCHEDULE, &id, &named, &[], &[]);
    assert!(text(&without, "schedule.yml").contains("create_job: azureml:j\n"));
}

#[test]
fn credentials_and_keys_are_listed_and_never_written() {
    let store = json!({"properties": {"datastoreType": "AzureBlob", "accountName": "a", "containerName": "c",
        "credentials": {"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey", "key": "SECRET"}}}});
    let endpoint = json!({"location": "West Europe", "properties": {"authMode": "Key", "keys": {"primaryKey": "SECRET"}}});
    let connection = json!({"properties": {"category": "AzureOpenAI", "authType": "ApiKey", "credentials": {"key": "SECRET"}, "target": "t"}});
    let compute = json!({"properties": {"computeType": "AmlCompute", "properties": {"vmSize": "x", "userAccountCredentials": {"adminUserPassword": "SECRET"}}}});
    for (azml, id, document, left) in [
        (
            &DATASTORE,
            ItemId::new("datastores", "d"),
            store,
            "/properties/credentials",
        ),
        (
            &ONLINE_ENDPOINT,
            ItemId::new("onlineEndpoints", "e"),
            endpoint,
            "/properties/keys",
        ),
        (
            &CONNECTION,
            ItemId::new("connections", "c"),
            connection,
            "/properties/credentials",
        ),
        (
            &COMPUTE,
            ItemId::new("computes", "c"),
            compute,
            "/properties/properties/userAccountCredentials",
        ),
    ] {
        let sheet = sheet(azml, &id, &document, &[], &[]);
        assert!(
            sheet.files.iter().all(|(_, text)| !text.contains("SECRET")),
            "{sheet:?}"
        );
        assert!(pointers(&sheet).contains(&left), "{sheet:?}");
    }
}

#[test]
fn a_deployment_says_its_endpoint_and_times_in_numbers() {
    let document = json!({"sku": {"name": "Default", "capacity": 2}, "location": "westeurope", "properties": {
        "endpointComputeType": "Managed", "model": arm("models/m/versions/1"), "environmentId": arm("environments/e/versions/1"),
        "instanceType": "Standard_DS3_v2", "requestSettings": {"maxQueueWait": "PT0.5S", "requestTimeout": "PT5S"},
        "livenessProbe": {"initialDelay": "PT10S", "failureThreshold": 30}, "scaleSettings": {"scaleType": "Default"}}});
    let id = ItemId::new("onlineDeployments", "ep/blue");
    let sheet = sheet(&ONLINE_DEPLOYMENT, &id, &document, &[], &[]);
    assert_eq!(
        body(&sheet, "deployment.yml"),
        "name: blue\nendpoint_name: ep\ntype: managed\nenvironment: azureml:e:1\ninstance_count: 2\ninstance_type: Standard_DS3_v2\nliveness_probe:\n  failure_threshold: 30\n  initial_delay: 10\nmodel: azureml:m:1\nrequest_settings:\n  max_queue_wait_ms: 500\n  request_timeout_ms: 5000\nscale_settings:\n  type: default\n"
    );
}

#[test]
fn connections_call_their_target_as_their_type_does() {
    let id = ItemId::new("connections", "c");
    let document = |category: &str, metadata: Value| json!({"properties": {"category": category, "authType": "AAD", "target": "https://t", "metadata": metadata}});
    let model = document(
        "AzureOpenAI",
        json!({"ApiVersion": "2024-02-01", "ApiType": "Azure"}),
    );
    let model = sheet(&CONNECTION, &id, &model, &[], &[]);
    let written = body(&model, "connection.yml");
    for line in ["type: azure_open_ai", "api_version: ", "azure_endpoint: "] {
        assert!(written.contains(&format!("\n{line}")), "{written}");
    }
    assert!(
        written.contains("\nmetadata:\n  ApiType: Azure\n"),
        "{written}"
    );
    assert!(!written.contains("target"), "{written}");
    let blobs = document(
        "AzureBlob",
        json!({"AccountName": "a", "ContainerName": "c"}),
    );
    let blobs = sheet(&CONNECTION, &id, &blobs, &[], &[]);
    let written = body(&blobs, "connection.yml");
    for line in ["account_name: a", "container_name: c", "url: "] {
        assert!(written.contains(&format!("\n{line}")), "{written}");
    }
    assert!(!written.contains("metadata"), "{written}");
}

#[test]
fn collections_that_are_sampled_otherwise_are_listed() {
    let id = ItemId::new("onlineDeployments", "ep/blue");
    let document = |other: f64| {
        json!({"properties": {"endpointComputeType": "Managed", "dataCollector": {"collections": {
            "in": {"dataCollectionMode": "Enabled", "samplingRate": 0.5}, "out": {"dataCollectionMode": "Disabled", "samplingRate": other}}}}})
    };
    let same = sheet(&ONLINE_DEPLOYMENT, &id, &document(0.5), &[], &[]);
    let written = body(&same, "deployment.yml");
    assert!(written.contains("\n  sampling_rate: 0.5\n"), "{written}");
    assert_eq!(written.matches("sampling_rate").count(), 1, "{written}");
    assert!(same.left.is_empty(), "{:?}", same.left);
    let other = sheet(&ONLINE_DEPLOYMENT, &id, &document(0.1), &[], &[]);
    assert_eq!(pointers(&other), ["/properties/dataCollector"]);
}

#[test]
fn sorts_that_have_no_yaml_are_named() {
    let document = json!({"properties": {"jobType": "Labeling"}});
    let (id, identity) = (ItemId::new("jobs", "j"), source());
    let given = Given {
        id: &id,
        document: &document,
        identity: &identity,
        files: &[],
        neighbours: &BTreeMap::new(),
        read_only: &[],
    };
    let Err(Unmapped(reason)) = JOB.sheet(&given) else {
        panic!("labeling has no YAML");
    };
    assert!(reason.contains("Labeling"));
}
