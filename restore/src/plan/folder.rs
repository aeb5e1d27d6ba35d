//! Planning a restore into a folder: entries of a folder and notebooks are plain files there; anything else needs a
//! workspace.

use archive_format::Item;
use futures::{StreamExt, TryStreamExt, stream};
use workspace::folder::Folder;
use workspace::kind::Restore;
use workspace::{
    Entry, FilePath, Identity, ItemId, Kind, Selection, Verdict as Selected, Workspace,
};

use super::decide::{Amount, Found, Verdict, decide_file};
use super::make::{empty, estimate};
use super::{Plan, Request};
use crate::files::{Standing, standing};
use crate::lost;
use crate::origin::Origin;
use crate::snapshot::{Source, bundles, id_of, id_of_key, items, may_select};
use crate::{Action, Error, Event, Loss, Observer, Step, Work};

/// Items that are compared with the folder at once.
const ITEMS_AT_ONCE: usize = 32;

/// The kind of a folder's entries.
const FILES: &str = "files";

/// The item of a folder that an item of the snapshot becomes.
pub(crate) fn path_in_folder(id: &ItemId) -> ItemId {
    ItemId::new(FILES, id.name.clone())
}

/// Plans a restore into a folder, or into one that is to be made.
pub(super) async fn plan_folder(
    origin: &Origin,
    folder: Option<&Folder>,
    identity: Identity,
    request: &Request,
    observer: &dyn Observer,
) -> Result<Plan, Error> {
    let selection = Selection::parse(&request.selectors, request.now).map_err(Error::Selection)?;
    let source = Source::new(origin, request.options.partial)?;
    let mut plan = Plan {
        source: source.identity().clone(),
        ..empty(source.id(), identity, request)
    };
    let selected = source.lines().try_filter(move |line| {
        // Further parts belong to the item before them.
        let left_out = match line.part {
            0 => !may_select(&selection, line),
            _ => selection.matches_item(&id_of(line), &()) == Selected::No,
        };
        std::future::ready(!left_out)
    });
    let mut judged = bundles(items(selected))
        .and_then(|items| source.without_lost(items))
        .map_ok(|items| stream::iter(items.into_iter().map(Ok)))
        .try_flatten()
        .map_ok(|item| judge(folder, item, request))
        .try_buffered(ITEMS_AT_ONCE)
        .boxed();
    while let Some((id, item, verdict)) = judged.try_next().await? {
        if item.is_of_kind() {
            let gaps = item.gaps.iter();
            plan.losses.extend(gaps.map(|gap| Loss::of_kind(&id, gap)));
            continue;
        }
        step(&mut plan, &id, &item, verdict);
        observer.event(Event::Planning {
            done: plan.steps.len() as u64,
            total: 0,
        });
    }
    drop(judged);
    plan.estimate = estimate(&plan.steps);
    plan.losses.extend(origin.left());
    plan.losses
        .extend(lost::losses(&source.lost_parts(), request.options.partial));
    Ok(plan)
}

/// Compares an item with what the folder has.
async fn judge(
    folder: Option<&Folder>,
    item: Item,
    request: &Request,
) -> Result<(ItemId, Item, Verdict), Error> {
    let id = id_of_key(&item.key);
    let kind = Kind::find(&id.kind).filter(|kind| kind.restore == Restore::Files);
    let target = path_in_folder(&id);
    let verdict = match (kind, item.files.first()) {
        (None, _) => Verdict::nothing(
            Action::Impossible,
            "a folder holds files; into an Azure ML workspace it can be restored, and `export folder` writes it as YAML",
        ),
        (Some(_), None) => Verdict::nothing(Action::Impossible, "the snapshot has no bytes of it"),
        (Some(_), Some(file)) => {
            let found = found(folder, &target, file).await?;
            let whole = Amount {
                files: 1,
                bytes: file.size(),
            };
            decide_file(&found, whole, request.options.on_conflict)
        }
    };
    Ok((id, item, verdict))
}

fn step(plan: &mut Plan, id: &ItemId, item: &Item, verdict: Verdict) {
    if verdict.action == Action::Impossible {
        plan.losses.push(Loss::new(
            id,
            Action::Impossible,
            "the item",
            verdict.reason.clone(),
            "",
        ));
    }
    for gap in &item.gaps {
        let reason = format!("the snapshot does not have it: {}", gap.reason);
        plan.losses
            .push(Loss::new(id, Action::Upload, "gap", reason, ""));
    }
    plan.steps.push(Step {
        step: plan.steps.len() as u32 + 1,
        item: id.clone(),
        action: verdict.action,
        work: if verdict.action.changes() {
            Work::Files
        } else {
            Work::Nothing
        },
        target: path_in_folder(id),
        reason: verdict.reason,
        needs: Vec::new(),
        after: Vec::new(),
        overwrite: verdict.overwrite,
        files: verdict.amount.files,
        bytes: verdict.amount.bytes,
    });
}

async fn found(
    folder: Option<&Folder>,
    target: &ItemId,
    file: &archive_format::FileEntry,
) -> Result<Found, Error> {
    let failed = |error| Error::target(target.to_string(), error);
    FilePath::new(target.name.as_str()).map_err(failed)?;
    let Some(folder) = folder else {
        return Ok(Found::Absent);
    };
    let Some(there) = folder
        .get(target)
        .await
        .map_err(failed)?
        .and_then(|listed| listed.file)
    else {
        return Ok(Found::Absent);
    };
    if there.entry != Entry::File && file.content.is_some() {
        return Ok(Found::Other("a directory or link".to_owned()));
    }
    let amount = Amount {
        files: 1,
        bytes: file.size(),
    };
    Ok(
        match standing(folder, file, &there).await.map_err(failed)? {
            Standing::Same => Found::Same,
            Standing::Missing => Found::Absent,
            Standing::Differs => Found::Differing(amount),
        },
    )
}
