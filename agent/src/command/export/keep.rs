//! `mlark export lock`, `hold` and `tier`: how an export is kept at its destination. Each change is an event of its custody, and
//! nothing shortens a locked retention.

use archive_format::storage::{Lock, LockMode, Tier};
use clap::ValueEnum;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::exports::{self, ByContainer, Change};
use crate::failure::Failure;
use crate::session::Session;

/// What a container without version-level immutability needs said.
#[derive(Clone, Debug, Default, clap::Args)]
struct Container {
    /// Keep the whole container, with everything in it, where it has no version-level immutability
    #[arg(long)]
    container: bool,
    /// The ARM id of the storage account, where no subscription of the configuration shows it
    #[arg(long, value_name = "ID")]
    account_id: Option<String>,
}

impl Container {
    fn wish(&self) -> ByContainer {
        ByContainer {
            allowed: self.container,
            account_id: self.account_id.clone(),
        }
    }
}

/// Options of `lock`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark export lock az://stcold007/exports/prod-20261129-01kb… --until 2033-11-29
  mlark export lock 01kb2m --until 2033-11-29 --unlocked        can still be shortened by whoever may
  mlark export lock 01kb2m --until 2033-11-29 --container")]
pub struct LockArgs {
    /// The export: its address, id, or name
    export: String,
    /// Until when nothing deletes it: a day, or a time like 2033-11-29T00:00:00Z
    #[arg(long, value_name = "DATE")]
    until: String,
    /// Leave it to whoever may set it to shorten it again; else nobody can
    #[arg(long)]
    unlocked: bool,
    #[command(flatten)]
    container: Container,
    /// Lock it without asking
    #[arg(short, long)]
    yes: bool,
}

/// Options of `hold`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark export hold 01kb2m on
  mlark export hold az://stcold007/exports/prod-20261129-01kb… off")]
pub struct HoldArgs {
    /// The export: its address, id, or name
    export: String,
    /// Whether it is held
    #[arg(value_enum)]
    held: Held,
    #[command(flatten)]
    container: Container,
}

/// Whether something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Held {
    /// From now on
    On,
    /// No longer
    Off,
}

/// Options of `tier`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark export tier 01kb2m archive
  mlark export tier 01kb2m cold")]
pub struct TierArgs {
    /// The export: its address, id, or name
    export: String,
    /// The access tier of its tar: hot, cool, cold, archive; its seal stays where it can be read at once
    tier: String,
}

/// Locks.
pub async fn lock(args: &LockArgs, session: &Session) -> Result<ExitStatus, Failure> {
    let until = moment(session, "--until", &args.until)?;
    let lock = Lock {
        until,
        mode: match args.unlocked {
            true => LockMode::Unlocked,
            false => LockMode::Locked,
        },
    };
    if lock.mode == LockMode::Locked && !args.yes {
        ask(session, &args.export, until)?;
    }
    change(
        session,
        &args.export,
        Change::Lock(lock),
        &args.container.wish(),
    )
    .await
}

fn ask(session: &Session, export: &str, until: Timestamp) -> Result<(), Failure> {
    if !session.ui.can_ask() {
        return Err(
            Failure::usage("Nobody can be asked whether the export may be locked")
                .on(export)
                .why("there is no terminal, and a locked retention is for ever")
                .next("add --yes"),
        );
    }
    let question = format!(
        "Lock {export} until {until}? Nobody can shorten that, and it is paid for until then"
    );
    match session.ui.confirm(&question) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(ExitStatus::Interrupted, "Nothing was changed")
            .why("the answer was not `yes`")),
        Err(error) => Err(Failure::failed("The answer could not be read").why(error)),
    }
}

/// A moment to come that an option says. A day begins in UTC; a time is taken to the second.
pub(super) fn moment(session: &Session, option: &str, text: &str) -> Result<Timestamp, Failure> {
    let refused = |why: &str| {
        Failure::usage(format!("{option} is refused"))
            .on(format!("`{text}`"))
            .why(why)
    };
    let day = text.parse::<Date>().ok();
    let day = day.filter(|_| !text.contains('T'));
    let at = day.and_then(|day| Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp()));
    let at = at.or_else(|| text.parse().ok());
    let at = at.and_then(|at: Timestamp| Timestamp::from_second(at.as_second()).ok());
    let at = at.ok_or_else(|| {
        refused("it is neither a day nor a time").next("write it like 2033-11-29")
    })?;
    match at > session.context.clock.now() {
        true => Ok(at),
        false => Err(refused("it is past")),
    }
}

/// The tier that a word means.
pub(super) fn tier_of(word: &str) -> Result<Tier, Failure> {
    Tier::by_name(word).ok_or_else(|| {
        Failure::usage("That is no access tier")
            .on(format!("`{word}`"))
            .next("hot, cool, cold or archive")
    })
}

/// Holds, or ends a hold.
pub async fn hold(args: &HoldArgs, session: &Session) -> Result<ExitStatus, Failure> {
    let held = args.held == Held::On;
    change(
        session,
        &args.export,
        Change::Hold(held),
        &args.container.wish(),
    )
    .await
}

/// Moves.
pub async fn tier(args: &TierArgs, session: &Session) -> Result<ExitStatus, Failure> {
    let tier = tier_of(&args.tier)?;
    change(
        session,
        &args.export,
        Change::Tier(tier),
        &ByContainer::default(),
    )
    .await
}

async fn change(
    session: &Session,
    word: &str,
    change: Change,
    container: &ByContainer,
) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let sealed = session.sealed(&repository, word).await?;
    exports::change(session, &repository, &sealed, change, container).await?;
    let state = exports::state(session, &sealed).await?;
    let value: Value = json!({
        "export": sealed.record.export, "url": sealed.url(),
        "tier": state.tier.map(Tier::name), "held": state.held,
        "retain_until": state.lock.map(|lock| lock.until.to_string()),
        "mode": state.lock.map(|lock| lock.mode.name()),
    });
    if session.ui.json() {
        session.ui.document(&value);
        return Ok(ExitStatus::Done);
    }
    session.ui.line(&match change {
        Change::Lock(lock) => format!(
            "{} is kept until {} ({})",
            sealed.url(),
            lock.until,
            lock.mode.name()
        ),
        Change::Hold(true) => format!("{} is held", sealed.url()),
        Change::Hold(false) => format!("{} is no longer held", sealed.url()),
        Change::Tier(tier) => format!("{} lies in the tier {tier}", sealed.url()),
    });
    Ok(ExitStatus::Done)
}
