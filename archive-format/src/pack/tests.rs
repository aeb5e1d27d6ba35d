#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Write;

use proptest::prelude::*;

use super::index::Index;
use super::{Class, Codec, Frame, ObjectRow, Table, extract, member, scan};
use crate::magic::{FRAME_BYTES_MAX, OBJECT_BYTES_MAX, STORED_FRAME_BYTES_MAX};
use crate::planes::Encoding;
use crate::{Address, Error, PackName};

fn row(number: u8, offset: u32) -> ObjectRow {
    ObjectRow {
        address: Address::from_bytes([number; 32]),
        frame: 0,
        offset,
        length: 100,
        encoding: Encoding::Plain,
    }
}

fn table() -> Table {
    Table {
        random: [7; 16],
        class: Class::Files,
        frames: vec![Frame {
            stored_bytes: 500,
            plain_bytes: 4096,
        }],
        objects: vec![row(1, 512), row(2, 1536)],
    }
}

fn index() -> Index {
    Index {
        pack: PackName::of(b"pack"),
        stored_bytes: 300 + 697 + 16,
        plain_bytes: 500 + 156 + 8 + 33,
        header: vec![1; 300],
        table: table(),
    }
}

#[test]
fn tables_and_indexes_read_back() {
    assert_eq!(Table::from_bytes(&table().to_bytes()).unwrap(), table());
    assert_eq!(Index::from_bytes(&index().to_bytes()).unwrap(), index());
}

#[test]
fn tables_that_lie_are_refused() {
    let refused = |change: fn(&mut Table)| {
        let mut table = table();
        change(&mut table);
        Table::from_bytes(&table.to_bytes()).unwrap_err()
    };
    refused(|table| table.objects.reverse());
    refused(|table| table.objects[1] = table.objects[0]);
    refused(|table| table.objects[0].frame = 1);
    refused(|table| table.objects[0].offset = 4097);
    refused(|table| table.objects[0].length = 4000);
    let large = refused(|table| table.objects[0].length = 17 << 20);
    assert!(matches!(large, Error::Limit { .. }), "{large:?}");
    let bomb = refused(|table| table.frames[0].plain_bytes = u32::MAX);
    assert!(matches!(bomb, Error::Limit { .. }), "{bomb:?}");
}

#[test]
fn a_table_at_the_limits_is_read_and_one_byte_more_is_refused_by_name() {
    let with = |stored_bytes: u64, plain_bytes: u64, length: u64| {
        let mut table = table();
        table.frames[0].stored_bytes = stored_bytes as u32;
        table.frames[0].plain_bytes = plain_bytes as u32;
        table.objects[0].length = length as u32;
        Table::from_bytes(&table.to_bytes())
    };
    let most = [STORED_FRAME_BYTES_MAX, FRAME_BYTES_MAX, OBJECT_BYTES_MAX];
    let [stored, plain, length] = most;
    assert!(with(stored, plain, length).is_ok());
    for over in 0..3 {
        let [stored, plain, length] = std::array::from_fn(|n| most[n] + u64::from(n == over));
        let refused = with(stored, plain, length);
        let limit = most[over];
        assert!(
            matches!(refused, Err(Error::Limit { limit: named, found, .. }) if named == limit && found == limit + 1),
            "{refused:?}"
        );
    }
    // The largest object that is written stays below them.
    let mut codec = Codec::new().unwrap();
    let bytes = noise(OBJECT_BYTES_MAX as usize);
    let encoded = codec.encode_large(&Address::of(&bytes), &bytes).unwrap();
    for frame in &encoded.frames {
        assert!(u64::from(frame.plain_bytes) <= FRAME_BYTES_MAX);
        assert!(u64::from(frame.stored_bytes) <= STORED_FRAME_BYTES_MAX);
    }
}

/// A table with frames of these sizes, stored and plain, and with objects in them: frame, offset, length.
fn with_frames(frames: &[(u64, u64)], objects: &[(u32, u32, u64)]) -> Result<Table, Error> {
    let frames = frames.iter().map(|(stored, plain)| Frame {
        stored_bytes: *stored as u32,
        plain_bytes: *plain as u32,
    });
    let objects = objects
        .iter()
        .enumerate()
        .map(|(number, object)| ObjectRow {
            frame: object.0,
            offset: object.1,
            length: object.2 as u32,
            ..row(number as u8, 0)
        });
    let table = Table {
        frames: frames.collect(),
        objects: objects.collect(),
        ..table()
    };
    Table::from_bytes(&table.to_bytes())
}

