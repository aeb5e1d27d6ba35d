//! The JSON of an item as a service returned it, with where and when it came from.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which of a service's shapes a document has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A resource as ARM returns it.
    Arm,
    /// A run record as the run-history service returns it.
    RunHistory,
    /// `az ml` YAML, as JSON.
    AzMl,
}

/// One document of an item. No field is dropped; numbers stay as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The shape.
    pub form: Form,
    /// The api-version that it was read with.
    pub api_version: String,
    /// When it was read.
    pub read: Timestamp,
    /// The JSON itself.
    pub value: Value,
}
