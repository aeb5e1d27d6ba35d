//! Manifests: lines, pieces, roots.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Seed;
use super::scene;
use crate::magic::{LINE_BYTES_MAX, PIECE_BYTES_MAX, ROOT_PIECES_MAX, TREE_DEPTH_MAX};
use crate::manifest::piece::{self, PieceCutter};
use crate::manifest::root::{self, Child, Node};
use crate::{
    Address, Attributes, Chunk, ChunkList, Content, Digest, DocumentEntry, EntryKind, Error,
    FileEntry, FilePath, GapEntry, Item, Line, LineKey, Mac, SecretEntry, Validators, json,
};

/// The bytes as a line without its line end; mended, they are in canonical form.
pub(super) fn line(bytes: &[u8]) -> Result<(), Error> {
    let read = one_line(bytes);
    if let Some(mended) = canonical(bytes) {
        let _ = one_line(&mended);
    }
    read
}

/// The canonical form of bytes that have another one.
fn canonical(bytes: &[u8]) -> Option<Vec<u8>> {
    let mended = json::canonical(&scene::json(bytes)?);
    (mended != bytes).then_some(mended)
}

fn one_line(bytes: &[u8]) -> Result<(), Error> {
    let line = Line::from_bytes(bytes)?;
    assert!(bytes.len() < LINE_BYTES_MAX);
    let key = line.key();
    assert_eq!(Line::new(key.clone()).sort_key(), line.sort_key());
    assert!(!key.to_string().is_empty() && key.same_item(&line.key()));
    let written = line.to_bytes()?;
    // Times are written out in full, so that a line may become longer.
    if written.len() <= LINE_BYTES_MAX {
        assert_eq!(Line::from_bytes(&written[..written.len() - 1])?, line);
    }
    let mut objects = line.documents.len() + line.secrets.len();
    for file in &line.files {
        FilePath::new(file.path.to_string())?;
        assert!(
            file.path
                .as_str()
                .split('/')
                .all(|part| !matches!(part, "" | "." | ".."))
        );
        let content = file.content.as_ref();
        objects += content.map_or(0, |content| {
            content.chunks.len() + usize::from(content.chunk_list.is_some())
        });
        assert_eq!(file.size(), content.map_or(0, |content| content.size));
        let bare = FileEntry::new(file.path.clone(), file.content.clone());
        assert_eq!(bare.size(), file.size());
    }
    assert_eq!(line.addresses().count(), objects);
    let first = Line {
        part: 0,
        ..line.clone()
    };
    assert_eq!(Item::from_line(first.clone()).into_line(), first);
    let mut item = Item::from_line(Line::new(key));
    item.append(line.clone());
    assert_eq!(item.files, line.files);
    Ok(())
}

/// The bytes as a piece. Mended, those of its lines that are any are put in order.
pub(super) fn piece(bytes: &[u8]) -> Result<(), Error> {
    let read = one_piece(bytes);
    if read.is_err() {
        let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
            let text = canonical(line).unwrap_or_else(|| line.to_vec());
            let line = Line::from_bytes(&text).ok()?;
            let fits = line
                .to_bytes()
                .is_ok_and(|bytes| bytes.len() <= LINE_BYTES_MAX);
            fits.then(|| (line.key(), line))
        });
        let lines: BTreeMap<LineKey, Line> = lines.collect();
        cut(lines.into_values().collect())?;
    }
    read
}

fn one_piece(bytes: &[u8]) -> Result<(), Error> {
    let lines = piece::parse(bytes)?;
    assert!(bytes.len() <= PIECE_BYTES_MAX);
    assert!(lines.is_sorted_by(|left, right| left.key() < right.key()));
    let fit = |line: &Line| {
        line.to_bytes()
            .is_ok_and(|bytes| bytes.len() <= LINE_BYTES_MAX)
    };
    if lines.iter().all(fit) {
        cut(lines)?;
    }
    Ok(())
}

