//! What a job was, as the MLflow run that it becomes: experiment, names, times, tags, parameters and end.
//!
//! Read from the job's two documents; nothing here writes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use workspace::azure::RunEnd;
use workspace::{Identity, ItemId};

use crate::snapshot::Loaded;
use crate::{Action, Loss};

mod again;
mod files;
pub(crate) mod metric;

pub(crate) use again::Again;
pub use again::RESUBMITTED_TAG;
pub(crate) use files::{JobFiles, SPECIFICATION, restored};
pub(crate) use metric::peculiarities;

/// The tag by which a restored run is found again.
pub const SOURCE_RUN_TAG: &str = "mlark.source_run";
/// The tag that says in words where the run was.
const SOURCE_WORKSPACE_TAG: &str = "mlark.source_workspace";

/// MLflow's own tag of a child run; it is written by the call that makes the run.
const PARENT_TAGS: [&str; 2] = ["mlflow.parentRunId", "mlflow.rootRunId"];

/// Longer values of parameters and tags are refused by MLflow on Azure ML (MLflow's documented limits).
const TAG_BYTES_MAX: usize = 5_000;
const PARAMETER_BYTES_MAX: usize = 6_000;

/// A job, as the run that it becomes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunRecord {
    /// The job's id at the source.
    pub(crate) source: String,
    /// Its experiment.
    pub(crate) experiment: String,
    /// The name that people see.
    pub(crate) name: String,
    /// The job's id of which it is a child.
    pub(crate) parent: Option<String>,
    /// When it began.
    pub(crate) start: Option<Timestamp>,
    /// When it ended.
    pub(crate) end_time: Option<Timestamp>,
    /// How it ended.
    pub(crate) end: RunEnd,
    /// Its status at the source.
    pub(crate) status: String,
    /// Its tags, with those of mlark.
    pub(crate) tags: BTreeMap<String, String>,
    /// Its parameters.
    pub(crate) params: BTreeMap<String, String>,
    /// Its description.
    pub(crate) description: Option<String>,
    /// Whether it is archived.
    pub(crate) hidden: bool,
    /// Values that MLflow would not take.
    pub(crate) losses: Vec<Loss>,
}

/// The field of a manifest's line that names the experiment in which a run was found.
const EXPERIMENT: &str = "experiment";

/// The experiment in which the run was found whose documents name none.
fn noted_experiment(loaded: &Loaded) -> Option<String> {
    let name = loaded.item.more.get(EXPERIMENT)?.as_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Where a run goes whose experiment nobody names: where Azure Machine Learning puts a run without one.
const UNNAMED_EXPERIMENT: &str = "Default";

impl RunRecord {
    /// Reads the documents of a job: the specification from ARM, the record from run history, or either. A job that had
    /// not ended when they were read ends at that moment, the last one that is known of it.
    pub(crate) fn read(loaded: &Loaded, source: &Identity) -> Self {
        let job = &loaded.id;
        let (arm, record) = (
            loaded.arm.as_ref().map(|text| &text.value),
            loaded.record.as_ref().map(|text| &text.value),
        );
        let read = loaded
            .record
            .as_ref()
            .or(loaded.arm.as_ref())
            .map(|text| text.read);
        let both = Documents { arm, record };
        let status = both
            .text(&["/properties/status"], &["/status"])
            .unwrap_or_default();
        let start = both.time("/startTimeUtc", "StartTimeUtc");
        let end_time = both.time("/endTimeUtc", "EndTimeUtc");
        let mut losses = Vec::new();
        let mut tags = limited(
            job,
            "tag",
            both.map("/properties/tags", "/tags"),
            TAG_BYTES_MAX,
            &mut losses,
        );
        for tag in PARENT_TAGS {
            tags.remove(tag);
        }
        let own = both.own_tags(job, &status, start, end_time, source);
        put_own(&mut tags, own);
        let params = both.map("/properties/parameters", "/parameters");
        let params = limited(job, "parameter", params, PARAMETER_BYTES_MAX, &mut losses);
        if end_of(&status).is_none() {
            losses.push(Loss::new(
                job,
                Action::Create,
                format!("status {status}"),
                "the job had not ended when the snapshot was taken",
                "the run ends as KILLED; `mlark/job.json` can be submitted",
            ));
        }
        let experiment = both
            .text(&["/properties/experimentName"], &["/experimentName"])
            .or_else(|| noted_experiment(loaded));
        if experiment.is_none() {
            losses.push(Loss::new(
                job,
                Action::Create,
                "its experiment",
                "neither its documents nor the list that it was found in name it",
                format!("the run is made in the experiment `{UNNAMED_EXPERIMENT}`"),
            ));
        }
        Self {
            source: job.name.clone(),
            experiment: experiment.unwrap_or_else(|| UNNAMED_EXPERIMENT.to_owned()),
            name: both
                .text(&["/properties/displayName"], &["/displayName", "/name"])
                .unwrap_or_else(|| job.name.clone()),
            parent: both
                .text(&[], &["/parentRunId"])
                .filter(|parent| *parent != job.name),
            start,
            end_time: end_time.or(read),
            end: end_of(&status).unwrap_or(RunEnd::Killed),
            status,
            tags,
            params,
            description: both.text(&["/properties/description"], &["/description"]),
            hidden: both.flag("/properties/isArchived", "/hidden"),
            losses,
        }
    }
}

/// Tags of mlark by which a run of an earlier restore is found again, and under which names they stay when its run is
/// restored in its turn. Its other ones say what the first job was, and stay.
const FOLLOWED: [(&str, &str); 2] = [
    (SOURCE_RUN_TAG, "mlark.first_source_run"),
    (SOURCE_WORKSPACE_TAG, "mlark.first_source_workspace"),
];

/// Adds mlark's own tags to those of the source.
fn put_own(tags: &mut BTreeMap<String, String>, own: BTreeMap<String, String>) {
    let follows = tags.contains_key(SOURCE_RUN_TAG);
    for (tag, first) in FOLLOWED {
        if let Some(value) = tags.remove(tag) {
            tags.entry(first.to_owned()).or_insert(value);
        }
    }
    let is_new = |tag: &str| !follows || FOLLOWED.iter().any(|(followed, _)| *followed == tag);
    tags.extend(own.into_iter().filter(|(tag, _)| is_new(tag)));
}

/// MLflow's word for an end; `None` for a status that is none.
fn end_of(status: &str) -> Option<RunEnd> {
    match status {
        "Completed" => Some(RunEnd::Finished),
        "Failed" | "NotResponding" => Some(RunEnd::Failed),
        "Canceled" => Some(RunEnd::Killed),
        _ => None,
    }
}

/// Leaves out what is longer than the service takes, with a row for each.
fn limited(
    job: &ItemId,
    what: &str,
    values: BTreeMap<String, String>,
    bytes_max: usize,
    losses: &mut Vec<Loss>,
) -> BTreeMap<String, String> {
    let (fit, long): (BTreeMap<_, _>, BTreeMap<_, _>) = values
        .into_iter()
        .partition(|(_, value)| value.len() <= bytes_max);
    for name in long.into_keys() {
        losses.push(Loss::new(
            job,
            Action::Create,
            format!("{what} {name}"),
            format!("MLflow takes values of at most {bytes_max} bytes"),
            "the specification in `mlark/job.json` and the snapshot keep it",
        ));
    }
    fit
}

/// The two documents of a job. Run history is asked first: it has what changed after the job was submitted.
struct Documents<'a> {
    arm: Option<&'a Value>,
    record: Option<&'a Value>,
}

