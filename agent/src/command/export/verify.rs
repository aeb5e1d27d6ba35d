//! `mlark export verify`: whether an export, or a bag that anybody wrote, is what it says. By default the seal alone, which
//! costs a few reads; with `--read-data` every byte. It changes nothing but that the chain of custody beside an export goes
//! on, where the store lets it.

pub(in crate::command) mod locate;
mod show;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use archive_format::{Decryption, Error as ArchiveError, Identity, Repository, Storage};
use restore::bag::SealRecord;
use restore::bag::events::add_event;
use restore::bag::read::{self, Judgement, Reading};
use restore::bag::verify::{Logged, Outcome, VerifiedExport, VerifyRequest, verify_export};
use serde_json::json;

use self::locate::{At, Export};
use super::vouch::Vouch;
use crate::command::restore::rehydrate;
use crate::exit::ExitStatus;
use crate::exports::{actor, keep_late};
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::progress::{Counters, Progress};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark export verify cold/prod-20261129-01kb2m8n0q            of a [[destination]] of the configuration: the seal alone
  mlark export verify az://stcold007/exports/prod-20261129-01kb2m8n0q --read-data
  mlark export verify /mnt/audit/prod.tar --key signer.pub --timestamp-ca tsa-root.pem
  mlark export verify /mnt/audit/prod                          a bag in a folder, whoever wrote it")]
pub struct Args {
    /// An export where it lies (URL/NAME, DESTINATION/NAME) or as the log names it (id or name); a bag's folder; a tar
    #[arg(value_name = "URL")]
    export: String,
    /// Read the whole tar, and check the bag in it
    #[arg(long)]
    read_data: bool,
    #[command(flatten)]
    vouch: Vouch,
    /// Leave the chain of custody beside the export as it is
    #[arg(long)]
    no_record: bool,
}

/// Verifies.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    match locate::locate(session, &args.export).await? {
        At::Folder(path) => bag(session, path, false).await,
        At::File(path) => bag(session, path, true).await,
        At::Export(export) => sealed(args, session, *export).await,
    }
}

/// A folder, or a tar without a seal.
async fn bag(session: &Session, path: PathBuf, is_tar: bool) -> Result<ExitStatus, Failure> {
    let identities = match is_tar {
        true => session.identities().await?,
        false => Vec::new(),
    };
    let progress = session.ui.progress("verifying");
    let watch = watch(session, &progress);
    let (at, shown) = (path.clone(), path.display().to_string());
    let judged = tokio::task::spawn_blocking(move || {
        let reading = Reading {
            keep: &|_| false,
            read: &*watch,
        };
        match is_tar {
            true => tar(&at, &identities, reading),
            false => read::read_folder(&at, reading).map_err(|error| unread(&error)),
        }
    });
    let judged = judged
        .await
        .map_err(|error| Failure::failed("The reading ended early").why(error))?;
    progress.finish();
    let judgement = judged.map_err(|failure| failure.with_place(&shown))?;
    show::bag(session, &shown, &judgement);
    Ok(match (judgement.stopped, judgement.is_valid()) {
        (true, _) => ExitStatus::Interrupted,
        (false, true) => ExitStatus::Done,
        (false, false) => ExitStatus::Damage,
    })
}

fn unread(error: &read::ReadError) -> Failure {
    Failure::failed("The bag cannot be read").because(error)
}

fn tar(path: &Path, identities: &[Identity], reading: Reading<'_>) -> Result<Judgement, Failure> {
    let failed = |error: io::Error| Failure::failed("The tar cannot be read").why(error);
    let mut file = File::open(path).map_err(failed)?;
    let mut head = Vec::new();
    (&mut file)
        .take(64)
        .read_to_end(&mut head)
        .map_err(failed)?;
    let encrypted = head.starts_with(b"age-encryption.org/");
    let whole = head.as_slice().chain(file);
    match encrypted {
        false => read::read_tar(whole, reading).map_err(|error| unread(&error)),
        true => match Decryption::begin(identities, whole) {
            Ok(plain) => read::read_tar(plain, reading).map_err(|error| {
                Failure::new(ExitStatus::Damage, "The tar does not decrypt").because(&error)
            }),
            Err(error @ ArchiveError::NoKey(_)) => Err(Failure::of_archive(&error)),
            Err(error) => {
                Err(Failure::new(ExitStatus::Damage, "The tar does not decrypt").because(&error))
            }
        },
    }
}

