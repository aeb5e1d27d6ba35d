//! What a drill restores: a snapshot of the repository, or an export of it where it lies, whose seal is judged first.

use std::sync::Arc;

use archive_format::log::SealJudgement;
use archive_format::{ExportId, KnownExport, Repository, SnapshotId, Storage};
use restore::Origin;
use restore::bag::ExportedBag;
use restore::bag::verify::{Check, Logged, Outcome, VerifiedExport, VerifyRequest, verify_export};
use workspace::Identity;

use super::Wishes;
use super::evidence::{next_export, next_workspace};
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
                Some(export) => Self::export(session, repository, export, vouch).await,
                None => Self::snapshot(session, repository, text).await,
            },
            (None, Some(destination)) => {
                let known = next_export(session, repository, destination).await?;
                let at = format!("{destination}/{}", known.export.name);
                match locate::export(session, &at).await? {
                    Some(export) => Self::export(session, repository, export, vouch).await,
                    None => Self::missing(repository, &known, &at).await,
                }
            }
            (None, None) => {
                let workspace = next_workspace(session, repository).await?;
                Self::snapshot(session, repository, &format!("latest:{workspace}")).await
            }
        }
    }

    /// An export that the log names and that is not there, which is evidence too where it is known of which workspace it was.
    async fn missing(
        repository: &Repository,
        known: &KnownExport,
        at: &str,
    ) -> Result<Self, Failure> {
        let history = repository.history().await;
        let history = history.map_err(|error| Failure::of_archive(&error))?;
        let failure = Failure::new(
            ExitStatus::Damage,
            "The export is not where the log says that it lies",
        )
        .on(at)
        .next("`mlark export status` says what is left of it");
        let mut records = history.iter();
        let record = records.find(|record| record.id == known.export.snapshot);
        let Some(record) = record else {
            return Err(failure);
        };
        Ok(Self {
            workspace: record.workspace.clone(),
            snapshot: record.id,
            export: Some((known.export.export, SealJudgement::Bad)),
            source: serde_json::from_value(record.identity.clone()).ok(),
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

    /// An export with a seal that is not what the log names is evidence of a drill that failed: nothing is restored from it.
    async fn export(
        session: &Session,
        repository: &Repository,
        export: locate::Export,
        vouch: &Vouch,
    ) -> Result<Self, Failure> {
        let locate::Export {
            storage,
            name,
            at,
            seal,
            ..
        } = export;
        if seal.repository != repository.id() {
            return Err(Failure::usage("The export is of another repository")
                .on(&at)
                .why("the evidence of a drill lies in the log of the repository that the export came from")
                .next("name that one with --config or --repository"));
        }
        let known = known(repository, seal.export, &at).await?;
        let mut identities = vouch.identities(session, seal.export).await?;
        identities.extend(open::key_of(repository, &seal).await?);
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
        let verified = judge(session, &storage, &request, &at).await?;
        let judgement = match verified.outcome() {
            Outcome::Bad => SealJudgement::Bad,
            Outcome::Open => SealJudgement::Open,
            Outcome::Good | Outcome::Note => SealJudgement::Good,
        };
        let workspace = seal.workspace.clone();
        let mut checks = verified.checks.iter();
        let origin = match checks.find(|check| check.outcome == Outcome::Bad) {
            Some(bad) => Err(not_as_sealed(&at, bad)),
            None => {
                thaw::refuse_archived_export(session, storage.as_ref(), &seal, &at).await?;
                let bag = ExportedBag::open(&storage, seal, request.identities).await;
                bag.map(Origin::Bag)
                    .map_err(|error| Failure::of_restore(&error).with_place(&at))
            }
        };
        match origin {
            Err(failure) if failure.status == ExitStatus::NoKey => Err(failure),
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

/// Judges the seal of an export, which costs a few reads.
async fn judge(
    session: &Session,
    storage: &Arc<dyn Storage>,
    request: &VerifyRequest,
    at: &str,
) -> Result<VerifiedExport, Failure> {
    let shutdown = session.context.shutdown.clone();
    let reading = Arc::new(move |_| !shutdown.requested());
    let verified = verify_export(storage, request, reading).await;
    let verified = verified.map_err(|error| Failure::of_restore(&error).with_place(at))?;
    match verified.stopped {
        false => Ok(verified),
        true => Err(Failure::new(
            ExitStatus::Interrupted,
            "The drill was not begun",
        )),
    }
}

/// What the log says of an export.
async fn known(
    repository: &Repository,
    export: ExportId,
    at: &str,
) -> Result<KnownExport, Failure> {
    let exports = repository.exports().await;
    let exports = exports.map_err(|error| Failure::of_archive(&error))?;
    let mut exports = exports.into_iter();
    exports
        .find(|known| known.export.export == export)
        .ok_or_else(|| open::not_in_the_log(at))
}

fn not_as_sealed(at: &str, bad: &Check) -> Failure {
    Failure::new(ExitStatus::Damage, "The export is not what was sealed")
        .on(at)
        .why(format!("{}: {}", bad.check, bad.found))
        .next("`mlark export verify` says all that is wrong")
}
