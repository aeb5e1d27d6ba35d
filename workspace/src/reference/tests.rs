//! The grammar form by form, and where each form leads.

use super::*;

const WORKSPACE: &str = "/subscriptions/s-1/resourceGroups/rg-a/providers/Microsoft.MachineLearningServices/workspaces/ws-a";

pub(super) fn source() -> Identity {
    identity("s-1", "rg-a", "ws-a", "eastus", "guid-a", "sta")
}

pub(super) fn target() -> Identity {
    identity("s-2", "rg-b", "ws-b", "westeurope", "guid-b", "stb")
}

fn identity(
    subscription: &str,
    group: &str,
    name: &str,
    region: &str,
    guid: &str,
    account: &str,
) -> Identity {
    Identity::Azure {
        subscription: subscription.to_owned(),
        resource_group: group.to_owned(),
        workspace: name.to_owned(),
        region: region.to_owned(),
        workspace_guid: guid.to_owned(),
        storage_account: account.to_owned(),
    }
}

fn parse(text: &str) -> Reference {
    match Reference::parse(text) {
        Some(reference) => reference,
        None => panic!("{text} is a reference"),
    }
}

/// Every form, in the spellings that clients and services use.
fn forms() -> Vec<(String, Form)> {
    let ws = WORKSPACE;
    let lower = ws.replace("resourceGroups", "resourcegroups");
    [
        (ws.to_owned(), Form::Arm),
        (format!("{ws}/models/m/versions/1"), Form::Arm),
        (format!("{lower}/environments/e/labels/latest"), Form::Arm),
        (format!("azureml:{ws}/codes/c/versions/1"), Form::Arm),
        (format!("{ws}/onlineEndpoints/ep/deployments/blue"), Form::Arm),
        (format!("{ws}/computes/cpu-cluster"), Form::Arm),
        (format!("{ws}/jobs/j1/"), Form::Arm),
        ("/subscriptions/s-1/resourceGroups/rg-a".into(), Form::ArmOther),
        (
            "/subscriptions/s-1/resourceGroups/rg-a/providers/Microsoft.KeyVault/vaults/kv".into(),
            Form::ArmOther,
        ),
        (
            "/subscriptions/s-1/resourceGroups/rg-a/providers/Microsoft.Storage/storageAccounts/sta".into(),
            Form::ArmOther,
        ),
        (
            "/subscriptions/s-1/providers/Microsoft.MachineLearningServices/virtualclusters/vc".into(),
            Form::ArmOther,
        ),
        ("azureml:train-env:1".into(), Form::Short),
        ("azureml:train-env@latest".into(), Form::Short),
        ("azureml:cpu-cluster".into(), Form::Short),
        ("azureml://locations/eastus/workspaces/guid-a/models/m/versions/1".into(), Form::Location),
        ("azureml://resourceGroups/rg-a/workspaces/ws-a/data/d/versions/2".into(), Form::Workspace),
        ("azureml://resourcegroups/rg-a/workspaces/ws-a/data/d/labels/latest".into(), Form::Workspace),
        (
            "azureml://subscriptions/s-1/resourcegroups/rg-a/workspaces/ws-a/datastores/ds/paths/a/b c.csv".into(),
            Form::LongDatastore,
        ),
        (
            format!("azureml:/{ws}/datastores/ds/paths/a/"),
            Form::LongDatastore,
        ),
        ("azureml://datastores/ds/paths/a/b".into(), Form::ShortDatastore),
        ("azureml://datastores/${{default_datastore}}/paths/azureml/${{name}}/${{output_name}}".into(), Form::ShortDatastore),
        ("azureml://datastores/ds/ExperimentRun/dcid.j1/model".into(), Form::ShortDatastore),
        ("azureml://datastores/ds".into(), Form::ShortDatastore),
        ("azureml://jobs/j1/outputs/o/paths/p/q".into(), Form::JobOutput),
        ("azureml://jobs/j1/outputs/o".into(), Form::JobOutput),
        ("runs:/j1/model".into(), Form::Run),
        ("runs:/j1".into(), Form::Run),
        ("azureml://artifacts/ExperimentRun/dcid.j1/model/MLmodel".into(), Form::Artifact),
        ("azureml://artifacts/LocalUpload/240101T000000-00000000/x".into(), Form::Artifact),
        ("azureml://registries/azureml/environments/e/versions/3".into(), Form::Registry),
        ("azureml://registries/azureml/environments/e/labels/latest".into(), Form::Registry),
        ("azureml://feeds/f/models/x/versions/1".into(), Form::Registry),
        ("azureml://models/m/versions/1".into(), Form::Relative),
        (
            format!("azureml://eastus.api.azureml.ms/mlflow/v1.0{ws}"),
            Form::Tracking,
        ),
        ("https://sta.blob.core.windows.net/azureml-blobstore-guid-a/x%20y/z?sv=1&sig=2".into(), Form::Storage),
        ("http://sta.file.core.aml.localhost:18443/code-1/Users".into(), Form::Storage),
        ("https://sta.dfs.core.windows.net/fs/".into(), Form::Storage),
        ("https://sta.z12.blob.storage.azure.net/c/p".into(), Form::Storage),
        ("https://sta.blob.core.windows.net".into(), Form::Storage),
        ("wasbs://c@sta.blob.core.windows.net/p/q".into(), Form::Hadoop),
        ("abfss://fs@sta.dfs.core.windows.net/".into(), Form::Hadoop),
        ("adl://lake.azuredatalakestore.net/p".into(), Form::Lake),
        ("acr1.azurecr.io/azureml/azureml_0123:latest".into(), Form::Image),
        ("acr1-e7c8hqb9d2f4bpas.azurecr.io/train/base:4".into(), Form::Image),
        ("https://kv.vault.azure.net/secrets/s/0123".into(), Form::Vault),
        ("https://KV.Vault.usgovcloudapi.net".into(), Form::Vault),
    ]
    .into()
}

