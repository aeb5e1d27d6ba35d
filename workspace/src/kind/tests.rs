//! The table as a whole, and comparison by its rows.

use serde_json::json;

use super::*;

fn row(name: &str) -> &'static Kind {
    Kind::find(name).unwrap_or(&jobs::ROW)
}

#[test]
fn every_row_is_found_by_its_name_once() {
    for kind in KINDS {
        assert_eq!(row(kind.name).name, kind.name);
        assert_eq!(
            KINDS.iter().filter(|other| other.name == kind.name).count(),
            1
        );
    }
}

#[test]
fn rows_do_not_contradict_themselves() {
    for kind in KINDS {
        assert_eq!(kind.versioned, kind.container.is_some(), "{}", kind.name);
        let is_entry = kind.origin == Origin::Entries;
        assert_eq!(is_entry, kind.api_versions.is_empty(), "{}", kind.name);
        assert_eq!(is_entry, kind.named_by_path, "{}", kind.name);
        assert_ne!(is_entry, kind.is_resource(), "{}", kind.name);
        assert!(!kind.singular.is_empty() && !kind.order_reason.is_empty());
        for held in kind.held_back {
            assert!(serde_json::from_str::<Value>(held.value).is_ok());
        }
        if let Some(secrets) = kind.secrets {
            let text = match secrets.without {
                Without::Value(text) => text,
                Without::New | Without::Manual => "{}",
            };
            assert!(serde_json::from_str::<Value>(text).is_ok());
            assert!(secrets.pointer.starts_with(secrets.place()));
        }
        for name in kind.follows {
            assert!(Kind::find(name).is_some_and(|first| first.order < kind.order));
        }
        if let Some((above, segment)) = kind.above() {
            assert!(above.order < kind.order && !above.versioned && !kind.versioned);
            assert!(
                above
                    .below_by(segment)
                    .is_some_and(|below| below.name == kind.name)
            );
            let at = |name| KINDS.iter().position(|row| row.name == name);
            assert!(
                at(above.name) < at(kind.name),
                "listed before {}",
                kind.name
            );
        }
        for bare in kind.bare_names {
            assert!(bare.kinds.iter().all(|name| Kind::find(name).is_some()));
        }
    }
}

#[test]
fn what_is_named_is_restored_before_what_names_it() {
    let order = [
        "datastores",
        "codes",
        "environments",
        "data",
        "models",
        "components",
        "jobs",
        "onlineEndpoints",
        "onlineDeployments",
        "schedules",
    ];
    let orders: Vec<u8> = order.iter().map(|name| row(name).order).collect();
    assert!(orders.is_sorted());
    let container = ItemId::new("models", "m");
    assert!(row("models").order_of(&container) > row("schedules").order);
}

#[test]
fn an_unknown_kind_is_refused_with_the_nearest_one() {
    let Err(error) = Kind::by_name("modles") else {
        panic!("`modles` is no kind");
    };
    assert_eq!(
        error.to_string(),
        "`modles` is no kind; the nearest one is `models`"
    );
    let Err(error) = Kind::by_name("zzzzzzzzzzzz") else {
        panic!("`zzzzzzzzzzzz` is no kind");
    };
    assert_eq!(error.to_string(), "`zzzzzzzzzzzz` is no kind");
}

#[test]
fn default_datastores_and_curated_environments_are_mapped_by_name() {
    let mapped = |id: ItemId, value| (row(&id.kind).mapped_by_name)(&id, &value).is_some();
    assert!(mapped(
        ItemId::new("datastores", "workspaceblobstore"),
        json!({})
    ));
    assert!(!mapped(
        ItemId::new("datastores", "lake"),
        json!({"properties": {"isDefault": true}})
    ));
    assert!(mapped(
        ItemId::versioned("environments", "AzureML-sklearn", "1"),
        json!({})
    ));
    assert!(mapped(
        ItemId::versioned("environments", "x", "1"),
        json!({"properties": {"environmentType": "Curated"}})
    ));
    assert!(!mapped(
        ItemId::versioned("environments", "azureml-mine", "1"),
        json!({})
    ));
}

