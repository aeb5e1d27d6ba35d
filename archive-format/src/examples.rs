//! The worked examples of FORMAT.md: each is made by the code from fixed words, and compared with what the page prints.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

mod print;

use std::sync::LazyLock;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac as _};
use jiff::Timestamp;
use serde_json::Map;
use sha2::{Digest as _, Sha256};

use self::print::{Rows, text};
use crate::keys::ring::secret_mac;
use crate::keys::signing::SigningSecret;
use crate::log::checkpoint::Checkpoint;
use crate::log::{Body, EntryBody, HolderSort, KeyHolder, Keys, entry};
use crate::magic::{FORMAT_VERSION, PIECE_BYTES, SECRET_CONTEXT, SECRET_SALT_BYTES};
use crate::manifest::piece::PieceCutter;
use crate::manifest::root::{Child, Node};
use crate::pack::index::Index;
use crate::pack::writer::PackBuilder;
use crate::pack::{Class, Codec, ObjectRow, member};
use crate::planes::{self, Encoding};
use crate::read::{chunks, packs};
use crate::{
    Address, Chunk, ChunkParameters, Digest, DocumentEntry, Line, LineKey, Pair, Record,
    RepositoryId, SnapshotId,
};

const PAGE: &str = include_str!("../FORMAT.md");

const DOCUMENT: &[u8] = br#"{"name":"a"}"#;

/// The secret half of nobody's pair: the bytes from 0 to 31.
const META_SECRET: &str =
    "AGE-SECRET-KEY-1QQQSYQCYQ5RQWZQFPG9SCRGWPUGPZYSNZS23V9CCRYDPK8QARC0SWRYDWG";

fn repository() -> RepositoryId {
    "00112233445566778899aabbccddeeff".parse().unwrap()
}

fn owners() -> SigningSecret {
    SigningSecret::from_seed(&[1; 32])
}

fn machine() -> SigningSecret {
    SigningSecret::from_seed(&[2; 32])
}

fn time() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// The pack with the document alone, its tar's first member, and its index.
struct Packed {
    member: Vec<u8>,
    stored: Vec<u8>,
    index: Index,
}

