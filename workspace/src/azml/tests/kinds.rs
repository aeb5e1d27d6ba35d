//! Monitors, deployments, connections and workspaces: what ARM nests otherwise than the YAML does.

use super::*;

fn refused(azml: &AzMl, id: &ItemId, document: &Value) -> String {
    let identity = source();
    let given = Given {
        id,
        document,
        identity: &identity,
        files: &[],
        neighbours: &BTreeMap::new(),
        read_only: &[],
    };
    match azml.sheet(&given) {
        Ok(sheet) => panic!("{id} has a YAML: {sheet:?}"),
        Err(Unmapped(reason)) => reason,
    }
}

fn monitor(signals: Value) -> Value {
    json!({"properties": {"trigger": {"triggerType": "Cron", "expression": "15 2 * * *", "timeZone": "UTC"},
        "action": {"actionType": "CreateMonitor", "monitorDefinition": {
            "computeConfiguration": {"computeType": "ServerlessSpark", "computeIdentity": {"computeIdentityType": "AmlToken"},
                "instanceType": "standard_e4s_v3", "runtimeVersion": "3.4"},
            "monitoringTarget": {"taskType": "Classification", "deploymentId": arm("onlineEndpoints/ep/deployments/blue")},
            "alertNotificationSettings": {"emailNotificationSettings": {"emails": ["a@b"]}}, "signals": signals}}}})
}

fn watch(document: &Value) -> Sheet {
    let id = ItemId::new("schedules", "watch");
    sheet(&SCHEDULE, &id, document, &[], &[])
}

fn threshold(data_type: &str, metric: &str, value: f64) -> Value {
    json!({"dataType": data_type, "metric": metric, "threshold": {"value": value}})
}

#[test]
fn a_monitor_groups_its_thresholds_and_the_span_of_its_data() {
    let rolling = json!({"inputDataType": "Rolling", "jobInputType": "MLTable", "uri": arm("data/t/versions/1"),
        "dataContext": "model_inputs", "windowSize": "P7D", "windowOffset": "P0D"});
    let fixed = json!({"inputDataType": "Static", "jobInputType": "mltable", "uri": arm("data/t/versions/1"), "dataContext": "training",
        "windowStart": "2026-01-01T00:00:00.000Z", "windowEnd": "2026-01-31T12:00:00Z"});
    let document = monitor(
        json!({"drift": {"signalType": "DataDrift", "notificationTypes": ["AmlNotification"],
        "productionData": rolling, "referenceData": fixed, "features": {"filterType": "TopNByAttribution", "top": 5}, "metricThresholds": [
            threshold("Numerical", "NormalizedWassersteinDistance", 0.25), threshold("Categorical", "PearsonsChiSquaredTest", 0.75)]}}),
    );
    let sheet = watch(&document);
    assert_eq!(
        body(&sheet, "schedule.yml"),
        "name: watch
create_monitor:
  alert_notification:
    emails:
      - a@b
  compute:
    instance_type: standard_e4s_v3
    runtime_version: '3.4'
  monitoring_signals:
    drift:
      type: data_drift
      alert_enabled: true
      features:
        top_n_feature_importance: 5
      metric_thresholds:
        categorical:
          pearsons_chi_squared_test: 0.75
        numerical:
          normalized_wasserstein_distance: 0.25
      production_data:
        data_context: model_inputs
        data_window:
          lookback_window_offset: P0D
          lookback_window_size: P7D
        input_data:
          type: mltable
          path: azureml:t:1
      reference_data:
        data_context: training
        data_window:
          window_end: '2026-01-31'
          window_start: '2026-01-01'
        input_data:
          type: mltable
          path: azureml:t:1
  monitoring_target:
    endpoint_deployment_id: azureml:ep:blue
    ml_task: classification
trigger:
  type: cron
  expression: '15 2 * * *'
  time_zone: UTC
"
    );
    // The time of the day, of which the YAML has none.
    assert_eq!(
        pointers(&sheet),
        ["/properties/action/monitorDefinition/signals/drift/referenceData/windowEnd"]
    );
}

#[test]
fn signals_that_the_yaml_has_not_are_listed() {
    let performance = json!({"signalType": "ModelPerformance", "productionData": [{"uri": "azureml:t:1"}], "referenceData": {"uri": "azureml:t:1"},
        "metricThreshold": {"modelType": "Regression", "metric": "MeanSquaredError", "threshold": {"value": 0.5}}});
    let document = monitor(json!({"a": performance, "b": {"signalType": "Tomorrow"}}));
    let sheet = watch(&document);
    assert!(!text(&sheet, "schedule.yml").contains("monitoring_signals"));
    let signals = "/properties/action/monitorDefinition/signals";
    assert_eq!(
        pointers(&sheet),
        [
            format!("{signals}/a/metricThreshold"),
            format!("{signals}/a"),
            format!("{signals}/b")
        ]
    );
}

