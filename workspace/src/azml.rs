//! `az ml` YAML of items: what the official command line and SDK read, made of the documents that ARM returned.
//!
//! Each kind's row names its mapping, and each mapping is a table of fields. What a table does not name is not dropped
//! silently: it is listed, with the place in the document. The original documents stay beside the YAML, so nothing is lost.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{Identity, ItemId};

mod asset;
mod automl;
mod component;
mod compute;
mod connection;
mod datastore;
mod deployment;
mod endpoint;
mod feature;
mod field;
mod input;
mod job;
mod monitor;
mod node;
mod refer;
mod registry;
mod schedule;
mod sweep;
mod word;
mod workspace;

pub use asset::{CODE, DATA, ENVIRONMENT, MODEL};
pub use component::COMPONENT;
pub use compute::COMPUTE;
pub use connection::CONNECTION;
pub use datastore::DATASTORE;
pub use deployment::{BATCH_DEPLOYMENT, ONLINE_DEPLOYMENT};
pub use endpoint::{
    BATCH_ENDPOINT, MARKETPLACE_SUBSCRIPTION, ONLINE_ENDPOINT, SERVERLESS_ENDPOINT,
};
pub use feature::{FEATURE_SET, FEATURE_STORE_ENTITY};
pub use job::JOB;
pub use refer::is_anonymous;
pub use registry::REGISTRY;
pub use schedule::SCHEDULE;
pub use workspace::WORKSPACE;

use field::Walk;

/// How items of a kind are written as YAML.
#[derive(Clone, Copy, Debug)]
pub struct AzMl {
    /// The word of `az ml` for its commands: `az ml online-endpoint`.
    pub noun: &'static str,
    /// The file's name: `model.yml`.
    pub file: &'static str,
    /// The mapping.
    map: fn(&mut Walk<'_>) -> Result<Map<String, Value>, Unmapped>,
}

/// Why an item has no YAML, in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped(pub String);

/// Something that the YAML does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// JSON pointer into the document.
    pub pointer: String,
    /// Why.
    pub reason: &'static str,
}

/// An item that another one refers to, where it is written too.
#[derive(Clone, Debug, Default)]
pub struct Neighbour {
    /// Its folder, from the folder of the item that refers to it: `../../codes/c/1`.
    pub folder: String,
    /// The name of its YAML file, where it has one.
    pub file: Option<&'static str>,
    /// Whether it has files.
    pub has_files: bool,
    /// Its document, for environments that no name leads to: a job's YAML holds them whole.
    pub document: Option<Value>,
}

/// What a mapping is given.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The item.
    pub id: &'a ItemId,
    /// Its document as ARM returned it.
    pub document: &'a Value,
    /// The workspace that it was taken from.
    pub identity: &'a Identity,
    /// The paths of its files, each of which lies below [`FILES`] beside the YAML.
    pub files: &'a [String],
    /// The items that it refers to.
    pub neighbours: &'a BTreeMap<ItemId, Neighbour>,
    /// Fields that only the service writes: neither written nor listed.
    pub read_only: &'a [&'static str],
}

/// The folder beside the YAML that holds an item's files.
pub const FILES: &str = "files";

/// An item as YAML.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// The files, by name: the YAML first, then what it names beside it.
    pub files: Vec<(&'static str, String)>,
    /// What the YAML does not say.
    pub left: Vec<LeftOut>,
}

impl AzMl {
    /// Writes an item as YAML.
    pub fn sheet(&self, given: &Given<'_>) -> Result<Sheet, Unmapped> {
        let mut walk = Walk::new(given);
        let members = (self.map)(&mut walk)?;
        let mut files = vec![(self.file, crate::yaml::to_yaml(&Value::Object(members)))];
        files.extend(walk.beside);
        Ok(Sheet {
            files,
            left: walk.left,
        })
    }
}

#[cfg(test)]
mod tests;
