//! Jobs that had not ended when they were saved, as they are submitted once more where that is asked for.
//!
//! The new job has a name that follows from the old one, and a tag that says whose it is: asking for that name tells
//! whether it was submitted, whoever did it and however that ended.

use serde_json::{Value, json};
use workspace::reference::{Rewriter, rewrite};
use workspace::{Identity, ItemId, Kind};

use super::{RunRecord, end_of};
use crate::snapshot::{Loaded, Text};

/// The tag of a job that a restore submitted: the id of the job that it was at the source.
pub const RESUBMITTED_TAG: &str = "mlark.resubmitted";
/// What the name ends in where the old one may still be known to the workspace.
const AGAIN: &str = "-again";

/// A job that is submitted again.
#[derive(Clone, Debug)]
pub(crate) struct Again<'a> {
    source: &'a str,
    text: &'a Text,
    /// The new job.
    pub(crate) target: ItemId,
    /// Its status at the source.
    pub(crate) status: String,
}

impl<'a> Again<'a> {
    /// `None` for a job that had ended, that is a part of another one, or whose specification the snapshot does not have.
    /// `stays`: it is submitted to the workspace that it was of.
    pub(crate) fn of(loaded: &'a Loaded, source: &Identity, stays: bool) -> Option<Self> {
        let text = loaded.arm.as_ref()?;
        let record = RunRecord::read(loaded, source);
        if record.status.is_empty() || end_of(&record.status).is_some() || record.parent.is_some() {
            return None;
        }
        let id = &loaded.id;
        let name = match stays {
            true => format!("{}{AGAIN}", id.name),
            false => id.name.clone(),
        };
        Some(Self {
            source: &id.name,
            text,
            target: ItemId::new(id.kind.clone(), name),
            status: record.status,
        })
    }

    /// Whether a job of the target is this one.
    pub(crate) fn is(&self, document: &Value) -> bool {
        let tag = document
            .pointer("/properties/tags")
            .and_then(|tags| tags.get(RESUBMITTED_TAG));
        tag.and_then(Value::as_str) == Some(self.source)
    }

    /// The api-version that it is submitted with.
    pub(crate) fn api_version(&self) -> &'a str {
        &self.text.api_version
    }

    /// What it would be run on, in words.
    pub(crate) fn compute(&self) -> String {
        let compute = self.text.value.pointer("/properties/computeId");
        match compute
            .and_then(Value::as_str)
            .and_then(|id| id.rsplit('/').next())
        {
            Some(name) if !name.is_empty() => format!("the compute {name}"),
            _ => "compute of its steps or of the service".to_owned(),
        }
    }

    /// The body of the PUT that submits it.
    pub(crate) fn body(&self, kind: &Kind, rewriter: &Rewriter) -> Value {
        let mut value = rewrite(kind, &self.text.value, rewriter).value;
        if let Some(Value::Object(properties)) = value.get_mut("properties") {
            properties.insert("isArchived".to_owned(), json!(false));
            let tags = properties.entry("tags").or_insert(Value::Null);
            if !tags.is_object() {
                *tags = json!({});
            }
            tags[RESUBMITTED_TAG] = json!(self.source);
        }
        kind.body(&self.target, &value)
    }
}
