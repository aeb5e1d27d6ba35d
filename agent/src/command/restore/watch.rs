//! What the user sees while a restore plans, works or compares.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use restore::{Event, Observer};
use serde_json::json;

use crate::session::Session;
use crate::ui::Ui;
use crate::ui::progress::{Counters, Progress};

/// Shows the events of one restore.
#[derive(Debug)]
pub(super) struct Watch {
    ui: Ui,
    progress: Progress,
    /// Bytes of the steps that are done, by the plan's estimate; those of the step under way come on top.
    settled: Mutex<u64>,
}

impl Watch {
    pub(super) fn new(session: &Session, doing: &str) -> Self {
        Self {
            ui: session.ui.clone(),
            progress: session.ui.progress(doing),
            settled: Mutex::default(),
        }
    }

    pub(super) fn finish(&self) {
        self.progress.finish();
    }

    fn items(&self, counters: &Counters, done: u64, total: u64) {
        counters.items.store(done, Ordering::Relaxed);
        counters.items_total.store(total, Ordering::Relaxed);
    }

    fn done(&self, counters: &Counters, bytes: u64) {
        counters.items.fetch_add(1, Ordering::Relaxed);
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        *settled += bytes;
        counters.bytes.store(*settled, Ordering::Relaxed);
    }
}

impl Observer for Watch {
    fn event(&self, event: Event) {
        let counters = self.progress.counters();
        match event {
            Event::Planning { done, total } | Event::Verifying { done, total } => {
                self.items(&counters, done, total);
            }
            Event::Started { steps, bytes } => {
                counters.items_total.store(steps, Ordering::Relaxed);
                counters.bytes_total.store(bytes, Ordering::Relaxed);
            }
            Event::Step { step, action, item } => {
                counters.doing(format!("{} {item}", action.as_str()));
                self.ui.event(&json!({
                    "event": "step", "step": step, "action": action.as_str(), "item": item.to_string(),
                }));
                if self.ui.verbose() {
                    self.progress.aside(|| {
                        self.ui
                            .detail(&format!("{step}: {} {item}", action.as_str()))
                    });
                }
            }
            Event::Bytes { count } => {
                counters.bytes.fetch_add(count, Ordering::Relaxed);
            }
            Event::Done { step, bytes } => {
                self.done(&counters, bytes);
                self.ui.event(&json!({"event": "done", "step": step}));
            }
            Event::Failed { step, item, reason } => {
                counters.items.fetch_add(1, Ordering::Relaxed);
                self.progress
                    .aside(|| self.ui.warn(&format!("{item} was not restored: {reason}")));
                self.ui.event(&json!({
                    "event": "failed", "step": step, "item": item.to_string(), "reason": reason,
                }));
            }
            _ => {}
        }
    }
}
