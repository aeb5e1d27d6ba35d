//! `mlark export bag`: a snapshot as a sealed package for cold storage. Without an owner's key it is refused, since nothing
//! can be packed that cannot be read.

use std::sync::Arc;

use archive_format::storage::{Lock, LockMode};
use archive_format::{ExportId, Recipient, Repository, SnapshotRecord};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use restore::bag::Destination;
use restore::{BagRequest, Bagged, Observer, Stop, export_bag};
use serde_json::json;
use workspace::ByteSize;

use super::Watched;
use super::keep::{moment, tier_of};
use crate::command::check::last::LastCheck;
use crate::command::key::parse_recipient;
use crate::command::restore::apply;
use crate::config;
use crate::config::read::{SPLIT_BYTES, SPLIT_REFUSED};
use crate::exit::ExitStatus;
use crate::exports::{self, ByContainer, Change, actor};
use crate::failure::Failure;
use crate::own_account;
use crate::session::Session;
use crate::stamp::{self, Silent};
use crate::store::Address;
use crate::thaw;
use crate::ui::amount;

/// Options.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = "\
Examples:
  mlark export bag latest:prod --to cold                       a [[destination]] of the configuration
  mlark export bag latest:prod --to az://stcold007/exports --recipient age1…
  mlark export bag latest:prod --to cold --tier archive --retain 2033-11-29 --hold
  mlark export bag latest:prod 'models/churn:*' --to /mnt/audit --plain")]
pub struct Args {
    /// The snapshot: an id, a unique prefix, latest, latest:WORKSPACE, WORKSPACE@TIME
    snapshot: String,
    /// What to export; everything where none is given
    selector: Vec<String>,
    /// A destination of the configuration, a path, az://ACCOUNT/CONTAINER, s3:// or gs://
    #[arg(long, value_name = "URL")]
    to: String,
    /// Without encryption
    #[arg(long)]
    plain: bool,
    /// What its files are named [default: WORKSPACE-YYYYMMDD-ID]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Cuts a longer tar into files of this length, 1 MiB to 64 GiB [default: 64 GiB]
    #[arg(long, value_name = "SIZE")]
    split: Option<ByteSize>,
    /// Who opens it besides the owners: age1… or an SSH public key (repeatable)
    #[arg(long, value_name = "KEY")]
    recipient: Vec<String>,
    /// The access tier of its tar: hot, cool, cold, archive; its seal stays where it can be read at once
    #[arg(long, value_name = "TIER")]
    tier: Option<String>,
    /// Until when it is to be kept, a day or a time: it is locked until then, where the destination locks files
    #[arg(long, value_name = "DATE")]
    retain: Option<String>,
    /// Put it under a legal hold, until that is taken away
    #[arg(long)]
    hold: bool,
    /// Export what a damaged repository still has, and list what is missing
    #[arg(long)]
    partial: bool,
}

/// What an export is to be, whoever asks for it.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Where it goes.
    pub destination: config::Destination,
    /// Its address.
    pub address: Address,
    /// The selectors.
    pub selectors: Vec<String>,
    /// What its files are named.
    pub name: Option<String>,
    /// Who opens it besides the owners.
    pub recipients: Vec<Recipient>,
    /// Until when it is to be kept; where it is not said, as long as its destination says.
    pub retain_until: Option<Timestamp>,
    /// Whether it is held from the first.
    pub hold: bool,
    /// Whether what a damaged repository lost is left out.
    pub partial: bool,
}

/// Exports.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    session.selection(&args.selector)?;
    let wish = wish(args, session)?;
    let repository = match args.partial {
        true => session.open_damaged_repository_with_contents().await?,
        false => session.open_repository_with_contents().await?,
    };
    let record = session.resolve(&repository, &args.snapshot).await?;
    let watch = Watched(session.ui.progress("exporting"));
    let stop = apply::stop(session);
    let bagged = make(session, &repository, &record, &wish, &watch, &stop).await?;
    watch.0.finish();
    if session.ui.json() {
        session.ui.document(&bagged);
    } else {
        show(session, &bagged);
    }
    Ok(status(&bagged, &record))
}

