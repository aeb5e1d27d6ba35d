//! One drill: the restore, the comparison, and the evidence of both. A drill that failed is evidence too.

use std::path::{Path, PathBuf};

use archive_format::log::{Drill, DrillOutcome, LogHead};
use archive_format::{Error, Repository, Said};
use jiff::Timestamp;
use restore::{
    ExportRequest, ExportedFolder, Journal, Observer, Options, Origin, OutcomeWord, Request, Stop,
    Target, Verification, VerifyOutcome, export_folder,
};
use serde_json::Map;
use workspace::{Folder, Identity};

use super::scratch::Scratch;
use super::subject::Subject;
use crate::command::export::vouch::Vouch;
use crate::command::restore::{apply, open};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::lock::WorkspaceLock;
use crate::session::Session;
use crate::session::repository::{machine_label, make_folder};

/// The lock of drills: no workspace can have this name.
const LOCK: &str = "+drill";

/// What a drill is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes<'a> {
    /// The snapshot, or an export's address; the newest of the workspace whose turn it is where none is named.
    pub snapshot: Option<&'a str>,
    /// The destination of which an export is taken where no snapshot is named.
    pub from: Option<&'a str>,
    /// Where to; a folder below the cache where none is named.
    pub into: Option<&'a str>,
    /// Whether what was restored stays.
    pub keep: bool,
    /// Whose signature of an export counts, and what opens it.
    pub vouch: Option<&'a Vouch>,
}

/// A drill that came to its end.
#[derive(Debug)]
pub struct Rehearsed {
    /// The evidence, as it is kept.
    pub evidence: Said<Drill>,
    /// What the comparison found.
    pub verification: Option<Verification>,
    /// Where something that was restored stays.
    pub kept: Option<String>,
    /// Why it could not be restored or compared.
    pub failure: Option<Failure>,
}

/// What restoring and comparing came to.
struct Measured {
    restored: Timestamp,
    bytes: u64,
    losses: u64,
    verification: Verification,
}

/// Rehearses, and keeps the evidence. Nothing is kept of a drill that was interrupted or refused.
///
/// # Errors
/// This machine does not open contents or does not write, the place is refused, another drill is under way, it was
/// interrupted, or the evidence cannot be kept.
pub async fn rehearse(
    session: &Session,
    repository: &Repository,
    wishes: Wishes<'_>,
    observer: &dyn Observer,
) -> Result<Rehearsed, Failure> {
    if wishes.keep && wishes.into.is_none() {
        return Err(Failure::usage("--keep needs a place")
            .next("say with --into where what is restored is to stay"));
    }
    may(repository).await?;
    let cache = session.repository_cache(repository)?;
    let _lock = WorkspaceLock::take(&cache, LOCK).map_err(|failure| match failure.status {
        ExitStatus::Busy => Failure::new(
            ExitStatus::Busy,
            "Another drill is under way on this machine",
        ),
        _ => failure,
    })?;
    let own = own_folder(&cache).await?;
    let subject = Subject::find(session, repository, wishes).await?;
    let source = subject.source.as_ref();
    let scratch = Scratch::find(session, source, wishes.into, &own).await?;
    let archive = |error| Failure::of_archive(&error);
    let (entry, hash) = repository.head().await.map_err(archive)?;
    scratch.make()?;
    let started = session.context.clock.now();
    let stop = apply::stop(session);
    let done = match &subject.origin {
        Err(failure) => Err(failure.clone()),
        Ok(origin) => {
            let attempt = Attempt {
                session,
                origin,
                scratch: &scratch,
                own: &own,
                observer,
                stop: &stop,
            };
            attempt.make(source).await
        }
    };
    let finished = session.context.clock.now();
    if stop.asked() {
        clear(&scratch, &own, wishes.keep).await?;
        return Err(
            Failure::new(ExitStatus::Interrupted, "The drill was not finished")
                .why("it was interrupted")
                .next("run it again"),
        );
    }
    let head = LogHead { entry, hash };
    let drill = evidence(
        session,
        &subject,
        head,
        &scratch,
        (started, finished),
        &done,
    );
    let said = repository.keep_drill(drill, finished).await;
    // Whatever became of the evidence, contents in the clear do not stay.
    let kept = clear(&scratch, &own, wishes.keep).await;
    let entry = said.map_err(archive)?;
    let kept = kept?;
    // Another machine's may have come behind it.
    let drills = repository.drills().await.map_err(archive)?;
    let evidence = drills.into_iter().find(|said| said.entry == entry);
    let evidence =
        evidence.ok_or_else(|| Failure::failed("The evidence of the drill is not in the log"))?;
    let (verification, failure) = match done {
        Ok(measured) => (Some(measured.verification), None),
        Err(failure) => (None, Some(failure)),
    };
    Ok(Rehearsed {
        evidence,
        verification,
        kept,
        failure,
    })
}

