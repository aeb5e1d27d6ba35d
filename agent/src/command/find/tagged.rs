//! Items whose documents fit conditions, in all snapshots. The catalogue holds no documents, so they are read from the
//! repository: each once, however many snapshots have it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use archive_format::{Item, LineKey, Occurrence, Repository, SnapshotId};
use futures::TryStreamExt;
use workspace::Selection;

use crate::failure::Failure;
use crate::held::{self, Chooser};
use crate::session::Session;

/// Items looked at at once.
const AT_ONCE: usize = 8;
/// Answers that are remembered from one snapshot to the next.
const KNOWN_MAX: usize = 500_000;

/// What a pattern asks for.
#[derive(Debug)]
pub(super) enum Asked {
    /// A name.
    Name,
    /// The items that fit conditions: `tag.team=nlp` or `KIND[tag.team=nlp]`.
    Condition(Selection),
    /// A name, since it is no condition, for this reason: files may be called `day=2026-11-23`.
    NameUnlike(Failure),
}

/// What may stand in a condition.
const ALLOWED: &str = "compare name, version, type, experiment, status, creator or tag.NAME by = and !=; created, modified, started, ended (90d, \
                       2026-11-23) and size (5GiB) by <, <=, > and >=; archived and anonymous alone";

/// Tells what a pattern asks for. One that compares inside brackets can be nothing but a condition, so that a wrong one is
/// refused.
pub(super) fn asked(session: &Session, pattern: &str) -> Result<Asked, Failure> {
    let compares = |text: &str| text.contains(['=', '<', '>']);
    if !compares(pattern) {
        return Ok(Asked::Name);
    }
    let selection = |selector: &str| {
        let selection = session.selection(&[selector]);
        selection.map_err(|refused| refused.next(ALLOWED))
    };
    let open = pattern.strip_suffix(']');
    let within = open.and_then(|open| open.split_once('['));
    if within.is_some_and(|(_, within)| compares(within)) {
        return selection(pattern).map(Asked::Condition);
    }
    Ok(match selection(&format!("*[{pattern}]")) {
        Ok(selection) => Asked::Condition(selection),
        Err(refused) => Asked::NameUnlike(refused),
    })
}

/// An item as it was at a time, by its digests.
type Seen = [u8; 32];

/// Where items occur that fit, at most so many.
pub(super) async fn find(
    repository: &Repository,
    selection: &Selection,
    limit: usize,
) -> Result<Vec<Occurrence>, Failure> {
    let history = repository.history().await;
    let history = history.map_err(|error| Failure::of_archive(&error))?;
    let mut found: BTreeMap<LineKey, Vec<SnapshotId>> = BTreeMap::new();
    let known: Mutex<HashMap<Seen, bool>> = Mutex::default();
    for record in &history {
        let reader = repository.snapshot(record);
        let chooser = Chooser::new(&reader, selection);
        let (chooser, known) = (&chooser, &known);
        let mut fitting = held::items(&reader)
            .map_ok(|item| async move {
                let key = item.key.clone();
                let fits = fits(chooser, known, item).await?;
                Ok::<_, Failure>(fits.then_some(key))
            })
            .try_buffered(AT_ONCE);
        while let Some(key) = fitting.try_next().await? {
            let Some(key) = key else { continue };
            if found.len() < limit || found.contains_key(&key) {
                found.entry(key).or_default().push(record.id);
            }
        }
    }
    let occurrences = found.into_iter().map(|(item, snapshots)| Occurrence {
        item,
        file: None,
        snapshots,
    });
    Ok(occurrences.collect())
}

async fn fits(
    chooser: &Chooser<'_>,
    known: &Mutex<HashMap<Seen, bool>>,
    item: Item,
) -> Result<bool, Failure> {
    let seen = seen(&item);
    let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(fits) = lock().get(&seen) {
        return Ok(*fits);
    }
    let fits = chooser.choose(item).await?.is_some();
    let mut known = lock();
    if known.len() >= KNOWN_MAX {
        known.clear();
    }
    known.insert(seen, fits);
    Ok(fits)
}

fn seen(item: &Item) -> Seen {
    let mut text = format!("{:?} {}", item.key, held::size(item));
    for document in &item.documents {
        text.push_str(&document.address.to_string());
    }
    *archive_format::Digest::of(text.as_bytes()).as_bytes()
}
