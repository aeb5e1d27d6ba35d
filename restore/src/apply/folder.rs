//! Carrying out a plan for a folder, a batch of files at a time: each batch is noted in the journal, written beside
//! the final names, brought to the disk together, named, and noted again. A flush for each file would take most of the
//! time of a restore; while one batch is brought to the disk, the next is written.

use archive_format::FileEntry;
use workspace::Workspace;
use workspace::azure::Written;
use workspace::folder::{Folder, Staged};

use super::executor::Tally;
use super::staging::stage;
use super::step::{Trouble, chain};
use super::{Session, finish};
use crate::files::{Standing, standing};
use crate::journal::Noted;
use crate::origin::Origin;
use crate::plan::Outline;
use crate::snapshot::Source;
use crate::{Error, Event, Plan, Step};

/// Steps of a batch, at most.
const BATCH_STEPS: usize = 4096;
/// A batch ends with the step that comes to so many directories: each stays open until its files have their names, and
/// two batches are under way.
const BATCH_FOLDERS: usize = 128;
/// A batch ends with the step that reaches this many bytes.
const BATCH_BYTES: u64 = 256 << 20;

/// Writes the files, batch by batch.
pub(super) async fn apply_folder(
    plan: &Plan,
    origin: &Origin,
    folder: &Folder,
    session: &Session<'_>,
) -> Result<Outline, Error> {
    let source = Source::new(origin, plan.options.partial)?;
    session.journal.begin(plan, session.clock.now()).await?;
    session.observer.event(Event::Started {
        steps: plan.changes(),
        bytes: plan.estimate.bytes,
    });
    let mut tally = Tally::default();
    let changing: Vec<&Step> = plan
        .steps
        .iter()
        .filter(|step| step.action.changes())
        .collect();
    let mut rest = changing.as_slice();
    let mut written: Option<Batch<'_>> = None;
    loop {
        tally.stopped |= session.stop.asked() && !rest.is_empty();
        let goes_on = !rest.is_empty() && !tally.stopped && !source.is_damaged();
        if !goes_on && written.is_none() {
            break;
        }
        let (batch, after) = rest.split_at(if goes_on { batch_length(rest) } else { 0 });
        rest = after;
        let writing = write_batch(plan, &source, folder, batch, session);
        let naming = name_batch(plan, folder, written.take(), &mut tally, session);
        let (next, named) = futures::join!(writing, naming);
        named?;
        written = next?;
    }
    tally.damaged = source.is_damaged();
    tally.lost = source.lost_parts();
    finish(plan, &tally, session).await
}

/// Steps whose files lie beside their names.
struct Batch<'a> {
    steps: &'a [&'a Step],
    /// One a step.
    files: Vec<Result<FileEntry, Trouble>>,
    /// One a file that was written.
    parts: Vec<Staged>,
}

fn batch_length(steps: &[&Step]) -> usize {
    let (mut bytes, mut folders, mut length) = (0_u64, 0, 0);
    let mut last = None;
    for step in steps.iter().take(BATCH_STEPS) {
        if bytes >= BATCH_BYTES || folders >= BATCH_FOLDERS {
            break;
        }
        bytes = bytes.saturating_add(step.bytes);
        let folder = step.target.name.rsplit_once('/').map(|(folder, _)| folder);
        folders += usize::from(last != Some(folder));
        last = Some(folder);
        length += 1;
    }
    length
}

/// Notes the steps of a batch and writes their files beside their names; none where there are no steps.
async fn write_batch<'a>(
    plan: &Plan,
    source: &Source,
    folder: &Folder,
    steps: &'a [&'a Step],
    session: &Session<'_>,
) -> Result<Option<Batch<'a>>, Error> {
    if steps.is_empty() {
        return Ok(None);
    }
    let intended: Vec<(&Step, Noted)> = steps.iter().map(|step| (*step, Noted::Intended)).collect();
    let (journal, clock) = (session.journal, session.clock);
    journal.note(&plan.plan, &intended, clock.now()).await?;
    for step in steps {
        session.observer.event(Event::Step {
            step: step.step,
            action: step.action,
            item: step.item.clone(),
        });
    }
    let (files, parts) = stage(source, folder, steps).await;
    Ok(Some(Batch {
        steps,
        files,
        parts,
    }))
}

