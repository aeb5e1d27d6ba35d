//! `mlark copy`: brings snapshots into another repository, off-site for instance, encrypted anew for its keys.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use archive_format::{Copied, Repository, SnapshotRecord, copy};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::{Config, read};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::session::repository::id_at;
use crate::ui::amount;
use crate::ui::progress::Progress;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark copy --to az://stoffsite/mlark --identity-file owner.key            all snapshots
  mlark copy latest:prod --to /mnt/offsite/mlark --to-key-file offsite.key
  mlark copy --to-config offsite.toml     its [repository] and [azure] are the target's")]
pub struct Args {
    /// The snapshots; all where none is given
    #[arg(value_name = "SNAPSHOT")]
    snapshot: Vec<String>,
    /// The repository to copy to; it is there already, made by `mlark init`
    #[arg(long, value_name = "URL", required_unless_present = "to_config")]
    to: Option<String>,
    /// A configuration for the target: its keys, endpoint, credential and tier
    #[arg(long, value_name = "FILE")]
    to_config: Option<PathBuf>,
    /// This machine's key for the target
    #[arg(long, value_name = "FILE")]
    to_key_file: Option<PathBuf>,
}

/// What became of the snapshots.
#[derive(Default)]
struct Outcome {
    new: Vec<(SnapshotRecord, SnapshotRecord)>,
    already: Vec<(SnapshotRecord, SnapshotRecord)>,
    failed: Vec<(SnapshotRecord, Failure)>,
    stopped: bool,
}

/// Copies, oldest first. What cannot be copied is said, and the rest is.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let source = session.open_repository().await?;
    let wanted = choose(args, session, &source).await?;
    let target = session.beside(args).await?.open_repository().await?;
    if !target.can_write().await {
        return Err(Failure::of_archive(&archive_format::Error::NoSigner {
            reason: "no key that the target knows was given",
        })
        .with_place(&target.storage().describe()));
    }
    let mut outcome = Outcome::default();
    for record in wanted {
        if session.context.shutdown.requested() {
            outcome.stopped = true;
        }
        if outcome.stopped {
            break;
        }
        match one(session, &source, record.clone(), &target).await {
            Ok(Some(Copied::New(there))) => outcome.new.push((record, there)),
            Ok(Some(Copied::Already(there))) => outcome.already.push((record, there)),
            Ok(None) => outcome.stopped = true,
            Err(error) if error.is_damage() => {
                outcome.failed.push((record, Failure::of_archive(&error)));
            }
            Err(error) => {
                show(session, &target, &outcome);
                return Err(Failure::of_archive(&error).with_place(&record.id.to_string()));
            }
        }
    }
    show(session, &target, &outcome);
    Ok(outcome.status())
}

async fn choose(
    args: &Args,
    session: &Session,
    source: &Repository,
) -> Result<Vec<SnapshotRecord>, Failure> {
    let history = source.history().await;
    let mut wanted = history.map_err(|error| Failure::of_archive(&error))?;
    if args.snapshot.is_empty() {
        return Ok(wanted);
    }
    let mut named = Vec::new();
    for name in &args.snapshot {
        named.push(session.resolve(source, name).await?.id);
    }
    wanted.retain(|record| named.contains(&record.id));
    Ok(wanted)
}

/// Copies one snapshot; none where it was stopped.
async fn one(
    session: &Session,
    source: &Repository,
    record: SnapshotRecord,
    target: &Repository,
) -> Result<Option<Copied>, archive_format::Error> {
    let bar = session
        .ui
        .progress(&format!("copy {} {}", record.workspace, record.id));
    let progress = copy::Progress::default();
    let now = session.context.clock.now();
    let copying = copy(source, &record, target, now, &progress);
    let result = tokio::select! {
        copied = copying => Some(copied),
        () = session.context.shutdown.wait() => None,
        never = follow(&bar, &progress, record.lines) => match never {},
    };
    bar.finish();
    result.transpose()
}

/// Shows how far it is, for as long as it is polled.
async fn follow(bar: &Progress, progress: &copy::Progress, lines: u64) -> std::convert::Infallible {
    let counters = bar.counters();
    counters.items_total.store(lines, Ordering::Relaxed);
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(200));
    let carry = |from: &AtomicU64, to: &AtomicU64| {
        to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
    };
    loop {
        ticks.tick().await;
        carry(&progress.lines, &counters.items);
        carry(&progress.bytes, &counters.bytes);
    }
}