/// Cuts lines into pieces, which hold the same again.
fn cut(lines: Vec<Line>) -> Result<(), Error> {
    let mut cutter = PieceCutter::default();
    let mut pieces = Vec::new();
    for line in &lines {
        pieces.extend(cutter.push(line.key(), &line.to_bytes()?)?);
    }
    if let Some(last) = lines.last() {
        assert!(cutter.push(last.key(), b"").is_err(), "a key comes once");
    }
    pieces.extend(cutter.finish());
    let mut again = Vec::new();
    for piece in &pieces {
        let lines = piece::parse(&piece.bytes)?;
        assert_eq!(lines.len() as u64, piece.count);
        assert_eq!(lines.first().map(Line::key).as_ref(), Some(&piece.first));
        again.extend(lines);
    }
    assert_eq!(again, lines);
    Ok(())
}

/// The bytes as a root; mended, they are in canonical form.
pub(super) fn root(bytes: &[u8]) -> Result<(), Error> {
    let read = one_root(bytes);
    if let Some(mended) = canonical(bytes) {
        let _ = one_root(&mended);
    }
    read
}

fn one_root(bytes: &[u8]) -> Result<(), Error> {
    let node = Node::from_bytes(bytes, None)?;
    assert!(node.level <= TREE_DEPTH_MAX && node.children.len() <= ROOT_PIECES_MAX);
    assert_eq!(Node::from_bytes(&node.to_bytes()?, Some(node.level))?, node);
    assert!(Node::from_bytes(bytes, Some(node.level ^ 1)).is_err());
    let nodes = root::cut(node.children.clone(), node.level);
    assert_eq!(nodes.iter().map(Node::count).sum::<u64>(), node.count());
    let children: Vec<Child> = nodes.into_iter().flat_map(|node| node.children).collect();
    assert_eq!(children, node.children);
    Ok(())
}

fn address(number: u8) -> Address {
    Address::from_bytes([number; 32])
}

fn file(path: &str, content: Option<Content>) -> Result<FileEntry, Error> {
    Ok(FileEntry::new(FilePath::new(path)?, content))
}

/// A line with everything in it.
fn full() -> Result<Line, Error> {
    let chunk = |number| Chunk {
        address: address(number),
        size: 5,
    };
    let content = Content {
        size: 10,
        sha256: Digest::from_bytes([3; 32]),
        chunks: vec![chunk(1), chunk(2)],
        chunk_list: None,
    };
    let listed = Content {
        chunks: Vec::new(),
        chunk_list: Some(ChunkList {
            address: address(4),
            depth: 1,
            chunks: 17,
        }),
        ..content.clone()
    };
    let rich = FileEntry {
        validators: Validators {
            etag: Some("\"0x8D\"".to_owned()),
            last_modified: Some("Mon, 01 Jan 2024 00:00:00 GMT".to_owned()),
            content_md5: Some("AAAA".to_owned()),
        },
        content_type: Some("text/plain".to_owned()),
        metadata: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        tier: Some("Hot".to_owned()),
        attributes: Some(Attributes {
            created: Some(Timestamp::UNIX_EPOCH),
            written: Some(Timestamp::UNIX_EPOCH),
            flags: Some("Archive".to_owned()),
            mode: Some(0o644),
        }),
        ..file("rich/é.txt", Some(content))?
    };
    let directory = FileEntry {
        entry: EntryKind::Directory,
        ..file("folder", None)?
    };
    let link = FileEntry {
        entry: EntryKind::Symlink("../x".to_owned()),
        ..file("link", None)?
    };
    let mut line = Line::new(LineKey::new("models", "a", Some("1")));
    line.documents.push(DocumentEntry {
        form: "arm".to_owned(),
        api_version: "2024-04-01".to_owned(),
        read: Timestamp::UNIX_EPOCH,
        address: address(5),
        size: 99,
        fingerprint: Digest::from_bytes([6; 32]),
        more: Map::new(),
    });
    line.files = vec![rich, directory, link, file("large", Some(listed))?];
    line.gaps.push(GapEntry {
        file: Some("gone".to_owned()),
        reason: "404".to_owned(),
        known: true,
    });
    line.secrets.push(SecretEntry {
        pointer: "/properties/key".to_owned(),
        form: None,
        address: address(7),
        size: 40,
        hmac: Mac::from_bytes([8; 32]),
    });
    line.asked = Some(Timestamp::UNIX_EPOCH);
    line.settled = true;
    line.more.insert("below".to_owned(), "sweep-1".into());
    line.more
        .insert("later".to_owned(), json!({ "x": [1, 2.50] }));
    Ok(line)
}

