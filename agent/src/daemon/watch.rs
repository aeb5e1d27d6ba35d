//! What a backup of the daemon shows: one line of status for systemd, at most one a second.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use archive_format::RunId;
use tokio::time::Instant;

use super::notify::Notifier;
use crate::capture::{Event, Observer};
use crate::ui::amount;

/// How often the line changes at most.
const PERIOD: Duration = Duration::from_secs(1);

/// Watches one backup.
#[derive(Debug)]
pub(super) struct Watch {
    workspace: String,
    notifier: Arc<Notifier>,
    last: Mutex<Option<Instant>>,
    run: OnceLock<RunId>,
}

impl Watch {
    pub(super) fn new(workspace: &str, notifier: Arc<Notifier>) -> Self {
        notifier.status(&format!("{workspace}: opening"));
        Self {
            workspace: workspace.to_owned(),
            notifier,
            last: Mutex::default(),
            run: OnceLock::new(),
        }
    }

    /// The run's id, once it has one.
    pub(super) fn run(&self) -> Option<RunId> {
        self.run.get().copied()
    }

    fn is_time(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= PERIOD);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

impl Observer for Watch {
    fn event(&self, event: &Event<'_>) {
        let progress = match event {
            Event::Began(run) => {
                self.run.get_or_init(|| *run);
                return;
            }
            Event::Progress(progress) => progress,
            _ => return,
        };
        if self.is_time() {
            self.notifier.status(&format!(
                "{}: {} of {} items, {} of {}",
                self.workspace,
                amount::count(progress.items_done),
                amount::count(progress.items),
                amount::size(progress.bytes_done),
                amount::size(progress.bytes),
            ));
        }
    }
}
