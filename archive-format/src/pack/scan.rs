//! Reads a pack as it lies there, by its table: the tar members of its frames.

use super::index::Index;
use super::member::{self, BLOCK};
use super::table::{ObjectRow, Table};
use crate::Address;

/// Frames that belong together: no object of them goes on in a frame outside.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The first frame and the one after the last.
    pub(crate) frames: std::ops::Range<usize>,
    /// The objects in them; `frame` and `offset` count from the group's first byte, so `frame` is 0.
    pub(crate) objects: Vec<ObjectRow>,
}

/// The groups of a pack, in order. The table was read, so that none is larger than a frame may be: an object of several
/// frames has them for itself.
pub(crate) fn groups(table: &Table) -> Vec<Group> {
    let (frames, ends) = (&table.frames, table.ends());
    let mut rows = table.objects.clone();
    rows.sort_unstable_by_key(|row| (row.frame, row.offset));
    let mut rows = rows.into_iter().peekable();
    let mut groups = Vec::new();
    let mut begin = 0;
    while let Some(frame) = frames.get(begin) {
        let before = ends[begin].before(frame).plain;
        let mut end = begin + 1;
        let mut objects = Vec::new();
        while let Some(row) = rows.next_if(|row| (row.frame as usize) < end) {
            let last = before + u64::from(row.offset) + u64::from(row.length);
            end = end.max(begin + 1 + ends[begin..].partition_point(|end| end.plain < last));
            objects.push(ObjectRow { frame: 0, ..row });
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

/// The addresses of a pack's objects.
pub(crate) fn addresses(index: &Index) -> impl Iterator<Item = Address> + '_ {
    index.table.objects.iter().map(|row| row.address)
}
