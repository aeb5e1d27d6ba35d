//! `mlark export`: a snapshot in forms that others read.

pub mod bag;
pub mod erase;
pub mod folder;
pub mod verify;

use clap::Subcommand;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark export folder latest:prod --to prod-yaml
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
        Form::Folder(args) => folder::run(args, session).await,
        Form::Verify(args) => verify::run(args, session).await,
    }
}
