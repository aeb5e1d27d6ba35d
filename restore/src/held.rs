//! Whether a snapshot holds what is asked for: of names that are said without a wildcard it takes a few reads.

use archive_format::Line;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use workspace::select::Verdict;
use workspace::{FilePath, ItemId, Selection};

use crate::snapshot::{Source, id_of};
use crate::{Error, Origin};

/// Whether a snapshot holds anything that the selectors take: an item with a document or files, not merely the gap of one.
pub async fn holds(
    snapshot: impl Into<Origin>,
    selectors: &[String],
    now: Timestamp,
) -> Result<bool, Error> {
    let selection = Selection::parse(selectors, now).map_err(Error::Selection)?;
    let source = Source::new(&snapshot.into(), false)?;
    let mut lines = match selection.names() {
        None => source.lines(),
        Some(names) => {
            let source = source.clone();
            let lines = names.into_iter().map(move |named| source.lines_of(&named));
            futures::stream::iter(lines).flatten().boxed()
        }
    };
    while let Some(line) = lines.try_next().await? {
        let id = id_of(&line);
        if has_content(&selection, &id, &line) && source.is_selected(&selection, &id).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a line has any of what is asked for: where that is files of an item alone, one of them.
fn has_content(selection: &Selection, id: &ItemId, line: &Line) -> bool {
    if selection.takes_whole(id, &()) {
        return !line.documents.is_empty() || !line.files.is_empty();
    }
    line.files.iter().any(|file| {
        let path = FilePath::new(file.path.as_str());
        path.is_ok_and(|path| selection.matches_file(id, &path, &()) != Verdict::No)
    })
}