static PACKED: LazyLock<Packed> = LazyLock::new(|| {
    let address = Address::of(DOCUMENT);
    let mut tar = member::header(&address, Encoding::Plain, DOCUMENT.len()).to_vec();
    tar.extend_from_slice(DOCUMENT);
    tar.resize(tar.len() + member::padding(DOCUMENT.len()), 0);
    let row = ObjectRow {
        address,
        frame: 0,
        offset: 512,
        length: DOCUMENT.len() as u32,
        encoding: Encoding::Plain,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pack");
    let mut codec = Codec::new().unwrap();
    let mut builder = PackBuilder::create(path.clone(), Class::Documents, None).unwrap();
    builder
        .append(codec.encode_shared(&tar, vec![row]).unwrap())
        .unwrap();
    let random = std::array::from_fn(|place| place as u8);
    let finished = builder.finish_with(random, &mut codec).unwrap();
    Packed {
        member: tar,
        stored: std::fs::read(path).unwrap(),
        index: finished.index,
    }
});

fn document_entry() -> DocumentEntry {
    DocumentEntry {
        form: "arm".to_owned(),
        api_version: "2025-12-01".to_owned(),
        read: time(),
        address: Address::of(DOCUMENT),
        size: DOCUMENT.len() as u64,
        fingerprint: Digest::of(DOCUMENT),
        more: Map::new(),
    }
}

fn line() -> Line {
    let mut line = Line::new(LineKey::new("models", "a", Some("1")));
    line.documents.push(document_entry());
    line
}

fn member_example() -> String {
    let mut rows = Rows::new(&PACKED.member);
    rows.take(64, "name: the address");
    rows.skip(36);
    for (length, note) in [(8, "mode"), (8, "owner"), (8, "group")] {
        rows.take(length, note);
    }
    rows.take(12, "size: 12");
    rows.take(12, "time");
    rows.take(8, "sum of the header's bytes, these 8 as spaces");
    rows.take(1, "type");
    rows.skip(100);
    rows.take(8, "ustar, version 00");
    rows.skip(247);
    rows.take(DOCUMENT.len(), "the object; then 500 zeros");
    rows.skip(500);
    rows.end()
}

fn pack_example() -> String {
    let (table, mut rows) = (&PACKED.index.table, Rows::new(&PACKED.stored));
    rows.take(table.frames[0].stored_bytes as usize, "frame 0: the member");
    rows.take(
        table.frames[1].stored_bytes as usize,
        "frame 1: 1,024 zeros",
    );
    rows.take(8, "the table's frame: magic, length");
    for (length, note) in [
        (8, "mlarktb1"),
        (4, "version, flags"),
        (16, "random bytes"),
        (4, "class 1"),
        (8, "2 frames, 1 object"),
        (8, "length of the tar: 2,048"),
        (8, "frame 0: stored, decompressed"),
        (8, "frame 1"),
        (32, "the object: address"),
        (12, "frame 0, place 512, length 12"),
        (4, "encoding 0"),
        (4, "no base objects"),
        (8, "the seek table's frame: magic, length"),
        (8, "frame 0"),
        (8, "frame 1"),
        (8, "the table's frame"),
        (9, "3 records, 0, magic"),
    ] {
        rows.take(length, note);
    }
    rows.end()
}

fn index_example() -> String {
    let bytes = PACKED.index.to_bytes();
    let mut rows = Rows::new(&bytes[..60]);
    rows.take(8, "mlarkix1");
    rows.take(32, "the pack's name");
    rows.take(8, "length of its file");
    rows.take(8, "length before encryption");
    rows.take(4, "H; the table follows");
    rows.end()
}

fn planes_example() -> String {
    let bytes = [1, 2, 3, 4, 0x11, 0x12, 0x13, 0x14, 0x63];
    let split = |encoding| {
        let mut planes = Vec::new();
        planes::split(encoding, &bytes, &mut planes);
        planes
    };
    let mut out = String::new();
    for (planes, note) in [
        (bytes.to_vec(), "an object"),
        (split(Encoding::Planes2), "in 2 planes"),
        (split(Encoding::Planes4), "in 4 planes"),
    ] {
        let mut rows = Rows::new(&planes);
        rows.take(planes.len(), note);
        out += &rows.end();
    }
    out
}

fn chunk_list_example() -> String {
    let of = |byte: u8, size| Chunk {
        address: Address::of(&[byte]),
        size,
    };
    let bytes = chunks::to_bytes(1, &[of(b'a', 1_048_576), of(b'b', 300_000)]);
    let mut rows = Rows::new(&bytes);
    rows.take(8, "mlarkcl1");
    rows.take(8, "depth 1");
    for size in ["1,048,576", "300,000"] {
        rows.take(32, "address of a chunk");
        rows.take(8, &format!("its size: {size}"));
    }
    rows.end()
}

fn pack_list_example() -> String {
    let lists = packs::cut_list(&[PACKED.index.pack]);
    let mut rows = Rows::new(&lists[0]);
    rows.take(8, "mlarkpl1");
    rows.take(32, "the pack above");
    rows.end()
}

/// The line's key, its hash, and whether a piece ends there; the cutter says the same.
fn cut_example() -> String {
    let (line, bytes) = (line(), line().to_bytes().unwrap());
    let key = b"models\0a\x001\0\0\0\0\0";
    let hash = Sha256::digest(key);
    let first = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    let (left, right) = (u64::from(first) * PIECE_BYTES, (bytes.len() as u64) << 32);
    let cut = PieceCutter::default().push(line.key(), &bytes).unwrap();
    assert_eq!(cut.is_some(), left < right);
    let mut rows = Rows::new(key);
    rows.take(key.len(), "kind, name, version, part");
    let mut out = rows.end();
    let mut rows = Rows::new(&hash);
    rows.take(32, "its SHA-256");
    out += &rows.end();
    let sign = if left < right { '<' } else { '≥' };
    let ends = if left < right { "ends" } else { "goes on" };
    out + &format!(
        "0x{first:08x} × 65,536 = {left} {sign} {right} = {} × 2^32: the piece {ends}\n",
        bytes.len()
    )
}

fn root_example() -> String {
    let bytes = line().to_bytes().unwrap();
    let root = Node {
        level: 0,
        children: vec![Child {
            address: Address::of(&bytes),
            count: 1,
            first: line().key(),
            size: bytes.len() as u64,
        }],
    };
    text(&root.to_bytes().unwrap())
}

fn secret_example() -> String {
    let json = br#""hunter2""#;
    let salt: [u8; SECRET_SALT_BYTES] = std::array::from_fn(|place| place as u8);
    let object = [&salt[..], json].concat();
    let meta = Pair::parse(META_SECRET).unwrap();
    let mut rows = Rows::new(&object);
    rows.take(salt.len(), "random bytes");
    rows.take(json.len(), "the JSON: \"hunter2\"");
    let mut out = rows.end();
    let mut key = Hmac::<Sha256>::new_from_slice(META_SECRET.as_bytes()).unwrap();
    key.update(SECRET_CONTEXT);
    let key = key.finalize().into_bytes();
    let mac = secret_mac(&meta, json).unwrap();
    for (bytes, note) in [(&key[..], "the HMAC's key"), (mac.as_bytes(), "the HMAC")] {
        let mut rows = Rows::new(bytes);
        rows.take(32, note);
        out += &rows.end();
    }
    out
}

fn record() -> Record {
    let mut record = Record {
        format: FORMAT_VERSION,
        flags: Vec::new(),
        id: repository(),
        created: time(),
        chunks: ChunkParameters::default(),
        pack_bytes: 64 << 20,
        encryption: None,
        owners_signer: owners().signer(),
        signature: String::new(),
        more: Map::new(),
    };
    record.signature = hex::encode(owners().sign(&record.signed_bytes().unwrap()));
    record
}

fn first_entry() -> Vec<u8> {
    let body = EntryBody {
        time: time(),
        run: "01KDTTKK00ABCDEFGHJKMNPQRS".parse::<SnapshotId>().unwrap(),
        program: "mlark 0.1.0".to_owned(),
        body: Body::Keys(Box::new(Keys {
            edition: 1,
            files: Vec::new(),
            holders: vec![KeyHolder {
                sort: HolderSort::Machine,
                label: "nightly".to_owned(),
                recipient: None,
                signer: Some(machine().signer()),
                passphrase: None,
            }],
            data: None,
            meta: None,
            revoked: Vec::new(),
            more: Map::new(),
        })),
        more: Map::new(),
    };
    let before = entry::NOTHING_BEFORE;
    entry::seal(repository(), 1, before, &body, &owners(), None).unwrap()
}

fn checkpoint_example() -> String {
    let entries = [Bytes::from(first_entry())];
    let (_, _, stored) = Checkpoint::seal(repository(), 1, &entries, &machine(), None).unwrap();
    let end = stored.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut rows = Rows::new(&stored[end..end + 4]);
    rows.take(4, &format!("L: {}; then the entry above", entries[0].len()));
    assert_eq!(stored[end + 4..], entries[0]);
    text(&stored[..end]) + &rows.end()
}

#[test]
fn the_examples_of_the_page_are_what_the_code_makes() {
    let examples = [
        ("member", member_example()),
        ("pack", pack_example()),
        ("index", index_example()),
        ("planes", planes_example()),
        ("chunk list", chunk_list_example()),
        ("list of packs", pack_list_example()),
        ("line", text(&line().to_bytes().unwrap())),
        ("cut", cut_example()),
        ("root", root_example()),
        ("secret", secret_example()),
        ("repository.json", text(&record().to_bytes().unwrap())),
        ("entry", text(&first_entry())),
        ("checkpoint", checkpoint_example()),
    ];
    let mut wrong = String::new();
    for (name, made) in &examples {
        let block = format!("```text {name}\n{made}```\n");
        if !PAGE.contains(&block) {
            wrong += &block;
        }
    }
    assert!(wrong.is_empty(), "FORMAT.md should have:\n\n{wrong}");
    let printed = PAGE.matches("\n```text ").count();
    assert_eq!(printed, examples.len(), "an example that no code makes");
    for digest in [
        PACKED.index.pack.to_string(),
        Address::of(DOCUMENT).to_string(),
    ] {
        assert!(PAGE.contains(&digest), "FORMAT.md should name {digest}");
    }
}
