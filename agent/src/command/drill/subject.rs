//! What a drill restores: a snapshot of the repository, or an export of it where it lies, whose seal is judged first.

use std::sync::Arc;

use archive_format::log::SealJudgement;
use archive_format::{ExportId, FileName, KnownExport, Repository, SnapshotId, Storage};
use restore::Origin;
use restore::bag::ExportedBag;
use restore::bag::verify::{Logged, Outcome, VerifyRequest, verify_export};
use workspace::Identity;

use super::Wishes;
use super::evidence::next_workspace;
use super::turn::next_export;
use crate::command::export::verify::locate;
use crate::command::export::vouch::Vouch;
use crate::command::restore::open;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::thaw;

/// What is restored.
#[derive(Debug)]
pub(super) struct Subject {
    /// The workspace that it was taken of, by its name in the configuration.
    pub(super) workspace: String,
    /// The snapshot; of an export the one that it holds.
    pub(super) snapshot: SnapshotId,
    /// The export that it is read from, and how its seal was judged.
    pub(super) export: Option<(ExportId, SealJudgement)>,
    /// Where it was taken of.
    pub(super) source: Option<Identity>,
    /// What is read; or why it cannot be, which the drill has then shown.
    pub(super) origin: Result<Origin, Failure>,
}

impl Subject {
    /// Finds what is wished for. What is archived is refused, and so is what no key opens here.
    pub(super) async fn find(
        session: &Session,
        repository: &Repository,
        wishes: Wishes<'_>,
    ) -> Result<Self, Failure> {
        let unsaid = Vouch::default();
        let vouch = wishes.vouch.unwrap_or(&unsaid);
        match (wishes.snapshot, wishes.from) {
            (Some(text), _) => match locate::export(session, text).await? {
                Some(export) => {
                    let known = known(repository, &export).await?;
                    Self::export(session, repository, &known, export, vouch).await
                }
                None => Self::snapshot(session, repository, text).await,
            },
            (None, Some(destination)) => next_export(session, repository, destination, vouch).await,
            (None, None) => {
                let workspace = next_workspace(session, repository).await?;
                Self::snapshot(session, repository, &format!("latest:{workspace}")).await
            }
        }
    }

    /// An export that the log names and that is none any more, which is evidence of a drill that failed: nothing is restored.
    /// The failure itself where the log does not say of which workspace it was.
    pub(super) async fn lost(
        repository: &Repository,
        known: &KnownExport,
        failure: Failure,
    ) -> Result<Self, Failure> {
        let record = repository.record_of(known.export.snapshot).await;
        let record = record.map_err(|error| Failure::of_archive(&error))?;
        let Some(record) = record else {
            return Err(failure);
        };
        Ok(Self {
            workspace: record.workspace,
            snapshot: record.id,
            export: Some((known.export.export, SealJudgement::Bad)),
            source: serde_json::from_value(record.identity).ok(),
            origin: Err(failure),
        })
    }

    async fn snapshot(
        session: &Session,
        repository: &Repository,
        text: &str,
    ) -> Result<Self, Failure> {
        let record = session.resolve(repository, text).await?;
        let reader = repository.snapshot(&record);
        thaw::refuse_archived(session, &reader, &[]).await?;
        Ok(Self {
            workspace: record.workspace.clone(),
            snapshot: record.id,
            export: None,
            source: serde_json::from_value(record.identity.clone()).ok(),
            origin: Ok(Origin::from(&reader)),
        })
    }

