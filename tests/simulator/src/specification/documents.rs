//! The published files, by their path below the folder, and where a `$ref` leads.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

/// Files that are no OpenAPI but lists made from a client.
const DERIVED: &str = "derived-";

/// All files.
#[derive(Debug, Default)]
pub(super) struct Documents(BTreeMap<String, Value>);

/// A value in a file: what a reference means depends on where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) file: &'a str,
    pub(super) value: &'a Value,
}

impl Documents {
    pub(super) fn load(folder: &Path) -> io::Result<Self> {
        let mut found = Self::default();
        found.read(folder, "")?;
        Ok(found)
    }

    fn read(&mut self, folder: &Path, below: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let slash = if below.is_empty() { "" } else { "/" };
            let path = format!("{below}{slash}{name}");
            if entry.file_type()?.is_dir() {
                self.read(&entry.path(), &path)?;
            } else if name.ends_with(".json") && !name.starts_with(DERIVED) {
                let value = serde_json::from_slice(&fs::read(entry.path())?)?;
                self.0.insert(path, value);
            }
        }
        Ok(())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = At<'_>> {
        self.0.iter().map(|(file, value)| At { file, value })
    }

    /// What stands at the end of all references; `None` where one leads to a file that is not there.
    pub(super) fn follow<'a>(&'a self, at: At<'a>) -> Option<At<'a>> {
        let mut at = at;
        for _ in 0..16 {
            let Some(reference) = at.value.get("$ref").and_then(Value::as_str) else {
                return Some(at);
            };
            let (file, pointer) = reference.split_once('#')?;
            let (file, whole) = self.0.get_key_value(&resolved(at.file, file))?;
            at = At {
                file,
                value: whole.pointer(pointer)?,
            };
        }
        None
    }

    /// The definition of that name, or with that discriminator value, beside a value.
    pub(super) fn definition<'a>(&'a self, beside: At<'a>, tag: &str) -> Option<At<'a>> {
        let (file, whole) = self.0.get_key_value(beside.file)?;
        let definitions = whole.get("definitions")?.as_object()?;
        let tagged = definitions.values().find(|definition| {
            let value = definition.get("x-ms-discriminator-value");
            value.and_then(Value::as_str) == Some(tag) && leads_to(self, file, definition, beside)
        });
        tagged
            .or_else(|| definitions.get(tag))
            .map(|value| At { file, value })
    }
}

/// Whether a definition is made from another: several families of definitions may use the same tag.
fn leads_to(documents: &Documents, file: &str, definition: &Value, base: At<'_>) -> bool {
    let parts = definition.get("allOf").and_then(Value::as_array);
    parts.into_iter().flatten().any(|part| {
        let part = At { file, value: part };
        documents.follow(part).is_some_and(|found| {
            std::ptr::eq(found.value, base.value)
                || leads_to(documents, found.file, found.value, base)
        })
    })
}

/// The path of a file that another one names; common types lie elsewhere in the published tree.
fn resolved(from: &str, to: &str) -> String {
    if to.is_empty() {
        return from.to_owned();
    }
    if let Some((_, below)) = to.split_once("common-types/resource-management/") {
        return format!("common-types/{below}");
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in to.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
