#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use archive_format::{Content, FileEntry, FilePath, Item, Line, LineKey};
use serde_json::json;
use workspace::Identity;
use workspace::reference::{RestoredRun, StoreName};

use super::*;

fn identity(name: &str) -> Identity {
    Identity::Azure {
        subscription: format!("{name}0000000-0000-4000-8000-000000000000"),
        resource_group: format!("rg-{name}"),
        workspace: format!("ws-{name}"),
        region: "westeurope".into(),
        workspace_guid: format!("{name}1111111-0000-4000-8000-000000000000"),
        storage_account: format!("st{name}"),
    }
}

fn rewriter() -> Rewriter {
    let mut rewriter = Rewriter::new(identity("a"), identity("b"));
    let store = |account: &str, container: &str| StoreName {
        account: account.into(),
        container: container.into(),
    };
    rewriter.move_store(
        store("sta", "azureml-blobstore-a"),
        store("stb", "azureml-blobstore-b"),
    );
    rewriter
}

fn loaded(id: ItemId, value: Value, files: &[&str]) -> Loaded {
    let key = LineKey::new(&id.kind, &id.name, id.version.as_deref());
    let mut item = Item::from_line(Line::new(key));
    for path in files {
        let content: Content =
            serde_json::from_value(json!({"size": 1, "sha256": "0".repeat(64)})).unwrap();
        item.files
            .push(FileEntry::new(FilePath::new(*path).unwrap(), Some(content)));
    }
    Loaded {
        id,
        item,
        arm: Some(Text {
            value,
            api_version: "2024-04-01".into(),
            read: jiff::Timestamp::UNIX_EPOCH,
        }),
        record: None,
        tables: BTreeMap::new(),
    }
}

fn expected_with(rewriter: &Rewriter, loaded: &Loaded, source_job: Option<&Text>) -> Expected {
    let kind = Kind::find(&loaded.id.kind).unwrap();
    let given = Given {
        rewriter,
        secrets: false,
        job_here: &|_| false,
        job_known: &|job| job.starts_with("job-"),
        source_job,
        accounts: &BTreeSet::from(["stb".to_owned()]),
        default_container: Some("https://stb.blob.core.windows.net/azureml-blobstore-b"),
    };
    expect(kind, loaded, &given).unwrap()
}

fn expected(loaded: &Loaded) -> Expected {
    expected_with(&rewriter(), loaded, None)
}

fn whats(expected: &Expected) -> Vec<&str> {
    expected
        .losses
        .iter()
        .map(|loss| loss.what.as_str())
        .collect()
}

