//! What systemd's journal gets of the daemon: a stand-in for its socket takes the lines with their fields.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use jiff::Timestamp;
use mlark::ui::journal::Journal;
use simulator::call::Service;
use simulator::faults::{Fault, Rule};
use simulator::state::CLIENT_SECRET;

use super::site::{Site, hours_after};

const START: &str = "2026-12-01T12:00:00Z";

/// An entry, by the names of its fields.
type Entry = BTreeMap<String, String>;

/// Reads a datagram of the journal's native protocol, as its description says.
fn parse(mut datagram: &[u8]) -> Entry {
    let mut entry = Entry::new();
    while !datagram.is_empty() {
        let end = datagram
            .iter()
            .position(|byte| b"=\n".contains(byte))
            .unwrap();
        let name = String::from_utf8(datagram[..end].to_vec()).unwrap();
        let (value, rest) = if datagram[end] == b'=' {
            let rest = &datagram[end + 1..];
            let length = rest.iter().position(|byte| *byte == b'\n').unwrap();
            rest.split_at(length)
        } else {
            let (length, rest) = datagram[end + 1..].split_at(8);
            let length = u64::from_le_bytes(length.try_into().unwrap());
            rest.split_at(usize::try_from(length).unwrap())
        };
        assert_eq!(rest[0], b'\n');
        datagram = &rest[1..];
        entry.insert(name, String::from_utf8(value.to_vec()).unwrap());
    }
    entry
}

/// A socket that takes entries.
fn listener(place: &std::path::Path) -> Receiver<Entry> {
    let socket = UnixDatagram::bind(place).unwrap();
    let (sender, entries) = channel();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 18];
        while let Ok(length) = socket.recv(&mut buffer) {
            if sender.send(parse(&buffer[..length])).is_err() {
                return;
            }
        }
    });
    entries
}

#[tokio::test(start_paused = true)]
async fn the_journal_gets_lines_with_what_they_are_about_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let mut site = Site::new(folder.path(), start);
    let place = site.workspace("ws");
    let rest = format!(
        "[[workspace]]\nname = \"prod\"\nurl = \"{}\"\nschedule = \"0 2 * * *\"\n",
        place.url()
    );
    site.configure(None, &rest);
    site.init().await;
    let before = site.said.text();
    let socket = folder.path().join("journal");
    let entries = listener(&socket);
    site.journal = Some(Arc::new(Journal::at(&socket).unwrap()));
    let refused = Fault::Status {
        status: 403,
        code: Some("AuthorizationFailed".to_owned()),
    };
    site.simulator.set_faults(
        1,
        vec![Rule {
            contains: Some("/environments/e3/".to_owned()),
            ..Rule::always(refused).on(Service::Arm)
        }],
    );
    site.daemon_until(hours_after(start, 24), &[]).await;
    // Then nothing works any more.
    site.simulator.set_faults(
        1,
        vec![Rule::always(Fault::Status {
            status: 400,
            code: None,
        })],
    );
    site.daemon_until(hours_after(start, 48), &[]).await;
    assert_eq!(
        site.said.text(),
        before,
        "nothing is left for standard error"
    );

    // What was sent last comes last: then nothing is under way any more.
    let last = UnixDatagram::unbound().unwrap();
    last.send_to(b"MESSAGE=the end\n", &socket).unwrap();
    let entries = entries.iter();
    let entries: Vec<Entry> = entries
        .take_while(|entry| entry["MESSAGE"] != "the end")
        .collect();
    let repository = site.repository().await;
    let runs = repository.catalogue().runs(Some("prod"), 10).await.unwrap();
    let first = runs.last().unwrap().id.to_string();
    let find = |priority: &str, words: &str| {
        let fits =
            |entry: &&Entry| entry["PRIORITY"] == priority && entry["MESSAGE"].contains(words);
        let found = entries.iter().find(fits);
        found.unwrap_or_else(|| panic!("no {words} of priority {priority} in {entries:#?}"))
    };
    let gap = find("4", "was not saved");
    assert_eq!(gap["MLARK_ITEM"], "environments");
    assert_eq!(gap["MLARK_WORKSPACE"], "prod");
    assert_eq!(gap["MLARK_RUN"], first);
    let request = &gap["MLARK_REQUEST"];
    assert!(
        gap["MESSAGE"].contains(&format!("(request {request})")),
        "{gap:?}"
    );
    let ended = find("6", "prod: complete");
    assert_eq!(ended["MLARK_RUN"], first);
    assert!(!ended.contains_key("MLARK_ITEM"), "{ended:?}");
    let failed = find("3", "prod");
    assert_eq!(failed["MLARK_WORKSPACE"], "prod");
    for entry in &entries {
        assert_eq!(entry["SYSLOG_IDENTIFIER"], "mlark");
        let secret = entry.values().find(|value| {
            value.contains(CLIENT_SECRET) || value.contains("Bearer") || value.contains("sig=")
        });
        assert_eq!(secret, None);
    }
}
