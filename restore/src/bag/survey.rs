//! How large a tar will be at most, by what the snapshot lists: whether it is one file or several stands in its name, which is
//! there before its first byte.

use futures::TryStreamExt;
use workspace::{Selection, Verdict};

use crate::Error;
use crate::snapshot::{Source, id_of};

/// What a file takes beside its own bytes: headers, padding, and its lines in the tables.
const FILE_BYTES: u64 = 4 << 10;
/// What an item takes besides: what is recorded of it, and its YAML.
const ITEM_BYTES: u64 = 32 << 10;
/// A document stands there over several lines, and once more in the YAML.
const DOCUMENT_TIMES: u64 = 4;
/// What encryption adds: 16 bytes to each 64 KiB, and more than the tables of an empty bag.
const WHOLE_BYTES: u64 = 1 << 20;

/// An upper bound of the stored bytes, for any but the oddest snapshot.
pub(crate) async fn bytes(source: &Source, selection: &Selection) -> Result<u64, Error> {
    let mut lines = source.lines();
    let mut sum = WHOLE_BYTES;
    while let Some(line) = lines.try_next().await? {
        if selection.matches_item(&id_of(&line), &()) == Verdict::No {
            continue;
        }
        let files = line
            .files
            .iter()
            .map(|file| file.size().saturating_add(FILE_BYTES));
        let documents = (line.documents.iter()).map(|entry| {
            entry
                .size
                .saturating_mul(DOCUMENT_TIMES)
                .saturating_add(FILE_BYTES)
        });
        sum = files
            .chain(documents)
            .fold(sum.saturating_add(ITEM_BYTES), u64::saturating_add);
    }
    Ok(sum.saturating_add(sum / 4096))
}