impl Session {
    /// The session in which the target is the repository: its own configuration, or this one's `[azure]` and cache.
    /// Variables and flags that are about the source's repository and keys mean nothing there.
    async fn beside(&self, args: &Args) -> Result<Self, Failure> {
        let now = self.context.clock.now();
        let mut target = self.clone();
        let own = |name: &str| {
            matches!(
                name,
                "MLARK_REPOSITORY"
                    | "MLARK_KEY_FILE"
                    | "MLARK_IDENTITY_FILE"
                    | "CREDENTIALS_DIRECTORY"
            )
        };
        let variables = self.context.environment.variables();
        target.context.environment = variables
            .iter()
            .filter(|(name, _)| !own(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        target.global.repository = args.to.clone();
        target.global.identity_file = None;
        target.global.expect_head = None;
        target.config = self.config_beside(args, now)?;
        if target.config.repository.cache.is_none() {
            target.config.repository.cache = Some(self.cache_root()?);
        }
        if target.config.repository.key_file.is_none() {
            let id = id_at(&target.storage().await?).await?;
            let key = target.cache_root()?.join(id).join("agent.key");
            target.config.repository.key_file = Some(key);
        }
        Ok(target)
    }

    fn config_beside(&self, args: &Args, now: Timestamp) -> Result<Config, Failure> {
        let mut config = match &args.to_config {
            Some(file) => read::load(Some(file), &self.context.environment, now)?.config,
            None => Config {
                azure: self.config.azure.clone(),
                ..Config::default()
            },
        };
        if let Some(file) = &args.to_key_file {
            config.repository.key_file = Some(file.clone());
        }
        Ok(config)
    }
}

impl Outcome {
    fn status(&self) -> ExitStatus {
        if self.stopped {
            ExitStatus::Interrupted
        } else if self.failed.is_empty() {
            ExitStatus::Done
        } else {
            ExitStatus::Damage
        }
    }
}

fn show(session: &Session, target: &Repository, outcome: &Outcome) {
    let ui = &session.ui;
    if ui.json() {
        let pair = |(record, there): &(SnapshotRecord, SnapshotRecord)| -> Value {
            json!({
                "id": there.id.to_string(),
                "snapshot": record.id.to_string(),
                "workspace": there.workspace,
                "time": there.finished.to_string(),
                "outcome": there.outcome.as_str(),
                "bytes": { "new": there.bytes.new, "stored": there.bytes.stored },
            })
        };
        let failed = |(record, failure): &(SnapshotRecord, Failure)| -> Value {
            json!({ "snapshot": record.id.to_string(), "reason": failure.sentence() })
        };
        ui.document(&json!({
            "to": target.storage().describe(),
            "copied": outcome.new.iter().map(pair).collect::<Vec<_>>(),
            "already": outcome.already.iter().map(pair).collect::<Vec<_>>(),
            "failed": outcome.failed.iter().map(failed).collect::<Vec<_>>(),
            "stopped": outcome.stopped,
        }));
        return;
    }
    for (record, there) in &outcome.new {
        ui.line(&format!(
            "{}: {} copied as {}, {} new, {} stored",
            record.workspace,
            record.id,
            there.id,
            amount::size(there.bytes.new),
            amount::size(there.bytes.stored),
        ));
    }
    for (record, there) in &outcome.already {
        ui.detail(&format!(
            "{}: {} is there as {}",
            record.workspace, record.id, there.id
        ));
    }
    for (record, failure) in &outcome.failed {
        ui.line(&format!(
            "{}: not copied: {}",
            record.id,
            failure.sentence()
        ));
    }
    let count = |number: usize| amount::counted(number as u64, "snapshot");
    ui.line(&format!(
        "{} copied to {}, {} there already, {} failed{}",
        count(outcome.new.len()),
        target.storage().describe(),
        outcome.already.len(),
        outcome.failed.len(),
        if outcome.stopped {
            "; stopped, run it again to go on"
        } else {
            ""
        },
    ));
}
