//! Packs: their tables, their index files, their members and frames, their ends.

use std::cell::RefCell;
use std::ops::Range;

use super::Seed;
use crate::magic::{
    FRAME_BYTES_MAX, LARGE_OBJECT_BYTES, OBJECT_BYTES_MAX, PACK_FRAMES_MAX, PACK_OBJECTS_MAX,
    STORED_FRAME_BYTES_MAX,
};
use crate::pack::index::Index;
use crate::pack::member::{self, BLOCK};
use crate::pack::tail::{self, LAST_BYTES};
use crate::pack::{Class, Codec, Encoded, Frame, ObjectRow, Table, extract, scan, writer};
use crate::planes::Encoding;
use crate::{Address, Error, PackName};

thread_local! {
    // A codec is expensive to make.
    static CODEC: RefCell<Option<Codec>> = const { RefCell::new(None) };
}

fn with_codec<T>(work: impl FnOnce(&mut Codec) -> Result<T, Error>) -> Result<T, Error> {
    CODEC.with_borrow_mut(|codec| match codec {
        Some(codec) => work(codec),
        None => work(codec.insert(Codec::new()?)),
    })
}

/// The bytes as a table.
pub(super) fn table(bytes: &[u8]) -> Result<(), Error> {
    let table = Table::from_bytes(bytes)?;
    assert_eq!(table.to_bytes(), bytes);
    keeps_limits(&table);
    Ok(())
}

fn keeps_limits(table: &Table) {
    assert!(table.frames.len() <= PACK_FRAMES_MAX as usize);
    assert!(table.objects.len() <= PACK_OBJECTS_MAX as usize);
    let sums = |range: Range<usize>| {
        let frames = &table.frames[range];
        let sum = |size: fn(&Frame) -> u32| frames.iter().map(size).map(u64::from).sum::<u64>();
        (
            sum(|frame| frame.stored_bytes),
            sum(|frame| frame.plain_bytes),
        )
    };
    let (mut frames, mut objects) = (0, 0);
    for group in scan::groups(table) {
        assert_eq!(group.frames.start, frames, "groups follow each other");
        let (stored, plain) = sums(group.frames.clone());
        assert!(plain <= FRAME_BYTES_MAX && stored <= STORED_FRAME_BYTES_MAX);
        for row in &group.objects {
            assert!(u64::from(row.offset) + u64::from(row.length) <= plain);
            assert!(u64::from(row.length) <= OBJECT_BYTES_MAX);
        }
        frames = group.frames.end;
        objects += group.objects.len();
    }
    assert_eq!((frames, objects), (table.frames.len(), table.objects.len()));
}

/// The bytes as an index file before encryption.
pub(super) fn index(bytes: &[u8]) -> Result<(), Error> {
    let index = Index::from_bytes(bytes)?;
    assert_eq!(index.to_bytes(), bytes);
    keeps_limits(&index.table);
    Ok(())
}

/// The bytes as a header, with its own sum and with the right one; and as the length of a table, the table, and the
/// frames, which are put together to a pack with a true end.
pub(super) fn members(bytes: &[u8]) -> Result<(), Error> {
    if let Some(head) = bytes.first_chunk::<BLOCK>() {
        header(head);
        let mut mended = *head;
        mended[148..156].fill(b' ');
        let sum: u32 = mended.iter().map(|byte| u32::from(*byte)).sum();
        mended[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header(&mended);
    }
    let cut_off = || Error::Json {
        what: "a pack that is taken apart".to_owned(),
        reason: "it is cut off".to_owned(),
    };
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut_off)?;
    let length = u32::from_le_bytes(*length) as usize;
    let (table, frames) = rest.split_at_checked(length).ok_or_else(cut_off)?;
    let table = Table::from_bytes(table)?;
    let index = whole_pack(&[frames, &writer::tail(&table)].concat())?;
    assert_eq!(index.table, table);
    Ok(())
}

fn header(head: &[u8; BLOCK]) {
    if let Ok(Some((address, encoding, length))) = member::parse(head) {
        assert_eq!(member::header(&address, encoding, length), *head);
        assert_eq!((length + member::padding(length)) % BLOCK, 0);
    }
}

