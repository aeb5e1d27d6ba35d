//! Comparing a folder.

use futures::TryStreamExt;
use workspace::folder::Folder;
use workspace::kind::Restore;
use workspace::{Kind, Selection, Workspace};

use super::{Standing, Sum};
use crate::files::sha256;
use crate::origin::Origin;
use crate::plan::path_in_folder;
use crate::snapshot::{Source, id_of, may_select};
use crate::{Error, Event, Observer, Request};

/// Compares every selected entry; items that no folder can hold count as expected.
pub(super) async fn verify_folder(
    origin: &Origin,
    folder: &Folder,
    request: &Request,
    observer: &dyn Observer,
) -> Result<Sum, Error> {
    let selection = Selection::parse(&request.selectors, request.now).map_err(Error::Selection)?;
    let source = Source::new(origin, false)?;
    let mut sum = Sum::default();
    let mut lines = source.lines();
    while let Some(line) = lines.try_next().await? {
        let id = id_of(&line);
        if line.is_of_kind() || !may_select(&selection, &line) {
            continue;
        }
        let Some(loaded) = source.load(&id).await? else {
            continue;
        };
        let item = loaded.item;
        let kind = Kind::find(&id.kind).filter(|kind| kind.restore == Restore::Files);
        match (kind, item.files.first()) {
            (Some(_), Some(file)) => {
                let target = path_in_folder(&id);
                let failed = |error| Error::target(target.to_string(), error);
                let there = folder
                    .get(&target)
                    .await
                    .map_err(failed)?
                    .and_then(|listed| listed.file);
                let before = sum.files;
                match &there {
                    Some(there) if file.content.is_some() => {
                        let digest = sha256(folder, there).await.map_err(failed)?;
                        sum.file(&id, file, Some(&digest));
                    }
                    Some(_) => sum.file(&id, file, Some("")),
                    None => sum.file(&id, file, None),
                }
                let standing = match (there.is_some(), sum.files.different > before.different) {
                    (false, _) => Standing::Missing,
                    (true, true) => Standing::Different,
                    (true, false) => Standing::Same,
                };
                sum.item(standing);
            }
            _ => sum.item(Standing::Expected),
        }
        observer.event(Event::Verifying {
            done: sum.items.compared,
            total: 0,
        });
    }
    Ok(sum)
}