fn bare(name: &str) -> Line {
    Line::new(LineKey::new("jobs", name, None::<String>))
}

/// The text of a line with one member changed.
fn with(pointer: &str, value: Value) -> Result<Vec<u8>, Error> {
    let mut text = scene::json(&full()?.to_bytes()?).unwrap_or_default();
    if let Some(place) = text.pointer_mut(pointer) {
        *place = value;
    }
    Ok(json::canonical(&text))
}

pub(super) fn lines() -> Result<Vec<Seed>, Error> {
    let text = |line: &Line| {
        line.to_bytes()
            .map(|bytes| bytes[..bytes.len() - 1].to_vec())
    };
    let part = Line {
        part: 3,
        ..bare("b")
    };
    let private = json!({ "$serde_json::private::RawValue": "[[[]]]" });
    Ok(vec![
        ("full", text(&full()?)?, true),
        ("bare", text(&bare("a"))?, true),
        ("part", text(&part)?, true),
        (
            "form-other",
            b"{ \"kind\":\"a\",\"name\":\"b\" }".to_vec(),
            false,
        ),
        ("path-up", with("/files/0/path", json!("a/../b"))?, false),
        ("path-absolute", with("/files/0/path", json!("/a"))?, false),
        ("path-empty", with("/files/0/path", json!(""))?, false),
        ("path-nul", with("/files/0/path", json!("a\0"))?, false),
        (
            "path-long",
            with("/files/0/path", json!("a".repeat(9000)))?,
            false,
        ),
        ("key-empty", with("/name", json!(""))?, false),
        ("key-nul", with("/version", json!("\0"))?, false),
        (
            "size-signed",
            with("/files/0/content/size", json!(-1))?,
            false,
        ),
        (
            "address-short",
            with("/secrets/0/address", json!("00"))?,
            false,
        ),
        (
            "address-upper-case",
            with("/secrets/0/address", json!("A".repeat(64)))?,
            false,
        ),
        ("regression-private-key", with("/later", private)?, false),
        (
            "long",
            with("/later", json!("x".repeat(LINE_BYTES_MAX)))?,
            false,
        ),
    ])
}

pub(super) fn pieces() -> Result<Vec<Seed>, Error> {
    let text = |names: &[&str]| {
        let lines = names.iter().map(|name| bare(name).to_bytes());
        lines
            .collect::<Result<Vec<_>, _>>()
            .map(|lines| lines.concat())
    };
    let mut one = full()?.to_bytes()?;
    one.extend(Line::new(LineKey::new("models", "a", Some("2"))).to_bytes()?);
    Ok(vec![
        ("three", text(&["a", "b", "c"])?, true),
        ("full", one, true),
        ("out-of-order", text(&["b", "a"])?, false),
        ("twice", text(&["a", "a"])?, false),
        (
            "no-line-end",
            b"{\"kind\":\"a\",\"name\":\"b\"}".to_vec(),
            false,
        ),
        ("empty", Vec::new(), false),
        (
            "empty-line",
            [text(&["a"])?, b"\n".to_vec()].concat(),
            false,
        ),
    ])
}

pub(super) fn roots() -> Result<Vec<Seed>, Error> {
    let child = |name: &str, count| Child {
        address: address(1),
        count,
        first: LineKey::new("jobs", name, None::<String>),
        size: 100,
    };
    let node = |level, children: &[Child]| {
        let children = children.to_vec();
        Node { level, children }.to_bytes()
    };
    let many: Vec<Child> = (0..40).map(|n| child(&format!("job-{n:04}"), n)).collect();
    Ok(vec![
        ("pieces", node(0, &[child("a", 3), child("b", 4)])?, true),
        ("tree", node(2, &[child("a", 3)])?, true),
        ("many", node(1, &many)?, true),
        ("none", node(0, &[])?, true),
        ("too-deep", node(9, &[child("a", 3)])?, false),
        (
            "out-of-order",
            node(0, &[child("b", 3), child("a", 4)])?,
            false,
        ),
        (
            "regression-sum",
            node(0, &[child("a", u64::MAX), child("b", 1)])?,
            false,
        ),
        ("not-a-root", b"{\"level\":0}".to_vec(), false),
    ])
}
