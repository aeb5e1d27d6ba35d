//! The first page, for three in the morning: is there a good backup of everything, how old, what to type next. Below, each
//! workspace; at the end restores under way and the repository itself.

use std::fmt::Write as _;

use archive_format::log::Drill;
use archive_format::{Said, SnapshotRecord};
use restore::journal::JOURNAL_FILE;
use restore::{Journal, Restoration};

use super::markup::{Html, Link};
use super::route::Refusal;
use super::view::View;
use super::{frame, plot, workspace};
use crate::command::drill::evidence;
use crate::command::status::healths;
use crate::failure::Failure;
use crate::health::{Health, State};
use crate::part;
use crate::ui::amount;

/// How many restores are shown.
const RESTORES: usize = 10;

/// Everything that the page shows.
struct Overview<'a> {
    view: &'a View,
    healths: Vec<Health>,
    records: Vec<SnapshotRecord>,
    sections: Vec<workspace::Section>,
    restores: Vec<Restoration>,
    stored: u64,
    /// The newest of each workspace.
    drills: Vec<Said<Drill>>,
}

/// Makes the page.
pub(super) async fn page(view: &View) -> Result<String, Refusal> {
    let repository = &view.repository;
    let records = repository.history().await?;
    let healths = healths(&view.session, repository, &records).await?;
    let accepted = repository.accepted().await?;
    let mut sections = Vec::with_capacity(healths.len());
    for health in &healths {
        sections.push(workspace::Section::read(view, health, &records, &accepted).await?);
    }
    let overview = Overview {
        view,
        healths,
        records,
        sections,
        restores: restores(view).await?,
        stored: repository.stored_bytes().await?,
        drills: evidence::newest(repository).await?.into_values().collect(),
    };
    let title = overview.verdict().1;
    Ok(frame::page(
        view,
        &format!("{title} · mlark"),
        &[],
        |html| overview.draw(html),
    ))
}

/// The restores of this machine that are under way, or were cut off, then the others.
async fn restores(view: &View) -> Result<Vec<Restoration>, Refusal> {
    let folder = view.session.repository_cache(&view.repository)?;
    let file = folder.join(JOURNAL_FILE);
    // A page makes nothing, so that no journal is made either.
    if !tokio::fs::try_exists(&file).await.unwrap_or(false) {
        return Ok(Vec::new());
    }
    let refused = |error| Refusal::Failed(Failure::of_restore(&error));
    let journal = Journal::open(&folder).await.map_err(refused)?;
    let mut restores = journal.restorations().await.map_err(refused)?;
    restores.sort_by_key(|restore| restore.outcome.is_some());
    restores.truncate(RESTORES);
    Ok(restores)
}

impl Overview<'_> {
    /// The worst state, and all in one sentence.
    fn verdict(&self) -> (State, String) {
        let bad = self
            .healths
            .iter()
            .filter(|health| !health.state.is_well())
            .count();
        let worst = State::ALL
            .into_iter()
            .rev()
            .find(|state| self.healths.iter().any(|health| health.state == *state));
        let many = self.healths.len();
        match (worst, bad, many) {
            (None, ..) => (State::Never, "Nothing is backed up yet".to_owned()),
            (Some(worst), 0, 1) => (worst, "The backup is good".to_owned()),
            (Some(worst), 0, many) => (worst, format!("All {many} workspaces have a good backup")),
            (Some(worst), 1, 1) => (worst, "The backup needs you".to_owned()),
            (Some(worst), bad, many) => (worst, format!("{bad} of {many} workspaces need you")),
        }
    }

    fn draw(&self, html: &mut Html) {
        let (worst, sentence) = self.verdict();
        html.element("section", &[("class", banner(worst))], |html| {
            html.words("h1", "", &sentence);
            self.draw_summary(html);
        });
        for (number, (health, section)) in self.healths.iter().zip(&self.sections).enumerate() {
            section.draw(html, self.view, health, number);
        }
        self.draw_restores(html);
        self.draw_repository(html);
    }

    /// A line for each workspace: state, age, what to type.
    fn draw_summary(&self, html: &mut Html) {
        if self.healths.is_empty() {
            frame::next_step(
                html,
                "add a [[workspace]] to the configuration, then `mlark backup`",
            );
            return;
        }
        html.element("ul", &[("class", "summary")], |html| {
            for (number, health) in self.healths.iter().enumerate() {
                html.element("li", &[], |html| {
                    workspace::badge(html, health.state);
                    html.text(" ");
                    html.link(&Link::place(number), |html| html.name(&health.workspace));
                    html.text(" ");
                    html.words("span", "", &self.about(health));
                    if let Some(next) = health
                        .next
                        .as_deref()
                        .filter(|_| health.state != State::Good)
                    {
                        frame::next_step(html, next);
                    }
                });
            }
        });
    }

    fn about(&self, health: &Health) -> String {
        let mut text = match &health.last_good {
            Some(good) => format!("last good {}", amount::age(good.time, self.view.now)),
            None => "no good backup".to_owned(),
        };
        if health.gaps > 0 {
            let _ = write!(text, ", {} missing", amount::count(health.gaps));
        }
        text
    }

    fn draw_restores(&self, html: &mut Html) {
        if self.restores.is_empty() {
            return;
        }
        html.element("section", &[("class", "card")], |html| {
            html.words("h2", "", "Restores");
            html.table(
                "Restores of this machine",
                &[
                    "state", "target", "started", "#steps", "#done", "#failed", "snapshot",
                ],
                |html| {
                    for restore in &self.restores {
                        html.element("tr", &[], |html| {
                            html.cell(
                                restore
                                    .outcome
                                    .as_deref()
                                    .unwrap_or("under way, or cut off"),
                            );
                            html.element("td", &[], |html| html.name(&restore.target));
                            html.cell(&amount::moment(restore.started));
                            html.number(&amount::count(restore.steps));
                            html.number(&amount::count(restore.done));
                            html.number(&amount::count(restore.failed));
                            html.cell(&restore.snapshot);
                        });
                    }
                },
            );
        });
    }

    fn draw_repository(&self, html: &mut Html) {
        let repository = &self.view.repository;
        let part = part::of(repository);
        html.element("section", &[("class", "card")], |html| {
            html.words("h2", "", "Repository");
            html.element("dl", &[("class", "facts")], |html| {
                html.fact("place", |html| html.text(&repository.storage().describe()));
                html.fact("stored", |html| html.text(&amount::size(self.stored)));
                html.fact("snapshots", |html| {
                    html.text(&amount::count(self.records.len() as u64))
                });
                if let Some(saved) = plot::saved(&self.records, self.stored) {
                    html.fact("saved", |html| html.text(&saved));
                }
                for drill in &self.drills {
                    html.fact("drill", |html| {
                        html.text(&evidence::line(drill, self.view.now))
                    });
                }
                html.fact("this machine", |html| {
                    html.text(&format!("{}: {}", part.part, part.theft))
                });
            });
        });
    }
}

fn banner(state: State) -> &'static str {
    match state {
        State::Good | State::Gone => "banner good",
        State::Failing | State::Suspect => "banner late",
        State::Late | State::Never => "banner bad",
    }
}
