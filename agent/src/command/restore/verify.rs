//! `mlark restore verify`: compares a workspace or folder with a snapshot, item by item and byte by byte.

use restore::VerifyOutcome;

use super::watch::Watch;
use super::{Choices, open, rehydrate, show};
use crate::command::export::vouch::Vouch;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::thaw::{self, Wish};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark restore verify latest:prod --against rescue
  mlark restore verify latest models --against prod")]
pub struct Args {
    /// The snapshot: an id, a unique prefix, latest, latest:WORKSPACE, WORKSPACE@TIME, a folder of `export folder`, or an
    /// export's address
    snapshot: String,
    /// What to compare; everything where none is given
    selector: Vec<String>,
    /// The target: a name of the configuration, azureml://…, an ARM id or a folder
    #[arg(long, value_name = "TARGET")]
    against: String,
    #[command(flatten)]
    choices: Choices,
    #[command(flatten)]
    vouch: Vouch,
}

/// Compares.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let request = open::request(session, &args.selector, &args.against, &args.choices)?;
    let found = open::find(session, &args.snapshot, open::Way::Names, &args.vouch).await?;
    let foretold = rehydrate::needed(session, &found, &args.selector, Wish::default()).await?;
    if let Some(foretold) = &foretold
        && !rehydrate::has_documents(&found, foretold).await?
    {
        let first = rehydrate::again("restore rehydrate", &args.snapshot, &args.selector, &[]);
        thaw::tell(session, foretold, &first);
        let note =
            "The comparison reads documents that are archived: it is made once they are back";
        session.ui.note(note);
        return Ok(ExitStatus::Gaps);
    }
    let opened = found.open().await?;
    let target = open::target(session, &args.against, false).await?;
    let journal = opened.journal().await?;
    let watch = Watch::new(session, "comparing");
    let found = restore::verify(&opened.origin, &target, &request, Some(&journal), &watch)
        .await
        .map_err(|error| Failure::of_restore(&error))?;
    watch.finish();
    if session.ui.json() {
        session.ui.document(&found);
    } else {
        show::verification(session, &found);
    }
    Ok(match found.outcome {
        VerifyOutcome::Same | VerifyOutcome::AsPlanned => ExitStatus::Done,
        VerifyOutcome::Different => ExitStatus::Damage,
    })
}
