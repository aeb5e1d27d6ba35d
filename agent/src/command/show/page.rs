//! An item for people: its `az ml` YAML where its kind has one, else its document, and below it, as comments, what the
//! snapshot knows besides: status, times, metrics, sizes, gaps, credentials. The whole stays YAML.

use std::collections::BTreeMap;

use archive_format::{FileEntry, Item, SnapshotReader};
use futures::StreamExt;
use serde_json::{Map, Value};
use workspace::azml::{Given, Sheet};
use workspace::select::{AttributeName, AttributeValue};
use workspace::{Document, Form, Identity, ItemId, Kind};

use crate::failure::Failure;
use crate::ui::amount;

/// Histories of metrics that are read, and the longest of them.
const METRICS_MAX: usize = 50;
const HISTORY_BYTES_MAX: u64 = 4 << 20;
/// Places that are listed of those which the YAML does not have.
const LEFT_MAX: usize = 12;

/// What is shown.
pub(super) struct Page<'a> {
    pub(super) reader: &'a SnapshotReader,
    pub(super) id: &'a ItemId,
    pub(super) item: &'a Item,
    /// Its documents, masked where secrets are not to be seen.
    pub(super) documents: Vec<Document>,
    /// Credentials by their pointers, where they are to be seen.
    pub(super) credentials: Map<String, Value>,
}