#[test]
fn every_form_is_read_and_written_back_byte_by_byte_in_either_letter_case() {
    for (text, form) in forms() {
        for text in [text.clone(), swap_case_of_fixed_parts(&text)] {
            let reference = parse(&text);
            assert_eq!(reference.form(), form, "{text}");
            assert_eq!(reference.to_string(), text);
        }
    }
}

/// `resourceGroups` as `resourcegroups`, `/providers/` as `/PROVIDERS/`: what ARM itself varies.
fn swap_case_of_fixed_parts(text: &str) -> String {
    text.replace("resourceGroups", "RESOURCEGROUPS")
        .replace(
            "providers/Microsoft.MachineLearningServices",
            "Providers/microsoft.machinelearningservices",
        )
        .replace("/workspaces/", "/Workspaces/")
        .replace("/versions/", "/Versions/")
}

#[test]
fn what_is_no_reference_as_a_whole_is_none() {
    let long = format!("azureml://datastores/ds/paths/{}", "a".repeat(20_000));
    for text in [
        "",
        "azureml:",
        "azureml://",
        "azureml://x",
        "azureml:a b:1",
        "azureml:name:",
        "train-env:1",
        "python train.py azureml:train-env:1",
        " azureml:train-env:1",
        "azureml:train-env:1\n",
        "https://example.com/a/b",
        "https://github.com/x/y",
        "https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json",
        "https://sta.blob.core.windows.net/c/p and more",
        "see https://sta.blob.core.windows.net/c/p",
        "https://user@sta.blob.core.windows.net/c",
        "/subscriptions/s-1",
        "/subscriptions//resourceGroups/rg/providers/a/b",
        "/subscriptions/s 1/resourceGroups/rg",
        "/mnt/subscriptions/x",
        "runs:/",
        "runs:j",
        "mcr.microsoft.com/azureml/openmpi:latest",
        "azurecr.io/x",
        "-acr1.azurecr.io/x",
        "acr1-.azurecr.io/x",
        "${{parent.inputs.data}}",
        long.as_str(),
    ] {
        assert_eq!(Reference::parse(text), None, "{text}");
    }
}

#[test]
fn references_lead_to_items_of_their_workspace() {
    let ws = WORKSPACE
        .to_ascii_uppercase()
        .replace("/SUBSCRIPTIONS/", "/subscriptions/");
    for (text, item) in [
        (
            format!("{WORKSPACE}/models/m/versions/1"),
            Some("models/m:1"),
        ),
        (
            format!("{ws}/ENVIRONMENTS/Env/versions/1"),
            Some("environments/Env:1"),
        ),
        (
            format!("{WORKSPACE}/environments/e/labels/latest"),
            Some("environments/e"),
        ),
        (format!("{WORKSPACE}/jobs/j1/"), Some("jobs/j1")),
        (
            format!("{WORKSPACE}/onlineEndpoints/ep/deployments/blue"),
            Some("onlineEndpoints/ep/deployments/blue"),
        ),
        (
            "azureml://locations/anywhere/workspaces/GUID-A/data/d/versions/1".into(),
            None,
        ),
        (
            "azureml://locations/eastus/workspaces/GUID-A/data/d/versions/1".into(),
            Some("data/d:1"),
        ),
        (
            "azureml://resourcegroups/RG-A/workspaces/ws-a/data/d/versions/1".into(),
            Some("data/d:1"),
        ),
        (
            "azureml://datastores/ds/paths/x".into(),
            Some("datastores/ds"),
        ),
        ("azureml://datastores/${{x}}/paths/x".into(), None),
        (
            "azureml://jobs/j1/outputs/o/paths/p".into(),
            Some("jobs/j1"),
        ),
        ("runs:/j1/model".into(), Some("jobs/j1")),
        (
            "azureml://artifacts/ExperimentRun/dcid.j1/x".into(),
            Some("jobs/j1"),
        ),
        ("azureml://models/m/versions/1".into(), Some("models/m:1")),
        (
            format!("{}/models/m/versions/1", WORKSPACE.replace("ws-a", "ws-z")),
            None,
        ),
        (
            "azureml://registries/azureml/models/m/versions/1".into(),
            None,
        ),
        ("https://sta.blob.core.windows.net/c/p".into(), None),
    ] {
        let found = parse(&text).item_in(&source()).map(|id| id.to_string());
        let item = if text.contains("anywhere") {
            Some("data/d:1")
        } else {
            item
        };
        assert_eq!(found.as_deref(), item, "{text}");
    }
}

