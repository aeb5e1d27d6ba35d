//! What the recordings show of each official client: the calls that a run of `tests/interop/test_clients.py` must make at least.
//!
//! `tests/interop/least.jsonl` holds them, so that the run needs no recording; here it is held against the recordings.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use simulator::call::Service;

use crate::player;
use crate::recording::say;

/// A client that is no product of Azure's: scripts around the recording.
const NOT_OFFICIAL: &str = "python-requests/";

/// Calls of one client to one route.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Least {
    /// The first product of its `User-Agent`, without the version.
    client: String,
    service: Service,
    method: String,
    route: String,
    count: u64,
}

#[test]
fn least_calls_of_each_client_are_those_of_the_recordings() {
    let Some(recordings) = crate::outside() else {
        return;
    };
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    for (of, count) in player::by_client(&recordings) {
        let product = of.client.split('/').next().unwrap();
        let key = (format!("{product}/"), of.service, of.method, of.route);
        *counts.entry(key).or_default() += count;
    }
    let rows = counts.into_iter();
    let rows = rows.map(|((client, service, method, route), count)| Least {
        client,
        service,
        method,
        route,
        count,
    });
    let shown: Vec<Least> = rows.filter(|row| row.client != NOT_OFFICIAL).collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop/least.jsonl");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let listed: Vec<Least> = lines.collect();
    let total: u64 = shown.iter().map(|row| row.count).sum();
    say(&format!(
        "{} routes of official clients, {total} calls",
        shown.len()
    ));
    assert!(total > 700, "{total}");
    let right = shown.iter().map(|row| serde_json::to_string(row).unwrap());
    let right = right.collect::<Vec<_>>().join("\n");
    assert!(listed == shown, "{} should be:\n{right}", file.display());
}
