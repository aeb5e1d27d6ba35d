//! The numbers of the daemon for Prometheus, in its text format (version 0.0.4). Names are a contract; labels are
//! escaped; nothing here is a secret.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use archive_format::{Outcome, SnapshotRecord};
use jiff::Timestamp;
use workspace::azure::{Exchange, Observer};

use crate::health::State;

/// The outcomes of a run, each a series of its own.
const OUTCOMES: [&str; 4] = ["complete", "partial", "suspect", "failed"];

/// One name with its help and type.
struct Family {
    name: &'static str,
    sort: &'static str,
    help: &'static str,
}

const LAST_SUCCESS: Family = gauge(
    "mlark_last_success_timestamp_seconds",
    "When the newest complete snapshot was committed.",
);
const LAST_OUTCOME: Family = gauge(
    "mlark_last_run_outcome",
    "1 for the outcome of the last run, 0 for the others.",
);
const ITEMS: Family = gauge("mlark_items", "Items of the last run by kind and result.");
const BYTES: Family = counter(
    "mlark_bytes_total",
    "Bytes read from workspaces and stored in the repository.",
);
const REQUESTS: Family = counter("mlark_requests_total", "Requests by service and status.");
const THROTTLED: Family = counter(
    "mlark_throttled_seconds_total",
    "Seconds for which services asked to wait.",
);
const REPOSITORY: Family = gauge(
    "mlark_repository_bytes",
    "Bytes that the packs of the repository take.",
);

const STATE: Family = gauge(
    "mlark_workspace_state",
    "1 for how a workspace's backups stand, 0 for the other states.",
);
const MISSED: Family = counter(
    "mlark_missed_runs_total",
    "Runs of the schedule that were not made, and that a later one made up for.",
);

const LAST_CHECK: Family = gauge(
    "mlark_last_check_timestamp_seconds",
    "When this machine last found the repository sound.",
);

const LAST_DRILL: Family = gauge(
    "mlark_last_drill_timestamp_seconds",
    "When a snapshot was last restored on trial and found as it should be.",
);
const LAST_DRILL_RESTORE: Family = gauge(
    "mlark_last_drill_restore_seconds",
    "How long that restore took, without the comparison.",
);

const FAMILIES: [Family; 12] = [
    LAST_SUCCESS,
    LAST_OUTCOME,
    STATE,
    MISSED,
    ITEMS,
    BYTES,
    REQUESTS,
    THROTTLED,
    REPOSITORY,
    LAST_CHECK,
    LAST_DRILL,
    LAST_DRILL_RESTORE,
];

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        sort: "gauge",
        help,
    }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        sort: "counter",
        help,
    }
}

type Series = BTreeMap<String, f64>;

/// All numbers; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<&'static str, Series>>>);

impl Metrics {
    /// Takes what the repository knows of a workspace's newest snapshot: what a restart must not forget. How the last run
    /// ended is not in it.
    pub fn remember(&self, record: &SnapshotRecord) {
        let workspace = record.workspace.as_str();
        if record.outcome == Outcome::Complete {
            let moment = record.finished.as_second() as f64;
            self.set(&LAST_SUCCESS, &[("workspace", workspace)], moment);
        }
        for (kind, counts) in &record.items {
            for (result, count) in [
                ("saved", counts.saved),
                ("unchanged", counts.unchanged),
                ("excluded", counts.excluded),
                ("known", counts.known),
                ("failed", counts.failed),
            ] {
                let labels = [
                    ("workspace", workspace),
                    ("kind", kind.as_str()),
                    ("result", result),
                ];
                self.set(&ITEMS, &labels, count as f64);
            }
        }
    }

    /// How the last run of a workspace ended.
    pub fn outcome(&self, workspace: &str, outcome: &str) {
        for known in OUTCOMES {
            let value = f64::from(u8::from(known == outcome));
            self.set(
                &LAST_OUTCOME,
                &[("workspace", workspace), ("outcome", known)],
                value,
            );
        }
    }

    /// How a workspace's backups stand.
    pub fn state(&self, workspace: &str, state: State) {
        for known in State::ALL {
            let value = f64::from(u8::from(known == state));
            let labels = [("workspace", workspace), ("state", known.as_word())];
            self.set(&STATE, &labels, value);
        }
    }

