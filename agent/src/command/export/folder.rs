//! `mlark export folder`: `az ml` YAML with its files beside it, and the original documents. Credentials are never part
//! of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use restore::{ExportRequest, Exported, export_folder};
use workspace::Folder;

use super::Watched;
use crate::command::restore::apply;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::place::Place;
use crate::session::Session;
use crate::ui::{Tone, amount};

/// How many rows of one sort are shown; the rest is a number.
const ROWS_SHOWN: usize = 200;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark export folder latest:prod --to prod-yaml
  mlark export folder latest:prod --to prod-yaml --into rescue      config.json names the target")]
pub struct Args {
    /// The snapshot: an id, a unique prefix, latest, latest:WORKSPACE, WORKSPACE@TIME
    snapshot: String,
    /// What to export; everything where none is given
    selector: Vec<String>,
    /// The folder: new or empty (a `.git` may be in it)
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The workspace that config.json names: a name of the configuration, azureml://… or an ARM id; the snapshot's own
    /// where none is given
    #[arg(long, value_name = "TARGET")]
    into: Option<String>,
    /// Export what a damaged repository still has, and list what is missing
    #[arg(long)]
    partial: bool,
}

/// Exports.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    session.selection(&args.selector)?;
    let names = match &args.into {
        Some(target) => Some(names(session, target)?),
        None => None,
    };
    refuse_what_is_there(&args.to)?;
    let repository = match args.partial {
        true => session.open_damaged_repository_with_contents().await?,
        false => session.open_repository_with_contents().await?,
    };
    let record = session.resolve(&repository, &args.snapshot).await?;
    let folder = Folder::create(&args.to).await.map_err(|error| {
        Failure::of_workspace(&error).with_place(&args.to.display().to_string())
    })?;
    let request = ExportRequest {
        selectors: args.selector.clone(),
        now: session.context.clock.now(),
        partial: args.partial,
        names,
    };
    let watch = Watched(session.ui.progress("exporting"));
    let stop = apply::stop(session);
    let reader = repository.snapshot(&record);
    let exported = export_folder(&reader, &folder, &request, &watch, &stop)
        .await
        .map_err(|error| Failure::of_restore(&error))?;
    watch.0.finish();
    if session.ui.json() {
        session.ui.document(&exported);
    } else {
        show(session, &exported);
    }
    Ok(status(&exported))
}

/// Subscription, resource group and name of the workspace that a name or an address means.
fn names(session: &Session, target: &str) -> Result<[String; 3], Failure> {
    match session.target(target)?.0 {
        Place::Azure(name) => Ok([name.subscription, name.resource_group, name.workspace]),
        Place::Folder(_) => Err(Failure::usage("--into names a workspace in Azure")
            .on(target)
            .why("config.json says where the SDK finds it")),
    }
}

/// An export into a folder in use would mix with what is there, and nothing could tell them apart later.
fn refuse_what_is_there(folder: &Path) -> Result<(), Failure> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(());
    };
    let there = entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .find(|name| !name.to_string_lossy().starts_with(".git"));
    match there {
        None => Ok(()),
        Some(name) => Err(Failure::usage("The folder is not empty")
            .on(folder.display())
            .why(format!("`{}` is in it", name.to_string_lossy().escape_debug()))
            .next("name a new folder, or empty this one; `git diff --no-index A B` compares two exports")),
    }
}

fn show(session: &Session, exported: &Exported) {
    let ui = &session.ui;
    let mut sorts: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for loss in &exported.losses {
        let sort = (loss.kind.as_str(), loss.what.as_str(), loss.reason.as_str());
        sorts.entry(sort).or_default().push(&loss.item);
    }
    if !sorts.is_empty() {
        ui.toned(&[(
            Some(Tone::Warn),
            "Not in the YAML (--json lists each; the original documents lie below .mlark):",
        )]);
    }
    for ((kind, what, reason), items) in sorts.iter().take(ROWS_SHOWN) {
        let items = match items.as_slice() {
            [one] => (*one).to_owned(),
            many => format!("{} {kind}", amount::count(many.len() as u64)),
        };
        let rest = format!(" {what}: {reason}");
        ui.toned(&[(None, "  "), (Some(Tone::Strong), &items), (None, &rest)]);
    }
    if sorts.len() > ROWS_SHOWN {
        let more = sorts.len() - ROWS_SHOWN;
        ui.line(&format!("… and {more} more sorts; --json shows them all"));
    }
    for failure in &exported.failures {
        ui.warn(&format!(
            "{} was not written: {}",
            failure.file, failure.reason
        ));
    }
    for part in &exported.lost {
        ui.warn(&format!(
            "{} of {} is lost: the repository is damaged",
            part.what, part.item
        ));
    }
    ui.line(&format!(
        "{} to {}: {} with YAML, {} of {}",
        amount::counted(exported.items, "item"),
        exported.to,
        amount::count(exported.yaml),
        amount::counted(exported.files, "file"),
        amount::size(exported.bytes),
    ));
}

fn status(exported: &Exported) -> ExitStatus {
    if exported.damaged {
        return ExitStatus::Damage;
    }
    let losses = match exported.losses.is_empty() && exported.lost.is_empty() {
        true => ExitStatus::Done,
        false => ExitStatus::Gaps,
    };
    losses.and(match (exported.failures.is_empty(), exported.stopped) {
        (false, _) => ExitStatus::Failed,
        (true, true) => ExitStatus::Interrupted,
        (true, false) => ExitStatus::Done,
    })
}
