//! Which words of a recording are names that somebody chose: of workspaces, groups, accounts, items, containers, experiments.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::recording::{Recording, Row};

/// Words in places of names that are Azure's own: renaming them would ask for something else.
const OWN: [&str; 11] = [
    "workspaceblobstore",
    "workspaceartifactstore",
    "workspacefilestore",
    "workspaceworkingdirectory",
    "azureml_anonymous",
    "azureml_default",
    "CliV2AnonymousEnvironment",
    "azureml",
    "LocalUpload",
    "ExperimentRun",
    "az-ml-artifacts",
];

/// After these segments of a path stands a name. `locations` is not among them: regions are Azure's.
const BEFORE_NAMES: [&str; 18] = [
    "resourceGroups",
    "resourcegroups",
    "workspaces",
    "computes",
    "codes",
    "components",
    "data",
    "models",
    "environments",
    "datastores",
    "jobs",
    "schedules",
    "onlineEndpoints",
    "batchEndpoints",
    "deployments",
    "connections",
    "experiments",
    "runs",
];

/// The names of some recordings.
#[derive(Debug)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    pub(crate) fn of(recordings: &[Recording]) -> Self {
        let mut found = BTreeSet::new();
        for row in recordings.iter().flat_map(|recording| &recording.rows) {
            match row.service.as_str() {
                "arm" | "data" => resource_names(row, &mut found),
                "blob" | "file" => storage_names(row, &mut found),
                _ => {}
            }
            values_of(&row.body, &["experimentName", "displayName"], &mut found);
        }
        for own in OWN.into_iter().chain(BEFORE_NAMES) {
            found.remove(own);
        }
        found.retain(|name| {
            name.len() > 1 && !name.contains(':') && name.chars().any(|c| c.is_ascii_alphabetic())
        });
        Self(found)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.0.contains(word)
    }

    /// The names that occur in a text as whole words.
    pub(crate) fn in_text(&self, text: &str) -> Vec<String> {
        words(text)
            .into_iter()
            .filter(|(word, named)| *named && self.has(word))
            .map(|(word, _)| word.to_owned())
            .collect()
    }
}

fn resource_names(row: &Row, found: &mut BTreeSet<String>) {
    let named = row.body.get("name").and_then(Value::as_str);
    if let Some(name) = named.filter(|_| row.path().contains("/api/2.0/mlflow/")) {
        found.insert(name.to_owned());
    }
    let path = row.path().split("/api/2.0/").next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    for pair in parts.windows(2) {
        if let [before, name] = pair {
            let whole = !name.contains('%');
            if BEFORE_NAMES.contains(before) && whole {
                found.insert((*name).to_owned());
            }
        }
    }
}

fn storage_names(row: &Row, found: &mut BTreeSet<String>) {
    found.insert(row.label().to_owned());
    for part in row.path().split('/').flat_map(|part| part.split("%2F")) {
        if part.chars().all(is_word) && !part.is_empty() {
            found.insert(part.to_owned());
        }
    }
}

fn values_of(body: &Value, keys: &[&str], found: &mut BTreeSet<String>) {
    match body {
        Value::Object(members) => {
            for (key, value) in members {
                match value.as_str() {
                    Some(text) if keys.contains(&key.as_str()) && text.chars().all(is_word) => {
                        found.insert(text.to_owned());
                    }
                    _ => values_of(value, keys, found),
                }
            }
        }
        Value::Array(rows) => rows.iter().for_each(|row| values_of(row, keys, found)),
        _ => {}
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// A text in pieces that, joined, are the text again: words, and what stands between them. `%XX` is never part of a word.
pub(crate) fn words(text: &str) -> Vec<(&str, bool)> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if word > 0 {
            let (piece, after) = rest.split_at(word);
            out.push((piece, true));
            rest = after;
            continue;
        }
        let escape = rest.starts_with('%') && rest.len() >= 3 && rest.is_char_boundary(3);
        let between = if escape {
            3
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        let (piece, after) = rest.split_at(between);
        out.push((piece, false));
        rest = after;
    }
    out
}