impl Page<'_> {
    /// The text.
    pub(super) async fn text(&self) -> Result<String, Failure> {
        let (mut text, left) = self.body();
        let mut facts = self.facts();
        facts.extend(self.metrics().await?);
        facts.extend(self.files());
        facts.extend(self.gaps());
        facts.extend(self.secrets());
        facts.extend(left);
        text.push('\n');
        for (name, value) in facts {
            text.push_str(&format!("# {name:<12} {value}\n"));
        }
        Ok(text.trim_end().to_owned())
    }

    /// The document, and rows for what it leaves out.
    fn body(&self) -> (String, Vec<Fact>) {
        if let Some(sheet) = self.sheet() {
            let mut text = String::new();
            for (number, (name, file)) in sheet.files.iter().enumerate() {
                if number > 0 {
                    text.push_str(&format!("\n# {name}\n"));
                }
                text.push_str(file);
            }
            let more = sheet.left.len().saturating_sub(LEFT_MAX);
            let left = sheet.left.iter().take(LEFT_MAX);
            let mut left: Vec<Fact> = left
                .map(|left| {
                    (
                        "not above".to_owned(),
                        format!("{}: {}", left.pointer, left.reason),
                    )
                })
                .collect();
            if more > 0 {
                left.push(("not above".to_owned(), format!("and {more} places more")));
            }
            return (text, left);
        }
        match self.documents.first() {
            Some(document) => (format!("{:#}\n", document.value), Vec::new()),
            None => (String::new(), Vec::new()),
        }
    }

    fn sheet(&self) -> Option<Sheet> {
        let kind = Kind::find(&self.id.kind)?;
        let arm = self
            .documents
            .iter()
            .find(|document| document.form == Form::Arm)?;
        if kind.versioned && self.id.version.is_none() {
            return None;
        }
        let identity: Identity =
            serde_json::from_value(self.reader.record().identity.clone()).ok()?;
        let neighbours = BTreeMap::new();
        let given = Given {
            id: self.id,
            document: &arm.value,
            identity: &identity,
            files: &[],
            neighbours: &neighbours,
            read_only: kind.read_only_of(self.id),
        };
        kind.azml?.sheet(&given).ok()
    }

    fn facts(&self) -> Vec<Fact> {
        let record = self.reader.record();
        let read = self.documents.iter().map(|document| document.read).max();
        let mut facts = vec![
            ("item".to_owned(), self.id.to_string()),
            (
                "snapshot".to_owned(),
                format!("{} of {}", record.id, record.workspace),
            ),
        ];
        let mut fact = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                facts.push((name.to_owned(), value));
            }
        };
        fact("read", read.map(amount::moment));
        fact("status", self.attribute(&AttributeName::Status));
        let by = self.attribute(&AttributeName::Creator);
        let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
        let created = self.attribute(&AttributeName::Created);
        fact("created", created.map(|created| format!("{created}{by}")));
        fact("modified", self.attribute(&AttributeName::Modified));
        fact("started", self.attribute(&AttributeName::Started));
        let (started, ended) = (
            self.value(&AttributeName::Started),
            self.value(&AttributeName::Ended),
        );
        let took = match (started, ended) {
            (Some(AttributeValue::Time(started)), Some(AttributeValue::Time(ended))) => {
                format!(
                    ", after {}",
                    amount::span(ended.duration_since(started).unsigned_abs())
                )
            }
            _ => String::new(),
        };
        let ended = self.attribute(&AttributeName::Ended);
        fact("ended", ended.map(|ended| format!("{ended}{took}")));
        let archived = self.attribute(&AttributeName::Archived);
        fact("archived", archived.filter(|archived| archived == "true"));
        facts
    }

    fn value(&self, name: &AttributeName) -> Option<AttributeValue> {
        let kind = Kind::find(&self.id.kind)?;
        (kind.attribute)(&self.documents, name)
    }

    fn attribute(&self, name: &AttributeName) -> Option<String> {
        Some(match self.value(name)? {
            AttributeValue::Absent => return None,
            AttributeValue::Text(text) => text,
            AttributeValue::Time(time) => amount::moment(time),
            AttributeValue::Size(bytes) => amount::size(bytes),
            AttributeValue::Flag(flag) => flag.to_string(),
        })
    }

    /// A line a metric: its last value, and how many there are.
    async fn metrics(&self) -> Result<Vec<Fact>, Failure> {
        let files = self.item.files.iter();
        let histories = files.filter_map(|file| Some((metric_of(file)?, file)));
        let mut facts = Vec::new();
        let mut left_out: u64 = 0;
        for (name, file) in histories {
            if facts.len() >= METRICS_MAX || file.size() > HISTORY_BYTES_MAX {
                left_out += 1;
                continue;
            }
            let (count, last) = self.history(file).await?;
            let count = amount::counted(count, "point");
            facts.push(("metric".to_owned(), format!("{name} = {last} ({count})")));
        }
        if left_out > 0 {
            let more = format!("and {} more", amount::counted(left_out, "metric"));
            facts.push(("metric".to_owned(), more));
        }
        Ok(facts)
    }

    /// How many points a history has, and the last one.
    async fn history(&self, file: &FileEntry) -> Result<(u64, String), Failure> {
        let Some(content) = &file.content else {
            return Ok((0, String::new()));
        };
        let mut bytes = Vec::new();
        let mut chunks = self.reader.file(content);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| Failure::of_archive(&error))?;
            bytes.extend_from_slice(&chunk);
        }
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.trim_ascii().is_empty());
        let (mut count, mut last) = (0, None);
        for line in lines {
            count += 1;
            last = Some(line);
        }
        let last: Option<Value> = last.and_then(|line| serde_json::from_slice(line).ok());
        Ok((count, last.as_ref().map(value_of).unwrap_or_default()))
    }

    fn files(&self) -> Vec<Fact> {
        let files = self.item.files.iter();
        let own = files.filter(|file| metric_of(file).is_none() && file.content.is_some());
        let (mut count, mut bytes) = (0, 0);
        for file in own {
            count += 1;
            bytes += file.size();
        }
        if count == 0 {
            return Vec::new();
        }
        let text = format!(
            "{}, {}",
            amount::counted(count, "file"),
            amount::size(bytes)
        );
        vec![("files".to_owned(), text)]
    }

    fn gaps(&self) -> Vec<Fact> {
        let gaps = self.item.gaps.iter();
        gaps.map(|gap| {
            let file = gap.file.as_deref().map(|file| format!("{file}: "));
            let text = format!("{}{}", file.unwrap_or_default(), gap.reason);
            ("gap".to_owned(), text)
        })
        .collect()
    }

    fn secrets(&self) -> Vec<Fact> {
        let secrets = self.item.secrets.iter();
        secrets
            .map(|entry| {
                let text = match self.credentials.get(&entry.pointer) {
                    Some(Value::String(text)) => format!("{} = {text}", entry.pointer),
                    Some(value) => format!("{} = {value}", entry.pointer),
                    None => format!("{} is kept; --reveal shows it", entry.pointer),
                };
                ("secret".to_owned(), text)
            })
            .collect()
    }
}

/// A line of what is known besides the document.
type Fact = (String, String);

/// The metric whose history a file of a job is.
fn metric_of(file: &FileEntry) -> Option<&str> {
    let path = file.path.as_str();
    path.strip_prefix("metrics/")?.strip_suffix(".jsonl")
}

/// What a point says, in a few words.
fn value_of(point: &Value) -> String {
    let data = match point.get("data") {
        Some(Value::Object(data)) if data.len() == 1 => data.values().next(),
        _ => point.get("value"),
    };
    match data {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) if text.len() <= 40 => text.clone(),
        _ => "no number".to_owned(),
    }
}
