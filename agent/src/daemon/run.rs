//! One backup of the daemon with all that belongs to it: hook and ping before, backup, the rules of retention, hooks and
//! ping after. However it ends, its end is told; nothing around a backup makes a good one a failed one.

use std::sync::Arc;
use std::time::Duration;

use archive_format::Repository;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::calls::{self, Ping};
use super::chores::Outcome;
use super::hooks::{self, About, Hook};
use super::notify::Notifier;
use super::watch::Watch;
use crate::backup::{Wishes, back_up, note_failed, unless_stopped};
use crate::capture::{Ending, Report};
use crate::config::{self, Housekeeping};
use crate::failure::Failure;
use crate::keeping;
use crate::metrics::Metrics;
use crate::retention::forgetting::{Scope, by_rules, grace};
use crate::session::Session;
use crate::ui::amount;
use crate::ui::journal::Field;

/// How often space is freed, as backups come.
const PRUNE_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// How often at most, where something that was spared need not be any more.
const PRUNE_SOONEST: Duration = Duration::from_secs(3_600);
/// How many gaps are named.
const GAPS_TOLD: usize = 10;

/// When this process freed space last; held while it does.
pub(super) type Pruned = Arc<Mutex<Option<Freed>>>;

/// Space that was freed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Freed {
    at: Timestamp,
    /// When the first of what was spared need not be spared any more, where that is known.
    more: Option<Timestamp>,
}

impl Freed {
    /// Whether it is time again.
    fn is_long_ago(self, now: Timestamp) -> bool {
        let ago = now.duration_since(self.at).unsigned_abs();
        let more = self.more.is_some_and(|more| now >= more);
        ago >= PRUNE_EVERY || (more && ago >= PRUNE_SOONEST)
    }
}

/// One backup and what is around it.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) session: Session,
    pub(super) entry: config::Workspace,
    pub(super) metrics: Metrics,
    pub(super) notifier: Arc<Notifier>,
    pub(super) pruned: Pruned,
}

/// A run that ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) workspace: String,
    /// When it began.
    pub(super) started: Timestamp,
    /// The repository that it had open.
    pub(super) repository: Option<Repository>,
    /// How it ended, where it is no backup.
    pub(super) chore: Option<Outcome>,
}

impl Run {
    /// Does all of it.
    pub(super) async fn go(mut self) -> Ended {
        let started = self.session.context.clock.now();
        let name = self.entry.name.as_str();
        calls::ping(&self.session, Ping::Start, name, format!("{name}\n")).await;
        let mut opened = None;
        let report = self.back_up(started, &mut opened).await;
        let mut head = String::new();
        if let (Ok(report), Some(repository)) = (&report, &opened) {
            if report.ending == Ending::Complete {
                self.keep_house(repository).await;
            }
            head = head_of(repository).await;
        }
        self.tell(&report);
        self.after(&report, &head).await;
        Ended {
            workspace: self.entry.name,
            started,
            repository: opened,
            chore: None,
        }
    }

    /// The backup, after its hook. One that the hook refused counts as failed like any other, and stands in the catalogue.
    async fn back_up(
        &mut self,
        started: Timestamp,
        opened: &mut Option<Repository>,
    ) -> Result<Report, Failure> {
        let session = &self.session;
        let about = About {
            workspace: self.entry.name.clone(),
            ..About::default()
        };
        let allowed = hooks::run(session, Hook::Before, &about).await;
        let repository = unless_stopped(session, session.open_repository()).await;
        if let Err(refused) = allowed {
            if let Ok(repository) = &repository {
                let name = &self.entry.name;
                note_failed(session, repository, name, started, &refused).await;
            }
            *opened = repository.ok();
            return Err(refused);
        }
        let repository = opened.insert(repository?);
        let watch = Watch::new(&self.entry.name, Arc::clone(&self.notifier));
        let done = back_up(
            session,
            repository,
            &self.entry,
            &Wishes::default(),
            started,
            &watch,
            Some(self.metrics.wire()),
        )
        .await;
        if let Some(run) = watch.run() {
            self.session.ui = self.session.ui.about(Field::Run, run.to_string());
        }
        done
    }

    /// Applies the rules of retention, and breaks off where everything is to stop: whatever of it is done stays done. What
    /// fails or is broken off is tried again after the next backup.
    async fn keep_house(&self, repository: &Repository) {
        let wanted = self.session.config.daemon.retention;
        if wanted == Housekeeping::None {
            return;
        }
        tokio::select! {
            biased;
            () = self.session.context.shutdown.wait() => {}
            () = self.apply_rules(repository, wanted) => {}
        }
    }

    async fn apply_rules(&self, repository: &Repository, wanted: Housekeeping) {
        let session = &self.session;
        let scope = Scope {
            workspace: Some(&self.entry.name),
            ..Scope::default()
        };
        match by_rules(session, repository, scope).await {
            Ok(rows) => {
                for row in rows.iter().filter(|row| row.forgotten) {
                    session.ui.note(&format!(
                        "{}: forgot snapshot {} of {}: {}",
                        self.entry.name,
                        row.record.id,
                        amount::moment(row.record.started),
                        row.reasons.join(", ")
                    ));
                }
            }
            Err(failure) => session.ui.complain(&failure.with_place(&self.entry.name)),
        }
        if wanted == Housekeeping::ForgetAndPrune {
            self.prune(repository).await;
        }
    }

