//! `mlark restore plan`: what would be done and what would be lost. It changes nothing in the target.

use std::path::PathBuf;

use super::watch::Watch;
use serde_json::json;

use super::{Choices, open, rehydrate, show};
use crate::command::export::vouch::Vouch;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::thaw::{self, Foretold, Wish};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark restore plan latest:prod --into azureml://subscriptions/S/resourceGroups/G/workspaces/W
  mlark restore plan latest 'models/churn:*' --into rescue --save churn.plan
  mlark restore plan prod-yaml --into rescue          a folder that `export folder` wrote")]
pub struct Args {
    /// The snapshot: an id, a unique prefix, latest, latest:WORKSPACE, WORKSPACE@TIME, a folder of `export folder`, or an
    /// export's address
    snapshot: String,
    /// What to bring back; everything where none is given
    selector: Vec<String>,
    /// The target: a name of the configuration, azureml://…, an ARM id or a folder
    #[arg(long, value_name = "TARGET")]
    into: String,
    #[command(flatten)]
    choices: Choices,
    /// Make the workspace where it is not there, from the snapshot's document of the source
    #[arg(long)]
    create_workspace: bool,
    /// Write the plan to this new file, for `apply --plan`
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    wish: Wish,
    #[command(flatten)]
    vouch: Vouch,
}

/// Plans.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let mut request = open::request(session, &args.selector, &args.into, &args.choices)?;
    request.options.create_workspace = args.create_workspace;
    let found = open::find(session, &args.snapshot, open::Way::Names, &args.vouch).await?;
    if found.is_export() && args.save.is_some() {
        return Err(Failure::usage("The plan of an export cannot be saved")
            .on(&args.snapshot)
            .next("`mlark restore apply` plans it anew, shows the plan and asks"));
    }
    let foretold = rehydrate::needed(session, &found, &args.selector, args.wish).await?;
    if let Some(foretold) = &foretold
        && !rehydrate::has_documents(&found, foretold).await?
    {
        thaw::tell(session, foretold, &args.first());
        session.ui.note(
            "The plan itself reads documents that are archived: it is made once they are back",
        );
        return Ok(ExitStatus::Gaps);
    }
    let opened = found.open().await?;
    let target = open::target(session, &args.into, true).await?;
    let watch = Watch::new(session, "planning");
    let plan = restore::plan::plan(&opened.origin, &target, &request, &watch)
        .await
        .map_err(|error| Failure::of_restore(&error))?;
    watch.finish();
    if let Some(file) = &args.save {
        let text = plan
            .to_json()
            .map_err(|error| Failure::of_restore(&error))?;
        write_new(file, &text)?;
    }
    let outline = plan.outline();
    if session.ui.json() {
        session
            .ui
            .document(&with_rehydration(&outline, foretold.as_ref(), args));
    } else {
        show::plan(session, &outline);
        if let Some(foretold) = &foretold {
            thaw::tell(session, foretold, &args.first());
        }
        if let Some(file) = &args.save {
            session.ui.note(&format!(
                "Saved; do it with `mlark restore apply --plan {}`",
                file.display()
            ));
        }
    }
    Ok(if outline.losses.is_empty() && foretold.is_none() {
        ExitStatus::Done
    } else {
        ExitStatus::Gaps
    })
}

impl Args {
    /// The command that brings back what is archived, and goes on.
    fn first(&self) -> String {
        let mut options = vec![("--into", self.into.clone())];
        options.extend(self.choices.options());
        options.extend(self.wish.options());
        options.extend(self.vouch.options());
        let make = self.create_workspace;
        options.extend(make.then(|| ("--create-workspace", String::new())));
        rehydrate::again("restore apply", &self.snapshot, &self.selector, &options)
    }
}

/// A plan's document, with what must come back first.
fn with_rehydration(
    outline: &restore::Outline,
    foretold: Option<&Foretold>,
    args: &Args,
) -> serde_json::Value {
    let mut document = serde_json::to_value(outline).unwrap_or_default();
    if let Some(foretold) = foretold {
        document["rehydration"] = json!(foretold.estimate);
        document["next"] = json!(args.first());
    }
    document
}

fn write_new(file: &std::path::Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(file)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| {
            Failure::usage("The plan cannot be saved")
                .on(file.display())
                .why(error)
                .next("name a file that is not there yet, in a folder that you may write to")
        })
}
