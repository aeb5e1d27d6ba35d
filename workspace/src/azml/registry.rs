//! A registry itself: its regions, each with the sort of storage that it asks for, and the container registry, which the
//! YAML names once for all of them.

use serde_json::{Map, Value, json};

use super::field::{Field, How, NO_PLACE, Walk, field, known, same};
use super::{AzMl, Unmapped};

/// Registries.
pub static REGISTRY: AzMl = AzMl {
    noun: "registry",
    file: "registry.yml",
    map: registry,
};

const ONE_SORT: &str = "the YAML asks for accounts of one sort in a region";
const ONE_FOR_ALL: &str = "the YAML names one container registry for all regions";
const OF_THE_SYSTEM: &str = "each registry that the YAML makes has the system's identity";
/// The only one that the SDK takes.
const PREMIUM: &str = "premium";

fn registry(walk: &mut Walk<'_>) -> Result<Map<String, Value>, Unmapped> {
    let mut out = walk.whole("registry", FIELDS)?;
    // Without a region the SDK loads none.
    if let Some(location) = out.get("location").cloned() {
        out.entry("replication_locations")
            .or_insert_with(|| json!([{ "location": location }]));
    }
    if let Some(container) = container_of_all(walk.given.document) {
        out.insert("container_registry".to_owned(), container);
    }
    Ok(out)
}

const FIELDS: &[Field] = &[
    known("id"),
    known("name"),
    known("type"),
    known("kind"),
    known("systemData"),
    known("etag"),
    same("tags", "tags"),
    same("location", "location"),
    field("sku", "", How::Left(NO_PLACE)),
    field("identity", "", How::By(identity)),
    field(
        "properties",
        "",
        How::Inline(&[
            field(
                "publicNetworkAccess",
                "public_network_access",
                How::Word(&[]),
            ),
            field(
                "intellectualPropertyPublisher",
                "intellectual_property",
                How::By(publisher),
            ),
            field("regionDetails", "replication_locations", How::Each(REGION)),
            // Those of the registry.
            known("managedResourceGroupTags"),
        ]),
    ),
];

fn identity(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let sort = value.get("type").and_then(Value::as_str);
    if sort.is_some_and(|sort| !sort.eq_ignore_ascii_case("SystemAssigned")) {
        walk.leave(OF_THE_SYSTEM);
    }
    None
}

fn publisher(value: &Value, _: &mut Walk<'_>) -> Option<Value> {
    Some(json!({ "publisher": value }))
}

const REGION: &[Field] = &[
    same("location", "location"),
    field("storageAccountDetails", "storage_config", How::By(storage)),
    field("acrDetails", "", How::By(containers)),
];

const ACCOUNT: &[Field] = &[
    field(
        "systemCreatedStorageAccount",
        "",
        How::Inline(&[
            same("storageAccountType", "storage_account_type"),
            same("storageAccountHnsEnabled", "storage_account_hns"),
            field("allowBlobPublicAccess", "", How::Only("false", NO_PLACE)),
        ]),
    ),
    field("userCreatedStorageAccount", OWN, How::By(own)),
];

/// Stands for the id of an account that the registry's owner made.
const OWN: &str = "id";

fn own(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let id = value.pointer("/armResourceId/resourceId").cloned();
    if id.is_none() {
        walk.leave(NO_PLACE);
    }
    id
}

/// The accounts of a region: ids of the owner's, or how many of which sort the service makes.
fn storage(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let accounts = walk.value(value, How::Each(ACCOUNT))?;
    let accounts = accounts.as_array()?;
    let first = accounts.first()?;
    let members = |account: &Value| account.as_object().map_or(0, Map::len);
    let ids = accounts.iter().filter_map(|account| account.get(OWN));
    let ids: Vec<Value> = ids.cloned().collect();
    if ids.len() == accounts.len() && accounts.iter().all(|account| members(account) == 1) {
        return Some(Value::Array(ids));
    }
    if !ids.is_empty() || accounts.iter().any(|account| account != first) {
        walk.leave(ONE_SORT);
        return None;
    }
    let mut sort = first.as_object()?.clone();
    if accounts.len() > 1 {
        sort.insert("replication_count".to_owned(), accounts.len().into());
    }
    Some(Value::Object(sort))
}

/// Notes the container registries of a region that are not as the one that the YAML names.
fn containers(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let of_all = container_of_all(walk.given.document);
    for (index, details) in value.as_array()?.iter().enumerate() {
        walk.at.push(index.to_string());
        match container(details) {
            None => walk.leave(NO_PLACE),
            own if index > 0 || own != of_all => walk.leave(ONE_FOR_ALL),
            _ => {}
        }
        walk.at.pop();
    }
    None
}

/// The first container registry of the first region.
fn container_of_all(document: &Value) -> Option<Value> {
    container(document.pointer("/properties/regionDetails/0/acrDetails/0")?)
}

/// A container registry of the owner's by its id, or the sort that the service makes.
fn container(details: &Value) -> Option<Value> {
    let of_owner = details.pointer("/userCreatedAcrAccount/armResourceId/resourceId");
    let sort = details.pointer("/systemCreatedAcrAccount/acrAccountSku");
    let is_premium = |sort: &Value| {
        let sort = sort.as_str();
        sort.is_some_and(|sort| sort.eq_ignore_ascii_case(PREMIUM))
    };
    of_owner.cloned().or_else(|| {
        sort.filter(|sort| is_premium(sort))
            .map(|_| json!({ "acr_account_sku": PREMIUM }))
    })
}
