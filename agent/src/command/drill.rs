//! `mlark drill`: restores a snapshot, or an export, into a scratch place, compares, measures, and keeps the evidence in the
//! repository. The scratch place goes away afterwards.

pub mod evidence;
mod rehearsal;
mod scratch;
mod subject;
mod turn;

use std::sync::atomic::Ordering;

use archive_format::log::DrillOutcome;
use restore::{Event, Observer, Verification};
use serde_json::{Value, json};

pub use rehearsal::{Rehearsed, Wishes, may, rehearse};

use crate::command::export::vouch::Vouch;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::place::Place;
use crate::session::Session;
use crate::ui::Tone;
use crate::ui::progress::Progress;

/// How many differences are shown.
const DIFFERENCES_SHOWN: usize = 20;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark drill                              the newest snapshot of the workspace whose last drill is the longest ago
  mlark drill latest:prod                  into a folder below the cache, which is removed afterwards
  mlark drill latest:prod --into scratch   into an empty workspace, a [[target]] of the configuration
  mlark drill cold/prod-20261129-01kb2m8n0q         a sealed export, where it lies")]
pub struct Args {
    /// The snapshot: an id, a unique prefix, latest, latest:WORKSPACE, WORKSPACE@TIME, or an export's address
    snapshot: Option<String>,
    /// Where to: a name of the configuration, azureml://…, an ARM id or a folder, which must be empty
    #[arg(long, value_name = "TARGET")]
    into: Option<String>,
    /// Leave what was restored where it is
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    vouch: Vouch,
}

/// Rehearses.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let watch = Watch(session.ui.progress("rehearsing"));
    let drill = session.config.drill.as_ref();
    let wishes = Wishes {
        snapshot: args.snapshot.as_deref(),
        from: drill.and_then(|drill| drill.from.as_deref()),
        into: args
            .into
            .as_deref()
            .or_else(|| drill.and_then(|drill| drill.into.as_deref())),
        keep: args.keep,
        vouch: Some(&args.vouch),
    };
    let done = rehearse(session, &repository, wishes, &watch).await;
    watch.0.finish();
    let done = done?;
    if let Some(failure) = done.failure {
        return Err(failure);
    }
    if session.ui.json() {
        session.ui.document(&document(&done));
    } else {
        show(session, &done);
    }
    Ok(match done.evidence.what.outcome {
        DrillOutcome::Same | DrillOutcome::AsPlanned => ExitStatus::Done,
        DrillOutcome::Different => ExitStatus::Damage,
        DrillOutcome::Failed => ExitStatus::Failed,
    })
}

fn document(done: &Rehearsed) -> Value {
    json!({
        "drill": evidence::document(&done.evidence),
        "kept": done.kept,
        "verification": done.verification,
    })
}

fn show(session: &Session, done: &Rehearsed) {
    let ui = &session.ui;
    if let Some(found) = &done.verification {
        differences(session, found);
    }
    let drill = &done.evidence.what;
    let tone = match drill.outcome.is_good() {
        true => Tone::Good,
        false => Tone::Bad,
    };
    let rest = format!(": {}, {}", evidence::of(drill), evidence::measured(drill));
    ui.toned(&[(Some(tone), evidence::word(drill.outcome)), (None, &rest)]);
    ui.line(&format!(
        "  the evidence is entry {} of the log",
        done.evidence.entry
    ));
    if let Some(kept) = &done.kept {
        ui.line(&format!("  what was restored is in {kept}"));
        if let Ok((Place::Azure(name), _)) = session.target(kept) {
            ui.line("  in a workspace nothing is deleted, and the next drill wants an empty one: delete it, and make it anew");
            ui.line(&format!(
                "  next: az ml workspace delete --name {} --resource-group {} --subscription {} --permanently-delete",
                name.workspace, name.resource_group, name.subscription
            ));
        }
    }
    if drill.outcome == DrillOutcome::Different {
        ui.line(&format!("  next: {}", evidence::next(drill)));
    }
}

fn differences(session: &Session, found: &Verification) {
    for difference in found.differences.iter().take(DIFFERENCES_SHOWN) {
        let line = format!(
            "{} {}: {}",
            difference.item, difference.what, difference.reason
        );
        session
            .ui
            .toned(&[(Some(Tone::Bad), "differs: "), (None, &line)]);
    }
    if found.differences.len() > DIFFERENCES_SHOWN {
        let more = found.differences.len() - DIFFERENCES_SHOWN;
        session.ui.line(&format!(
            "… and {more} more differences; --json shows them all"
        ));
    }
}

struct Watch(Progress);

impl Observer for Watch {
    fn event(&self, event: Event) {
        let counters = self.0.counters();
        match event {
            Event::Exported { items } | Event::Verifying { done: items, .. } => {
                counters.items.store(items, Ordering::Relaxed);
            }
            Event::Done { .. } => {
                counters.items.fetch_add(1, Ordering::Relaxed);
            }
            Event::Bytes { count } => {
                counters.bytes.fetch_add(count, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}