#[test]
fn a_batch_deployment_is_one_of_a_model_or_of_a_component() {
    let id = ItemId::new("batchDeployments", "ep/d");
    let of_model = json!({"properties": {"compute": arm("computes/cpu"), "model": {"referenceType": "Id", "assetId": arm("models/m/versions/1")},
        "miniBatchSize": 5, "outputAction": "SummaryOnly", "retrySettings": {"timeout": "PT1M"}}});
    let with = sheet(&BATCH_DEPLOYMENT, &id, &of_model, &[], &[]);
    assert_eq!(
        body(&with, "deployment.yml"),
        "name: d\nendpoint_name: ep\ntype: model\ncompute: azureml:cpu\nmodel: azureml:m:1\nsettings:\n  mini_batch_size: 5\n  output_action: summary_only\n  retry_settings:\n    timeout: 60\n"
    );
    let component = json!({"referenceType": "Id", "assetId": arm("components/c/versions/1")});
    let of_component = json!({"properties": {"miniBatchSize": 10, "deploymentConfiguration": {
        "deploymentConfigurationType": "PipelineComponent", "componentId": component, "settings": {"default_compute": "cpu"}}}});
    let with = sheet(&BATCH_DEPLOYMENT, &id, &of_component, &[], &[]);
    assert_eq!(
        body(&with, "deployment.yml"),
        "name: d\nendpoint_name: ep\ntype: pipeline\ncomponent: azureml:c:1\nsettings:\n  default_compute: cpu\n"
    );
    assert_eq!(pointers(&with), ["/properties/miniBatchSize"]);
    let nowhere = json!({"properties": {"model": {"assetId": arm("models/m/versions/1")}}});
    assert!(refused(&BATCH_DEPLOYMENT, &id, &nowhere).contains("compute"));
}

#[test]
fn a_connection_whose_key_is_a_part_of_its_yaml_has_none() {
    let id = ItemId::new("connections", "c");
    for category in ["ApiKey", "OpenAI", "Serp", "Serverless", "Redis"] {
        let document = json!({"properties": {"category": category, "authType": "ApiKey"}});
        assert!(refused(&CONNECTION, &id, &document).contains(category));
    }
}

#[test]
fn the_names_of_a_managed_identity_are_no_secret() {
    let id = ItemId::new("connections", "c");
    let document = |credentials: Value| json!({"properties": {"category": "AzureSqlDb", "authType": "ManagedIdentity", "target": "t", "credentials": credentials}});
    let named = document(json!({"clientId": "CLIENT", "resourceId": "/subscriptions/x"}));
    let with = sheet(&CONNECTION, &id, &named, &[], &[]);
    assert!(text(&with, "connection.yml").contains("client_id: CLIENT\n"));
    assert_eq!(pointers(&with), Vec::<&str>::new());
    let more = document(json!({"clientId": "CLIENT", "secret": "SECRET"}));
    let with = sheet(&CONNECTION, &id, &more, &[], &[]);
    assert!(!text(&with, "connection.yml").contains("SECRET"));
    assert_eq!(pointers(&with), ["/properties/credentials"]);
}

#[test]
fn a_workspace_lists_the_rules_that_people_made() {
    let document = json!({"kind": "Hub", "location": "westeurope", "sku": {"name": "Basic"}, "properties": {
        "friendlyName": "ours", "storageAccount": "/subscriptions/x", "networkAcls": {"defaultAction": "Deny", "ipRules": []},
        "managedNetwork": {"isolationMode": "AllowOnlyApprovedOutbound", "outboundRules": {
            "mine": {"type": "FQDN", "category": "UserDefined", "destination": "pypi.org", "status": "Active"},
            "its": {"type": "FQDN", "category": "Required", "destination": "example.net"}}}}});
    let with = sheet(
        &WORKSPACE,
        &ItemId::new("workspaces", "w"),
        &document,
        &[],
        &[],
    );
    assert_eq!(
        body(&with, "workspace.yml"),
        "name: w\ndisplay_name: ours\nkind: hub\nlocation: westeurope\nmanaged_network:\n  isolation_mode: allow_only_approved_outbound\n  outbound_rules:\n    - name: mine\n      type: fqdn\n      destination: pypi.org\nstorage_account: /subscriptions/x\n"
    );
    assert_eq!(pointers(&with), ["/properties/networkAcls"]);
}