fn uri(expected: &Expected, pointer: &str) -> String {
    expected
        .value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_model_on_a_datastore_keeps_its_path_and_gets_the_targets_workspace() {
    let model = loaded(
        ItemId::versioned("models", "m", "1"),
        json!({"properties": {"modelUri":
            "azureml://subscriptions/a0000000-0000-4000-8000-000000000000/resourcegroups/rg-a/workspaces/ws-a/datastores/workspaceblobstore/paths/LocalUpload/h/m"}}),
        &["MLmodel", "model.bin"],
    );
    let expected = expected(&model);
    let to = "azureml://subscriptions/b0000000-0000-4000-8000-000000000000/resourcegroups/rg-b/workspaces/ws-b/datastores/workspaceblobstore/paths/LocalUpload/h/m";
    assert_eq!(uri(&expected, "/properties/modelUri"), to);
    assert_eq!(
        expected.place,
        Some(BytesPlace::Named {
            uri: to.into(),
            folder: to.into(),
            moved: None,
        })
    );
    assert!(!expected.by_rule);
}

#[test]
fn one_file_named_by_its_place_is_written_into_the_folder_above() {
    let data = loaded(
        ItemId::versioned("data", "d", "1"),
        json!({"properties": {"dataType": "uri_file", "dataUri": "azureml://datastores/workspaceblobstore/paths/x/a.csv"}}),
        &["a.csv"],
    );
    let expected = expected(&data);
    assert_eq!(
        expected.place,
        Some(BytesPlace::Named {
            uri: "azureml://datastores/workspaceblobstore/paths/x/a.csv".into(),
            folder: "azureml://datastores/workspaceblobstore/paths/x".into(),
            moved: None,
        })
    );
}

#[test]
fn a_folder_that_holds_one_file_of_its_own_name_stays_a_folder() {
    let data = loaded(
        ItemId::versioned("data", "d", "1"),
        json!({"properties": {"dataType": "uri_folder", "dataUri": "azureml://datastores/workspaceblobstore/paths/x/a"}}),
        &["a"],
    );
    let Some(BytesPlace::Named { uri, folder, .. }) = expected(&data).place else {
        panic!("a place is expected")
    };
    assert_eq!(uri, folder);
}

#[test]
fn a_model_among_a_runs_artifacts_gets_a_place_of_its_own_that_is_always_the_same() {
    let model = |uri: &str| {
        loaded(
            ItemId::versioned("models", "m", "1"),
            json!({"properties": {"modelUri": uri, "jobName": "job-1"}}),
            &["model/MLmodel", "model/b"],
        )
    };
    let one = expected(&model(
        "azureml://jobs/job-1/outputs/artifacts/paths/model/",
    ));
    let two = expected(&model("runs:/job-1/model"));
    let place = uri(&one, "/properties/modelUri");
    assert!(
        place.contains("/datastores/workspaceblobstore/paths/LocalUpload/"),
        "{place}"
    );
    assert!(place.ends_with("/model"), "{place}");
    assert_eq!(place, uri(&two, "/properties/modelUri"));
    assert!(one.by_rule);
    assert!(whats(&one).contains(&"/properties/modelUri"));
    assert_eq!(
        one.value.pointer("/properties/jobName"),
        None,
        "no run is known"
    );
    assert!(whats(&one).contains(&"/properties/jobName"));
}

#[test]
fn the_name_of_a_restored_job_follows_its_run() {
    let mut rewriter = rewriter();
    let run = RestoredRun {
        run: "run-9".into(),
        ..RestoredRun::default()
    };
    rewriter.restored_run("job-1", run);
    let model = loaded(
        ItemId::versioned("models", "m", "1"),
        json!({"properties": {"modelUri": "azureml://datastores/workspaceblobstore/paths/x", "jobName": "job-1"}}),
        &["f"],
    );
    let expected = expected_with(&rewriter, &model, None);
    assert_eq!(uri(&expected, "/properties/jobName"), "run-9");
}

#[test]
fn code_goes_into_its_own_folder_of_whatever_place_the_service_gives() {
    let code = loaded(
        ItemId::versioned("codes", "c", "1"),
        json!({"properties": {"codeUri": "https://sta.blob.core.windows.net/1f0c-code/my%20src/sub"}}),
        &["train.py"],
    );
    let mut expected = expected(&code);
    assert_eq!(
        expected.place,
        Some(BytesPlace::Pending {
            folder: "my src/sub".into(),
            single: None,
        })
    );
    assert!(expected.ignores("/properties/codeUri"));
    let kind = Kind::find("codes").unwrap();
    expected.set_uri(kind, "https://stb/x/my%20src".into());
    assert_eq!(
        uri(&expected, "/properties/codeUri"),
        "https://stb/x/my%20src"
    );
    assert!(
        !whats(&expected).contains(&"/properties/codeUri"),
        "the row of the kind says it"
    );
}

#[test]
fn a_build_context_in_nobodys_container_goes_to_the_default_one() {
    let environment = loaded(
        ItemId::versioned("environments", "e", "1"),
        json!({"properties": {"build": {"contextUri": "https://sta.blob.core.windows.net/lost/ctx/"}}}),
        &["Dockerfile"],
    );
    let expected = expected(&environment);
    let place = uri(&expected, "/properties/build/contextUri");
    assert!(
        place.starts_with("https://stb.blob.core.windows.net/azureml-blobstore-b/LocalUpload/"),
        "{place}"
    );
    assert!(place.ends_with("/ctx"), "{place}");
}

#[test]
fn a_datastore_without_its_credentials_is_written_for_access_by_identity_and_a_row_says_what_to_do()
{
    let datastore = loaded(
        ItemId::new("datastores", "foreign"),
        json!({"properties": {"datastoreType": "AzureBlob", "accountName": "other", "containerName": "c",
            "credentials": {"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey"}}}}),
        &[],
    );
    let expected = expected(&datastore);
    assert_eq!(
        expected.value.pointer("/properties/credentials"),
        Some(&json!({"credentialsType": "None"}))
    );
    assert!(expected.ignores("/properties/credentials/credentialsType"));
    let manual: Vec<_> = expected
        .losses
        .iter()
        .filter(|loss| loss.action == Action::Manual)
        .collect();
    assert_eq!(manual.len(), 1);
    assert_eq!(manual[0].what, "/properties/credentials");
}

