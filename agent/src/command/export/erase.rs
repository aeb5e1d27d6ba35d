//! `mlark export erase`: deletes the one key that opens an export, so that it is noise wherever it lies, also in storage that
//! deletes nothing. The log keeps that there was one. What a hold or its retention forbids is refused.

use archive_format::storage::Remains;
use archive_format::{Erased, FileName, KnownExport, Repository};
use serde_json::json;

use crate::exit::ExitStatus;
use crate::exports::{self, note};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::amount;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark export erase 01kb2m
  mlark export erase prod-20261129-01kb2m8n0q --yes")]
pub struct Args {
    /// The export: its id, a unique prefix of it, or its name
    export: String,
    /// Erase it also where its destination does not say whether a hold or a retention lies on it
    #[arg(long)]
    unchecked: bool,
    /// Erase it without asking
    #[arg(short, long)]
    yes: bool,
}

/// Why the key of an export stays.
#[derive(Debug)]
pub enum Kept {
    /// The log has forbidden it since the export was made.
    Foretold(Failure),
    /// What lies at its destination forbids it, or does not say that it may go.
    Found(Failure),
}

/// Erases.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository_with_contents().await?;
    let known = known(&repository, &args.export).await?;
    may(session, &known, args.unchecked)
        .await
        .map_err(|kept| match kept {
            Kept::Foretold(failure) | Kept::Found(failure) => failure,
        })?;
    if !args.yes && known.erased.is_none() {
        ask(session, &known)?;
    }
    let (erased, remains) = erase(session, &repository, &known).await?;
    let (versions, why) = match &remains {
        Remains::Nothing => (Some(0), None),
        Remains::Versions { count, why } => (Some(*count), Some(why)),
        Remains::Unknown { why } => (None, Some(why)),
    };
    if session.ui.json() {
        session.ui.document(&json!({
            "export": known.export.export, "name": known.export.name, "to": known.export.url,
            "entry": erased.entry, "time": erased.time, "versions": versions, "why": why,
        }));
    } else {
        session.ui.line(&said(&known, erased, &remains));
    }
    Ok(match remains {
        Remains::Nothing => ExitStatus::Done,
        _ => ExitStatus::Gaps,
    })
}

/// What became of an export, for people.
pub fn said(known: &KnownExport, erased: Erased, remains: &Remains) -> String {
    let (name, entry) = (&known.export.name, erased.entry);
    let key = FileName::export_key(&known.export.export);
    let still = match remains {
        Remains::Nothing => {
            return format!(
                "{name} is erased: no key opens it any more (log entry {entry}); its files still lie at {}",
                known.export.url
            );
        }
        Remains::Versions { count, why } => format!(
            "the store keeps {} of {key}: {why}",
            amount::counted(*count, "earlier version")
        ),
        Remains::Unknown { why } => {
            format!("whether the store keeps earlier versions of {key} is not known: {why}")
        }
    };
    format!(
        "{name} is erased in the log (entry {entry}) and its key is deleted, but {still}; with such a version an owner or an auditor \
         opens it by hand, so delete them, and run it again to see that they are gone"
    )
}

/// Erases an export. That it was is an event of its custody, where its destination still takes one.
pub async fn erase(
    session: &Session,
    repository: &Repository,
    known: &KnownExport,
) -> Result<(Erased, Remains), Failure> {
    let now = session.context.clock.now();
    let export = &known.export;
    let done = repository.erase_export(export.export, now).await;
    let (erased, remains) = done.map_err(|error| not_deleted(&error, known))?;
    if known.erased.is_none() {
        let told = async {
            let sealed = session.open_sealed(&export.url, &export.name).await?;
            let says = json!({ "entry": erased.entry });
            note(session, repository, &sealed, "erase", &says).await?;
            exports::keep_late(sealed.storage.as_ref(), &sealed.record).await
        };
        if let Err(failure) = told.await {
            let (name, why) = (&export.name, failure.sentence());
            session.ui.warn(&format!(
                "The chain of custody of {name} does not say that it is erased: {why}"
            ));
        }
    }
    Ok((erased, remains))
}

/// Whether the key of an export may be erased now: it is encrypted, and neither a hold nor a retention lies on it, by the log
/// and where it lies. `unchecked`: also where its destination does not say so.
pub async fn may(session: &Session, known: &KnownExport, unchecked: bool) -> Result<(), Kept> {
    refuse_what_the_log_keeps(session, known).map_err(Kept::Foretold)?;
    if known.erased.is_some() {
        return Ok(());
    }
    refuse_what_the_store_keeps(session, known, unchecked)
        .await
        .map_err(Kept::Found)
}