#[test]
fn what_a_yaml_has_no_word_for_is_listed_and_never_dropped() {
    let network = json!({"properties": {"managedNetwork": {"firewallSku": "Basic"}}});
    let id = ItemId::new("workspaces", "w");
    let with = sheet(&WORKSPACE, &id, &network, &[], &[]);
    assert_eq!(pointers(&with), ["/properties/managedNetwork"]);

    let code = json!({"properties": {"codeUri": "https://a.blob.core.windows.net/c/p", "properties": {
        "hash_sha256": "ab", "hash_version": "202208", "team": "ours"}}});
    let id = ItemId::versioned("codes", "c", "1");
    let with = sheet(&CODE, &id, &code, &[], &[]);
    let team = "/properties/properties/team";
    assert!(pointers(&with).contains(&team), "{:?}", pointers(&with));
    assert!(!pointers(&with).contains(&"/properties/properties/hash_sha256"));

    let fixed = json!({"inputDataType": "Static", "jobInputType": "mltable", "uri": arm("data/t/versions/1"),
        "dataContext": "training", "windowStart": "2026-01-01", "windowEnd": "2026-01-31T00:00:00Z"});
    let drift = json!({"drift": {"signalType": "DataDrift", "productionData": fixed, "referenceData": fixed, "metricThresholds": []}});
    let with = watch(&monitor(drift));
    let left = pointers(&with);
    assert!(
        left.iter().any(|pointer| pointer.ends_with("/windowStart")),
        "{left:?}"
    );
}

fn made_by_the_service(sort: &str) -> Value {
    json!({"systemCreatedStorageAccount": {"storageAccountName": "st1", "storageAccountType": sort, "storageAccountHnsEnabled": true,
        "allowBlobPublicAccess": false, "armResourceId": {"resourceId": "/st1"}}})
}

fn of_owner(member: &str, id: &str) -> Value {
    json!({member: {"armResourceId": {"resourceId": id}}})
}

#[test]
fn a_registry_says_the_sort_of_storage_of_each_region_and_one_container_registry() {
    let id = ItemId::new("registries", "shelf");
    let premium = json!({"systemCreatedAcrAccount": {"acrAccountName": "cr1", "acrAccountSku": "Premium", "armResourceId": {"resourceId": "/cr1"}}});
    let own = of_owner("userCreatedStorageAccount", "/st/of/ours");
    let document = json!({
        "id": "/x", "location": "eastus", "identity": {"type": "SystemAssigned"}, "tags": {"team": "platform"},
        "properties": {"publicNetworkAccess": "Disabled", "intellectualPropertyPublisher": "us", "regionDetails": [
            {"location": "eastus", "acrDetails": [premium.clone()],
                "storageAccountDetails": [made_by_the_service("Standard_ZRS"), made_by_the_service("Standard_ZRS")]},
            {"location": "westus", "acrDetails": [premium], "storageAccountDetails": [own]},
        ]},
    });
    let sheet = sheet(&REGISTRY, &id, &document, &[], &[]);
    assert_eq!(
        body(&sheet, "registry.yml"),
        "name: shelf
tags:
  team: platform
container_registry:
  acr_account_sku: premium
intellectual_property:
  publisher: us
location: eastus
public_network_access: disabled
replication_locations:
  - location: eastus
    storage_config:
      replication_count: 2
      storage_account_hns: true
      storage_account_type: Standard_ZRS
  - location: westus
    storage_config:
      - /st/of/ours
"
    );
    assert_eq!(pointers(&sheet), Vec::<&str>::new());
}

#[test]
fn what_the_yaml_of_a_registry_cannot_say_is_listed() {
    let id = ItemId::new("registries", "shelf");
    let document = json!({
        "location": "eastus", "identity": {"type": "UserAssigned"},
        "properties": {"regionDetails": [
            {"location": "eastus", "acrDetails": [of_owner("userCreatedAcrAccount", "/cr/of/ours")],
                "storageAccountDetails": [made_by_the_service("Standard_ZRS"), of_owner("userCreatedStorageAccount", "/st/of/ours")]},
            {"location": "westus", "acrDetails": [of_owner("userCreatedAcrAccount", "/cr/other"), {"systemCreatedAcrAccount": {"acrAccountSku": "Basic"}}]},
        ]},
    });
    let sheet = sheet(&REGISTRY, &id, &document, &[], &[]);
    assert!(text(&sheet, "registry.yml").contains("container_registry: /cr/of/ours\n"));
    assert_eq!(
        pointers(&sheet),
        [
            "/identity",
            "/properties/regionDetails/0/storageAccountDetails",
            "/properties/regionDetails/1/acrDetails/0",
            "/properties/regionDetails/1/acrDetails/1",
        ]
    );
}