impl Documents<'_> {
    fn text(&self, arm: &[&str], record: &[&str]) -> Option<String> {
        let of = |document: Option<&Value>, pointers: &[&str]| {
            let found = pointers.iter().find_map(|pointer| {
                document?
                    .pointer(pointer)?
                    .as_str()
                    .filter(|text| !text.is_empty())
            });
            found.map(str::to_owned)
        };
        of(self.record, record).or_else(|| of(self.arm, arm))
    }

    fn flag(&self, arm: &str, record: &str) -> bool {
        let of = |document: Option<&Value>, pointer: &str| document?.pointer(pointer)?.as_bool();
        of(self.record, record)
            .or_else(|| of(self.arm, arm))
            .unwrap_or_default()
    }

    fn map(&self, arm: &str, record: &str) -> BTreeMap<String, String> {
        let of = |document: Option<&Value>, pointer: &str| {
            let members = document?
                .pointer(pointer)?
                .as_object()
                .filter(|members| !members.is_empty())?;
            Some(
                members
                    .iter()
                    .map(|(name, value)| (name.clone(), plain(value)))
                    .collect(),
            )
        };
        of(self.record, record)
            .or_else(|| of(self.arm, arm))
            .unwrap_or_default()
    }

    /// A time of the record, or of the property by which ARM shows it.
    fn time(&self, record: &str, property: &str) -> Option<Timestamp> {
        let recorded = self
            .record
            .and_then(|record_document| record_document.pointer(record));
        let shown = self
            .arm
            .and_then(|arm| arm.pointer("/properties/properties")?.get(property));
        recorded.or(shown)?.as_str().and_then(read_time)
    }

    fn own_tags(
        &self,
        job: &ItemId,
        status: &str,
        start: Option<Timestamp>,
        end: Option<Timestamp>,
        source: &Identity,
    ) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::from([
            (SOURCE_RUN_TAG.to_owned(), job.name.clone()),
            (SOURCE_WORKSPACE_TAG.to_owned(), workspace_words(source)),
        ]);
        let mut tag = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                tags.insert(format!("mlark.{name}"), value);
            }
        };
        tag("status", Some(status.to_owned()));
        tag("started", start.map(|time| time.to_string()));
        tag("ended", end.map(|time| time.to_string()));
        tag(
            "created",
            self.text(&["/systemData/createdAt"], &["/createdUtc"]),
        );
        tag(
            "creator",
            self.text(
                &["/systemData/createdBy"],
                &["/createdBy/userName", "/createdBy/upn"],
            ),
        );
        tags
    }
}

/// The source in words that are no reference, since nothing in the target may lead there.
fn workspace_words(source: &Identity) -> String {
    match source {
        Identity::Azure {
            subscription,
            resource_group,
            workspace,
            ..
        }
        | Identity::Registry {
            subscription,
            resource_group,
            registry: workspace,
            ..
        } => format!("{workspace} of group {resource_group} of subscription {subscription}"),
        Identity::Folder(path) => path.display().to_string(),
    }
}

/// A value as MLflow keeps it: text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A time as the services write it: RFC 3339, or without an offset and then in UTC.
pub(crate) fn read_time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let time: jiff::civil::DateTime = text.trim().replacen(' ', "T", 1).parse().ok()?;
        time.to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    })
}

/// Whether a time is finer than a millisecond, which is what MLflow keeps.
pub(crate) fn is_fine(time: Timestamp) -> bool {
    time.subsec_nanosecond() % 1_000_000 != 0
}

/// The files that hold histories of metrics.
fn histories(loaded: &Loaded) -> impl Iterator<Item = &archive_format::FileEntry> {
    loaded
        .item
        .files
        .iter()
        .filter(|file| file.path.as_str().starts_with("metrics/"))
}

#[cfg(test)]
mod tests;