#[test]
fn a_schedule_is_written_disabled_and_with_the_definition_that_it_only_named() {
    let schedule = loaded(
        ItemId::new("schedules", "s"),
        json!({"properties": {"isEnabled": true, "action": {"actionType": "CreateJob", "jobDefinition":
            {"sourceJobId": "/subscriptions/a0000000-0000-4000-8000-000000000000/resourceGroups/rg-a/providers/Microsoft.MachineLearningServices/workspaces/ws-a/jobs/job-1",
             "jobType": "Command", "experimentName": ""}}}}),
        &[],
    );
    let job = Text {
        value: json!({"properties": {"jobType": "Command", "command": "python /subscriptions/x", "status": "Completed",
            "environmentId": "/subscriptions/a0000000-0000-4000-8000-000000000000/resourceGroups/rg-a/providers/Microsoft.MachineLearningServices/workspaces/ws-a/environments/e/versions/1"}}),
        api_version: "2024-04-01".into(),
        read: jiff::Timestamp::UNIX_EPOCH,
    };
    let expected = expected_with(&rewriter(), &schedule, Some(&job));
    let definition = expected
        .value
        .pointer("/properties/action/jobDefinition")
        .unwrap();
    assert_eq!(definition.get("sourceJobId"), None);
    assert_eq!(definition["command"], "python /subscriptions/x");
    assert_eq!(definition.get("status"), None);
    assert_eq!(
        definition["environmentId"],
        "/subscriptions/b0000000-0000-4000-8000-000000000000/resourceGroups/rg-b/providers/Microsoft.MachineLearningServices/workspaces/ws-b/environments/e/versions/1"
    );
    assert_eq!(
        expected.value.pointer("/properties/isEnabled"),
        Some(&json!(false))
    );
    assert!(whats(&expected).contains(&"/properties/isEnabled"));
    assert!(expected.by_rule);

    let without = expected_with(&rewriter(), &schedule, None);
    assert!(
        without
            .losses
            .iter()
            .any(|loss| loss.action == Action::Impossible)
    );
}

#[test]
fn a_schedule_that_holds_its_definition_keeps_it_whatever_it_says_about_its_origin() {
    let schedule = loaded(
        ItemId::new("schedules", "s"),
        json!({"properties": {"isEnabled": false, "action": {"actionType": "CreateJob", "jobDefinition":
            {"jobType": "Command", "command": "x", "sourceJobId": "job-1"}}}}),
        &[],
    );
    let expected = expected(&schedule);
    assert_eq!(
        expected
            .value
            .pointer("/properties/action/jobDefinition/command"),
        Some(&json!("x"))
    );
    assert!(!whats(&expected).contains(&"/properties/isEnabled"));
}

#[test]
fn what_merely_mentions_the_source_is_kept_byte_by_byte_and_a_row() {
    let text =
        "see /subscriptions/a0000000-0000-4000-8000-000000000000/resourceGroups/rg-a and ws-a";
    let environment = loaded(
        ItemId::versioned("environments", "e", "1"),
        json!({"properties": {"condaFile": text, "image": "i"}}),
        &[],
    );
    let expected = expected(&environment);
    assert_eq!(uri(&expected, "/properties/condaFile"), text);
    assert!(whats(&expected).contains(&"mentions-source /properties/condaFile"));
    assert!(!expected.by_rule, "a mention makes no field different");
}

#[test]
fn an_archived_item_is_made_first_and_archived_later() {
    let kind = Kind::find("models").unwrap();
    let model = loaded(
        ItemId::versioned("models", "m", "1"),
        json!({"id": "x", "properties": {"isArchived": true, "modelUri": "azureml://datastores/workspaceblobstore/paths/x"}}),
        &[],
    );
    let expected = expected(&model);
    assert!(expected.archived());
    assert_eq!(
        expected.body(kind).pointer("/properties/isArchived"),
        Some(&json!(false))
    );
    assert_eq!(
        expected
            .archive_body(kind)
            .pointer("/properties/isArchived"),
        Some(&json!(true))
    );
    assert_eq!(expected.body(kind).get("id"), None);
    assert_eq!(expected.difference(kind, &expected.body(kind)), None);
}

#[test]
fn a_container_is_blank_until_somebody_says_something_about_it() {
    let kind = Kind::find("data").unwrap();
    let id = ItemId::new("data", "d");
    let blank = json!({"id": "x", "properties": {"dataType": "uri_file", "isArchived": false, "latestVersion": "3"}});
    assert!(is_blank(kind, &id, &blank));
    assert!(is_blank(kind, &id, &json!({"properties": {"tags": {}}})));
    assert!(!is_blank(
        kind,
        &id,
        &json!({"properties": {"tags": {"a": "b"}}})
    ));
    assert!(!is_blank(
        kind,
        &id,
        &json!({"properties": {"isArchived": true}})
    ));
}

#[test]
fn bytes_in_somebody_elses_account_get_no_place_and_their_address_stays() {
    let uri = "https://public.blob.core.windows.net/open/iris.csv";
    let data = loaded(
        ItemId::versioned("data", "d", "1"),
        json!({"properties": {"dataType": "uri_file", "dataUri": uri}}),
        &["iris.csv"],
    );
    let expected = expected(&data);
    assert_eq!(expected.place, None);
    assert_eq!(self::uri(&expected, "/properties/dataUri"), uri);
}
