//! How a stored resource is shown: ids, types and times by the service, the rest as it was written.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::collection::row;
use super::job;
use super::place::Place;
use crate::clock::iso;
use crate::cloud::Cloud;
use crate::documents::{Documents, Resource};
use crate::workspace::Workspace;

/// An item's document.
pub(crate) fn resource(
    workspace: &Workspace,
    place: &Place,
    resource: &Resource,
    cloud: &Cloud,
    now: Timestamp,
) -> Value {
    let mut body = resource.body.clone();
    let properties = take_properties(&mut body);
    let properties = properties_of(workspace, place, resource, properties, cloud, now);
    let mut document = Map::new();
    document.insert("id".into(), json!(id_of(workspace, place, resource)));
    document.insert("name".into(), json!(resource.name));
    let of_type = place.resource_type();
    let of_type = of_type.replace("/workspaces/", &format!("/{}/", workspace.root()));
    document.insert("type".into(), json!(of_type));
    if place.row.tracked {
        document.insert("location".into(), json!(workspace.location));
        document.insert("tags".into(), json!({}));
    }
    document.append(&mut body);
    document.insert("properties".into(), Value::Object(properties));
    document.insert("systemData".into(), system_data(resource));
    Value::Object(document)
}

/// An item's id. That of a version in a registry is no id of Resource Manager's: azure-ai-ml 1.35.2 takes no other for one
/// than `azureml://registries/…` (`AMLVersionedArmId`).
fn id_of(workspace: &Workspace, place: &Place, resource: &Resource) -> String {
    let above = match workspace.registry && place.parent().is_some() {
        true => format!("azureml://registries/{}", workspace.name),
        false => workspace.arm_id(),
    };
    format!("{above}/{}/{}", place.collection, resource.name)
}

fn take_properties(body: &mut Map<String, Value>) -> Map<String, Value> {
    match body.remove("properties") {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    }
}

fn properties_of(
    workspace: &Workspace,
    place: &Place,
    resource: &Resource,
    mut properties: Map<String, Value>,
    cloud: &Cloud,
    now: Timestamp,
) -> Map<String, Value> {
    let kind: Vec<&str> = place.kind.iter().map(String::as_str).collect();
    if place.row.versioned {
        let versions = format!("{}/{}/versions", place.collection, resource.name);
        let (latest, next) = version_numbers(&workspace.documents, &versions);
        properties.insert("latestVersion".into(), json!(latest));
        properties.insert("nextVersion".into(), json!(next));
    }
    if place.row.provisioning {
        properties.insert(
            "provisioningState".into(),
            json!(resource.provisioning_state(now)),
        );
    }
    match kind.as_slice() {
        ["jobs"] => job::overlay(workspace, resource, &mut properties, cloud),
        ["environments", "versions"] => {
            insert_default(&mut properties, "environmentType", json!("UserCreated"))
        }
        ["models", "versions"] => insert_default(&mut properties, "flavors", json!({})),
        ["computes"] => compute(resource, &mut properties),
        ["onlineEndpoints" | "batchEndpoints"] => endpoint(workspace, resource, &mut properties),
        ["serverlessEndpoints"] => serverless(workspace, resource, &mut properties),
        ["marketplaceSubscriptions"] => {
            let plan = json!({"offerId": "model-offer", "planId": "model-plan", "publisherId": "publisher"});
            properties.insert("marketplacePlan".into(), plan);
            properties.insert("marketplaceSubscriptionStatus".into(), json!("Subscribed"));
        }
        ["outboundRules"] => {
            insert_default(&mut properties, "category", json!("UserDefined"));
            insert_default(&mut properties, "status", json!("Active"));
            insert_default(&mut properties, "parentRuleNames", json!([]));
        }
        _ => {}
    }
    properties
}

fn insert_default(properties: &mut Map<String, Value>, name: &str, value: Value) {
    properties.entry(name).or_insert(value);
}

fn compute(resource: &Resource, properties: &mut Map<String, Value>) {
    properties.insert("createdOn".into(), json!(iso(resource.created)));
    properties.insert("modifiedOn".into(), json!(iso(resource.modified)));
    properties.insert("isAttachedCompute".into(), json!(false));
    properties.insert("provisioningErrors".into(), Value::Null);
    let cluster = properties.get("computeType").and_then(Value::as_str) == Some("AmlCompute");
    if let Some(Value::Object(inner)) = properties.get_mut("properties").filter(|_| cluster) {
        let state = [
            ("allocationState", json!("Steady")),
            ("currentNodeCount", json!(0)),
            ("targetNodeCount", json!(0)),
            ("errors", Value::Null),
        ];
        inner.extend(state.map(|(name, value)| (name.to_owned(), value)));
    }
}

fn endpoint(workspace: &Workspace, resource: &Resource, properties: &mut Map<String, Value>) {
    let host = format!(
        "https://{}.{}.inference.simulated",
        resource.name, workspace.location
    );
    properties.insert("scoringUri".into(), json!(format!("{host}/score")));
    properties.insert("swaggerUri".into(), json!(format!("{host}/swagger.json")));
}

