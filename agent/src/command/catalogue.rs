//! `mlark catalogue`: the database of this machine about the repository. It is a cache, and made anew whenever that is
//! needed; here by wish.

use archive_format::Catalogue;
use clap::Subcommand;
use serde_json::json;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::session::repository::id_at;
use crate::ui::amount;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark catalogue rebuild")]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Makes the catalogue anew from log, index and manifests; no owner's identity is needed
    #[command(after_help = "\
Examples:
  mlark catalogue rebuild
  mlark catalogue rebuild --json")]
    Rebuild,
}

/// Does what was asked.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    match args.act {
        Act::Rebuild => rebuild(session).await,
    }
}

async fn rebuild(session: &Session) -> Result<ExitStatus, Failure> {
    let archive = |error| Failure::of_archive(&error);
    let id = id_at(&session.storage().await?).await?;
    let folder = session.cache_root()?.join(&id);
    Catalogue::clear(&folder).await.map_err(archive)?;
    // What is not there is made anew when the repository is opened.
    let repository = session.open_repository().await?;
    let holdings = repository.catalogue().holdings().await.map_err(archive)?;
    if session.ui.json() {
        session.ui.document(&json!({
            "catalogue": folder.join("catalogue.sqlite"),
            "entries": holdings.entries,
            "snapshots": holdings.snapshots,
            "packs": holdings.packs,
            "objects": holdings.objects,
            "lines": holdings.lines,
        }));
        return Ok(ExitStatus::Done);
    }
    session.ui.line(&format!(
        "The catalogue is made anew: {} log entries, {}, {}, {}, {} manifest lines",
        amount::count(holdings.entries),
        amount::counted(holdings.snapshots, "snapshot"),
        amount::counted(holdings.packs, "pack"),
        amount::counted(holdings.objects, "object"),
        amount::count(holdings.lines),
    ));
    Ok(ExitStatus::Done)
}
