//! Exports by schedule: what is exported, what the files are named, and which of them stay.

use archive_format::storage::Remains;
use archive_format::{KnownExport, Repository};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use restore::Unobserved;

use crate::command::export::bag;
use crate::command::export::erase::{self, Kept};
use crate::command::key::parse_recipient;
use crate::command::restore::apply;
use crate::config::{self, Keep, ScheduledExport};
use crate::exit::ExitStatus;
use crate::exports::actor;
use crate::failure::Failure;
use crate::session::Session;
use crate::stamp::{self, Silent};
use crate::ui::amount;

/// So many exports of a schedule, the newest, are asked whether they wait for a time stamp.
const STAMPS_MAX: usize = 60;

/// The digits of a day in a name.
const DAY_DIGITS: usize = 8;

/// An export of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Deposit {
    pub(super) entry: config::Workspace,
    pub(super) export: ScheduledExport,
}

impl Deposit {
    /// What every name of its files begins with, and what follows the day.
    fn names(&self) -> (String, String) {
        let small = |text: &str| text.to_ascii_lowercase();
        (
            format!("{}-", small(&self.entry.name)),
            format!("-{}-", small(&self.export.to)),
        )
    }

    fn name(&self, now: Timestamp) -> Result<String, Failure> {
        let (before, between) = self.names();
        let day = now.to_zoned(TimeZone::UTC).strftime("%Y%m%d");
        let id = archive_format::ExportId::new(now).map_err(|error| Failure::of_archive(&error))?;
        Ok(format!("{before}{day}{between}{id}"))
    }

    /// Whether a name is one that this schedule gave.
    pub(super) fn made(&self, known: &KnownExport) -> bool {
        let (before, between) = self.names();
        let rest = known.export.name.strip_prefix(&before);
        let Some((day, rest)) = rest.and_then(|rest| rest.split_at_checked(DAY_DIGITS)) else {
            return false;
        };
        day.bytes().all(|digit| digit.is_ascii_digit())
            && rest
                .strip_prefix(&between)
                .is_some_and(|id| id.parse::<archive_format::ExportId>().is_ok())
    }

    /// Exports the newest complete snapshot, and erases what is kept no longer.
    pub(super) async fn make(
        &self,
        session: &Session,
        repository: &Repository,
    ) -> Result<(), Failure> {
        let latest = format!("latest:{}", self.entry.name);
        let record = session.resolve(repository, &latest).await?;
        let (mut destination, address) = session.destination(&self.export.to)?;
        destination.tier = self.export.tier.or(destination.tier);
        destination.retain = self.export.retain.or(destination.retain);
        let recipients = destination.recipients.iter();
        let recipients = recipients
            .map(|text| parse_recipient(text))
            .collect::<Result<_, _>>()?;
        let now = session.context.clock.now();
        let wish = bag::Wish {
            destination,
            address,
            selectors: self.export.selectors.clone(),
            name: Some(self.name(now)?),
            recipients,
            retain_until: None,
            hold: false,
            partial: false,
        };
        let stop = apply::stop(session);
        let bagged = bag::make(session, repository, &record, &wish, &Unobserved, &stop).await?;
        if bagged.stopped {
            return Err(Failure::new(
                ExitStatus::Interrupted,
                "The export was not finished",
            ));
        }
        session.ui.note(&format!(
            "Exported snapshot {} of {} to {}: {}, {} of {}",
            record.id,
            self.entry.name,
            self.export.to,
            bagged.name,
            amount::counted(bagged.items, "item"),
            amount::size(bagged.bytes)
        ));
        if session.config.export.timestamp_url.is_some() {
            self.stamp(session, repository).await?;
        }
        self.tidy(session, repository).await
    }

    /// Asks again for the time stamps that did not come. One that cannot be asked for now waits for the next export.
    async fn stamp(&self, session: &Session, repository: &Repository) -> Result<(), Failure> {
        let exports = repository.exports().await;
        let exports = exports.map_err(|error| Failure::of_archive(&error))?;
        let by = actor(Some(repository)).await;
        let mut silent = Silent::default();
        let own = exports.iter().rev();
        let own = own.filter(|known| known.erased.is_none() && self.made(known));
        for known in own.skip(1).take(STAMPS_MAX) {
            let export = &known.export;
            match session.open_sealed(&export.url, &export.name).await {
                Ok(sealed) => {
                    stamp::tell(session, &sealed, &by, &mut silent).await;
                }
                Err(failure) => session.ui.complain(&failure),
            }
        }
        Ok(())
    }

    /// Erases the keys of those that are too many or too old, unless something keeps them. One that cannot be erased now is
    /// tried again after the next export.
    async fn tidy(&self, session: &Session, repository: &Repository) -> Result<(), Failure> {
        let archive = |error| Failure::of_archive(&error);
        let exports = repository.exports().await.map_err(archive)?;
        let keys = repository.export_keys().await.map_err(archive)?;
        let outlived =
            |known: &&KnownExport| known.erased.is_some() && keys.contains(&known.export.export);
        for known in exports.iter().filter(outlived) {
            erase_one(session, repository, known).await;
        }
        let Some(keep) = self.export.keep else {
            return Ok(());
        };
        let mut own = exports;
        own.retain(|known| known.erased.is_none() && self.made(known));
        for known in too_many(&own, keep, session.context.clock.now()) {
            let name = &known.export.name;
            match erase::may(session, known, false).await {
                Ok(()) => erase_one(session, repository, known).await,
                Err(Kept::Foretold(kept)) => {
                    let why = kept.why.unwrap_or_default();
                    session.ui.detail(&format!("{name} stays: {why}"));
                }
                Err(Kept::Found(kept)) => {
                    let why = kept.sentence();
                    session.ui.note(&format!("{name} stays: {why}"));
                }
            }
        }
        Ok(())
    }
}

/// Erases one, and tells what came of it.
async fn erase_one(session: &Session, repository: &Repository, known: &KnownExport) {
    match erase::erase(session, repository, known).await {
        Ok((erased, remains)) => {
            let said = erase::said(known, erased, &remains);
            match remains {
                Remains::Nothing => session.ui.note(&said),
                _ => session.ui.warn(&said),
            }
        }
        Err(failure) => session.ui.complain(&failure),
    }
}

/// Those of a schedule, oldest first, that are kept no longer. The newest always is.
fn too_many(exports: &[KnownExport], keep: Keep, now: Timestamp) -> &[KnownExport] {
    let older = exports.len().saturating_sub(1);
    let count = match keep {
        Keep::Newest(newest) => exports.len().saturating_sub(newest.get() as usize),
        Keep::Within(period) => {
            let line = now - period.duration();
            exports.iter().take_while(|known| known.time < line).count()
        }
    };
    &exports[..count.min(older)]
}
