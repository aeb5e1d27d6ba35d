//! Components: the specification is YAML as its author wrote it, with ids in the place of paths and names.

use serde_json::{Map, Value};

use super::asset::IS_ARCHIVED;
use super::field::{Field, How, Walk, field, known, resource, same};
use super::refer::is_anonymous;
use super::{AzMl, Unmapped, node};

/// Components.
pub static COMPONENT: AzMl = AzMl {
    noun: "component",
    file: "component.yml",
    map: component,
};

const FIELDS: &[Field] = &resource(&[
    same("description", "description"),
    same("tags", "tags"),
    same("properties", "properties"),
    field("componentSpec", "spec", How::By(node::specification)),
    known("provisioningState"),
    IS_ARCHIVED,
    // Its name says it.
    known("isAnonymous"),
]);

fn component(walk: &mut Walk<'_>) -> Result<Map<String, Value>, Unmapped> {
    let mut out = walk.whole("commandComponent", FIELDS)?;
    let Some(Value::Object(specification)) = out.remove("spec") else {
        return Err(Unmapped("its document has no specification".to_owned()));
    };
    let anonymous = is_anonymous(walk.given.id);
    for (name, value) in specification {
        match name.as_str() {
            "version" => {}
            // What a job defines inline has only the name that its author gave it.
            "name" if !anonymous => {}
            // Said by the specification as its author wrote it, and by the document about the asset.
            "description" | "tags" if out.contains_key(&name) => {}
            _ => {
                out.insert(name, value);
            }
        }
    }
    if anonymous {
        out.remove("version");
    }
    let sort = out.get("type").and_then(Value::as_str).unwrap_or_default();
    match sort {
        "command" | "parallel" | "pipeline" | "spark" | "automl" | "import" | "data_transfer"
        | "sweep" => {
            let schema = super::field::schema_url(&format!("{sort}Component"));
            out.entry("$schema")
                .or_insert_with(|| schema.clone().into());
            let placeholder = super::field::schema_url("commandComponent");
            if out.get("$schema").and_then(Value::as_str) == Some(&placeholder) {
                out.insert("$schema".to_owned(), schema.into());
            }
            Ok(out)
        }
        "" => Err(Unmapped("its specification has no type".to_owned())),
        other => Err(Unmapped(format!(
            "`az ml` has no YAML for components of type {other}"
        ))),
    }
}
