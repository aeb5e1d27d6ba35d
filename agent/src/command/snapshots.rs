//! `mlark snapshots`: what backups there are; and a person's word that a suspect one is as it should be.

use std::collections::BTreeMap;

use archive_format::{Outcome, SnapshotRecord};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Table, amount};

/// Options.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  mlark snapshots
  mlark snapshots --workspace prod --latest 3"
)]
pub struct Args {
    #[command(subcommand)]
    act: Option<Act>,
    /// Of this workspace only
    #[arg(long, value_name = "WORKSPACE")]
    workspace: Option<String>,
    /// With this tag only
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// The newest N of each workspace
    #[arg(long, value_name = "N")]
    latest: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Says that suspect snapshots are as they should be; `latest` means them again
    #[command(after_help = "Example:\n  mlark snapshots accept 01KA5")]
    Accept {
        /// Its id, or a unique prefix
        #[arg(required = true)]
        id: Vec<String>,
    },
    /// Keeps snapshots, whatever the retention rules say
    #[command(after_help = "Example:\n  mlark snapshots protect 01KA5")]
    Protect {
        /// Its id, or a unique prefix
        #[arg(required = true)]
        id: Vec<String>,
    },
    /// Leaves snapshots to the retention rules again
    #[command(after_help = "Example:\n  mlark snapshots unprotect 01KA5")]
    Unprotect {
        /// Its id, or a unique prefix
        #[arg(required = true)]
        id: Vec<String>,
    },
}

/// Lists them, oldest first, or says something of some.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    match &args.act {
        None => list(args, session).await,
        Some(Act::Accept { id }) => accept(id, session).await,
        Some(Act::Protect { id }) => protect(id, true, session).await,
        Some(Act::Unprotect { id }) => protect(id, false, session).await,
    }
}

async fn accept(names: &[String], session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let mut ids = Vec::new();
    for name in names {
        let record = session.resolve(&repository, name).await?;
        if record.outcome != Outcome::Suspect {
            return Err(Failure::usage("Only a suspect snapshot is accepted")
                .on(record.id)
                .why(format!("it is {}", record.outcome)));
        }
        ids.push(record.id);
    }
    let now = session.context.clock.now();
    let accepted = repository.accept(&ids, now).await;
    accepted.map_err(|error| Failure::of_archive(&error))?;
    if session.ui.json() {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        session.ui.document(&json!({ "accepted": ids }));
    } else {
        for id in &ids {
            session.ui.line(&format!("{id} is accepted"));
        }
    }
    Ok(ExitStatus::Done)
}

async fn protect(
    names: &[String],
    protected: bool,
    session: &Session,
) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let mut ids = Vec::new();
    for name in names {
        ids.push(session.resolve(&repository, name).await?.id);
    }
    let now = session.context.clock.now();
    let done = repository.protect(&ids, protected, now).await;
    done.map_err(|error| Failure::of_archive(&error))?;
    let (member, words) = match protected {
        true => ("protected", "is protected"),
        false => ("unprotected", "is protected no more"),
    };
    if session.ui.json() {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        session.ui.document(&json!({ member: ids }));
    } else {
        for id in &ids {
            session.ui.line(&format!("{id} {words}"));
        }
    }
    Ok(ExitStatus::Done)
}

async fn list(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let archive = |error| Failure::of_archive(&error);
    let history = repository.history().await.map_err(archive)?;
    let accepted = repository.accepted().await.map_err(archive)?;
    let protected = repository.protected().await.map_err(archive)?;
    let chosen = choose(args, history)?;
    if session.ui.json() {
        let rows: Vec<Value> = chosen
            .iter()
            .map(|record| row(record, protected.contains(&record.id)))
            .collect();
        session.ui.document(&json!({ "snapshots": rows }));
        return Ok(ExitStatus::Done);
    }
    if chosen.is_empty() {
        session
            .ui
            .note("There are no snapshots; `mlark backup` makes one");
        return Ok(ExitStatus::Done);
    }
    let now = session.context.clock.now();
    let mut table = Table::new(&[
        "snapshot",
        "workspace",
        "time",
        "age",
        "outcome",
        "items",
        "size",
        "tags",
    ])
    .right(&[5, 6]);
    for record in &chosen {
        let outcome = match record.outcome {
            Outcome::Suspect if accepted.contains(&record.id) => "suspect, accepted",
            outcome => outcome.as_str(),
        };
        let protected = match protected.contains(&record.id) {
            true => ", protected",
            false => "",
        };
        table.row([
            record.id.to_string(),
            record.workspace.clone(),
            amount::moment(record.finished),
            amount::age(record.finished, now),
            format!("{outcome}{protected}"),
            amount::count(record.item_count()),
            amount::size(record.bytes.listed),
            record.tags.join(" "),
        ]);
    }
    session.ui.table(&table);
    Ok(ExitStatus::Done)
}

fn row(record: &SnapshotRecord, protected: bool) -> Value {
    json!({
        "id": record.id.to_string(),
        "workspace": record.workspace,
        "time": record.finished.to_string(),
        "outcome": record.outcome.as_str(),
        "items": record.item_count(),
        "bytes": record.bytes.listed,
        "tags": record.tags,
        "protected": protected,
    })
}

fn choose(args: &Args, history: Vec<SnapshotRecord>) -> Result<Vec<SnapshotRecord>, Failure> {
    if let Some(wanted) = &args.workspace
        && !history.iter().any(|record| record.workspace == *wanted)
    {
        return Err(unknown_workspace(
            wanted,
            history.iter().map(|record| record.workspace.as_str()),
        ));
    }
    let mut chosen: Vec<SnapshotRecord> = history
        .into_iter()
        .filter(|record| {
            args.workspace
                .as_ref()
                .is_none_or(|wanted| record.workspace == *wanted)
        })
        .filter(|record| {
            args.tag
                .as_ref()
                .is_none_or(|wanted| record.tags.contains(wanted))
        })
        .collect();
    if let Some(latest) = args.latest {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        chosen.reverse();
        chosen.retain(|record| {
            let count = seen.entry(record.workspace.clone()).or_default();
            *count += 1;
            *count <= latest
        });
        chosen.reverse();
    }
    Ok(chosen)
}

/// No workspace has this name; the nearest that is known.
pub fn unknown_workspace<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let nearest = known
        .max_by(|a, b| strsim::jaro_winkler(a, wanted).total_cmp(&strsim::jaro_winkler(b, wanted)));
    let failure = Failure::usage("No workspace has this name").on(format!("`{wanted}`"));
    match nearest {
        Some(nearest) => failure.next(format!("did you mean `{nearest}`?")),
        None => failure.next("`mlark config show` lists those of the configuration"),
    }
}