/// The bytes as a whole pack of a repository that is not encrypted.
pub(super) fn whole(bytes: &[u8]) -> Result<(), Error> {
    whole_pack(bytes).map(drop)
}

/// Reads a pack from its end, and opens all that it holds.
fn whole_pack(pack: &[u8]) -> Result<Index, Error> {
    let length = pack.len() as u64;
    let last = &pack[pack.len().saturating_sub(LAST_BYTES as usize)..];
    let table_at = tail::table_at(last, length)? as usize;
    let (frames, tail) = pack.split_at(table_at);
    let index = tail::index(PackName::of(pack), length, Vec::new(), tail)?;
    assert_eq!(Index::from_bytes(&index.to_bytes())?, index);
    keeps_limits(&index.table);
    let mut rest = frames;
    for group in scan::groups(&index.table) {
        let rows = &index.table.frames[group.frames.clone()];
        let stored: usize = rows.iter().map(|frame| frame.stored_bytes as usize).sum();
        let (stored, others) = rest.split_at(stored);
        rest = others;
        with_codec(|codec| open(codec, stored, rows, &group.objects))?;
    }
    assert!(rest.is_empty());
    Ok(index)
}

fn open(
    codec: &mut Codec,
    stored: &[u8],
    frames: &[Frame],
    rows: &[ObjectRow],
) -> Result<(), Error> {
    let plain = codec.decompress(stored, frames)?;
    for row in rows {
        let bytes = extract(&plain, row)?;
        assert_eq!(Address::of(&bytes), row.address);
        assert_eq!(bytes.len(), row.length as usize);
        if scan::has_header(&plain, row) && bytes.len() <= 256 << 10 {
            let again = encode(codec, std::slice::from_ref(&bytes))?;
            let plain = codec.decompress(&again.stored, &again.frames)?;
            assert_eq!(extract(&plain, &again.objects[0])?, bytes);
        }
    }
    Ok(())
}

/// Frames of objects: one large one, or some that share a frame.
fn encode(codec: &mut Codec, objects: &[Vec<u8>]) -> Result<Encoded, Error> {
    if let [object] = objects
        && object.len() >= LARGE_OBJECT_BYTES
    {
        return codec.encode_large(&Address::of(object), object);
    }
    let (mut tar, mut rows) = (Vec::new(), Vec::new());
    for object in objects {
        let address = Address::of(object);
        tar.extend_from_slice(&member::header(&address, Encoding::Plain, object.len()));
        rows.push(ObjectRow {
            address,
            frame: 0,
            offset: tar.len() as u32,
            length: object.len() as u32,
            encoding: Encoding::Plain,
        });
        tar.extend_from_slice(object);
        tar.resize(tar.len() + member::padding(object.len()), 0);
    }
    codec.encode_shared(&tar, rows)
}

/// A pack's frames and its table.
fn parts(class: Class, groups: &[&[Vec<u8>]]) -> Result<(Vec<u8>, Table), Error> {
    with_codec(|codec| {
        let mut table = Table {
            random: [9; 16],
            class,
            frames: Vec::new(),
            objects: Vec::new(),
        };
        let mut stored = Vec::new();
        let end = codec.encode_bare(&[0; 1024])?;
        let encoded = groups.iter().map(|group| encode(codec, group));
        for encoded in encoded.chain([Ok(end)]).collect::<Result<Vec<_>, _>>()? {
            let first = table.frames.len() as u32;
            stored.extend(encoded.stored);
            table.frames.extend(encoded.frames);
            let rows = encoded.objects.into_iter();
            table.objects.extend(rows.map(|row| ObjectRow {
                frame: row.frame + first,
                ..row
            }));
        }
        table.objects.sort_unstable_by_key(|row| row.address);
        Ok((stored, table))
    })
}

/// Floats, which are stored by planes, of about this many bytes.
fn floats(bytes: usize) -> Vec<u8> {
    (0..bytes as u32 / 4)
        .flat_map(|n| (((n * n) % 257) as f32 * 1e-3).to_le_bytes())
        .collect()
}