    /// Frees space, once a day or when a grace period is over, and by one run at a time.
    async fn prune(&self, repository: &Repository) {
        let Ok(mut pruned) = self.pruned.try_lock() else {
            return;
        };
        let now = self.session.context.clock.now();
        if pruned.is_some_and(|last| !last.is_long_ago(now)) {
            return;
        }
        let ui = &self.session.ui;
        let swept = async {
            let grace = grace(&self.session, repository).await?;
            let swept = repository.sweep(&grace, now, &mut |_| {}).await;
            swept.map_err(|error| Failure::of_archive(&error))
        };
        let swept = swept.await;
        let spared = swept.iter().flat_map(|swept| &swept.garbage.spared);
        *pruned = Some(Freed {
            at: now,
            more: spared.filter_map(|spared| spared.first).min(),
        });
        match swept {
            Ok(swept) if swept.deleted > 0 || swept.undeleted > 0 => ui.note(&format!(
                "Freed {} of {}{}",
                amount::size(swept.deleted_bytes),
                amount::counted(swept.deleted, "pack"),
                match swept.undeleted {
                    0 => String::new(),
                    left => format!("; {} could not be deleted so far", amount::count(left)),
                },
            )),
            Ok(_) => {}
            Err(failure) => ui.complain(&failure),
        }
    }

    /// Says how the run ended.
    fn tell(&self, done: &Result<Report, Failure>) {
        let (name, ui) = (self.entry.name.as_str(), &self.session.ui);
        let report = match done {
            Ok(report) => report,
            Err(failure) => {
                self.metrics.outcome(name, "failed");
                ui.complain(&failure.clone().with_place(name));
                return;
            }
        };
        self.metrics
            .bytes(name, report.bytes.read, report.bytes.stored);
        self.metrics.outcome(name, report.ending.as_str());
        let snapshot = report
            .snapshot
            .map_or_else(|| "no snapshot".to_owned(), |id| id.to_string());
        let unknown = report.gaps.iter().filter(|gap| gap.known.is_none());
        let gaps = unknown.clone().count() as u64 + report.gaps_left_out;
        ui.note(&format!(
            "{name}: {} {snapshot}, {}, {} new, {}",
            report.ending.as_str(),
            amount::counted(report.items_total().listed(), "item"),
            amount::size(report.bytes.new),
            amount::counted(gaps, "gap"),
        ));
        for remark in report.remarks() {
            ui.note(&format!("{name}: {remark}"));
        }
        keeping::warn(&self.session, report);
        for gap in unknown.take(GAPS_TOLD) {
            let file = gap.file.as_deref();
            let file = file.map(|file| format!("//{file}")).unwrap_or_default();
            let mut ui = ui.about(Field::Item, &gap.item);
            if let Some(file) = &gap.file {
                ui = ui.about(Field::File, file);
            }
            ui.warn(&format!(
                "{name}: {}{file} was not saved: {}",
                gap.item, gap.reason
            ));
        }
    }

    /// Hooks and ping after the run.
    async fn after(&self, done: &Result<Report, Failure>, head: &str) {
        let mut about = About {
            workspace: self.entry.name.clone(),
            ..About::default()
        };
        match done {
            Ok(report) => {
                about.outcome = Some(report.ending.as_str());
                about.snapshot = report.snapshot.map(|id| id.to_string());
                if let Ending::Suspect(why) = &report.ending {
                    about.reason = Some(why.join("; "));
                }
            }
            Err(failure) => {
                about.outcome = Some("failed");
                about.reason = Some(failure.sentence());
            }
        }
        let is_good = about.outcome == Some(Ending::Complete.as_str());
        let mut wanted = vec![Hook::After];
        wanted.extend((!is_good).then_some(Hook::Failure));
        for hook in wanted {
            if let Err(failure) = hooks::run(&self.session, hook, &about).await {
                self.session.ui.complain(&failure);
            }
        }
        let ping = if is_good { Ping::Success } else { Ping::Fail };
        let text = [
            Some(format!(
                "{} {}",
                about.workspace,
                about.outcome.unwrap_or_default()
            )),
            about.snapshot.map(|id| format!("snapshot {id}")),
            Some(head.to_owned()).filter(|head| !head.is_empty()),
            about.reason,
        ];
        let text: Vec<String> = text.into_iter().flatten().collect();
        let text = format!("{}\n", text.join("\n"));
        calls::ping(&self.session, ping, &self.entry.name, text).await;
    }
}

/// The newest entry of the log, as `--expect-head` takes it: kept by somebody else, it proves that nothing was taken away.
async fn head_of(repository: &Repository) -> String {
    match repository.head().await {
        Ok((number, hash)) => format!("head {number}:{hash}"),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}:00:00Z").parse().unwrap()
    }

    #[test]
    fn space_is_freed_once_a_day_and_sooner_where_a_grace_period_is_over() {
        let freed = |more: Option<&str>| Freed {
            at: at("23T02"),
            more: more.map(at),
        };
        assert!(!freed(None).is_long_ago(at("24T01")));
        assert!(freed(None).is_long_ago(at("24T02")));
        assert!(!freed(Some("23T14")).is_long_ago(at("23T13")));
        assert!(freed(Some("23T14")).is_long_ago(at("23T14")));
        let soon = freed(Some("23T03"));
        assert!(!soon.is_long_ago(at("23T02")), "not after every run");
        assert!(soon.is_long_ago(at("23T03")));
    }
}
