//! Connections: addresses of other services, and how the workspace signs in there.
//!
//! Reading one never shows its credentials; a POST does, and answers the whole document with them.

use serde_json::Value;

use super::{Kind, Origin, PLAIN, Restore, Secrets, Without, attribute};
use crate::ItemId;

/// Ways to sign in by which there are no credentials.
const WITHOUT_CREDENTIALS: &[&str] = &["None", "AAD"];

pub(super) static ROW: Kind = Kind {
    name: "connections",
    singular: "connection",
    origin: Origin::Collection("connections"),
    optional: true,
    read_only: &[
        "/id",
        "/name",
        "/type",
        "/systemData",
        "/properties/createdByWorkspaceArmId",
        "/properties/group",
        "/properties/error",
        "/properties/peStatus",
    ],
    secrets: Some(Secrets {
        operation: "listsecrets",
        pointer: "/properties/credentials",
        answer: "/properties/credentials",
        has_any,
        without: Without::Manual,
    }),
    mapped_by_name: shared_from_above,
    restore: Restore::Put,
    order: 8,
    order_reason: "feature stores and jobs name connections, which name nothing in the workspace",
    losses: &[attribute::CREATOR_LOSS],
    azml: Some(&crate::azml::CONNECTION),
    ..PLAIN
};

fn has_any(document: &Value) -> bool {
    let way = document.pointer("/properties/authType");
    let way = way.and_then(Value::as_str).unwrap_or_default();
    !WITHOUT_CREDENTIALS.contains(&way)
}

/// A hub shows its connections in each of its projects.
fn shared_from_above(_: &ItemId, document: &Value) -> Option<&'static str> {
    let text = |pointer| document.pointer(pointer).and_then(Value::as_str);
    let maker = text("/properties/createdByWorkspaceArmId")?.to_ascii_lowercase();
    let own = text("/id")?.to_ascii_lowercase();
    let is_own = maker.is_empty() || own.starts_with(&format!("{maker}/"));
    (!is_own).then_some("another workspace made it and shares it with this one")
}