#[test]
fn a_short_name_is_of_the_kind_that_its_field_tells() {
    let item = |text, field| {
        Reference::parse_in(text, field)
            .and_then(|reference| reference.item_in(&source()))
            .map(|id| id.to_string())
    };
    assert_eq!(
        item("azureml:e:1", "environment").as_deref(),
        Some("environments/e:1")
    );
    assert_eq!(
        item("azureml:e@latest", "environmentId").as_deref(),
        Some("environments/e")
    );
    assert_eq!(
        item("azureml:cpu", "default_compute").as_deref(),
        Some("computes/cpu")
    );
    assert_eq!(item("azureml:d:2", "data").as_deref(), Some("data/d:2"));
    assert_eq!(item("azureml:x:2", "path"), None);
}

#[test]
fn references_lead_to_places_of_bytes() {
    let leads = |text: &str| {
        parse(text)
            .leads_to(&source())
            .map(|lead| format!("{lead:?}"))
    };
    for (text, lead) in [
        (
            "azureml://datastores/ds/paths/a/b",
            r#"Datastore { name: "ds", path: "a/b" }"#,
        ),
        (
            "azureml://datastores/ds/Paths/",
            r#"Datastore { name: "ds", path: "" }"#,
        ),
        (
            "azureml://datastores/ds/paths/paths/b",
            r#"Datastore { name: "ds", path: "paths/b" }"#,
        ),
        (
            "azureml://datastores/ds/pathsy/b",
            r#"Datastore { name: "ds", path: "pathsy/b" }"#,
        ),
        (
            "azureml://datastores/ds/paths/ExperimentRun/dcid.j1/m",
            r#"Datastore { name: "ds", path: "ExperimentRun/dcid.j1/m" }"#,
        ),
        (
            "runs:/j1/paths/m",
            r#"Artifacts { run: "j1", path: "paths/m" }"#,
        ),
        (
            "azureml://jobs/j1/outputs/o/paths/p",
            r#"Output { job: "j1", output: "o", path: "p" }"#,
        ),
        (
            "azureml://artifacts/ExperimentRun/dcid.j1/model",
            r#"Artifacts { run: "j1", path: "model" }"#,
        ),
        (
            "azureml://artifacts/LocalUpload/c/model",
            r#"Artifact { origin: "LocalUpload", container: "c", path: "model" }"#,
        ),
        (
            "https://sta.blob.core.windows.net/c/paths/p%20q?sig=x",
            r#"Storage { account: "sta", service: "blob", suffix: "core.windows.net", container: "c", path: "paths/p%20q", encoded: true }"#,
        ),
        (
            "abfss://fs@sta.dfs.core.windows.net/p q",
            r#"Storage { account: "sta", service: "dfs", suffix: "core.windows.net", container: "fs", path: "p q", encoded: false }"#,
        ),
    ] {
        assert_eq!(leads(text).as_deref(), Some(lead), "{text}");
    }
    assert_eq!(leads("azureml://registries/r/models/m/versions/1"), None);
}

#[test]
fn a_mapping_file_with_an_unknown_table_is_refused() {
    assert!(Mapping::parse("[computes]\n\"a\" = \"b\"\n").is_ok());
    let Err(error) = Mapping::parse("[compute]\na = \"b\"\n") else {
        panic!("`compute` is no table");
    };
    assert_eq!(error.to_string(), "The mapping file cannot be read");
    assert!(std::error::Error::source(&error).is_some());
}

mod documents;
mod mapped;