/// Brings a batch to the disk, gives its files their names, and notes what came of its steps.
async fn name_batch(
    plan: &Plan,
    folder: &Folder,
    batch: Option<Batch<'_>>,
    tally: &mut Tally,
    session: &Session<'_>,
) -> Result<(), Error> {
    let Some(batch) = batch else {
        return Ok(());
    };
    let (mut published, unnamed) = match folder.publish(batch.parts).await {
        Ok(published) => (published.into_iter(), String::new()),
        Err(error) => (Vec::new().into_iter(), chain(&error)),
    };
    let mut noted = Vec::new();
    for (step, file) in batch.steps.iter().zip(batch.files) {
        let end = match file {
            Ok(file) => match published.next() {
                Some(Ok(Written::New)) => Ok(()),
                Some(Ok(_)) => as_it_was(folder, step, &file).await,
                Some(Err(error)) => Err(error.into()),
                None => Err(Trouble::because(unnamed.clone())),
            },
            Err(trouble) => Err(trouble),
        };
        noted.extend(conclude(step, end, tally, session)?);
    }
    let (journal, clock) = (session.journal, session.clock);
    journal.note(&plan.plan, &noted, clock.now()).await
}

/// Something was there: right if it is the same.
async fn as_it_was(folder: &Folder, step: &Step, file: &FileEntry) -> Result<(), Trouble> {
    let there = folder
        .get(&step.target)
        .await?
        .and_then(|listed| listed.file);
    match there {
        Some(there) if standing(folder, file, &there).await? == Standing::Same => Ok(()),
        _ => Err(Trouble::because(
            "something else came to be there after the plan was made",
        )),
    }
}

/// Tells what came of a step, and gives what the journal says of it.
fn conclude<'a>(
    step: &'a Step,
    end: Result<(), Trouble>,
    tally: &mut Tally,
    session: &Session<'_>,
) -> Result<Option<(&'a Step, Noted)>, Error> {
    match end {
        Ok(()) => {
            tally.states.insert(step.step, Ok(()));
            session.observer.event(Event::Bytes { count: step.bytes });
            session.observer.event(Event::Done {
                step: step.step,
                bytes: step.bytes,
            });
            Ok(Some((step, Noted::Done(step.target.to_string()))))
        }
        Err(Trouble::Stopped) => {
            tally.stopped = true;
            Ok(None)
        }
        Err(Trouble::Journal(error)) => Err(error),
        Err(Trouble::Failed(reason)) => {
            session.observer.event(Event::Failed {
                step: step.step,
                item: step.item.clone(),
                reason: reason.clone(),
            });
            tally.states.insert(step.step, Err(reason.clone()));
            Ok(Some((step, Noted::Failed(reason))))
        }
    }
}

#[cfg(test)]
mod tests {
    use workspace::ItemId;

    use super::{BATCH_FOLDERS, BATCH_STEPS, batch_length};
    use crate::{Action, Step, Work};

    fn step(name: String) -> Step {
        let item = ItemId::new("files", name);
        Step {
            step: 1,
            target: item.clone(),
            item,
            action: Action::Upload,
            work: Work::Files,
            reason: String::new(),
            needs: Vec::new(),
            after: Vec::new(),
            overwrite: false,
            files: 1,
            bytes: 1,
        }
    }

    fn length(names: impl Iterator<Item = String>) -> usize {
        let steps: Vec<Step> = names.map(step).collect();
        batch_length(&steps.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_batch_comes_to_no_more_directories_than_may_be_open() {
        let of_one = (0..=BATCH_STEPS).map(|number| format!("logs/{number}"));
        assert_eq!(length(of_one), BATCH_STEPS);
        let of_many = (0..2000).map(|number| format!("models/{}/{number}", number / 2));
        assert_eq!(length(of_many), 2 * BATCH_FOLDERS - 1);
    }
}