#[test]
fn the_frames_of_an_object_are_together_no_more_than_one_may_be() {
    let half = FRAME_BYTES_MAX / 2;
    let limit = |table: Result<Table, Error>| match table {
        Err(Error::Limit { limit, found, .. }) => Some((limit, found)),
        _ => None,
    };
    let object = [(0, 0, half + 1)];
    assert!(with_frames(&[(9, half), (9, half)], &object).is_ok());
    let more = with_frames(&[(9, half), (9, half + 1)], &object);
    assert_eq!(limit(more), Some((FRAME_BYTES_MAX, FRAME_BYTES_MAX + 1)));
    let half = STORED_FRAME_BYTES_MAX / 2;
    assert!(with_frames(&[(half, 9), (half, 9)], &[(0, 0, 18)]).is_ok());
    let more = with_frames(&[(half, 9), (half + 1, 9)], &[(0, 0, 18)]);
    let most = STORED_FRAME_BYTES_MAX;
    assert_eq!(limit(more), Some((most, most + 1)));
    // Frames with nothing in them between two count as well.
    let empty = vec![(STORED_FRAME_BYTES_MAX, 0); 3];
    let frames = [&[(9, 9)], empty.as_slice(), &[(9, 9)]].concat();
    assert!(limit(with_frames(&frames, &[(0, 0, 18)])).is_some());
}

#[test]
fn an_object_of_several_frames_has_them_for_itself() {
    let frames = [(9, 1000), (9, 1000), (9, 1000)];
    for fits in [
        vec![(0, 0, 2000), (2, 0, 1000)],
        vec![(0, 0, 1000), (1, 512, 1488)],
        vec![(0, 0, 3000)],
        vec![(0, 0, 10), (0, 500, 10), (2, 0, 10)],
    ] {
        let table = with_frames(&frames, &fits).unwrap();
        let groups = scan::groups(&table);
        assert_eq!(
            groups
                .iter()
                .map(|group| group.objects.len())
                .sum::<usize>(),
            fits.len()
        );
        assert_eq!(
            groups.iter().map(|group| group.frames.len()).sum::<usize>(),
            3
        );
    }
    for shared in [
        vec![(0, 0, 1001), (1, 500, 10)],
        vec![(0, 0, 10), (0, 500, 1000)],
        vec![(0, 0, 2500), (1, 0, 10)],
        vec![(0, 500, 1000), (1, 700, 1000)],
        vec![(0, 0, 1001), (0, 0, 1001)],
    ] {
        let refused = with_frames(&frames, &shared);
        assert!(
            matches!(&refused, Err(Error::Json { reason, .. }) if reason.contains("shares")),
            "{shared:?}: {refused:?}"
        );
    }
}

#[test]
fn an_index_says_the_sizes_of_its_table() {
    let refused = |change: fn(&mut Index)| {
        let mut index = index();
        change(&mut index);
        Index::from_bytes(&index.to_bytes()).is_err()
    };
    assert!(!refused(|_| ()));
    assert!(refused(|index| index.plain_bytes += 1));
    assert!(refused(|index| index.stored_bytes -= 1));
    assert!(refused(|index| index.table.frames[0].stored_bytes -= 1));
    assert!(refused(|index| index.header.push(1)));
    assert!(refused(|index| index.stored_bytes = u64::MAX));
    let mut open = index();
    open.header.clear();
    open.stored_bytes = open.plain_bytes;
    assert_eq!(Index::from_bytes(&open.to_bytes()).unwrap(), open);
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(step).take(length).collect()
}

#[test]
fn counts_are_checked_before_anything_is_allocated() {
    for at in [32, 36] {
        let mut bytes = table().to_bytes();
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(
            Table::from_bytes(&bytes),
            Err(Error::Limit { .. })
        ));
        bytes[at..at + 4].copy_from_slice(&60_000_u32.to_le_bytes());
        assert!(matches!(Table::from_bytes(&bytes), Err(Error::Json { .. })));
    }
}

#[test]
fn what_this_version_does_not_know_is_named() {
    let changed = |at: usize, value: u8| {
        let mut bytes = table().to_bytes();
        bytes[at] = value;
        Table::from_bytes(&bytes).unwrap_err()
    };
    assert!(matches!(
        changed(8, 2),
        Error::UnknownVersion { found: 2, .. }
    ));
    assert!(matches!(changed(10, 1), Error::UnknownFlag { .. }));
    assert!(matches!(changed(56 + 44, 16), Error::UnknownFlag { .. }));
    let end = table().to_bytes().len() - 4;
    assert!(
        matches!(changed(end, 1), Error::UnknownFlag { ref flag, .. } if flag == "differences")
    );
    assert!(matches!(changed(28, 9), Error::Json { .. }));
    assert!(matches!(changed(29, 9), Error::Json { .. }));
}

