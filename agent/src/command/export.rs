//! `mlark export`: a snapshot in forms that others read.

pub mod bag;
pub mod erase;
pub mod folder;
pub mod keep;
pub mod status;
pub mod verify;
pub mod vouch;

use std::sync::atomic::Ordering;

use clap::Subcommand;
use restore::{Event, Observer};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::progress::Progress;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark export bag latest:prod --to az://stcold007/exports
  mlark export status
  mlark export folder latest 'models/churn:*' --to churn")]
pub struct Args {
    #[command(subcommand)]
    form: Form,
}

#[derive(Debug, Subcommand)]
enum Form {
    /// A sealed package for cold storage: a bag of BagIt, encrypted, with its seal beside it
    Bag(bag::Args),
    /// Deletes the key of an export: nobody opens it any more
    Erase(erase::Args),
    /// Keeps an export from deletion until a day
    Lock(keep::LockArgs),
    /// Keeps an export from deletion until the hold is taken away
    Hold(keep::HoldArgs),
    /// Moves an export's tar to another access tier
    Tier(keep::TierArgs),
    /// Every export: tier, retention left, hold, last verification
    Status(status::Args),
    /// `az ml` YAML with its files, in a folder
    Folder(folder::Args),
    /// Whether an export, or any bag, is what it says
    Verify(verify::Args),
}

/// Exports.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    match &args.form {
        Form::Bag(args) => bag::run(args, session).await,
        Form::Erase(args) => erase::run(args, session).await,
        Form::Lock(args) => keep::lock(args, session).await,
        Form::Hold(args) => keep::hold(args, session).await,
        Form::Tier(args) => keep::tier(args, session).await,
        Form::Status(_) => status::run(session).await,
        Form::Folder(args) => folder::run(args, session).await,
        Form::Verify(args) => verify::run(args, session).await,
    }
}

/// Shows how far an export is.
struct Watched(Progress);

impl Observer for Watched {
    fn event(&self, event: Event) {
        let counters = self.0.counters();
        match event {
            Event::Exported { items } => counters.items.store(items, Ordering::Relaxed),
            Event::Bytes { count } => {
                counters.bytes.fetch_add(count, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}