/// Takes away what was restored, unless it is to stay; gives where something stays.
async fn clear(scratch: &Scratch, own: &Path, keep: bool) -> Result<Option<String>, Failure> {
    let kept = match keep {
        true => Some(scratch.shown()),
        false => scratch.clear().await?,
    };
    // What is left there is the journal; where it stays the next drill takes it away.
    let _ = tokio::fs::remove_dir_all(own).await;
    Ok(kept)
}

/// A drill is the owner's part: contents are opened; and evidence is signed with this machine's key.
pub async fn may(repository: &Repository) -> Result<(), Failure> {
    if let Some(lack) = repository.contents_lack() {
        return Err(Failure::of_archive(&Error::NoKey(lack))
            .on("a drill opens contents, so it is for a machine that plays the owner's part"));
    }
    if !repository.can_write().await {
        let lack = Error::NoSigner {
            reason: "a drill keeps its evidence in the log, signed with this machine's key",
        };
        return Err(Failure {
            status: ExitStatus::NoKey,
            ..Failure::of_archive(&lack)
        });
    }
    Ok(())
}

/// A folder of this drill alone. What a killed one left is taken away: it holds contents in the clear.
async fn own_folder(cache: &Path) -> Result<PathBuf, Failure> {
    let folder = cache.join("drill");
    match tokio::fs::remove_dir_all(&folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(
                Failure::failed("What an earlier drill left cannot be removed")
                    .on(folder.display())
                    .why(error),
            );
        }
        _ => {}
    }
    make_folder(&folder)?;
    Ok(folder)
}

fn evidence(
    session: &Session,
    subject: &Subject,
    head: LogHead,
    scratch: &Scratch,
    (started, finished): (Timestamp, Timestamp),
    done: &Result<Measured, Failure>,
) -> Drill {
    let environment = &session.context.environment;
    let by = environment
        .get("USER")
        .or_else(|| environment.get("LOGNAME"));
    let drill = Drill {
        workspace: subject.workspace.clone(),
        snapshot: subject.snapshot,
        export: subject.export.map(|(export, _)| export.to_string()),
        seal: subject.export.map(|(_, seal)| seal),
        head,
        machine: machine_label(),
        by: by.map(str::to_owned),
        into: scratch.shown(),
        started,
        finished,
        restore_milliseconds: milliseconds(started, finished),
        verify_milliseconds: 0,
        items: 0,
        files: 0,
        bytes: 0,
        losses: 0,
        differences: 0,
        outcome: DrillOutcome::Failed,
        reason: None,
        more: Map::new(),
    };
    match done {
        Err(failure) => Drill {
            reason: Some(failure.sentence()),
            ..drill
        },
        Ok(measured) => {
            let found = &measured.verification;
            let (items, files) = (&found.items, &found.files);
            Drill {
                restore_milliseconds: milliseconds(started, measured.restored),
                verify_milliseconds: milliseconds(measured.restored, finished),
                items: items.compared,
                files: files.compared,
                bytes: measured.bytes,
                losses: measured.losses,
                differences: items.different + items.missing,
                outcome: match found.outcome {
                    VerifyOutcome::Same => DrillOutcome::Same,
                    VerifyOutcome::AsPlanned => DrillOutcome::AsPlanned,
                    VerifyOutcome::Different => DrillOutcome::Different,
                },
                ..drill
            }
        }
    }
}

fn milliseconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or_default()
}

/// A restore and a comparison under way.
struct Attempt<'a> {
    session: &'a Session,
    origin: &'a Origin,
    scratch: &'a Scratch,
    own: &'a Path,
    observer: &'a dyn Observer,
    stop: &'a Stop,
}

