//! `mlark export`: a snapshot in forms that others read.

pub mod folder;

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
    /// `az ml` YAML with its files, in a folder
    Folder(folder::Args),
}

/// Exports.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    match &args.form {
        Form::Folder(args) => folder::run(args, session).await,
    }
}