/// An export with its seal.
async fn sealed(args: &Args, session: &Session, export: Export) -> Result<ExitStatus, Failure> {
    let Export {
        storage,
        name,
        at,
        seal,
        repository,
        ..
    } = export;
    let repository = match repository {
        Some(repository) => Some(repository),
        None => at_hand(session, &seal).await,
    };
    let logged = match &repository {
        Some(repository) => logged(repository, &seal).await?,
        None => Logged::Unasked,
    };
    let mut identities = args.vouch.identities(session, seal.export).await?;
    if let Some(repository) = repository.as_ref().filter(|_| seal.encrypted) {
        match repository.export_key(seal.export).await {
            Ok(pair) => identities.extend(pair.map(Identity::from)),
            Err(ArchiveError::NoKey(_)) => {}
            Err(error) => return Err(Failure::of_archive(&error)),
        }
    }
    let request = VerifyRequest {
        name: name.clone(),
        read_data: args.read_data,
        identities,
        trust: args.vouch.trust(session)?,
        signer_named: args.vouch.names_a_signer(),
        authority: args.vouch.authority(session)?,
        logged,
        now: session.context.clock.now(),
    };
    let progress = session.ui.progress("verifying");
    let reading = watch(session, &progress);
    let verified = verify_export(&storage, &request, reading).await;
    progress.finish();
    let verified = verified.map_err(|error| Failure::of_restore(&error).with_place(&name))?;
    if !args.no_record && !verified.stopped {
        record(session, &storage, &seal, repository.as_ref(), &verified).await;
    }
    let next =
        (verified.archived > 0).then(|| rehydrate::again("restore rehydrate", &at, &[], &[]));
    show::export(session, &verified, next.as_deref());
    Ok(status(&verified))
}

/// The repository of an export, where it is at hand.
pub(in crate::command) async fn at_hand(
    session: &Session,
    seal: &SealRecord,
) -> Option<Repository> {
    session.repository_address().ok()?;
    match session.open_repository().await {
        Ok(repository) if repository.id() == seal.repository => Some(repository),
        Ok(_) => {
            session
                .ui
                .detail("The repository at hand is not the one that the export came from");
            None
        }
        Err(failure) => {
            let why = failure.sentence();
            session
                .ui
                .note(&format!("The repository is not asked: {why}"));
            None
        }
    }
}

pub(in crate::command) async fn logged(
    repository: &Repository,
    seal: &SealRecord,
) -> Result<Logged, Failure> {
    let exports = repository.exports().await;
    let exports = exports.map_err(|error| Failure::of_archive(&error))?;
    let known = exports
        .iter()
        .find(|known| known.export.export == seal.export);
    Ok(match known {
        None => Logged::Unknown,
        Some(known) => Logged::Known(known.export.seal, known.erased.map(|erased| erased.time)),
    })
}

/// Tells the progress and the wish to stop.
fn watch(session: &Session, progress: &Progress) -> Arc<dyn Fn(u64) -> bool + Send + Sync> {
    let counters: Arc<Counters> = progress.counters();
    let shutdown = session.context.shutdown.clone();
    Arc::new(move |bytes| {
        counters.bytes.fetch_add(bytes, Ordering::Relaxed);
        !shutdown.requested()
    })
}

/// Writes an event of custody, and keeps it as the export itself is. A store that takes none is no reason to fail.
async fn record(
    session: &Session,
    storage: &Arc<dyn Storage>,
    seal: &SealRecord,
    repository: Option<&Repository>,
    verified: &VerifiedExport,
) {
    let by = actor(repository).await;
    let checks: Vec<_> = verified
        .checks
        .iter()
        .filter(|check| check.outcome != Outcome::Note)
        .take(100)
        .map(|check| json!({ "check": check.check, "outcome": check.outcome }))
        .collect();
    let says = json!({
        "read_data": verified.read_data, "outcome": verified.outcome(), "checks": checks,
    });
    let now = session.context.clock.now();
    let written = add_event(storage.as_ref(), seal, now, "verified", &by, &says);
    if let Err(error) = written.await {
        let why = Failure::of_restore(&error).sentence();
        session
            .ui
            .detail(&format!("The chain of custody stays as it was: {why}"));
        return;
    }
    if let Err(failure) = keep_late(storage.as_ref(), seal).await {
        let why = failure.sentence();
        session.ui.warn(&format!(
            "The event of custody is there, and is not kept as the export is: {why}"
        ));
    }
}

fn status(verified: &VerifiedExport) -> ExitStatus {
    match verified.outcome() {
        _ if verified.stopped => ExitStatus::Interrupted,
        Outcome::Bad => ExitStatus::Damage,
        _ if verified.locked => ExitStatus::NoKey,
        Outcome::Open => ExitStatus::Gaps,
        Outcome::Good | Outcome::Note => ExitStatus::Done,
    }
}
