//! The runs and experiments of a workspace, and what is due to happen to them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::run::Run;
use crate::clock::later;

/// An experiment: a name under which runs are kept.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Its guid, which no two workspaces share.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was archived.
    pub archived: Option<Timestamp>,
}

/// What the service makes of a filter by the time of the last change, which no published client sends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Filters {
    /// It is applied.
    #[default]
    Applied,
    /// All runs come.
    Ignored,
    /// It is refused.
    Refused,
    /// No run has such a field, so none comes.
    MatchNothing,
    /// The list of the runs of this experiment is refused, whatever the filter.
    Denied(String),
}

/// The runs of a workspace and what is due to happen to them.
#[derive(Debug, Default)]
pub struct History {
    /// What a list makes of a filter by the time of the last change.
    pub filters: Filters,
    salt: u64,
    runs: BTreeMap<String, Run>,
    experiments: BTreeMap<String, Experiment>,
    due: BTreeMap<(Timestamp, u64), (String, String)>,
    next_due: u64,
    next_number: u64,
}

impl History {
    /// An empty history whose guids differ from those of any other salt.
    pub fn new(salt: u64) -> Self {
        Self {
            salt,
            ..Self::default()
        }
    }

    /// The run of that id.
    pub fn run(&self, run_id: &str) -> Option<&Run> {
        self.runs.get(run_id)
    }

    /// The same, to change it.
    pub fn run_mut(&mut self, run_id: &str) -> Option<&mut Run> {
        self.runs.get_mut(run_id)
    }

    /// Every run in order of id.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    /// The runs below one, oldest first.
    pub fn children(&self, run_id: &str) -> Vec<&Run> {
        let mut children: Vec<&Run> = self
            .runs
            .values()
            .filter(|run| run.parent.as_deref() == Some(run_id))
            .collect();
        children.sort_by_key(|run| run.number);
        children
    }

    /// Puts a run in, in place of one of the same id. A new one gets a number and a guid; its experiment is made.
    pub fn insert(&mut self, mut run: Run) {
        match self.runs.get(&run.run_id) {
            Some(old) => {
                run.number = old.number;
                run.uuid.clone_from(&old.uuid);
            }
            None => {
                self.next_number += 1;
                run.number = self.next_number;
                run.uuid = self.guid("run", &run.run_id);
            }
        }
        let created = run.created.unwrap_or_default();
        self.ensure_experiment(&run.experiment, created);
        self.runs.insert(run.run_id.clone(), run);
    }

    /// Takes a run out.
    pub fn remove(&mut self, run_id: &str) -> Option<Run> {
        self.hold(run_id);
        self.runs.remove(run_id)
    }

    /// Starts a run, as the PUT of a job does: it is `Starting` now, `Running` and `Completed` after `pace` and twice
    /// `pace`.
    pub fn start(&mut self, mut run: Run, now: Timestamp, pace: Duration) {
        run.created.get_or_insert(now);
        run.set_status("Starting", now);
        self.plan(&run.run_id, "Running", later(now, pace));
        self.plan(&run.run_id, "Completed", later(now, pace * 2));
        self.insert(run);
    }

    /// Lets a run reach `status` at a moment to come.
    pub fn plan(&mut self, run_id: &str, status: &str, at: Timestamp) {
        self.next_due += 1;
        self.due
            .insert((at, self.next_due), (run_id.to_owned(), status.to_owned()));
    }

    /// Drops what was planned for a run, so that its status stays.
    pub fn hold(&mut self, run_id: &str) {
        self.due.retain(|_, (due, _)| due != run_id);
    }

    /// Lets everything happen that is due by `now`, and returns the runs that thereby completed, with when.
    pub fn advance(&mut self, now: Timestamp) -> Vec<(String, Timestamp)> {
        let mut completed = Vec::new();
        while let Some(entry) = self.due.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let at = entry.key().0;
            let (run_id, status) = entry.remove();
            if let Some(run) = self.runs.get_mut(&run_id).filter(|run| !run.is_terminal()) {
                run.set_status(&status, at);
                if status == "Completed" {
                    completed.push((run_id, at));
                }
            }
        }
        completed
    }

    /// An experiment by name.
    pub fn experiment(&self, name: &str) -> Option<&Experiment> {
        self.experiments.get(name)
    }

    /// The same, to change it.
    pub fn experiment_mut(&mut self, name: &str) -> Option<&mut Experiment> {
        self.experiments.get_mut(name)
    }

    /// An experiment by id.
    pub fn experiment_by_id(&self, id: &str) -> Option<&Experiment> {
        self.experiments.values().find(|it| it.id == id)
    }

    /// All experiments by name.
    pub fn experiments(&self) -> impl Iterator<Item = &Experiment> {
        self.experiments.values()
    }

    /// The experiment of that name, made where there is none.
    pub fn ensure_experiment(&mut self, name: &str, at: Timestamp) -> &mut Experiment {
        let id = self.guid("experiment", name);
        self.experiments
            .entry(name.to_owned())
            .or_insert_with(|| Experiment {
                id,
                name: name.to_owned(),
                description: None,
                tags: BTreeMap::new(),
                created: at,
                archived: None,
            })
    }

    /// Takes an experiment out; the caller has checked that it has no runs.
    pub fn remove_experiment(&mut self, name: &str) {
        self.experiments.remove(name);
    }

    /// A guid in form that depends on the salt, a word and a name alone.
    fn guid(&self, word: &str, name: &str) -> String {
        let digest = Sha256::digest(format!("{}/{word}/{name}", self.salt));
        let text = hex::encode(digest);
        format!(
            "{}-{}-4{}-8{}-{}",
            &text[..8],
            &text[8..12],
            &text[13..16],
            &text[17..20],
            &text[20..32]
        )
    }
}