impl Attempt<'_> {
    /// Into a folder a workspace is restored as an exported one is: every document and every file. What is a folder itself,
    /// and whatever goes into a workspace, goes the way of `restore apply` and `restore verify`.
    async fn make(&self, source: Option<&Identity>) -> Result<Measured, Failure> {
        match (self.scratch, source) {
            (Scratch::Folder { path, .. }, Some(Identity::Folder(_))) => {
                let text = path.display().to_string();
                self.by_plan(&text, &open::made(path).await?).await
            }
            (Scratch::Folder { path, .. }, _) => self.by_export(path).await,
            (Scratch::Workspace { text, target }, _) => self.by_plan(text, target).await,
        }
    }

    async fn by_export(&self, path: &Path) -> Result<Measured, Failure> {
        let failed = |error| Failure::of_restore(&error);
        let folder = Folder::create(path)
            .await
            .map_err(|error| Failure::of_workspace(&error))?;
        let request = ExportRequest {
            now: self.session.context.clock.now(),
            ..ExportRequest::default()
        };
        let exported = export_folder(self.origin, &folder, &request, self.observer, self.stop)
            .await
            .map_err(failed)?;
        if let Some(part) = exported.lost.first() {
            return Err(self.lost(&format!("{} of {}", part.what, part.item)));
        }
        if let Some(failure) = exported.failures.first() {
            return Err(Failure::failed("Not every file could be written")
                .on(&failure.file)
                .why(&failure.reason));
        }
        let restored = self.session.context.clock.now();
        let exported_folder = ExportedFolder::open(path).await.map_err(failed)?;
        let text = path.display().to_string();
        let found = restore::prove(
            self.origin,
            &exported_folder,
            &text,
            self.observer,
            self.stop,
        );
        Ok(Measured {
            restored,
            bytes: exported.bytes,
            losses: exported.losses.len() as u64,
            verification: found.await.map_err(failed)?.ok_or_else(interrupted)?,
        })
    }

    async fn by_plan(&self, text: &str, target: &Target) -> Result<Measured, Failure> {
        let failed = |error| Failure::of_restore(&error);
        let origin = self.origin;
        let request = Request {
            selectors: Vec::new(),
            target: text.to_owned(),
            options: Options::default(),
            now: self.session.context.clock.now(),
        };
        let plan = restore::plan::plan(origin, target, &request, self.observer).await;
        let plan = plan.map_err(failed)?;
        plan.may_start()
            .map_err(|error| Failure::of_restore(&error))?;
        // Of its own: a drill is no restore that anybody looks for later.
        let journal = self.own.join("journal");
        make_folder(&journal)?;
        let journal = Journal::open(&journal).await.map_err(failed)?;
        let work = restore::Session {
            journal: &journal,
            stop: self.stop,
            observer: self.observer,
            clock: &self.session.context.clock,
            fresh: true,
        };
        let outline = restore::apply(&plan, origin, target, &work)
            .await
            .map_err(failed)?;
        if let Some(part) = outline.lost.first() {
            return Err(self.lost(&format!("{} of {}", part.what, part.item)));
        }
        if outline.outcome != OutcomeWord::Complete && outline.outcome != OutcomeWord::Planned {
            let first = outline.failures.first();
            let failure = Failure::failed("Not everything could be restored");
            return Err(match first {
                Some(first) => failure.on(&first.item).why(&first.reason),
                None => interrupted(),
            });
        }
        let restored = self.session.context.clock.now();
        let found = restore::verify(origin, target, &request, Some(&journal), self.observer);
        let verification = found.await.map_err(failed)?;
        let bytes = plan.steps.iter().map(|step| step.bytes).sum();
        Ok(Measured {
            restored,
            bytes,
            losses: plan.losses.len() as u64,
            verification,
        })
    }

    fn lost(&self, what: &str) -> Failure {
        let (whole, harmed, check) = match self.origin {
            Origin::Archive(_) => ("snapshot", "repository", "check"),
            Origin::Folder(_) | Origin::Bag(_) => ("export", "export", "export verify --read-data"),
        };
        let sentence = format!("The {whole} cannot be restored whole");
        Failure::new(ExitStatus::Damage, sentence)
            .on(what)
            .why(format!("the {harmed} is damaged"))
            .next(format!("`mlark {check}` says what is damaged"))
    }
}

fn interrupted() -> Failure {
    Failure::new(ExitStatus::Interrupted, "The drill was not finished")
}