fn serverless(workspace: &Workspace, resource: &Resource, properties: &mut Map<String, Value>) {
    let host = format!(
        "https://{}.{}.models.simulated",
        resource.name, workspace.location
    );
    let model = properties
        .get("modelSettings")
        .and_then(|settings| settings.get("modelId"));
    let subscriptions = workspace.documents.list("marketplaceSubscriptions");
    let own = subscriptions.iter().find(|one| {
        one.properties()
            .and_then(|properties| properties.get("modelId"))
            == model
    });
    let subscription = own.map(|own| {
        format!(
            "{}/marketplaceSubscriptions/{}",
            workspace.arm_id(),
            own.name
        )
    });
    properties.insert("endpointState".into(), json!("Online"));
    properties.insert(
        "inferenceEndpoint".into(),
        json!({"uri": host, "headers": {}}),
    );
    properties.insert("marketplaceSubscriptionId".into(), json!(subscription));
}

/// Latest version by time of creation, and the number that a client takes next.
pub(crate) fn version_numbers(documents: &Documents, versions: &str) -> (Option<String>, String) {
    let all = documents.list(versions);
    let latest = all.last().map(|version| version.name.clone());
    let greatest = all
        .iter()
        .filter_map(|version| version.name.parse::<u64>().ok())
        .max();
    (
        latest,
        greatest
            .map_or(1, |number| number.saturating_add(1))
            .to_string(),
    )
}

fn system_data(resource: &Resource) -> Value {
    json!({
        "createdAt": iso(resource.created), "createdBy": resource.created_by, "createdByType": "Application",
        "lastModifiedAt": iso(resource.modified), "lastModifiedBy": resource.modified_by, "lastModifiedByType": "Application",
    })
}

/// Where other providers' resources of a workspace lie that names none: its key vault, and its Application Insights.
pub(super) fn beside(workspace: &Workspace) -> [String; 2] {
    let group = providers(workspace);
    [
        format!(
            "{group}/Microsoft.KeyVault/vaults/kv{}",
            &workspace.guid[..8]
        ),
        format!(
            "{group}/Microsoft.Insights/components/ai-{}",
            workspace.name
        ),
    ]
}

fn providers(workspace: &Workspace) -> String {
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers",
        workspace.subscription, workspace.group
    )
}

/// A workspace's document. A storage account that it was made with keeps its own id.
pub(crate) fn workspace(
    workspace: &Workspace,
    cloud: &Cloud,
    tenant: &str,
    now: Timestamp,
) -> Value {
    let mut body = workspace.body.clone();
    let mut properties = take_properties(&mut body);
    insert_default(&mut properties, "friendlyName", json!(workspace.name));
    let [vault, insights] = beside(workspace);
    insert_default(&mut properties, "keyVault", json!(vault));
    insert_default(&mut properties, "applicationInsights", json!(insights));
    insert_default(&mut properties, "publicNetworkAccess", json!("Enabled"));
    insert_default(&mut properties, "v1LegacyMode", json!(false));
    let ready = now >= workspace.ready;
    let host = cloud.data_host(&workspace.location);
    let account = properties.remove("storageAccount").unwrap_or_else(|| {
        json!(format!(
            "{}/Microsoft.Storage/storageAccounts/{}",
            providers(workspace),
            workspace.account
        ))
    });
    let server = [
        ("storageAccount", json!(account)),
        ("workspaceId", json!(workspace.guid)),
        ("discoveryUrl", json!(format!("https://{host}/discovery"))),
        (
            "mlFlowTrackingUri",
            json!(format!(
                "azureml://{host}/mlflow/v1.0{}",
                workspace.arm_id()
            )),
        ),
        (
            "provisioningState",
            json!(if ready { "Succeeded" } else { "Creating" }),
        ),
        ("tenantId", json!(tenant)),
        ("storageHnsEnabled", json!(false)),
        ("privateLinkCount", json!(0)),
        ("privateEndpointConnections", json!([])),
        (
            "notebookInfo",
            json!({"resourceId": workspace.guid.replace('-', ""), "fqdn": format!("ml-{}.notebooks.simulated", workspace.name)}),
        ),
        ("systemDatastoresAuthMode", json!("AccessKey")),
    ];
    properties.extend(server.map(|(name, value)| (name.to_owned(), value)));
    let mut document = Map::new();
    document.insert("id".into(), json!(workspace.arm_id()));
    document.insert("name".into(), json!(workspace.name));
    document.insert(
        "type".into(),
        json!(format!("{}/workspaces", crate::PROVIDER)),
    );
    document.insert("location".into(), json!(workspace.location));
    document.insert("tags".into(), json!({}));
    document.insert("kind".into(), json!("Default"));
    document.insert("sku".into(), json!({"name": "Basic", "tier": "Basic"}));
    document.insert("etag".into(), Value::Null);
    document.append(&mut body);
    document.insert("properties".into(), Value::Object(properties));
    document.insert("systemData".into(), json!({
        "createdAt": iso(workspace.created), "createdBy": "simulator", "createdByType": "Application",
        "lastModifiedAt": iso(workspace.modified), "lastModifiedBy": "simulator", "lastModifiedByType": "Application",
    }));
    Value::Object(document)
}

/// The place of a resource that the simulator itself names, such as `models/churn/versions`.
pub(crate) fn place_of(collection: &str) -> Place {
    let kind: Vec<String> = collection
        .split('/')
        .step_by(2)
        .map(str::to_owned)
        .collect();
    let path: Vec<&str> = kind.iter().map(String::as_str).collect();
    Place {
        row: row(&path),
        kind,
        collection: collection.to_owned(),
        name: None,
        action: None,
    }
}