fn wish(args: &Args, session: &Session) -> Result<Wish, Failure> {
    let (mut destination, address) = session.destination(&args.to)?;
    destination.plain |= args.plain;
    destination.split = args.split.or(destination.split);
    if let Some(tier) = &args.tier {
        destination.tier = Some(tier_of(tier)?.into());
    }
    let retain = args.retain.as_deref();
    let retain = retain.map(|until| moment(session, "--retain", until));
    if let Some(split) = destination.split
        && !SPLIT_BYTES.contains(&split.bytes())
    {
        return Err(Failure::usage("--split is refused").why(SPLIT_REFUSED));
    }
    let recipients = destination.recipients.iter().chain(&args.recipient);
    let recipients: Vec<Recipient> = recipients
        .map(|text| parse_recipient(text))
        .collect::<Result<_, _>>()?;
    if destination.plain && !args.recipient.is_empty() {
        return Err(Failure::usage("--recipient is refused")
            .why("the export is not encrypted, so that nobody needs a key")
            .next("leave out --recipient, or --plain and `plain = true`"));
    }
    Ok(Wish {
        destination,
        address,
        selectors: args.selector.clone(),
        name: args.name.clone(),
        recipients,
        retain_until: retain.transpose()?,
        hold: args.hold,
        partial: args.partial,
    })
}

