//! Whole documents.

use serde_json::{Value, json};

use super::*;

fn kind(name: &str) -> &'static Kind {
    match Kind::find(name) {
        Some(kind) => kind,
        None => panic!("{name} is a kind"),
    }
}

fn rewriter() -> Rewriter {
    Rewriter::new(source(), target())
}

fn pointers<T>(rows: &[T], pointer: impl Fn(&T) -> &String) -> Vec<&str> {
    rows.iter().map(|row| pointer(row).as_str()).collect()
}

#[test]
fn strings_at_any_depth_are_rewritten_and_free_text_is_not() {
    let id = format!("{WORKSPACE}/components/c/versions/1");
    let code = format!("azureml:{WORKSPACE}/codes/c/versions/1");
    let value = json!({
        "id": id,
        "properties": {
            "description": id,
            "tags": {"decoy": code, "mention": "from ws-a"},
            "isArchived": false,
            "componentSpec": {
                "command": code,
                "code": code,
                "description": "nothing",
                "inputs": {"command": {"default": code}, "n": {"default": "1", "max": 0.10}},
                "jobs": {"step": {"componentId": id, "command": "python ws-a", "inputs": {
                    "data": {"value": "${{parent.inputs.data}}"},
                    "list": [code, 1, null],
                }, "jobs": {"deep": {"environment": code}}}},
            },
        },
    });
    let rewritten = rewrite(kind("components"), &value, &rewriter());
    assert_eq!(
        pointers(&rewritten.changed, |row| &row.pointer),
        [
            "/properties/componentSpec/code",
            "/properties/componentSpec/inputs/command/default",
            "/properties/componentSpec/jobs/step/componentId",
            "/properties/componentSpec/jobs/step/inputs/list/0",
            "/properties/componentSpec/jobs/step/jobs/deep/environment",
        ]
    );
    assert_eq!(
        pointers(&rewritten.mentions, |row| &row.pointer),
        [
            "/properties/componentSpec/command",
            "/properties/componentSpec/jobs/step/command",
            "/properties/description",
            "/properties/tags/decoy",
            "/properties/tags/mention",
        ]
    );
    assert_eq!(rewritten.mentions[4].names, ["ws-a"]);
    assert_eq!(rewritten.left, vec![]);
    // All the rest is what it was.
    let mut back = rewritten.value.clone();
    for change in &rewritten.changed {
        if let Some(place) = back.pointer_mut(&change.pointer) {
            assert_eq!(*place, json!(change.to));
            *place = json!(change.from);
        }
    }
    assert_eq!(back, value);
}

#[test]
fn what_spark_is_told_is_free_text_and_what_is_called_so_is_not() {
    let id = format!("{WORKSPACE}/codes/c/versions/1");
    let definition = json!({
        "conf": {"spark.jars": id},
        "entry": {"file": id},
        "inputs": {"conf": {"uri": id}},
        "jobs": {
            "conf": {"componentId": id, "conf": {"spark.jars": id}},
            "entry": {"componentId": id, "entry": {"file": id}, "inputs": {"entry": {"uri": id}}, "jobs": {
                "conf": {"conf": {"spark.jars": id}, "environment": id},
                "entry": {"componentId": id, "entry": {"file": id}},
            }},
        },
        "outputs": {"entry": {"uri": id}},
    });
    for (name, at, value) in [
        (
            "jobs",
            "/properties",
            json!({"properties": definition.clone()}),
        ),
        (
            "components",
            "/properties/componentSpec",
            json!({"properties": {"componentSpec": definition.clone()}}),
        ),
        (
            "schedules",
            "/properties/action/jobDefinition",
            json!({"properties": {"action": {"jobDefinition": definition.clone()}}}),
        ),
    ] {
        let rewritten = rewrite(kind(name), &value, &rewriter());
        let below = |below: &[&str]| -> Vec<String> {
            below.iter().map(|below| format!("{at}{below}")).collect()
        };
        assert_eq!(
            pointers(&rewritten.changed, |row| &row.pointer),
            below(&[
                "/inputs/conf/uri",
                "/jobs/conf/componentId",
                "/jobs/entry/componentId",
                "/jobs/entry/inputs/entry/uri",
                "/jobs/entry/jobs/conf/environment",
                "/jobs/entry/jobs/entry/componentId",
                "/outputs/entry/uri",
            ])
        );
        assert_eq!(
            pointers(&rewritten.mentions, |row| &row.pointer),
            below(&[
                "/conf/spark.jars",
                "/entry/file",
                "/jobs/conf/conf/spark.jars",
                "/jobs/entry/entry/file",
                "/jobs/entry/jobs/conf/conf/spark.jars",
                "/jobs/entry/jobs/entry/entry/file",
            ])
        );
    }
}

#[test]
fn a_mention_is_a_whole_name_in_any_letter_case() {
    let rewriter = rewriter();
    for (text, names) in [
        ("made in WS-A, yes", vec!["ws-a"]),
        ("s-1/ws-a", vec!["s-1", "ws-a"]),
        ("guid-a.", vec!["guid-a"]),
        ("aws-a and ws-alpha and sta1", vec![]),
        ("(sta)", vec!["sta"]),
        ("", vec![]),
    ] {
        assert_eq!(rewriter.mentioned_in(text), names, "{text}");
    }
    assert!(
        Rewriter::new(source(), source())
            .mentioned_in("ws-a")
            .is_empty()
    );
}