/// A pack that is taken apart: its name, its frames, its table.
type Sample = (&'static str, Vec<u8>, Table);

/// Packs of each sort.
fn samples() -> Result<Vec<Sample>, Error> {
    let small = vec![b"{\"a\":1}".to_vec(), b"another".to_vec(), Vec::new()];
    let text = vec![b"large ".repeat(15_000)];
    let sample = |name, class, groups: &[&[Vec<u8>]]| -> Result<Sample, Error> {
        let (stored, table) = parts(class, groups)?;
        Ok((name, stored, table))
    };
    Ok(vec![
        sample("none", Class::Meta, &[])?,
        sample("shared", Class::Documents, &[&small])?,
        sample("large", Class::Outputs, &[&text])?,
        sample("planes", Class::Files, &[&[floats(70_000)]])?,
        sample("mixed", Class::Files, &[&small, &[floats(66_000)], &text])?,
    ])
}

/// Tables that lie, made of a true one.
fn lies(table: &Table) -> Vec<(&'static str, Vec<u8>)> {
    let with = |change: fn(&mut Table)| {
        let mut table = table.clone();
        change(&mut table);
        table.to_bytes()
    };
    let byte = |at: usize, value: u8| {
        let mut bytes = table.to_bytes();
        bytes[at] = value;
        bytes
    };
    let end = table.to_bytes().len() - 4;
    vec![
        ("lie-magic", byte(0, b'x')),
        ("lie-version", byte(8, 2)),
        ("lie-flags", byte(10, 1)),
        ("lie-class", byte(28, 9)),
        ("lie-reserved", byte(29, 1)),
        ("lie-frames", byte(34, 0x11)),
        ("lie-objects", byte(38, 2)),
        ("lie-counts", byte(32, 200)),
        ("lie-tar", byte(40, 1)),
        ("lie-differences", byte(end, 1)),
        ("lie-encoding", byte(end - 4, 16)),
        ("lie-object-reserved", byte(end - 3, 1)),
        (
            "lie-object",
            with(|table| table.objects[0].length = 17 << 20),
        ),
        (
            "lie-frame",
            with(|table| table.frames[0].plain_bytes = 17 << 20),
        ),
        (
            "lie-stored-frame",
            with(|table| table.frames[0].stored_bytes = 17 << 20),
        ),
        ("lie-unsorted", with(|table| table.objects.reverse())),
        ("lie-no-frame", with(|table| table.objects[0].frame = 99)),
        (
            "lie-outside",
            with(|table| table.objects[0].length = 1 << 20),
        ),
        (
            "lie-offset",
            with(|table| table.objects[0].offset = 1 << 19),
        ),
        (
            "lie-shared",
            with(|table| table.objects[0].length = table.frames[0].plain_bytes),
        ),
        (
            "lie-many-frames",
            with(|table| {
                let frame = Frame {
                    stored_bytes: 60,
                    plain_bytes: 16 << 20,
                };
                table.frames = vec![frame; 3];
                table.objects.truncate(1);
                table.objects[0] = ObjectRow {
                    frame: 0,
                    offset: 15 << 20,
                    length: 16 << 20,
                    ..table.objects[0]
                };
            }),
        ),
        (
            "lie-many-stored",
            with(|table| {
                table.frames = vec![
                    Frame {
                        stored_bytes: 16 << 20,
                        plain_bytes: 1
                    };
                    3
                ];
                table.objects.truncate(1);
                table.objects[0] = ObjectRow {
                    frame: 0,
                    offset: 0,
                    length: 3,
                    ..table.objects[0]
                };
            }),
        ),
        ("lie-cut-off", table.to_bytes()[..40].to_vec()),
    ]
}

pub(super) fn tables() -> Result<Vec<Seed>, Error> {
    let samples = samples()?;
    let mut seeds: Vec<Seed> = samples
        .iter()
        .map(|(name, _, table)| (*name, table.to_bytes(), true))
        .collect();
    let lies = lies(&samples[4].2).into_iter();
    seeds.extend(lies.map(|(name, bytes)| (name, bytes, false)));
    Ok(seeds)
}

pub(super) fn indexes() -> Result<Vec<Seed>, Error> {
    let mut seeds = Vec::new();
    for (name, stored, table) in samples()? {
        let pack = [stored, writer::tail(&table)].concat();
        let plain_bytes = pack.len() as u64;
        let index = Index {
            pack: PackName::of(&pack),
            stored_bytes: plain_bytes,
            plain_bytes,
            header: Vec::new(),
            table,
        };
        let encrypted = Index {
            stored_bytes: plain_bytes + 200 + 16 * plain_bytes.div_ceil(64 << 10),
            header: vec![b'h'; 200],
            ..index.clone()
        };
        seeds.push((name, index.to_bytes(), true));
        if name == "mixed" {
            let bytes = encrypted.to_bytes();
            let byte = |at: usize, value: u8| {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                bytes
            };
            seeds.extend([
                ("lie-magic", byte(0, b'x'), false),
                ("lie-length", byte(40, bytes[40] ^ 1), false),
                ("lie-header", byte(58, 1), false),
                ("lie-cut-off", bytes[..50].to_vec(), false),
                ("encrypted", bytes, true),
            ]);
        }
    }
    Ok(seeds)
}

pub(super) fn assembled() -> Result<Vec<Seed>, Error> {
    let samples = samples()?;
    let apart =
        |stored: &[u8], table: &[u8]| [&(table.len() as u32).to_le_bytes(), table, stored].concat();
    let mut seeds: Vec<Seed> = samples
        .iter()
        .map(|(name, stored, table)| (*name, apart(stored, &table.to_bytes()), true))
        .collect();
    let (_, stored, table) = &samples[1];
    let with = |change: fn(&mut Table)| {
        let mut table = table.clone();
        change(&mut table);
        apart(stored, &table.to_bytes())
    };
    let turned = |at: usize| {
        let mut stored = stored.clone();
        stored[at] ^= 1;
        apart(&stored, &table.to_bytes())
    };
    let address = Address::of(b"x");
    let headers = [
        Encoding::Plain,
        Encoding::Planes2,
        Encoding::Planes4,
        Encoding::Planes8,
    ]
    .map(|encoding| member::header(&address, encoding, 1234));
    let changed = |at: usize, value: u8| {
        let mut header = headers[1];
        header[at] = value;
        header.to_vec()
    };
    seeds.extend([
        (
            "lie-other-frame-size",
            with(|table| table.frames[0].plain_bytes -= 512),
            false,
        ),
        (
            "lie-other-object",
            with(|table| table.objects[0].length -= 1),
            false,
        ),
        ("lie-no-magic", turned(0), false),
        ("lie-frame-turned", turned(stored.len() / 2), false),
        (
            "lie-behind-frames",
            [apart(stored, &table.to_bytes()), vec![0]].concat(),
            false,
        ),
        ("header", headers[0].to_vec(), false),
        ("header-planes", headers[3].to_vec(), false),
        ("header-none", vec![0; BLOCK], false),
        ("header-suffix", changed(71, b'3'), false),
        ("header-name", changed(3, 0), false),
        ("header-not-text", changed(3, 0xff), false),
        ("header-upper-case", changed(3, b'F'), false),
        ("header-length", changed(130, b'9'), false),
        ("header-owner", changed(110, b'1'), false),
    ]);
    Ok(seeds)
}

pub(super) fn wholes() -> Result<Vec<Seed>, Error> {
    let samples = samples()?;
    let whole = |stored: &[u8], table: &Table| [stored, &writer::tail(table)].concat();
    let mut seeds: Vec<Seed> = samples
        .iter()
        .map(|(name, stored, table)| (*name, whole(stored, table), true))
        .collect();
    let (_, stored, table) = &samples[1];
    let pack = whole(stored, table);
    let from_end = |at: usize, value: u8| {
        let mut pack = pack.clone();
        let place = pack.len() - at;
        pack[place] = value;
        pack
    };
    seeds.extend([
        ("lie-foot", from_end(1, 0), false),
        ("lie-count", from_end(9, 99), false),
        ("lie-count-many", from_end(6, 99), false),
        ("lie-no-record", from_end(9, 0), false),
        (
            "lie-table-length",
            from_end(17, pack[pack.len() - 17] ^ 1),
            false,
        ),
        ("lie-table-far", from_end(14, 1), false),
        ("lie-record", from_end(25, pack[pack.len() - 25] ^ 1), false),
        ("lie-cut-off", pack[pack.len() - 40..].to_vec(), false),
        ("lie-short", pack[pack.len() - 9..].to_vec(), false),
    ]);
    Ok(seeds)
}
