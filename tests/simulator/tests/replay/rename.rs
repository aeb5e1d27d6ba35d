//! The same recordings in another world: every name, GUID, hash and account is another one, the same everywhere.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::names::{Names, words};
use crate::recording::{Recording, Row};

/// Members whose own members are called as deployments are.
const BY_NAME: [&str; 2] = ["traffic", "mirrorTraffic"];

/// Recordings of a stranger who did the same.
pub(crate) fn all(recordings: &[Recording]) -> Vec<Recording> {
    let names = Names::of(recordings);
    let one = |recording: &Recording| Recording {
        name: recording.name.clone(),
        rows: recording
            .rows
            .iter()
            .map(|row| renamed(row, &names))
            .collect(),
    };
    recordings.iter().map(one).collect()
}

fn renamed(row: &Row, names: &Names) -> Row {
    let headers = row.headers.iter();
    // A name stands in a header of metadata alone; the others are dates, digests, ranges and Azure's words.
    let header = |(key, value): (&String, &String)| {
        let named = key.to_lowercase().starts_with("x-ms-meta-");
        let value = if named {
            text(value, names)
        } else {
            value.clone()
        };
        (key.clone(), value)
    };
    let form = row.service == "aad";
    Row {
        service: row.service.clone(),
        method: row.method.clone(),
        host: text(&row.host, names),
        target: text(&row.target, names),
        headers: headers.map(header).collect(),
        body: if form {
            row.body.clone()
        } else {
            value(&row.body, names)
        },
        status: row.status,
    }
}

fn value(body: &Value, names: &Names) -> Value {
    match body {
        Value::String(found) => Value::String(text(found, names)),
        Value::Array(rows) => rows.iter().map(|row| value(row, names)).collect(),
        Value::Object(members) => {
            let pairs = members.iter().map(|(key, member)| match member {
                Value::Object(shares) if BY_NAME.contains(&key.as_str()) => {
                    let shares = shares.iter();
                    let shares = shares.map(|(name, share)| (text(name, names), share.clone()));
                    (key.clone(), Value::Object(shares.collect()))
                }
                member => (key.clone(), value(member, names)),
            });
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// A text with all its names, GUIDs and hashes changed.
pub(crate) fn text(text: &str, names: &Names) -> String {
    words(text)
        .into_iter()
        .map(|(word, named)| match named {
            true if names.has(word) && ids(word) == word => other_name(word),
            true => ids(word),
            false => word.to_owned(),
        })
        .collect()
}

/// Another name of the same alphabet and length or more, which accounts and containers may have too.
fn other_name(name: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!("another {name}")));
    let keep = |c: char| matches!(c, '-' | '_');
    let mut digits = digest.chars().cycle();
    let letters = name.chars().map(|c| match digits.next() {
        _ if keep(c) => c,
        Some(digit) if digit.is_ascii_digit() => char::from(b'g' + (digit as u8 - b'0')),
        Some(letter) => letter,
        None => c,
    });
    let short: String = letters.collect();
    // Two names of few letters could become one.
    if name.len() < 8 {
        format!("{short}{}", &digest[..6])
    } else {
        short
    }
}

/// The word with its GUIDs and long hexadecimal runs changed.
fn ids(word: &str) -> String {
    let mut out = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let length = guid(rest).or_else(|| hash(rest)).unwrap_or_default();
        if length == 0 {
            let next = rest.chars().next().map_or(1, char::len_utf8);
            out.push_str(&rest[..next]);
            rest = &rest[next..];
            continue;
        }
        out.push_str(&other_id(&rest[..length]));
        rest = &rest[length..];
    }
    out
}

fn guid(text: &str) -> Option<usize> {
    let fits = |(at, c): (usize, char)| match at {
        8 | 13 | 18 | 23 => c == '-',
        _ => c.is_ascii_hexdigit(),
    };
    (text.len() >= 36 && text.chars().take(36).enumerate().all(fits)).then_some(36)
}

fn hash(text: &str) -> Option<usize> {
    let run = text.chars().take_while(char::is_ascii_hexdigit).count();
    (run >= 32).then_some(run)
}

fn other_id(id: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!("another {id}"))).repeat(2);
    let mut digits = digest.chars();
    id.chars()
        .map(|c| {
            if c == '-' {
                c
            } else {
                digits.next().unwrap_or('0')
            }
        })
        .collect()
}

#[test]
fn names_ids_and_hashes_change_and_the_rest_stays() {
    let names = Names::of(&[]);
    let before = "/azureml-blobstore-0a1b2c3d-0000-4000-8000-00000000000a/x%2Fy?comp=list";
    let after = text(before, &names);
    assert_ne!(before, after);
    assert!(
        after.starts_with("/azureml-blobstore-") && after.ends_with("/x%2Fy?comp=list"),
        "{after}"
    );
    assert_eq!(before.len(), after.len());
    assert_eq!(text(before, &names), after, "the same everywhere");
}
