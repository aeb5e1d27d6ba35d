//! Which changes of state the webhook was told: one document for each change, also for one that happened while the daemon
//! was off. What was told last is kept in a small file beside the catalogue.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::calls;
use super::chores::Outcome;
use crate::health::Health;
use crate::remembered;
use crate::session::Session;
use crate::session::repository::machine_label;

/// What was told.
#[derive(Debug)]
pub(super) struct Notices {
    file: PathBuf,
    told: BTreeMap<String, String>,
}

impl Notices {
    /// What was told before. A file that cannot be read counts as none: then the first states are told again, not lost.
    pub(super) async fn open(cache: &Path) -> Self {
        let file = cache.join("told.json");
        let told = remembered::read(&file).await;
        Self {
            file,
            told: told.unwrap_or_default(),
        }
    }

    /// Tells what changed since.
    pub(super) async fn tell(&mut self, session: &Session, healths: &[Health]) {
        if session.config.daemon.webhook_url_file.is_none() {
            return;
        }
        let mut changed = false;
        for health in healths {
            let state = health.state.as_str();
            let was = self.told.get(&health.workspace).map(String::as_str);
            // One that nobody heard of is told again.
            if was != Some(state) && calls::post(session, &document(health, was)).await {
                let workspace = health.workspace.clone();
                self.told.insert(workspace, state.to_owned());
                changed = true;
            }
        }
        if changed {
            self.keep(session).await;
        }
    }
}

impl Notices {
    /// Tells that a chore failed, or is good again.
    pub(super) async fn chore(&mut self, session: &Session, outcome: &Outcome) {
        if session.config.daemon.webhook_url_file.is_none() {
            return;
        }
        let state = match outcome.failure {
            Some(_) => "failed",
            None => "good",
        };
        let was = self.told.get(&outcome.name).map_or("good", String::as_str);
        if was != state && calls::post(session, &of_chore(outcome, state, was)).await {
            self.told.insert(outcome.name.clone(), state.to_owned());
            self.keep(session).await;
        }
    }

    async fn keep(&self, session: &Session) {
        if let Err(error) = remembered::keep(&self.file, &self.told).await {
            session.ui.warn(&format!(
                "{} cannot be written: {error}; the webhook may be told the same again",
                self.file.display()
            ));
        }
    }
}

fn of_chore(outcome: &Outcome, state: &str, was: &str) -> Value {
    let machine = machine_label();
    let why = outcome.failure.as_deref();
    let why = why.map(|why| format!("\n{why}")).unwrap_or_default();
    json!({
        "text": format!("mlark on {machine}: {}: {state} (was: {was}){why}", outcome.name),
        "machine": machine,
        "workspace": outcome.workspace,
        "task": outcome.task,
        "state": state,
        "was": was,
    })
}

/// `text` is what chat services show.
fn document(health: &Health, was: Option<&str>) -> Value {
    let state = health.state.as_str();
    let machine = machine_label();
    let before = was.map(|was| format!(" (was: {was})")).unwrap_or_default();
    let why = health.last_failure.as_deref();
    let why = why.map(|why| format!("\n{why}")).unwrap_or_default();
    let next = health.next.as_deref();
    let next = next
        .map(|next| format!("\nnext: {next}"))
        .unwrap_or_default();
    json!({
        "text": format!("mlark on {machine}: {} is {state}{before}{why}{next}", health.workspace),
        "machine": machine,
        "workspace": health.workspace,
        "state": state,
        "was": was,
        "health": health,
    })
}
