//! Kinds that could not be taken as they should be: the line of the manifest that says so, and the word of the snapshot's
//! record by which retention keeps an older snapshot that has such a kind.

use archive_format::{Line, LineKey, SnapshotRecord};
use serde_json::{Value, json};

use super::Error;
use super::run::Run;

/// The member of a snapshot's record that names the kinds that were not listed to their end.
const UNLISTED: &str = "unlisted_kinds";

/// The kinds of which a snapshot may lack items because they could not be listed to their end. None that the configuration
/// of the backup accepted is among them.
pub fn unlisted(record: &SnapshotRecord) -> impl Iterator<Item = &str> {
    let kinds = record.more.get(UNLISTED).and_then(Value::as_array);
    kinds.into_iter().flatten().filter_map(Value::as_str)
}

impl Run<'_> {
    /// Writes a line for each kind that could not be taken as it should be.
    pub(super) async fn lay_down_kinds(&self) -> Result<(), Error> {
        for counts in self.counts.kinds() {
            let gaps = counts.own_gaps();
            if gaps.is_empty() {
                continue;
            }
            let key = LineKey::of_kind(counts.kind.name);
            let staged = self.writer.staged(&key).await;
            // An entry of a folder may have the same name; it stays what it is.
            let mut line = staged
                .map_err(|error| self.broken(error))?
                .unwrap_or_else(|| Line::new(key));
            line.gaps.retain(|gap| gap.file.is_some());
            line.gaps.extend(gaps);
            self.write(line, true).await?;
        }
        Ok(())
    }

    /// What the record says of them.
    pub(super) fn unlisted(&self) -> Option<(String, Value)> {
        let kinds = self.counts.kinds().filter(|counts| counts.is_unlisted());
        let names: Vec<&str> = kinds.map(|counts| counts.kind.name).collect();
        (!names.is_empty()).then(|| (UNLISTED.to_owned(), json!(names)))
    }
}