#[test]
fn bare_names_follow_the_map() -> Result<(), crate::Error> {
    let mapping = Mapping::parse("[computes]\ncpu = \"small\"\n[datastores]\nlake = \"lake2\"")?;
    let mut rewriter = rewriter().with_mapping(mapping);
    rewriter.restored_run(
        "j1",
        RestoredRun {
            run: "r-9".to_owned(),
            ..RestoredRun::default()
        },
    );
    let value = json!({"properties": {"computeId": "cpu", "settings": {"default_compute": "other", "default_datastore": "lake"},
        "jobs": {"a": {"computeId": "cpu", "compute": "serverless"}}, "displayName": "cpu"}});
    let rewritten = rewrite(kind("jobs"), &value, &rewriter);
    assert_eq!(
        rewritten.value,
        json!({"properties": {"computeId": "small", "settings": {"default_compute": "other", "default_datastore": "lake2"},
            "jobs": {"a": {"computeId": "small", "compute": "serverless"}}, "displayName": "cpu"}})
    );
    let model = |job: &str| json!({"properties": {"jobName": job}});
    assert_eq!(
        rewrite(kind("models"), &model("j1"), &rewriter).value,
        model("r-9")
    );
    let left = rewrite(kind("models"), &model("j2"), &rewriter);
    assert_eq!((left.value, left.left.len()), (model("j2"), 1));
    Ok(())
}

#[test]
fn a_datastore_on_a_store_that_moved_names_the_new_one() {
    let mut rewriter = rewriter();
    let store = |account: &str, container: &str| StoreName {
        account: account.to_owned(),
        container: container.to_owned(),
    };
    rewriter.move_store(store("sta", "c-a"), store("stb", "c-b"));
    let datastore = |account: &str, container: &str| json!({"properties": {"accountName": account, "containerName": container, "datastoreType": "AzureBlob"}});
    let rewritten = rewrite(kind("datastores"), &datastore("sta", "c-a"), &rewriter);
    assert_eq!(rewritten.value, datastore("stb", "c-b"));
    assert_eq!((rewritten.changed.len(), rewritten.mentions.len()), (2, 0));
    let foreign = rewrite(kind("datastores"), &datastore("ext", "c-a"), &rewriter);
    assert_eq!(foreign.value, datastore("ext", "c-a"));
    let other = rewrite(kind("datastores"), &datastore("sta", "mine"), &rewriter);
    assert_eq!(
        pointers(&other.mentions, |row| &row.pointer),
        ["/properties/accountName"]
    );
}

#[test]
fn every_reference_of_a_document_is_found_for_closure() {
    let value: Value = json!({
        "id": format!("{WORKSPACE}/jobs/j"),
        "properties": {
            "codeId": format!("{WORKSPACE}/codes/c/versions/1"),
            "computeId": "cpu",
            "command": "azureml:no:1",
            "environmentId": "azureml:e@latest",
            "inputs": {"d": {"uri": format!("{WORKSPACE}/data/d/versions/1")}, "l": {"value": "0.5"}},
            "outputs": {"o": {"uri": "azureml://datastores/ds/paths/${{name}}", "assetName": "wish"}},
            "jobs": {"s": {"compute": "serverless", "componentId": format!("{WORKSPACE}/components/azureml_anonymous/versions/u")}},
            "services": {"Studio": {"endpoint": format!("{WORKSPACE}/jobs/j")}},
        },
    });
    let found: Vec<String> = references(kind("jobs"), &value)
        .into_iter()
        .filter_map(|(_, reference)| reference.item_in(&source()))
        .map(|id| id.to_string())
        .collect();
    assert_eq!(
        found,
        [
            "codes/c:1",
            "computes/cpu",
            "environments/e",
            "data/d:1",
            "components/azureml_anonymous:u",
            "datastores/ds",
        ]
    );
}

#[test]
fn numbers_stay_as_they_were_written() -> Result<(), serde_json::Error> {
    let value: Value =
        serde_json::from_str(r#"{"properties":{"n":1.10,"big":123456789012345678901234567890}}"#)?;
    let rewritten = rewrite(kind("models"), &value, &rewriter());
    assert!(rewritten.value.to_string().contains("1.10"));
    assert!(
        rewritten
            .value
            .to_string()
            .contains("123456789012345678901234567890")
    );
    Ok(())
}

#[test]
fn names_of_members_that_are_references_follow_and_none_takes_the_place_of_another()
-> Result<(), crate::Error> {
    let identity = |subscription: &str, name: &str| {
        format!(
            "/subscriptions/{subscription}/resourcegroups/rg-i/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        )
    };
    let mapping = Mapping::parse(&format!(
        "[resources]\n\"{}\" = \"{}\"\n\"{}\" = \"{}\"\n",
        identity("s-1", "one"),
        identity("s-2", "uno"),
        identity("s-1", "two"),
        identity("s-1", "there"),
    ))?;
    let rewriter = rewriter().with_mapping(mapping);
    let value = json!({
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {
            identity("s-1", "ONE"): {"clientId": "c"},
            identity("s-1", "two"): {},
            identity("s-1", "there"): {},
        }},
        "tags": {identity("s-1", "one"): "free text"},
    });
    let rewritten = rewrite(kind("onlineEndpoints"), &value, &rewriter);
    assert_eq!(
        rewritten.value,
        json!({
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {
                identity("s-2", "uno"): {"clientId": "c"},
                identity("s-1", "two"): {},
                identity("s-1", "there"): {},
            }},
            "tags": {identity("s-1", "one"): "free text"},
        })
    );
    let left: Vec<&str> = rewritten
        .left
        .iter()
        .map(|left| left.text.as_str())
        .collect();
    assert_eq!(left, [identity("s-1", "two")]);
    let found: Vec<String> = references(kind("onlineEndpoints"), &value)
        .into_iter()
        .map(|(_, reference)| reference.to_string())
        .collect();
    assert_eq!(
        found,
        [
            identity("s-1", "ONE"),
            identity("s-1", "there"),
            identity("s-1", "two")
        ]
    );
    Ok(())
}
