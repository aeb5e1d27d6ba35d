//! Feature stores: feature sets and entities.

use serde_json::{Map, Value};

use super::AzMl;
use super::asset::IS_ARCHIVED;
use super::field::{Field, How, NO_PLACE, field, known, resource, same};
use super::refer::{own_place, reference};

/// Feature sets.
pub static FEATURE_SET: AzMl = AzMl {
    noun: "feature-set",
    file: "featureset.yml",
    map: |walk| {
        let mut out = walk.whole("featureSet", SET)?;
        let store = walk
            .given
            .document
            .pointer("/properties/materializationSettings/storeType");
        switch_stores(&mut out, store.and_then(Value::as_str));
        Ok(out)
    },
};

/// Entities.
pub static FEATURE_STORE_ENTITY: AzMl = AzMl {
    noun: "feature-store-entity",
    file: "entity.yml",
    map: |walk| walk.whole("featureStoreEntity", ENTITY),
};

const SET: &[Field] = &resource(&[
    same("description", "description"),
    same("tags", "tags"),
    field("properties", "", How::Only("{}", NO_PLACE)),
    same("stage", "stage"),
    field("entities", "entities", How::EachBy(reference)),
    field(
        "specification",
        "specification",
        How::Object(&[field("path", "path", How::By(own_place))]),
    ),
    field(
        "materializationSettings",
        "materialization_settings",
        How::Object(&[
            // Written as two switches.
            known("storeType"),
            field(
                "schedule",
                "schedule",
                How::Object(super::schedule::TRIGGER),
            ),
            field(
                "notification",
                "notification",
                How::Object(&[
                    field("emailOn", "email_on", How::Word(&[])),
                    same("emails", "emails"),
                ]),
            ),
            field(
                "resource",
                "resource",
                How::Object(&[same("instanceType", "instance_type")]),
            ),
            same("sparkConfiguration", "spark_configuration"),
        ]),
    ),
    known("provisioningState"),
    IS_ARCHIVED,
    field("isAnonymous", "", How::Only("false", NO_PLACE)),
]);

/// ARM says in one word which stores are filled, the YAML by a switch for each.
fn switch_stores(out: &mut Map<String, Value>, store: Option<&str>) {
    let Some(store) = store else {
        return;
    };
    let settings = out
        .entry("materialization_settings")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(settings) = settings {
        let has = |word: &str| store.to_ascii_lowercase().contains(word);
        settings.insert("offline_enabled".to_owned(), has("offline").into());
        settings.insert("online_enabled".to_owned(), has("online").into());
    }
}

const ENTITY: &[Field] = &resource(&[
    same("description", "description"),
    same("tags", "tags"),
    same("properties", "properties"),
    same("stage", "stage"),
    field(
        "indexColumns",
        "index_columns",
        How::Each(&[
            same("columnName", "name"),
            field("dataType", "type", How::Word(&[])),
        ]),
    ),
    known("provisioningState"),
    IS_ARCHIVED,
    field("isAnonymous", "", How::Only("false", NO_PLACE)),
]);
