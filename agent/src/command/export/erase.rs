//! `mlark export erase`: deletes the one key that opens an export, so that it is noise wherever it lies, also in storage that
//! deletes nothing. The log keeps that there was one. What a hold or its retention forbids is refused.

use archive_format::{KnownExport, Repository};
use serde_json::json;

use crate::exit::ExitStatus;
use crate::exports;
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
    /// Erase it without asking
    #[arg(short, long)]
    yes: bool,
}

/// Erases.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository_with_contents().await?;
    let known = known(&repository, &args.export).await?;
    refuse_what_is_kept(session, &known)?;
    refuse_what_the_store_keeps(session, &known).await?;
    if !args.yes && known.erased.is_none() {
        ask(session, &known)?;
    }
    let now = session.context.clock.now();
    let export = known.export.export;
    let erased = repository
        .erase_export(export, now)
        .await
        .map_err(|error| not_deleted(&error, &known))?;
    if session.ui.json() {
        session.ui.document(&json!({
            "export": export, "name": known.export.name, "to": known.export.url,
            "entry": erased.entry, "time": erased.time,
        }));
    } else {
        session.ui.line(&format!(
            "{} is erased: no key opens it any more (log entry {}); its files still lie at {}",
            known.export.name, erased.entry, known.export.url
        ));
    }
    Ok(ExitStatus::Done)
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

/// Refuses what is not encrypted, lies under a hold, or is to be kept longer.
pub fn refuse_what_is_kept(session: &Session, known: &KnownExport) -> Result<(), Failure> {
    let export = &known.export;
    let refused = || Failure::usage("The export is not erased").on(&export.name);
    if !export.encrypted {
        return Err(refused()
            .why("it is not encrypted, so that no key stands between it and its readers")
            .next(format!("delete its files at {}", export.url)));
    }
    if known.erased.is_some() {
        return Ok(());
    }
    if export.hold {
        return Err(refused()
            .why("a legal hold lies on it")
            .next("it can be erased when the hold has ended"));
    }
    let now = session.context.clock.now();
    match export.retain_until.filter(|until| *until > now) {
        None => Ok(()),
        Some(until) => Err(refused()
            .why(format!("it is to be kept until {}", amount::moment(until)))
            .next("it can be erased after that")),
    }
}

/// What was held or locked since the export was made is known where it lies. Where nobody answers there, the log's word is
/// all that counts: an export whose destination is gone can be erased.
async fn refuse_what_the_store_keeps(
    session: &Session,
    known: &KnownExport,
) -> Result<(), Failure> {
    if known.erased.is_some() {
        return Ok(());
    }
    let export = &known.export;
    let state = async {
        let sealed = session.open_sealed(&export.url, &export.name).await?;
        exports::state(session, &sealed).await
    };
    let state = match state.await {
        Ok(state) => state,
        Err(failure) if failure.status == ExitStatus::Usage => return Ok(()),
        Err(failure) => {
            return Err(failure.next("whether a hold or a lock lies on it must be known before it is erased: run it again when its destination answers"));
        }
    };
    match state.forbids_erasure(session.context.clock.now()) {
        None => Ok(()),
        Some(why) => Err(Failure::usage("The export is not erased")
            .on(&export.name)
            .why(why)
            .next("it can be erased when that has ended")),
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
