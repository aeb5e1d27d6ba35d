//! Which of the exports at a destination is rehearsed where none is named. One that cannot be rehearsed stands in no other's
//! way: what is wrong with it is put on record, so that the next has its turn; what says nothing about it is passed over.

use std::cmp::Reverse;

use archive_format::{KnownExport, Repository};

use super::subject::{self, Subject};
use crate::command::export::verify::locate::{self, Lying};
use crate::command::export::vouch::Vouch;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::thaw;

/// What became of an export whose turn it is.
enum Turn {
    /// It is rehearsed; or what is wrong with it is known, which is then the evidence.
    Taken(Box<Subject>),
    /// It cannot be rehearsed here and now: its tar is archived, its key was made for others.
    Refused(Failure),
    /// It was to be kept until a time that is past, and nothing of it is left.
    Over,
}

/// The export that is rehearsed next: the first, in their order, that can be.
///
/// # Errors
/// There is none, none of them can be rehearsed now, the destination cannot be read, or a wish to stop.
pub(super) async fn next_export(
    session: &Session,
    repository: &Repository,
    destination: &str,
    vouch: &Vouch,
) -> Result<Subject, Failure> {
    let mut refused = None;
    for known in in_order(session, repository, destination).await? {
        if session.context.shutdown.requested() {
            return Err(subject::not_begun());
        }
        match turn(session, repository, destination, &known, vouch).await? {
            Turn::Taken(subject) => return Ok(*subject),
            Turn::Refused(failure) => {
                refused.get_or_insert(failure);
            }
            Turn::Over => {}
        }
    }
    Err(refused.unwrap_or_else(|| {
        Failure::usage("There is no export to rehearse with")
            .on(destination)
            .why("the log names none there whose key is not erased and that is not gone after its time")
            .next("run `mlark export bag`, or name a snapshot or an export")
    }))
}

/// The exports at a destination: the newest that no drill has restored first, then the one whose last drill is the longest
/// ago. One whose key is erased is none.
async fn in_order(
    session: &Session,
    repository: &Repository,
    destination: &str,
) -> Result<Vec<KnownExport>, Failure> {
    let archive = |error| Failure::of_archive(&error);
    let place = session.destination(destination)?.1.to_string();
    let mut exports = repository.exports().await.map_err(archive)?;
    exports.retain(|known| known.erased.is_none() && known.export.url == place);
    let drills = repository.drills().await.map_err(archive)?;
    let last = |id: &str| {
        let mut drills = drills.iter();
        let drill = drills.rfind(|said| said.what.export.as_deref() == Some(id));
        drill.map(|said| said.what.finished)
    };
    exports
        .sort_by_cached_key(|known| (last(&known.export.export.to_string()), Reverse(known.entry)));
    Ok(exports)
}

async fn turn(
    session: &Session,
    repository: &Repository,
    destination: &str,
    known: &KnownExport,
    vouch: &Vouch,
) -> Result<Turn, Failure> {
    let name = &known.export.name;
    let export = match locate::lying(session, destination, name).await? {
        Lying::Export(export) => *export,
        Lying::Unread(failure) => return Ok(recorded(repository, known, failure).await),
        Lying::Nothing(storage) => {
            let now = session.context.clock.now();
            let ended = known.export.retain_until.is_some_and(|until| until <= now);
            if ended && !known.export.hold && !locate::is_left(storage.as_ref(), name).await? {
                return Ok(Turn::Over);
            }
            let failure = gone(&format!("{destination}/{name}"));
            return Ok(recorded(repository, known, failure).await);
        }
    };
    // A seal that the log does not name says nothing about the tar.
    if export.digest == known.export.seal {
        let (storage, at) = (export.storage.as_ref(), &export.at);
        if let Some(failure) = thaw::archived_export(session, storage, &export.seal, at).await? {
            return Ok(Turn::Refused(failure));
        }
    }
    match Subject::export(session, repository, known, export, vouch).await {
        Ok(subject) => Ok(Turn::Taken(Box::new(subject))),
        // What is damaged and yet no evidence is an export of a snapshot that the log does not name.
        Err(failure) if matches!(failure.status, ExitStatus::NoKey | ExitStatus::Damage) => {
            Ok(Turn::Refused(failure))
        }
        Err(failure) => Err(failure),
    }
}

async fn recorded(repository: &Repository, known: &KnownExport, failure: Failure) -> Turn {
    match Subject::lost(repository, known, failure).await {
        Ok(subject) => Turn::Taken(Box::new(subject)),
        Err(failure) => Turn::Refused(failure),
    }
}

fn gone(at: &str) -> Failure {
    Failure::new(
        ExitStatus::Damage,
        "The export is not where the log says that it lies",
    )
    .on(at)
    .next("`mlark export status` says what is left of it")
}
