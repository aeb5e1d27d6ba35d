//! A schedule may name a job instead of holding its definition. The target has that job only as a run, so the schedule
//! is written with the whole definition from the snapshot.

use serde_json::Value;
use workspace::Kind;

use super::{Given, Shaping};
use crate::Action;

/// Where a schedule holds, or names, what it starts.
const DEFINITION: &str = "/properties/action/jobDefinition";
const SOURCE_JOB: &str = "/properties/action/jobDefinition/sourceJobId";

/// The job that a definition says it came from, by its id.
fn named_job(value: &Value) -> Option<&str> {
    let named = value.pointer(SOURCE_JOB)?.as_str()?;
    named.rsplit('/').next().filter(|id| !id.is_empty())
}

/// The job that a schedule names instead of holding its definition, by its id.
pub(crate) fn source_job(value: &Value) -> Option<&str> {
    let named = named_job(value)?;
    let definition = value.pointer(DEFINITION)?.as_object()?;
    // A definition that is whole may say where it came from; then nothing is missing.
    let whole = [
        "command",
        "jobs",
        "trial",
        "taskDetails",
        "entry",
        "componentId",
    ];
    if whole.iter().any(|member| {
        definition
            .get(*member)
            .is_some_and(|value| !value.is_null())
    }) {
        return None;
    }
    Some(named)
}

impl Shaping<'_> {
    /// The document with the definition in the place of the job's name, where the job is none of the target.
    pub(super) fn definition(&mut self, value: &Value, given: &Given<'_>) -> Value {
        let mut value = value.clone();
        let Some(job) = named_job(&value).map(str::to_owned) else {
            return value;
        };
        if (given.job_here)(&job) {
            return value;
        }
        if source_job(&value).is_none() {
            super::remove(&mut value, SOURCE_JOB);
            self.row(
                Action::Create,
                SOURCE_JOB,
                "a finished job cannot be put back, so nothing can name it",
                "left out; the schedule holds the whole definition already",
            );
            return value;
        }
        let Some(definition) = given.source_job.and_then(|text| definition_of(&text.value)) else {
            self.row(
                Action::Impossible,
                SOURCE_JOB,
                format!(
                    "the schedule starts the job {job}, whose definition the snapshot does not hold"
                ),
                "",
            );
            return value;
        };
        if let Some(place) = value.pointer_mut(DEFINITION) {
            *place = definition;
        }
        self.row(
            Action::Create,
            SOURCE_JOB,
            "a finished job cannot be put back, so nothing can name it",
            "the schedule holds the job's whole definition",
        );
        value
    }
}

/// A job's properties as a definition: without what only the service writes.
fn definition_of(job: &Value) -> Option<Value> {
    let row = Kind::find("jobs")?;
    let body = workspace::pointer::without(job, row.read_only);
    let mut definition = body.pointer("/properties")?.clone();
    if let Some(members) = definition.as_object_mut() {
        members.insert("isArchived".to_owned(), Value::Bool(false));
        members.retain(|_, member| !member.is_null());
    }
    Some(definition)
}
