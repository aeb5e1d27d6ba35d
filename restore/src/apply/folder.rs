//! Carrying out a plan for a folder.

use archive_format::SnapshotReader;
use workspace::azure::Written;
use workspace::folder::Folder;
use workspace::{FilePath, Workspace};

use super::executor::Tally;
use super::step::Trouble;
use super::{Session, finish};
use crate::files::{Standing, meta, standing};
use crate::plan::Outline;
use crate::snapshot::Source;
use crate::{Error, Event, Plan, Step};

/// Writes the files, one after the other.
pub(super) async fn apply_folder(
    plan: &Plan,
    reader: &SnapshotReader,
    folder: &Folder,
    session: &Session<'_>,
) -> Result<Outline, Error> {
    let source = Source::new(reader)?;
    session.journal.begin(plan, session.clock.now()).await?;
    session.observer.event(Event::Started {
        steps: plan.changes(),
        bytes: plan.estimate.bytes,
    });
    let mut tally = Tally::default();
    for step in plan.steps.iter().filter(|step| step.action.changes()) {
        if session.stop.asked() {
            tally.stopped = true;
            break;
        }
        session.observer.event(Event::Step {
            step: step.step,
            action: step.action,
            item: step.item.clone(),
        });
        session
            .journal
            .intend(&plan.plan, step, session.clock.now())
            .await?;
        let end = write(&source, folder, step).await;
        record(plan, step, end, &mut tally, session).await?;
    }
    finish(plan, &tally, session).await
}

async fn write(source: &Source, folder: &Folder, step: &Step) -> Result<(), Trouble> {
    let loaded = source.load(&step.item).await?;
    let loaded = loaded.ok_or_else(|| Trouble::because("the snapshot does not have it"))?;
    let Some(file) = loaded.item.files.first() else {
        return Err(Trouble::because("the snapshot has no bytes of it"));
    };
    let path = FilePath::new(step.target.name.as_str())?;
    let meta = meta(file, step.overwrite);
    if folder.write_file(&path, &meta, source.bytes(file)).await? == Written::New {
        return Ok(());
    }
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

async fn record(
    plan: &Plan,
    step: &Step,
    end: Result<(), Trouble>,
    tally: &mut Tally,
    session: &Session<'_>,
) -> Result<(), Error> {
    let now = session.clock.now();
    match end {
        Ok(()) => {
            session
                .journal
                .done(&plan.plan, step, &step.target.to_string(), now)
                .await?;
            tally.states.insert(step.step, Ok(()));
            session.observer.event(Event::Bytes { count: step.bytes });
            session.observer.event(Event::Done {
                step: step.step,
                bytes: step.bytes,
            });
        }
        Err(Trouble::Stopped) => tally.stopped = true,
        Err(Trouble::Journal(error)) => return Err(error),
        Err(Trouble::Failed(reason)) => {
            session
                .journal
                .failed(&plan.plan, step, &reason, now)
                .await?;
            session.observer.event(Event::Failed {
                step: step.step,
                item: step.item.clone(),
                reason: reason.clone(),
            });
            tally.states.insert(step.step, Err(reason));
        }
    }
    Ok(())
}
