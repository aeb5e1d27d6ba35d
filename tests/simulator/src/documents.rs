//! The documents of a workspace: every ARM resource below it, whole, by collection and name.
//!
//! A collection is named by its path below the workspace in canonical letter case: `models`, `models/churn/versions`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// One ARM resource below a workspace.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its name, as it was made.
    pub name: String,
    /// What clients wrote, with members nobody knows: `properties`, `tags`, `location`, `sku`, … but neither `id`, `name`,
    /// `type` nor `systemData`.
    pub body: Map<String, Value>,
    /// What only `listSecrets` and its like show.
    pub secrets: Option<Value>,
    /// Place in the order of creation within the workspace.
    pub sequence: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed last.
    pub modified: Timestamp,
    /// When the operation that wrote it last ends; before, it is still being made.
    pub ready: Timestamp,
    /// Whether that operation fails: the resource stays, and says so.
    pub fails: bool,
    /// Client id of who made it.
    pub created_by: String,
    /// Client id of who changed it last.
    pub modified_by: String,
}

impl Resource {
    /// A resource that is ready at once.
    pub fn new(name: &str, body: Map<String, Value>, by: &str, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            body,
            secrets: None,
            sequence: 0,
            created: now,
            modified: now,
            ready: now,
            fails: false,
            created_by: by.to_owned(),
            modified_by: by.to_owned(),
        }
    }

    /// `properties`, empty where there are none.
    pub fn properties(&self) -> Option<&Map<String, Value>> {
        self.body.get("properties")?.as_object()
    }

    /// `provisioningState` at a moment.
    pub fn provisioning_state(&self, now: Timestamp) -> &'static str {
        match (now < self.ready, self.created == self.modified) {
            (false, _) if self.fails => "Failed",
            (false, _) => "Succeeded",
            (true, true) => "Creating",
            (true, false) => "Updating",
        }
    }

    /// Sets a member of `properties`.
    pub fn set_property(&mut self, name: &str, value: Value) {
        match self.body.get_mut("properties") {
            Some(Value::Object(properties)) => {
                properties.insert(name.to_owned(), value);
            }
            _ => {
                let properties = Map::from_iter([(name.to_owned(), value)]);
                self.body
                    .insert("properties".to_owned(), Value::Object(properties));
            }
        }
    }

    /// `properties.isArchived`.
    pub fn is_archived(&self) -> bool {
        self.properties()
            .and_then(|p| p.get("isArchived"))
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }
}

/// All resources below a workspace.
#[derive(Debug, Default)]
pub struct Documents {
    collections: BTreeMap<String, BTreeMap<String, Resource>>,
    sequence: u64,
}

impl Documents {
    /// The resource of a collection by name. Names are case-sensitive.
    pub fn get(&self, collection: &str, name: &str) -> Option<&Resource> {
        self.collections.get(collection)?.get(name)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, collection: &str, name: &str) -> Option<&mut Resource> {
        self.collections.get_mut(collection)?.get_mut(name)
    }

    /// Puts a resource in, in place of one of the same name; a new one gets the next sequence number.
    pub fn put(&mut self, collection: &str, mut resource: Resource) {
        let of = self.collections.entry(collection.to_owned()).or_default();
        resource.sequence = match of.get(&resource.name) {
            Some(old) => old.sequence,
            None => {
                self.sequence += 1;
                self.sequence
            }
        };
        of.insert(resource.name.clone(), resource);
    }

    /// Takes a resource out, with everything below it.
    pub fn remove(&mut self, collection: &str, name: &str) -> Option<Resource> {
        let removed = self.collections.get_mut(collection)?.remove(name)?;
        let below = format!("{collection}/{name}/");
        self.collections.retain(|path, _| !path.starts_with(&below));
        Some(removed)
    }

    /// The resources of a collection in order of creation.
    pub fn list(&self, collection: &str) -> Vec<&Resource> {
        let mut all: Vec<&Resource> = self
            .collections
            .get(collection)
            .map(|of| of.values().collect())
            .unwrap_or_default();
        all.sort_by_key(|resource| resource.sequence);
        all
    }

    /// Every collection that was ever written, with its resources by name.
    pub fn collections(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, Resource>)> {
        self.collections
            .iter()
            .map(|(path, of)| (path.as_str(), of))
    }
}
