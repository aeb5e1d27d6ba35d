//! What the backup that a dry run counted would take: requests, hours at Azure's read limit, storage.

use std::time::Duration;

use archive_format::SnapshotRecord;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::capture::{Counted, Report};

/// Requests a second that Resource Manager lets one identity read in a subscription for long (250 at once, 25 a second;
/// "Understand how Azure Resource Manager throttles requests").
const READS_A_SECOND: u64 = 25;

/// What one ranged read of a blob brings, in bytes.
const RANGE_BYTES: u64 = 4 << 20;

/// How far back it is looked for what backups stored.
const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// The shortest time that says something about a month.
const SPAN_MIN: Duration = Duration::from_secs(86_400);

/// An estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Estimate {
    /// Requests of the whole backup, those of the dry run among them.
    pub(super) requests: u64,
    /// What those take at the read limit.
    pub(super) length: Duration,
    /// What is stored at most: compression and what the repository has already make it less.
    pub(super) stored_bytes: u64,
    /// What backups of this workspace stored in 30 days, by those of the last 30; not known before the second one.
    pub(super) month_bytes: Option<u64>,
}

impl Estimate {
    /// By what was counted and by the snapshots that the repository has.
    pub(super) fn new(report: &Report, history: &[SnapshotRecord]) -> Self {
        let reading = match report.requests {
            // A folder: nothing is asked of any service.
            0 => 0,
            _ => report.files_total().count(Counted::Saved) + report.bytes.read / RANGE_BYTES,
        };
        let requests = report.requests + reading;
        Self {
            requests,
            length: Duration::from_secs(requests.div_ceil(READS_A_SECOND)),
            stored_bytes: report.bytes.read,
            month_bytes: month(report, history),
        }
    }

    /// In the document of `--json`.
    pub(super) fn value(&self) -> Value {
        json!({
            "requests": self.requests,
            "seconds": self.length.as_secs(),
            "stored_bytes": self.stored_bytes,
            "month_bytes": self.month_bytes,
        })
    }
}

/// What the snapshots of the last 30 days stored, for a whole month. The very first of a workspace brings everything, so it
/// says nothing about the days to come.
fn month(report: &Report, history: &[SnapshotRecord]) -> Option<u64> {
    let mut own: Vec<&SnapshotRecord> = history
        .iter()
        .filter(|record| record.workspace == report.workspace)
        .collect();
    own.sort_by_key(|record| record.started);
    let (first, later) = own.split_first()?;
    let ago = |moment: Timestamp| report.started.duration_since(moment).unsigned_abs();
    let covered = ago(first.started).min(MONTH);
    if later.is_empty() || covered < SPAN_MIN {
        return None;
    }
    let lately = later.iter().filter(|record| ago(record.started) <= MONTH);
    let stored: u64 = lately.map(|record| record.bytes.stored).sum();
    let whole = u128::from(stored) * MONTH.as_millis() / covered.as_millis();
    u64::try_from(whole).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeMap;

    use super::*;
    use crate::capture::{Bytes, Ending, Tally};
    use crate::health::tests::snapshot;

    fn counted(requests: u64) -> Report {
        let started: Timestamp = "2026-11-30T00:00:00Z".parse().unwrap();
        let files = Tally::new(120, [100, 20, 0, 0, 0]).unwrap();
        Report {
            snapshot: None,
            workspace: "prod".to_owned(),
            ending: Ending::Counted,
            started,
            finished: started,
            items: BTreeMap::new(),
            files: BTreeMap::from([("models".to_owned(), files)]),
            bytes: Bytes {
                listed: 100 << 20,
                read: 80 << 20,
                ..Bytes::default()
            },
            requests,
            gaps: Vec::new(),
            gaps_left_out: 0,
            undiscovered: None,
            unreached: Vec::new(),
            unfamiliar: BTreeMap::new(),
            locks: None,
        }
    }

    fn stored(started: &str, bytes: u64) -> SnapshotRecord {
        let mut record = snapshot(started, "complete");
        record.workspace = "prod".to_owned();
        record.bytes.stored = bytes;
        record
    }

    #[test]
    fn requests_are_those_made_one_for_each_file_and_one_for_each_range() {
        let estimate = Estimate::new(&counted(880), &[]);
        assert_eq!(estimate.requests, 880 + 100 + 20);
        assert_eq!(estimate.length, Duration::from_secs(40));
        assert_eq!(estimate.stored_bytes, 80 << 20);
        assert_eq!(Estimate::new(&counted(0), &[]).requests, 0);
    }

    #[test]
    fn a_month_is_what_was_stored_after_the_first_snapshot_in_its_last_thirty_days() {
        let month = |history: &[SnapshotRecord]| month(&counted(1), history);
        let first = || stored("2026-11-20T00:00:00Z", 1_000_000);
        assert_eq!(month(&[]), None);
        assert_eq!(month(&[first()]), None);
        let later = [stored("2026-11-29T00:00:00Z", 30), first()];
        assert_eq!(month(&later), Some(90), "ten days, and a month has thirty");
        let mut other = stored("2026-11-29T00:00:00Z", 7);
        other.workspace = "test".to_owned();
        assert_eq!(month(&[first(), other]), None);
        let old = [
            stored("2026-01-01T00:00:00Z", 1_000_000),
            stored("2026-10-01T00:00:00Z", 500),
            stored("2026-11-29T00:00:00Z", 30),
        ];
        assert_eq!(month(&old), Some(30));
        let today = [
            stored("2026-11-29T20:00:00Z", 1_000),
            stored("2026-11-29T22:00:00Z", 5),
        ];
        assert_eq!(month(&today), None, "four hours say nothing of a month");
    }
}
