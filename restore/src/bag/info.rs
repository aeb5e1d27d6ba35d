//! The texts of a bag that say what it is: `bagit.txt`, `bag-info.txt`, `data/README.txt`.

use archive_format::SnapshotRecord;
use archive_format::log::LogHead;
use jiff::Timestamp;

use super::BagRequest;

/// The declaration of RFC 8493.
pub(crate) const BAGIT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/// The identifier of the profile that every bag of ours keeps to; the project has it as `restore/bagit-profile.json`.
pub(crate) const PROFILE: &str = "urn:mlark:bagit-profile:1";

/// What is known of a bag when its information is written.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) request: &'a BagRequest,
    pub(crate) record: &'a SnapshotRecord,
    pub(crate) repository: String,
    pub(crate) log: &'a LogHead,
    pub(crate) retain_until: Option<Timestamp>,
    pub(crate) octets: u64,
    pub(crate) files: u64,
    pub(crate) excluded: u64,
}

/// `bag-info.txt`.
pub(crate) fn bag_info(known: &Known<'_>) -> String {
    let Known {
        request,
        record,
        log,
        ..
    } = known;
    let date = request.now.strftime("%Y-%m-%d").to_string();
    let retain_until = match known.retain_until {
        Some(until) => until.strftime("%Y-%m-%d").to_string(),
        None => "none".to_owned(),
    };
    let selectors = match request.selectors.as_slice() {
        [] => "everything".to_owned(),
        selectors => selectors.join(" "),
    };
    let entries = [
        ("BagIt-Profile-Identifier", PROFILE.to_owned()),
        ("Bagging-Date", date),
        ("Bag-Software-Agent", request.by.program.clone()),
        ("Payload-Oxum", format!("{}.{}", known.octets, known.files)),
        ("External-Identifier", request.export.to_string()),
        (
            "External-Description",
            format!("Azure Machine Learning workspace {}", record.workspace),
        ),
        ("Source-Workspace", record.workspace.clone()),
        ("Source-Identity", record.identity.to_string()),
        ("Source-Repository", known.repository.clone()),
        ("Source-Snapshot", record.id.to_string()),
        ("Source-Snapshot-Outcome", record.outcome.to_string()),
        ("Source-Selection", selectors),
        ("Source-Log-Head", format!("{}:{}", log.entry, log.hash)),
        ("Period-Start", record.started.to_string()),
        ("Period-End", record.finished.to_string()),
        ("Retention-Until", retain_until),
        (
            "Legal-Hold",
            if request.hold { "on" } else { "off" }.to_owned(),
        ),
        ("Exclusion-Count", known.excluded.to_string()),
    ];
    entries
        .iter()
        .map(|(label, value)| format!("{label}: {}\n", one_line(value)))
        .collect()
}

/// A value of one line: an element of `bag-info.txt` ends where its line does.
fn one_line(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    text.trim().to_owned()
}

/// `data/README.txt`.
pub(crate) fn readme(name: &str, record: &SnapshotRecord, program: &str) -> String {
    format!(
        "This is what the Azure Machine Learning workspace `{workspace}` held, as {program} saved it
between {started} and {finished} (snapshot {id}).

No special program is needed to read it.

  index.csv      every file here, with the item that it belongs to and its own name
  azml/          what `az ml ... create --file` reads: a YAML for each item, its files beside it in files/;
                 notebooks as they were
  documents/     the original documents, as Azure returned them (JSON)
  metrics/       the metrics of jobs as tables; the histories as Azure keeps them lie beside the jobs in azml/
  items/         what the snapshot recorded of each item: sizes, digests, times, gaps
  snapshot.json  what the snapshot recorded of itself

One level up:

  manifest-sha256.txt, manifest-sha512.txt   the digest of every file: `sha512sum -c manifest-sha512.txt`
  tagmanifest-sha256.txt, tagmanifest-sha512.txt   the digests of those lists and of what follows
  bag-info.txt        where this comes from, and how long it is to be kept
  exclusions.csv      what is not here, and why
  custody.jsonl       who made this, when, and of what; each line holds the SHA-256 of the line before
  signatures/         for each model a signature over its files (OpenSSF Model Signing), where a key was at hand

The folder `{name}` is a bag of BagIt 1.0 (RFC 8493): any program that knows BagIt checks it.
In paths a `~` and two hexadecimal digits stand for a byte that such programs do not agree on; index.csv has the
names as they were. Passwords, keys and other credentials are never here.
",
        workspace = one_line(&record.workspace),
        started = record.started,
        finished = record.finished,
        id = record.id,
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test says where")]

    use archive_format::{ExportId, SnapshotId};
    use serde_json::{Value, json};

    use super::*;
    use crate::bag::Actor;

    #[test]
    fn every_bag_says_what_the_profile_asks_for_and_nothing_else() {
        let profile: Value =
            serde_json::from_str(include_str!("../../bagit-profile.json")).unwrap();
        assert_eq!(
            profile["BagIt-Profile-Info"]["BagIt-Profile-Identifier"],
            PROFILE
        );
        let now = Timestamp::UNIX_EPOCH;
        let digest = "0".repeat(64);
        let record = json!({
            "id": SnapshotId::new(now).unwrap(), "run": SnapshotId::new(now).unwrap(), "workspace": "prod\nLegal-Hold: on",
            "identity": {"Folder": "/x"}, "started": now, "finished": now, "outcome": "complete", "program": "mlark 0.1.0",
            "manifest": digest, "lines": 0, "pack_list": [], "pack_list_packs": [], "packs": 0,
        });
        let record: SnapshotRecord = serde_json::from_value(record).unwrap();
        let request = BagRequest {
            export: ExportId::new(now).unwrap(),
            name: "one".to_owned(),
            selectors: vec!["models".to_owned()],
            now,
            partial: false,
            plain: false,
            recipients: Vec::new(),
            hold: false,
            by: Actor::default(),
            checks: Vec::new(),
            signer: None,
            timestamp_url: None,
            folder: std::path::PathBuf::new(),
        };
        let log = LogHead {
            entry: 1,
            hash: digest.parse().unwrap(),
        };
        let text = bag_info(&Known {
            request: &request,
            record: &record,
            repository: "r".to_owned(),
            log: &log,
            retain_until: None,
            octets: 7,
            files: 2,
            excluded: 0,
        });
        let mut said: Vec<&str> = text
            .lines()
            .map(|line| line.split_once(": ").unwrap().0)
            .collect();
        said.sort_unstable();
        let mut asked: Vec<&String> = profile["Bag-Info"].as_object().unwrap().keys().collect();
        asked.sort_unstable();
        assert_eq!(said, asked, "one element a line, whatever a name holds");
    }
}