    /// Runs of a schedule that were not made.
    pub fn missed(&self, workspace: &str, runs: u64) {
        self.add(&MISSED, &[("workspace", workspace)], runs as f64);
    }

    /// Bytes of a run.
    pub fn bytes(&self, workspace: &str, read: u64, stored: u64) {
        for (direction, bytes) in [("read", read), ("stored", stored)] {
            self.add(
                &BYTES,
                &[("workspace", workspace), ("direction", direction)],
                bytes as f64,
            );
        }
    }

    /// The size of the repository.
    pub fn repository_bytes(&self, bytes: u64) {
        self.set(&REPOSITORY, &[], bytes as f64);
    }

    /// When the repository was found sound.
    pub fn checked(&self, moment: Timestamp) {
        self.set(&LAST_CHECK, &[], moment.as_second() as f64);
    }

    /// When a restore was last rehearsed, and how long it took.
    pub fn drilled(&self, moment: Timestamp, restore: Duration) {
        self.set(&LAST_DRILL, &[], moment.as_second() as f64);
        self.set(&LAST_DRILL_RESTORE, &[], restore.as_secs_f64());
    }

    /// Counts requests as they happen.
    pub fn wire(&self) -> Observer {
        let metrics = self.clone();
        Observer::new(move |exchange| metrics.exchange(exchange))
    }

    fn exchange(&self, exchange: &Exchange) {
        let status = exchange
            .status
            .map_or_else(|| "broken".to_owned(), |status| status.to_string());
        let service = exchange.service.as_str();
        self.add(&REQUESTS, &[("service", service), ("status", &status)], 1.0);
        if exchange.throttled > Duration::ZERO {
            self.add(
                &THROTTLED,
                &[("service", service)],
                exchange.throttled.as_secs_f64(),
            );
        }
    }

    fn set(&self, family: &Family, labels: &[(&str, &str)], value: f64) {
        self.with(family, labels, |number| *number = value);
    }

    fn add(&self, family: &Family, labels: &[(&str, &str)], value: f64) {
        self.with(family, labels, |number| *number += value);
    }

    fn with(&self, family: &Family, labels: &[(&str, &str)], change: impl FnOnce(&mut f64)) {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(
            families
                .entry(family.name)
                .or_default()
                .entry(series(labels))
                .or_default(),
        );
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for family in FAMILIES {
            let Some(series) = families.get(family.name) else {
                continue;
            };
            text.push_str(&format!(
                "# HELP {} {}\n# TYPE {} {}\n",
                family.name, family.help, family.name, family.sort
            ));
            for (labels, value) in series {
                text.push_str(&format!("{}{labels} {value}\n", family.name));
            }
        }
        text
    }
}

fn series(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    format!("{{{}}}", labels.join(","))
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tests::snapshot;

    #[test]
    fn counters_add_up_and_gauges_hold_the_last_value() {
        let metrics = Metrics::default();
        metrics.bytes("prod", 10, 4);
        metrics.bytes("prod", 5, 1);
        metrics.repository_bytes(7);
        metrics.repository_bytes(8);
        metrics.outcome("prod", "complete");
        metrics.outcome("prod", "failed");
        let text = metrics.text();
        assert!(
            text.contains("mlark_bytes_total{workspace=\"prod\",direction=\"read\"} 15\n"),
            "{text}"
        );
        assert!(text.contains("mlark_repository_bytes 8\n"), "{text}");
        assert!(
            text.contains("outcome=\"complete\"} 0\n") && text.contains("outcome=\"failed\"} 1\n"),
            "{text}"
        );
    }

    #[test]
    fn a_run_that_failed_is_not_hidden_by_the_newest_snapshot() {
        let metrics = Metrics::default();
        metrics.outcome("prod", "failed");
        metrics.remember(&snapshot("2026-11-23T02:00:00Z", "complete"));
        let text = metrics.text();
        assert!(text.contains("outcome=\"failed\"} 1\n"), "{text}");
        assert!(text.contains("mlark_last_success_timestamp_seconds"));
    }

    #[test]
    fn hostile_label_values_stay_inside_their_quotes() {
        let metrics = Metrics::default();
        metrics.bytes("a\"} 1\nevil", 1, 1);
        assert!(!metrics.text().contains("\nevil"));
    }
}
