//! References as YAML writes them: `azureml:NAME:VERSION` for what the workspace has, a path for what lies beside.

use serde_json::Value;

use super::field::{How, Walk};
use super::{FILES, Neighbour, asset};
use crate::ItemId;
use crate::reference::{Form, Reference, Slot};

/// Words that stand for no compute of the workspace.
const NO_COMPUTE: &[&str] = &["serverless", "local"];

/// What a string names. What is no reference, or leads out of the workspace, is written as it is.
pub(super) fn reference(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let Some(text) = value.as_str() else {
        return Some(value.clone());
    };
    let Some(reference) = Reference::parse_in(text, walk.at.field()) else {
        return Some(text.into());
    };
    let item = reference.item_in(walk.given.identity);
    match item.filter(|_| names_an_item(&reference)) {
        Some(item) => item_reference(&item, &reference, walk),
        None => Some(place(&reference, text, walk).into()),
    }
}

/// Whether a reference is to an item itself, and not to a place in or below one.
fn names_an_item(reference: &Reference) -> bool {
    reference.get(Slot::Name).is_some() && reference.get(Slot::Below).is_none()
}

fn item_reference(item: &ItemId, reference: &Reference, walk: &mut Walk<'_>) -> Option<Value> {
    let beside = walk.given.neighbours.get(item).cloned();
    if let Some(neighbour) = beside {
        let folder = format!("{}{}", walk.folder, neighbour.folder);
        if item.kind == "codes" && neighbour.has_files {
            return Some(format!("{folder}/{FILES}").into());
        }
        if let Some(document) = &neighbour.document {
            return inline_environment(&folder, document, &neighbour, walk);
        }
        if let Some(file) = neighbour.file.filter(|_| is_anonymous(item)) {
            return Some(format!("{folder}/{file}").into());
        }
    }
    let name = &item.name;
    let written = match (&item.version, reference.get(Slot::Label)) {
        (Some(version), _) => format!("azureml:{name}:{version}"),
        (None, Some(label)) => format!("azureml:{name}@{label}"),
        (None, None) => format!("azureml:{name}"),
    };
    Some(written.into())
}

/// Whether an item has only the name that the SDK gives to what a job defines inline.
pub fn is_anonymous(item: &ItemId) -> bool {
    matches!(
        (item.kind.as_str(), item.name.as_str()),
        ("components", "azureml_anonymous") | ("environments", "CliV2AnonymousEnvironment")
    )
}

/// An environment without a name, whole. What its YAML leaves out is listed with the environment itself.
fn inline_environment(
    folder: &str,
    document: &Value,
    neighbour: &Neighbour,
    walk: &mut Walk<'_>,
) -> Option<Value> {
    let known = walk.left.len();
    let folder = std::mem::replace(&mut walk.folder, format!("{folder}/"));
    let has_files = std::mem::replace(&mut walk.has_files, neighbour.has_files);
    let written = walk.value(document, How::Object(asset::ENVIRONMENT_FIELDS));
    walk.folder = folder;
    walk.has_files = has_files;
    walk.left.truncate(known);
    written
}

/// A place: of this workspace without its names, so that it means the same in another one.
fn place(reference: &Reference, text: &str, walk: &Walk<'_>) -> String {
    if reference.form() == Form::LongDatastore
        && reference.is_in(walk.given.identity)
        && let (Some(store), Some(path)) =
            (reference.get(Slot::Datastore), reference.get(Slot::Path))
    {
        return format!("azureml://datastores/{store}/paths/{path}");
    }
    if text.starts_with("/subscriptions/") {
        return format!("azureml:{text}");
    }
    text.to_owned()
}

/// A compute: by ARM id, or by its bare name.
pub(super) fn compute(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let text = value.as_str().unwrap_or_default();
    let is_bare = !text.is_empty() && !text.contains(['/', ':', '$']);
    if is_bare && !NO_COMPUTE.contains(&text) {
        return Some(format!("azureml:{text}").into());
    }
    reference(value, walk)
}

/// A datastore: by ARM id, or by its bare name.
pub(super) fn datastore(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    compute(value, walk)
}

/// The place of the item's own bytes: beside the YAML where they are, else as the document says. A single file that
/// has the place's own name is the place itself.
pub(super) fn own_place(value: &Value, walk: &mut Walk<'_>) -> Option<Value> {
    let files = walk.given.files;
    if files.is_empty() {
        return reference(value, walk);
    }
    let text = value.as_str().unwrap_or_default();
    let last = text.rsplit('/').next().unwrap_or_default();
    Some(match files {
        [only] if only == last => format!("./{FILES}/{only}").into(),
        _ => format!("./{FILES}").into(),
    })
}