/// Makes an export of a snapshot.
pub async fn make(
    session: &Session,
    repository: &Repository,
    record: &SnapshotRecord,
    wish: &Wish,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Bagged, Failure> {
    let now = session.context.clock.now();
    let export = ExportId::new(now).map_err(|error| Failure::of_archive(&error))?;
    let settings = &wish.destination;
    if !settings.plain && repository.record().encryption.is_none() && wish.recipients.is_empty() {
        return Err(Failure::usage("Nobody could open the export")
            .why("the repository is not encrypted, so that it has no owners' key to wrap the export's for")
            .next("name who opens it with --recipient, or say --plain"));
    }
    let name = name(wish, record, export, now)?;
    let reader = repository.snapshot(record);
    own_account::refuse_for(session, &reader, &wish.address).await?;
    thaw::refuse_archived(session, &reader, &wish.selectors).await?;
    let storage = session.destination_storage(settings, &wish.address).await?;
    let period = settings.retain.map(|retain| now + retain.duration());
    let retain = wish.retain_until.or(period);
    if wish.hold || retain.is_some() && storage.cold().is_some() {
        exports::refuse_unkept(storage.as_ref(), &wish.address).await?;
    }
    let destination = Destination {
        storage: Arc::clone(&storage),
        url: wish.address.to_string(),
        split_bytes: settings.split.map_or(*SPLIT_BYTES.end(), ByteSize::bytes),
        tier: settings.tier.map(|tier| tier.as_azure_says().to_owned()),
        retain_until: retain,
    };
    let cache = session.repository_cache(repository)?;
    let check = LastCheck::read(&cache).await;
    let check = check
        .map(|check| json!({ "time": check.time, "depth": check.depth, "sound": check.sound }));
    let request = BagRequest {
        export,
        name,
        selectors: wish.selectors.clone(),
        now,
        partial: wish.partial,
        plain: settings.plain,
        recipients: wish.recipients.clone(),
        hold: wish.hold,
        by: actor(Some(repository)).await,
        checks: check.into_iter().collect(),
        signer: session.export_signer()?.map(Arc::new),
        timestamp_url: session.config.export.timestamp_url.clone(),
        folder: cache.join("exports"),
    };
    if request.timestamp_url.is_some() && request.signer.is_none() {
        return Err(Failure::usage("No export is made")
            .why("`timestamp_url` of [export] asks for time stamps of signatures, and there is no key that signs")
            .next("name a key with `signing_key_file`, or leave out `timestamp_url`"));
    }
    let mut bagged = export_bag(&reader, &destination, &request, observer, stop)
        .await
        .map_err(|error| Failure::of_restore(&error))?;
    if request.timestamp_url.is_some() && !bagged.stopped {
        let sealed = session.open_sealed(&bagged.to, &bagged.name).await?;
        let mut silent = Silent::default();
        bagged.stamped = stamp::tell(session, &sealed, &request.by, &mut silent).await;
    }
    if storage.cold().is_some() && !bagged.stopped {
        keep(session, repository, &bagged, (retain, wish.hold))
            .await
            .map_err(|failure| {
                failure.with_place("the export is whole, and not kept as it should be")
            })?;
    }
    Ok(bagged)
}

/// Locks and holds a new export, as was asked.
async fn keep(
    session: &Session,
    repository: &Repository,
    bagged: &Bagged,
    (retain, hold): (Option<Timestamp>, bool),
) -> Result<(), Failure> {
    let lock = retain.map(|until| {
        let until = Timestamp::from_second(until.as_second()).unwrap_or(until);
        Change::Lock(Lock {
            until,
            mode: LockMode::Locked,
        })
    });
    for change in lock.into_iter().chain(hold.then_some(Change::Hold(true))) {
        let sealed = session.open_sealed(&bagged.to, &bagged.name).await?;
        let whole = ByContainer::default();
        exports::change(session, repository, &sealed, change, &whole).await?;
    }
    Ok(())
}

/// What the files of an export are named: parts of names in every store.
fn name(
    wish: &Wish,
    record: &SnapshotRecord,
    export: ExportId,
    now: Timestamp,
) -> Result<String, Failure> {
    let fits =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if let Some(name) = &wish.name {
        return match name.len() <= 120 && !name.starts_with('.') && !name.is_empty() && name.chars().all(fits) {
            true => Ok(name.clone()),
            false => Err(Failure::usage("--name is refused")
                .on(format!("`{name}`"))
                .why("a name has at most 120 small letters, digits, `.`, `-` and `_`, and does not begin with a dot")),
        };
    }
    let workspace: String = record
        .workspace
        .to_ascii_lowercase()
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .take(80)
        .collect();
    let day = now.to_zoned(TimeZone::UTC).strftime("%Y%m%d").to_string();
    Ok(format!(
        "{}-{day}-{export}",
        workspace.trim_start_matches('.')
    ))
}

fn show(session: &Session, bagged: &Bagged) {
    let ui = &session.ui;
    for part in &bagged.lost {
        ui.warn(&format!(
            "{} of {} is lost: the repository is damaged",
            part.what, part.item
        ));
    }
    if bagged.stopped {
        ui.warn(
            "The export was stopped before it was whole; what lies at the destination is of no use",
        );
        return;
    }
    ui.line(&format!(
        "{} to {}: {}, {} of {}{}",
        bagged.name,
        bagged.to,
        amount::counted(bagged.items, "item"),
        amount::counted(bagged.files, "file"),
        amount::size(bagged.bytes),
        if bagged.encrypted { ", encrypted" } else { "" },
    ));
    for part in &bagged.parts {
        ui.line(&format!(
            "  {} {} {}",
            part.sha256,
            amount::size(part.size),
            part.name
        ));
    }
    if bagged.excluded > 0 {
        ui.line(&format!(
            "exclusions.csv has {}: what is not in it, and why",
            amount::counted(bagged.excluded, "row")
        ));
    }
}

fn status(bagged: &Bagged, record: &SnapshotRecord) -> ExitStatus {
    if bagged.stopped {
        return ExitStatus::Interrupted;
    }
    let failed = record.items.values().any(|counts| counts.failed > 0) || record.files.failed > 0;
    match bagged.lost.is_empty() && !failed {
        true => ExitStatus::Done,
        false => ExitStatus::Gaps,
    }
}
