//! `mlark export status`: every export that the log names, with how it is kept where it lies: tier, retention, hold, and when it
//! was last verified. Where a time-stamp authority did not answer when it was made, it is asked again.

use archive_format::KnownExport;
use archive_format::storage::Tier;
use restore::bag::Actor;
use restore::bag::events::read_events;
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::exports::{self, State, actor};
use crate::failure::Failure;
use crate::session::Session;
use crate::session::sealed::Sealed;
use crate::stamp::{self, Silent};
use crate::ui::{Table, amount};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark export status
  mlark export status --json")]
pub struct Args {}

/// What is known of one export.
struct Row<'a> {
    known: &'a KnownExport,
    /// Whether the repository has its key.
    key: bool,
    found: Result<Found, Failure>,
}

impl Row<'_> {
    /// Whether its key is lost, or was to be deleted and is still there.
    fn key_is_wrong(&self) -> bool {
        self.known.export.encrypted && self.known.erased.is_some() == self.key
    }

    fn word(&self, whole: bool) -> &'static str {
        match (self.known.erased, self.key_is_wrong()) {
            (Some(_), false) => "erased",
            (Some(_), true) => "erased, its key is left",
            (None, true) => "its key is lost",
            (None, false) if whole => "whole",
            (None, false) => "incomplete",
        }
    }
}

struct Found {
    state: State,
    /// When somebody last verified it.
    verified: Option<String>,
    /// Whether its time stamp is there; none where it wants none.
    stamped: Option<bool>,
}

/// Shows them.
pub async fn run(session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let known = repository.exports().await;
    let known = known.map_err(|error| Failure::of_archive(&error))?;
    let keys = repository.export_keys().await;
    let keys = keys.map_err(|error| Failure::of_archive(&error))?;
    let by = actor(Some(&repository)).await;
    let mut silent = Silent::default();
    let mut rows = Vec::new();
    for export in &known {
        let found = look(session, export, &by, &mut silent).await;
        rows.push(Row {
            known: export,
            key: keys.contains(&export.export.export),
            found,
        });
    }
    // An export that cannot be looked at, is not whole, lost its key or still has it is what this is asked for.
    let is_bad = |row: &Row<'_>| match &row.found {
        Ok(found) => !found.state.whole || row.key_is_wrong(),
        Err(_) => true,
    };
    let status = match rows.iter().any(is_bad) {
        true => ExitStatus::Gaps,
        false => ExitStatus::Done,
    };
    if session.ui.json() {
        let rows = rows.iter().map(|row| value(row, session));
        session
            .ui
            .document(&json!({"exports": rows.collect::<Vec<Value>>()}));
        return Ok(status);
    }
    show(session, &rows);
    Ok(status)
}

async fn look(
    session: &Session,
    known: &KnownExport,
    by: &Actor,
    silent: &mut Silent,
) -> Result<Found, Failure> {
    let export = &known.export;
    let sealed = session.open_sealed(&export.url, &export.name).await?;
    // Of one that nobody opens any more nothing is asked.
    let stamped = match &sealed.record.timestamp_url {
        Some(_) if known.erased.is_none() => Some(stamp::tell(session, &sealed, by, silent).await),
        _ => None,
    };
    let state = exports::state(session, &sealed).await?;
    let verified = verified(&sealed).await?;
    Ok(Found {
        state,
        verified,
        stamped,
    })
}

/// When it was last verified, by its chain of custody.
async fn verified(sealed: &Sealed) -> Result<Option<String>, Failure> {
    let read = read_events(sealed.storage.as_ref(), &sealed.record).await;
    let (lines, _) = read.map_err(|error| Failure::of_restore(&error))?;
    let event = lines.iter().rev().find_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        (event["act"] == "verified").then_some(event)
    });
    Ok(event.and_then(|event| Some(event["time"].as_str()?.to_owned())))
}

fn value(row: &Row<'_>, session: &Session) -> Value {
    let export = &row.known.export;
    let mut value = json!({
        "export": export.export, "name": export.name, "url": format!("{}/{}", export.url, export.name),
        "snapshot": export.snapshot.to_string(), "time": row.known.time.to_string(),
        "encrypted": export.encrypted, "erased": row.known.erased.map(|erased| erased.time.to_string()),
        "key": row.key,
    });
    match &row.found {
        Ok(found) => {
            let state = &found.state;
            let now = session.context.clock.now();
            value["whole"] = json!(state.whole);
            value["tier"] = json!(state.tier.map(Tier::name));
            value["returning"] = json!(state.returning);
            value["retain_until"] = json!(state.lock.map(|lock| lock.until.to_string()));
            value["mode"] = json!(state.lock.map(|lock| lock.mode.name()));
            value["seconds_left"] = json!(
                state
                    .lock
                    .map(|lock| { lock.until.duration_since(now).as_secs().max(0) })
            );
            value["held"] = json!(state.held);
            value["unread"] = json!(state.unread);
            value["verified"] = json!(found.verified);
            value["stamped"] = json!(found.stamped);
        }
        Err(failure) => value["failure"] = json!(failure.sentence()),
    }
    value
}

fn show(session: &Session, rows: &[Row<'_>]) {
    let ui = &session.ui;
    if rows.is_empty() {
        ui.line("No export was made of this repository");
        ui.line("  next: mlark export bag latest --to URL");
        return;
    }
    let now = session.context.clock.now();
    let mut table = Table::new(&[
        "export",
        "made",
        "state",
        "tier",
        "kept until",
        "left",
        "hold",
        "time stamp",
        "verified",
    ]);
    for row in rows {
        let export = &row.known.export;
        let made = amount::moment(row.known.time);
        let Ok(found) = &row.found else {
            let cells = [export.name.clone(), made, "not to be looked at".to_owned()];
            table.row(
                cells
                    .into_iter()
                    .chain(std::iter::repeat_n(String::new(), 6)),
            );
            continue;
        };
        let state = &found.state;
        let lock = state.lock;
        let left = lock.map(|lock| {
            let left = lock.until.duration_since(now);
            match left.is_positive() {
                true => amount::span(left.unsigned_abs()),
                false => "ended".to_owned(),
            }
        });
        let tier = state.tier.map_or("", Tier::name);
        table.row([
            export.name.clone(),
            made,
            row.word(state.whole).to_owned(),
            match state.returning {
                true => format!("{tier}, coming back"),
                false => tier.to_owned(),
            },
            match lock {
                Some(lock) => format!("{}, {}", amount::moment(lock.until), lock.mode.name()),
                None if state.unread.is_some() => "not known".to_owned(),
                None => String::new(),
            },
            left.unwrap_or_default(),
            if state.held { "held" } else { "" }.to_owned(),
            match found.stamped {
                Some(true) => "there",
                Some(false) => "not yet",
                None => "",
            }
            .to_owned(),
            found.verified.clone().unwrap_or_else(|| "never".to_owned()),
        ]);
    }
    ui.table(&table);
    for row in rows {
        let name = &row.known.export.name;
        match &row.found {
            Err(failure) => ui.warn(&format!("{name}: {}", failure.sentence())),
            Ok(found) => {
                if let Some(why) = found.state.unread.filter(|_| row.known.erased.is_none()) {
                    ui.warn(&format!("{name}: {why}"));
                }
            }
        }
        if row.known.erased.is_some() && row.key_is_wrong() {
            ui.warn(&format!(
                "{name} was erased, and its key is still there: `mlark export erase {name}` deletes it"
            ));
        }
    }
}
