//! What the user sees while a backup runs: progress, and with `-v` what happens to each item.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::capture::{Event, Observer};
use crate::session::Session;
use crate::ui::Ui;
use crate::ui::progress::Progress;

/// Shows the events of one backup.
#[derive(Debug)]
pub(super) struct Watch {
    ui: Ui,
    workspace: String,
    progress: Progress,
}

impl Watch {
    pub(super) fn new(session: &Session, workspace: &str) -> Self {
        let progress = session.ui.progress(workspace);
        progress.counters().doing("opening");
        Self {
            ui: session.ui.clone(),
            workspace: workspace.to_owned(),
            progress,
        }
    }

    pub(super) fn finish(&self) {
        self.progress.finish();
    }

    fn doing(&self, what: impl Into<String>) {
        self.progress.counters().doing(what);
    }

    fn say(&self, text: &str) {
        if self.ui.verbose() {
            self.progress.aside(|| self.ui.detail(text));
        }
    }

    fn tell(&self, event: Value) {
        self.ui.event(&event);
    }
}

impl Observer for Watch {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Began(_) => {}
            Event::Listing(kind) => self.doing(format!("listing {}", kind.name)),
            Event::Listed(kind, count) => {
                self.say(&format!("listed {count} {}", kind.name));
                self.tell(json!({"event": "listed", "workspace": self.workspace, "kind": kind.name, "count": count}));
            }
            Event::NotOffered(kind, said) => {
                self.say(&format!("no {} in this workspace: {said}", kind.name));
                self.tell(json!({"event": "not-offered", "workspace": self.workspace, "kind": kind.name, "reason": said}));
            }
            Event::Undiscovered(why) => {
                self.say(&format!(
                    "kinds that mlark does not know are left out: {why}"
                ));
                self.tell(
                    json!({"event": "undiscovered", "workspace": self.workspace, "reason": why}),
                );
            }
            Event::Unreached(path) => {
                self.say(&format!("what lies at {path} is left out"));
                self.tell(json!({"event": "unreached", "workspace": self.workspace, "type": path}));
            }
            Event::Reading => self.doing("reading files"),
            Event::Closing => self.doing("looking for what items refer to"),
            Event::Item(id, outcome) => {
                let outcome = format!("{outcome:?}").to_lowercase();
                self.say(&format!("{outcome} {id}"));
                self.tell(json!({"event": "item", "workspace": self.workspace, "item": id.to_string(), "outcome": outcome}));
            }
            Event::File(id, path) => self.doing(format!("reading {id}//{path}")),
            Event::Gap(gap) => {
                self.say(&format!(
                    "gap: {}",
                    gap_line(&gap.item, gap.file.as_deref(), &gap.reason)
                ));
                self.tell(json!({
                    "event": "gap", "workspace": self.workspace,
                    "item": gap.item, "file": gap.file, "reason": gap.reason,
                }));
            }
            Event::Again(id, path) => self.say(&format!(
                "{id}//{path} changed while it was read; reading it again"
            )),
            Event::Partial(id) => {
                self.say(&format!(
                    "kept what is done so far as the partial snapshot {id}"
                ));
                self.tell(json!({"event": "partial", "workspace": self.workspace, "snapshot": id}));
            }
            Event::Progress(progress) => {
                let counters = self.progress.counters();
                counters.items.store(progress.items_done, Ordering::Relaxed);
                counters
                    .items_total
                    .store(progress.items, Ordering::Relaxed);
                counters.bytes.store(progress.bytes_done, Ordering::Relaxed);
                counters
                    .bytes_total
                    .store(progress.bytes, Ordering::Relaxed);
            }
        }
    }
}

/// What was not saved, and why.
pub(super) fn gap_line(item: &str, file: Option<&str>, reason: &str) -> String {
    match file {
        Some(file) => format!("{item}//{file}: {reason}"),
        None => format!("{item}: {reason}"),
    }
}