#[test]
fn frames_that_lie_are_refused() {
    let mut codec = Codec::new().unwrap();
    let bytes = vec![5; 100_000];
    let encoded = codec.encode_large(&Address::of(&bytes), &bytes).unwrap();
    let frame = encoded.frames[0];
    assert!(codec.decompress(&encoded.stored, &[frame]).is_ok());
    for plain_bytes in [0, frame.plain_bytes - 1, frame.plain_bytes + 1, u32::MAX] {
        let lie = Frame {
            plain_bytes,
            ..frame
        };
        assert!(
            codec.decompress(&encoded.stored, &[lie]).is_err(),
            "{plain_bytes}"
        );
    }
    let short = Frame {
        stored_bytes: frame.stored_bytes - 1,
        ..frame
    };
    assert!(codec.decompress(&encoded.stored, &[short]).is_err());
    // Two frames in the place of one: the second would expand beyond what is stated.
    let twice = [encoded.stored.clone(), encoded.stored.clone()].concat();
    let both = Frame {
        stored_bytes: frame.stored_bytes * 2,
        ..frame
    };
    assert!(codec.decompress(&twice, &[both]).is_err());
    // A frame that states no size.
    let mut unstated = zstd::Encoder::new(Vec::new(), 1).unwrap();
    unstated.write_all(&bytes).unwrap();
    let unstated = unstated.finish().unwrap();
    let unstated_frame = Frame {
        stored_bytes: unstated.len() as u32,
        plain_bytes: bytes.len() as u32,
    };
    assert!(codec.decompress(&unstated, &[unstated_frame]).is_err());
}

#[test]
fn an_object_that_is_not_its_address_is_refused() {
    let mut codec = Codec::new().unwrap();
    let bytes = vec![5; 100_000];
    let wrong = codec.encode_large(&Address::of(b"other"), &bytes);
    assert!(matches!(wrong, Err(Error::Object { .. })), "{wrong:?}");
}

#[test]
fn headers_read_back_and_others_are_refused() {
    let address = Address::of(b"x");
    for encoding in [Encoding::Plain, Encoding::Planes8] {
        let header = member::header(&address, encoding, 12_345);
        assert_eq!(
            member::parse(&header).unwrap(),
            Some((address, encoding, 12_345))
        );
        let mut entries = tar::Archive::new(&header[..]);
        let entry = entries.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(
            entry.path().unwrap().to_str().unwrap(),
            format!("{address}{}", encoding.suffix())
        );
        assert_eq!(entry.size(), 12_345);
        for at in [0, 70, 101, 130, 150, 156, 300, 511] {
            let mut changed = header;
            changed[at] ^= 1;
            assert!(member::parse(&changed).is_err(), "{at}");
        }
    }
    assert_eq!(member::parse(&[0; 512]).unwrap(), None);
}

proptest! {
    #[test]
    fn damaged_tables_and_indexes_never_panic(at in 0_usize..600, value in any::<u8>(), cut in 0_usize..600) {
        let mut bytes = index().to_bytes();
        let length = bytes.len();
        bytes[at % length] = value;
        bytes.truncate(cut.max(1));
        let _ = Index::from_bytes(&bytes);
        let mut bytes = table().to_bytes();
        let length = bytes.len();
        bytes[at % length] = value;
        let _ = Table::from_bytes(&bytes);
    }

    #[test]
    fn any_bytes_read_as_tables_headers_and_lists_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
        let _ = Table::from_bytes(&bytes);
        let _ = Index::from_bytes(&bytes);
        let _ = member::parse(&bytes);
        let _ = crate::read::chunks::parse(&bytes, 1);
        let _ = crate::read::packs::parse_list(&bytes);
        let _ = crate::manifest::piece::parse(&bytes);
        let _ = crate::record::Record::from_bytes(&bytes);
        let _ = crate::log::entry::verify(&bytes, crate::RepositoryId::from_bytes([0; 16]), 1);
    }

    #[test]
    fn large_objects_come_back(length in 65_536_usize..1_300_000, kind in 0_u8..3, seed in any::<u32>()) {
        let mut state = seed | 1;
        let bytes: Vec<u8> = match kind {
            0 => vec![seed as u8; length],
            1 => (0..length).map(|_| { state ^= state << 13; state ^= state >> 17; state ^= state << 5; state as u8 }).collect(),
            _ => (0..length / 4).flat_map(|_| {
                state ^= state << 13; state ^= state >> 17; state ^= state << 5;
                (state as f32 * 1e-11).to_le_bytes()
            }).collect(),
        };
        let mut codec = Codec::new().unwrap();
        let address = Address::of(&bytes);
        let encoded = codec.encode_large(&address, &bytes).unwrap();
        let plain = codec.decompress(&encoded.stored, &encoded.frames).unwrap();
        prop_assert_eq!(extract(&plain, &encoded.objects[0]).unwrap(), bytes);
    }
}