    /// An export, as the log knows it. One with a seal that is not what the log names, or without its key, is evidence of a drill
    /// that failed: nothing is restored from it.
    pub(super) async fn export(
        session: &Session,
        repository: &Repository,
        known: &KnownExport,
        export: locate::Export,
        vouch: &Vouch,
    ) -> Result<Self, Failure> {
        let locate::Export {
            storage,
            name,
            at,
            seal,
            digest,
            ..
        } = export;
        let lost = |failure| Self::lost(repository, known, failure);
        if digest != known.export.seal {
            let why = "seal.json is not the one that the log names";
            return lost(not_as_sealed(&at, why)).await;
        }
        let mut identities = vouch.identities(session, known.export.export).await?;
        match open::key_of(repository, &seal).await {
            Ok(key) => identities.extend(key),
            Err(failure) if failure.status == ExitStatus::Damage => {
                return lost(failure.with_place(&at)).await;
            }
            Err(failure) => return Err(failure),
        }
        let erased = known.erased.map(|erased| erased.time);
        let request = VerifyRequest {
            name,
            read_data: false,
            identities,
            trust: vouch.trust(session)?,
            signer_named: vouch.names_a_signer(),
            authority: vouch.authority(session)?,
            logged: Logged::Known(known.export.seal, erased),
            now: session.context.clock.now(),
        };
        let judgement = match judge(session, &storage, &request, &at).await {
            Ok(judgement) => judgement,
            Err(failure) if failure.status == ExitStatus::Damage => return lost(failure).await,
            Err(failure) => return Err(failure),
        };
        thaw::refuse_archived_export(session, storage.as_ref(), &seal, &at).await?;
        let workspace = seal.workspace.clone();
        let bag = ExportedBag::open(&storage, seal, request.identities).await;
        let origin = bag
            .map(Origin::Bag)
            .map_err(|error| Failure::of_restore(&error).with_place(&at));
        match origin {
            Err(failure) if failure.status == ExitStatus::NoKey => {
                match lost_key(repository, known, &at).await? {
                    Some(failure) => lost(failure).await,
                    None => Err(failure),
                }
            }
            origin => Ok(Self {
                workspace,
                snapshot: known.export.snapshot,
                export: Some((known.export.export, judgement)),
                source: (origin.as_ref().ok())
                    .and_then(|origin| serde_json::from_value(origin.identity()).ok()),
                origin,
            }),
        }
    }
}

/// Judges the seal of an export, which costs a few reads. What is bad is a failure of the status `Damage`.
async fn judge(
    session: &Session,
    storage: &Arc<dyn Storage>,
    request: &VerifyRequest,
    at: &str,
) -> Result<SealJudgement, Failure> {
    let shutdown = session.context.shutdown.clone();
    let reading = Arc::new(move |_| !shutdown.requested());
    let verified = match verify_export(storage, request, reading).await {
        Ok(verified) if verified.stopped => return Err(not_begun()),
        Ok(verified) => verified,
        Err(error) => {
            let failure = Failure::of_restore(&error).with_place(at);
            return Err(match error.is_damage() {
                true => Failure {
                    status: ExitStatus::Damage,
                    ..failure
                },
                false => failure,
            });
        }
    };
    let mut checks = verified.checks.iter();
    if let Some(bad) = checks.find(|check| check.outcome == Outcome::Bad) {
        return Err(not_as_sealed(at, &format!("{}: {}", bad.check, bad.found)));
    }
    Ok(match verified.outcome() {
        Outcome::Bad => SealJudgement::Bad,
        Outcome::Open => SealJudgement::Open,
        Outcome::Good | Outcome::Note => SealJudgement::Good,
    })
}

/// A wish to stop that came before anything was restored.
pub(super) fn not_begun() -> Failure {
    Failure::new(ExitStatus::Interrupted, "The drill was not begun")
}

/// What the log says of an export that lies somewhere.
async fn known(repository: &Repository, export: &locate::Export) -> Result<KnownExport, Failure> {
    let (seal, at) = (&export.seal, &export.at);
    if seal.repository != repository.id() {
        return Err(Failure::usage("The export is of another repository")
            .on(at)
            .why("the evidence of a drill lies in the log of the repository that the export came from")
            .next("name that one with --config or --repository"));
    }
    let exports = repository.exports().await;
    let exports = exports.map_err(|error| Failure::of_archive(&error))?;
    let mut exports = exports.into_iter();
    exports
        .find(|known| known.export.export == seal.export)
        .ok_or_else(|| open::not_in_the_log(at))
}

/// What is wrong with the key of an export that a machine with the owner's part does not open; none where it was erased, or made
/// for auditors alone, as in a repository that is not encrypted.
async fn lost_key(
    repository: &Repository,
    known: &KnownExport,
    at: &str,
) -> Result<Option<Failure>, Failure> {
    let export = &known.export;
    if !export.encrypted || known.erased.is_some() {
        return Ok(None);
    }
    let keys = repository.export_keys().await;
    let keys = keys.map_err(|error| Failure::of_archive(&error))?;
    let file = FileName::export_key(&export.export);
    let is_for_owners = repository.record().encryption.is_some();
    let why = match (keys.contains(&export.export), is_for_owners) {
        (false, _) => format!("{file} is not there"),
        (true, true) => format!("{file} has no key that opens it"),
        (true, false) => return Ok(None),
    };
    Ok(Some(
        Failure::new(ExitStatus::Damage, "The key of the export is lost")
            .on(at)
            .why(why)
            .next("bring the file back from a copy of the repository, or export the snapshot anew"),
    ))
}

fn not_as_sealed(at: &str, why: &str) -> Failure {
    Failure::new(ExitStatus::Damage, "The export is not what was sealed")
        .on(at)
        .why(why)
        .next("`mlark export verify` says all that is wrong")
}