#[test]
fn comparison_passes_over_what_only_the_service_writes() {
    let id = ItemId::versioned("models", "m", "1");
    let left = json!({"id": "/a", "systemData": {"x": 1}, "properties": {
        "provisioningState": "Succeeded", "stage": null, "flavors": {}, "tags": {"a": "b"}, "n": 1.0}});
    let right = json!({"id": "/b", "properties": {"tags": {"a": "b"}, "n": 1}});
    assert_eq!(row("models").differences(&id, &left, &right), vec![]);
}

#[test]
fn comparison_names_each_field_that_differs() {
    let id = ItemId::versioned("models", "m", "1");
    let left = json!({"properties": {"tags": {"a": "b", "c/d": "e"}, "list": [1, 2]}});
    let right = json!({"properties": {"tags": {"a": "B"}, "list": [1, 3]}});
    let pointers: Vec<String> = row("models")
        .differences(&id, &left, &right)
        .into_iter()
        .map(|difference| difference.pointer)
        .collect();
    assert_eq!(
        pointers,
        [
            "/properties/list/1",
            "/properties/tags/a",
            "/properties/tags/c~1d"
        ]
    );
}

#[test]
fn two_spellings_of_one_id_are_the_same_and_of_free_text_are_not() {
    let id = ItemId::new("jobs", "j");
    let with = |field: &str, group: &str| {
        let text = format!(
            "/subscriptions/s/{group}/g/providers/Microsoft.MachineLearningServices/workspaces/w/codes/c/versions/1"
        );
        json!({"properties": {field: text}})
    };
    let compare = |field| {
        let (left, right) = (with(field, "resourceGroups"), with(field, "resourcegroups"));
        row("jobs").differences(&id, &left, &right).len()
    };
    assert_eq!(compare("codeId"), 0);
    assert_eq!(compare("description"), 1);
}

#[test]
fn a_body_has_no_nulls_but_those_of_untyped_json() {
    let id = ItemId::versioned("components", "c", "1");
    let value =
        json!({"id": "/x", "properties": {"stage": null, "componentSpec": {"sourceJobId": null}}});
    assert_eq!(
        row("components").body(&id, &value),
        json!({"properties": {"componentSpec": {"sourceJobId": null}}})
    );
}

#[test]
fn a_changed_status_is_a_change_and_a_node_count_is_none() {
    let job = |status: &str| json!({"properties": {"status": status, "services": {"x": status}}});
    assert!(!row("jobs").is_unchanged(&job("Running"), &job("Completed")));
    let compute = |nodes| json!({"properties": {"properties": {"currentNodeCount": nodes}}});
    assert!(row("computes").is_unchanged(&compute(1), &compute(2)));
}

#[test]
fn a_body_names_identities_without_what_the_service_knows_of_them() {
    let own = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i";
    let read = json!({"type": "SystemAssigned,UserAssigned", "principalId": "p", "tenantId": "t",
        "userAssignedIdentities": {own: {"principalId": "p2", "clientId": "c2"}}});
    let written =
        json!({"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {own: {}}});
    let of_resource = |identity: &Value| json!({"identity": identity});
    for name in [
        "workspaces",
        "computes",
        "onlineEndpoints",
        "onlineDeployments",
        "batchEndpoints",
        "batchDeployments",
        "serverlessEndpoints",
    ] {
        let body = row(name).body(&ItemId::new(name, "x"), &of_resource(&read));
        assert_eq!(body, of_resource(&written), "{name}");
    }
    let of_monitor = |identity: &Value| {
        json!({"properties": {"action": {"actionType": "CreateMonitor", "monitorDefinition": {
            "computeConfiguration": {"computeType": "ServerlessSpark",
                "computeIdentity": {"computeIdentityType": "ManagedIdentity", "identity": identity}}}}}})
    };
    let body = row("schedules").body(&ItemId::new("schedules", "x"), &of_monitor(&read));
    assert_eq!(body, of_monitor(&written));
}
