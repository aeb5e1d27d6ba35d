//! Reads a pack as it lies there: the tar members of its frames, and the tables at its end.

use super::index::Index;
use super::member::{self, BLOCK};
use super::table::ObjectRow;
use crate::magic::{SEEK_FRAME_MAGIC, SEEK_TABLE_MAGIC, TABLE_FRAME_MAGIC};
use crate::{Address, Error};

/// Frames that belong together: no object of them goes on in a frame outside.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The first frame and the one after the last.
    pub(crate) frames: std::ops::Range<usize>,
    /// The objects in them; `frame` and `offset` count from the group's first byte, so `frame` is 0.
    pub(crate) objects: Vec<ObjectRow>,
}

/// The groups of a pack, in order.
pub(crate) fn groups(index: &Index) -> Vec<Group> {
    let frames = &index.table.frames;
    let mut rows = index.table.objects.clone();
    rows.sort_unstable_by_key(|row| (row.frame, row.offset));
    let mut rows = rows.into_iter().peekable();
    let mut groups = Vec::new();
    let mut begin = 0;
    while begin < frames.len() {
        let mut end = begin + 1;
        let mut objects = Vec::new();
        while let Some(row) = rows.next_if(|row| (row.frame as usize) < end) {
            let before: u32 = frames[begin..row.frame as usize]
                .iter()
                .map(|frame| frame.plain_bytes)
                .sum();
            let offset = before + row.offset;
            let last = u64::from(offset) + u64::from(row.length);
            let holds = |end: usize| -> u64 {
                frames[begin..end]
                    .iter()
                    .map(|frame| u64::from(frame.plain_bytes))
                    .sum()
            };
            while holds(end) < last && end < frames.len() {
                end += 1;
            }
            objects.push(ObjectRow {
                frame: 0,
                offset,
                ..row
            });
        }
        groups.push(Group {
            frames: begin..end,
            objects,
        });
        begin = end;
    }
    groups
}

/// Whether the tar header in front of an object's data is the one that the format writes.
pub(crate) fn has_header(plain: &[u8], row: &ObjectRow) -> bool {
    let begin = (row.offset as usize).checked_sub(BLOCK);
    let header = begin.and_then(|begin| plain.get(begin..row.offset as usize));
    let parsed = header.and_then(|header| member::parse(header).ok().flatten());
    parsed == Some((row.address, row.encoding, row.length as usize))
}

/// Compares what follows the frames with the index: the pack's own table, and the seek table.
pub(crate) fn check_tail(tail: &[u8], index: &Index) -> Result<(), Error> {
    let refused = |reason: &str| Error::Json {
        what: "the end of a pack".to_owned(),
        reason: reason.to_owned(),
    };
    let (table, rest) =
        skippable(tail, TABLE_FRAME_MAGIC).ok_or_else(|| refused("its table is not there"))?;
    if table != index.table.to_bytes() {
        return Err(refused("its table is not the one of its index"));
    }
    let (seek, rest) =
        skippable(rest, SEEK_FRAME_MAGIC).ok_or_else(|| refused("its seek table is not there"))?;
    let table_frame = (table.len() as u32 + 8, 0);
    let frames = index.table.frames.iter();
    let wanted: Vec<u8> = frames
        .map(|frame| (frame.stored_bytes, frame.plain_bytes))
        .chain([table_frame])
        .flat_map(|(stored, plain)| [stored.to_le_bytes(), plain.to_le_bytes()].concat())
        .chain((index.table.frames.len() as u32 + 1).to_le_bytes())
        .chain([0])
        .chain(SEEK_TABLE_MAGIC.to_le_bytes())
        .collect();
    if seek == wanted && rest.is_empty() {
        Ok(())
    } else {
        Err(refused("its seek table does not fit"))
    }
}

fn skippable(bytes: &[u8], magic: u32) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    let [a, b, c, d, e, f, g, h] = *head;
    if u32::from_le_bytes([a, b, c, d]) != magic {
        return None;
    }
    rest.split_at_checked(u32::from_le_bytes([e, f, g, h]) as usize)
}

/// The addresses of a pack's objects.
pub(crate) fn addresses(index: &Index) -> impl Iterator<Item = Address> + '_ {
    index.table.objects.iter().map(|row| row.address)
}