/// The export that a word means.
pub async fn known(repository: &Repository, word: &str) -> Result<KnownExport, Failure> {
    let exports = repository.exports().await;
    let exports = exports.map_err(|error| Failure::of_archive(&error))?;
    let id = word.to_ascii_lowercase();
    let means = |known: &&KnownExport| {
        known.export.name == word
            || (!id.is_empty() && known.export.export.to_string().starts_with(&id))
    };
    let found: Vec<&KnownExport> = exports.iter().filter(means).collect();
    let refused = |why: String| {
        Err(Failure::usage("No export is meant")
            .on(format!("`{word}`"))
            .why(why))
    };
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => refused("the log names none of that id or name".to_owned()),
        several => refused(format!(
            "{} exports have it; give more of the id",
            several.len()
        )),
    }
}

fn not_erased(known: &KnownExport) -> Failure {
    Failure::usage("The export is not erased").on(&known.export.name)
}

/// Refuses what is not encrypted, and what was made to be held or kept longer.
fn refuse_what_the_log_keeps(session: &Session, known: &KnownExport) -> Result<(), Failure> {
    let export = &known.export;
    if !export.encrypted {
        return Err(not_erased(known)
            .why("it is not encrypted, so that no key stands between it and its readers")
            .next(format!("delete its files at {}", export.url)));
    }
    if known.erased.is_some() {
        return Ok(());
    }
    let now = session.context.clock.now();
    match export.retain_until.filter(|until| *until > now) {
        None => Ok(()),
        Some(until) => Err(not_erased(known)
            .why(format!("it is to be kept until {}", amount::moment(until)))
            .next("it can be erased after that")),
    }
}

/// What was held, locked or freed since the export was made is known where it lies. Where the place answers and has no seal of
/// it, there is nothing left that could be kept; where it does not answer, or does not say, the export stays.
async fn refuse_what_the_store_keeps(
    session: &Session,
    known: &KnownExport,
    unchecked: bool,
) -> Result<(), Failure> {
    let export = &known.export;
    let state = async {
        match session.find_sealed(&export.url, &export.name).await? {
            Some(sealed) => {
                let mut state = exports::state(session, &sealed).await?;
                // Where nothing holds files, the log alone knows of a hold.
                state.held |= export.hold && sealed.storage.cold().is_none();
                Ok(Some(state))
            }
            None => Ok(None),
        }
    };
    let unknown = match state.await {
        Ok(None) if export.hold => Some(not_erased(known).why(
            "it was made under a legal hold, and nothing of it lies at its destination that says that it ended",
        )),
        Ok(None) => None,
        Ok(Some(state)) => match state.forbids_erasure(session.context.clock.now()) {
            Some(why) => {
                return Err(not_erased(known)
                    .why(why)
                    .next("it can be erased when that has ended"));
            }
            None => state.unread.map(|why| not_erased(known).why(why)),
        },
        Err(failure) => Some(failure),
    };
    match unknown.filter(|_| !unchecked) {
        None => Ok(()),
        Some(failure) => Err(failure.next(
            "whether a hold or a lock lies on it must be known before it is erased: run it again when its destination answers, with an \
             identity that may ask, or say --unchecked where you know that none does",
        )),
    }
}

fn ask(session: &Session, known: &KnownExport) -> Result<(), Failure> {
    if !session.ui.can_ask() {
        return Err(
            Failure::usage("Nobody can be asked whether the export may be erased")
                .on(&known.export.name)
                .why("there is no terminal")
                .next("add --yes"),
        );
    }
    let question = format!(
        "Erase {} for ever? Nobody will open it again",
        known.export.name
    );
    match session.ui.confirm(&question) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(ExitStatus::Interrupted, "Nothing was erased")
            .why("the answer was not `yes`")),
        Err(error) => Err(Failure::failed("The answer could not be read").why(error)),
    }
}

/// The entry may be there and the key too: then the same command goes on.
fn not_deleted(error: &archive_format::Error, known: &KnownExport) -> Failure {
    let failure = Failure::of_archive(error).with_place(&known.export.name);
    match error {
        archive_format::Error::Storage(_) => failure.next(
            "the key still opens the export: run it again with a credential that may delete; where the repository keeps files immutable, after their time",
        ),
        _ => failure,
    }
}
