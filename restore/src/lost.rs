//! What a damaged repository has lost of a snapshot: known before anything is read, or found while it is read.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use archive_format::{Digest, LineKey, LostLines, SnapshotReader};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use workspace::{ItemId, Selection, Verdict};

use crate::origin::Origin;
use crate::snapshot::{bundles, id_of_key};
use crate::{Action, Error, Loss, Plan};

/// A part of an item that is lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LostPart {
    /// The item.
    #[serde(serialize_with = "as_text")]
    pub item: ItemId,
    /// What of it: a document, a file; or the lines of a manifest that begin with it.
    pub what: String,
}

fn as_text<S: serde::Serializer>(item: &ItemId, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(item)
}

/// What was found lost so far. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lost(Arc<Mutex<Found>>);

#[derive(Debug, Default)]
struct Found {
    /// Files that did not read to their end, by the digest that they should have.
    contents: BTreeSet<Digest>,
    parts: BTreeSet<LostPart>,
    /// Whether reading ended at damage.
    damage: bool,
}

impl Lost {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a part of an item.
    pub(crate) fn part(&self, item: &ItemId, what: impl ToString) {
        self.found().parts.insert(LostPart {
            item: item.clone(),
            what: what.to_string(),
        });
    }

    /// Notes the content of a file, by its digest.
    pub(crate) fn content(&self, digest: Digest) {
        self.found().contents.insert(digest);
        self.damage();
    }

    /// Notes that reading ended at damage.
    pub(crate) fn damage(&self) {
        self.found().damage = true;
    }

    /// Whether reading ended at damage.
    pub(crate) fn has_damage(&self) -> bool {
        self.found().damage
    }

    /// Whether a content was found lost while it was read.
    pub(crate) fn has_content(&self, digest: &Digest) -> bool {
        self.found().contents.contains(digest)
    }

    /// How many contents were found lost while they were read.
    pub(crate) fn contents(&self) -> usize {
        self.found().contents.len()
    }

    /// Everything that is lost.
    pub(crate) fn parts(&self) -> Vec<LostPart> {
        self.found().parts.iter().cloned().collect()
    }
}

/// What a reader passed over in the manifest: item by item where this machine remembers what stood there.
pub(crate) fn passed_over(reader: &SnapshotReader) -> Vec<LostPart> {
    let lost = reader.passed_over().into_iter();
    lost.flat_map(|lost| {
        let others = (!lost.all_items).then(|| lines(&lost));
        let items = lost.items.into_iter().map(|key| LostPart {
            item: id(key),
            what: "all of it: the snapshot's list is lost here".to_owned(),
        });
        items.chain(others).collect::<Vec<LostPart>>()
    })
    .collect()
}

/// Lines of which nothing is known but where they begin.
fn lines(lost: &LostLines) -> LostPart {
    let count = match lost.count {
        Some(1) => "1 line".to_owned(),
        Some(count) => format!("{count} lines"),
        None => "many lines".to_owned(),
    };
    LostPart {
        item: (lost.first.clone()).map_or_else(|| ItemId::new("items", "unknown"), id),
        what: format!("{count} of the snapshot's list, from here on"),
    }
}

fn id(key: LineKey) -> ItemId {
    ItemId {
        kind: key.kind,
        name: key.name,
        version: key.version,
    }
}

/// Why a row of the loss report says that something does not come back.
const REASON: &str = "the repository is damaged and has lost it";

/// What a plan knows to be lost.
pub(crate) fn foretold(plan: &Plan) -> BTreeSet<LostPart> {
    let losses = plan.losses.iter().filter(|loss| loss.reason == REASON);
    losses
        .map(|loss| LostPart {
            item: loss.item.clone(),
            what: loss.what.clone(),
        })
        .collect()
}

/// The rows of the loss report.
pub(crate) fn losses(parts: &[LostPart], partial: bool) -> Vec<Loss> {
    let substitute = if partial {
        ""
    } else {
        "--partial brings the rest"
    };
    let rows = parts.iter().map(|part| {
        Loss::new(
            &part.item,
            Action::Impossible,
            part.what.as_str(),
            REASON,
            substitute,
        )
    });
    rows.collect()
}

/// Refuses a plan that needs what is known to be lost, before anything is changed.
pub(crate) async fn refuse(plan: &Plan, origin: &Origin) -> Result<(), Error> {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let selection = Selection::parse(&plan.selectors, at).map_err(Error::Selection)?;
    let changing = plan.steps.iter().filter(|step| step.action.changes());
    let ids: Vec<_> = changing.map(|step| step.item.clone()).collect();
    let read_from = origin.clone();
    let items = stream::iter(ids)
        .then(move |id| {
            let origin = read_from.clone();
            async move { origin.item(&id).await }
        })
        .try_filter_map(|item| std::future::ready(Ok(item)));
    let mut bundles = bundles(items);
    let mut parts = Vec::new();
    while let Some(items) = bundles.try_next().await? {
        let lacks = origin.lacks(&items).await?;
        for (item, lacks) in items.iter().zip(lacks) {
            let id = id_of_key(&item.key);
            let of_selected = lacks.iter().filter(|lack| match lack {
                archive_format::Lack::File(path) => workspace::FilePath::new(path.as_str())
                    .is_ok_and(|path| selection.matches_file(&id, &path, &()) != Verdict::No),
                _ => true,
            });
            parts.extend(of_selected.map(|lack| format!("{lack} of {id}")));
        }
    }
    parts.dedup();
    match parts.first() {
        None => Ok(()),
        Some(first) => Err(Error::Lost {
            count: parts.len(),
            first: first.clone(),
        }),
    }
}
