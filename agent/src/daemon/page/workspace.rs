//! One workspace on the first page: how old its last good backup is against the schedule, its timeline, what is missing
//! and why, what it holds, how it grows.

use std::time::Duration;

use archive_format::{GapSeen, SnapshotId, SnapshotRecord};
use jiff::Timestamp;

use super::markup::{Html, Link, cut};
use super::route::Refusal;
use super::timeline::{History, Mark};
use super::view::View;
use super::{frame, plot, snapshot, timeline};
use crate::health::{Health, State};
use crate::ui::amount;

/// How many runs are looked at.
const RUNS: u32 = 100;
/// How many gaps are shown.
const GAPS: u32 = 20;

/// What is shown of a workspace.
pub(super) struct Section {
    marks: Vec<Mark>,
    gaps: Vec<GapSeen>,
    records: Vec<SnapshotRecord>,
    accepted: Vec<SnapshotId>,
    /// The pattern of the schedule, and how far apart its runs are now.
    schedule: Option<(String, Option<Duration>)>,
    next: Option<Timestamp>,
}

impl Section {
    /// Reads it.
    pub(super) async fn read(
        view: &View,
        health: &Health,
        records: &[SnapshotRecord],
        accepted: &[SnapshotId],
    ) -> Result<Self, Refusal> {
        let name = &health.workspace;
        let catalogue = view.repository.catalogue();
        let records: Vec<SnapshotRecord> = records
            .iter()
            .filter(|record| record.workspace == *name)
            .cloned()
            .collect();
        let runs = catalogue.runs(Some(name), RUNS).await?;
        let gaps = catalogue.newest_gaps(name, GAPS).await?;
        let schedule = view.session.schedule(name)?;
        let delay = view.plans.delay(name);
        let history = History {
            records: &records,
            accepted,
            runs: &runs,
            schedule: schedule.as_ref().map(|schedule| (schedule, delay)),
            running: view.plans.running.contains(name),
            late: health.state == State::Late,
            now: view.now,
        };
        let marks = history.marks();
        let schedule = schedule.map(|schedule| {
            let due = schedule.last_before(view.now);
            let interval = due
                .and_then(|due| Some(schedule.next_after(due)?.duration_since(due).unsigned_abs()));
            (schedule.pattern().to_owned(), interval)
        });
        Ok(Self {
            marks,
            gaps,
            accepted: accepted.to_vec(),
            records,
            schedule,
            next: view.plans.next(name).or(health.next_run),
        })
    }

    /// Draws it.
    pub(super) fn draw(&self, html: &mut Html, view: &View, health: &Health, number: usize) {
        let id = format!("workspace-{number}");
        html.element("section", &[("class", "card"), ("id", &id)], |html| {
            html.element("h2", &[], |html| {
                html.name(&health.workspace);
                html.text(" ");
                badge(html, health.state);
            });
            self.draw_age(html, view, health);
            if let Some(why) = &health.last_failure {
                let text = format!(
                    "{} since then; the last: {}",
                    amount::counted(health.failed_runs, "failed run"),
                    cut(why)
                );
                html.words("p", "trouble", &text);
            }
            if let Some(next) = &health.next {
                frame::next_step(html, next);
            }
            html.words("h3", "", "Backups");
            timeline::draw(html, &self.marks);
            self.draw_gaps(html, health);
            if let Some(last) = self.records.last() {
                html.words("h3", "", "Items by kind");
                snapshot::kinds(html, last);
                html.words("h3", "", "Growth and deduplication");
                plot::draw(html, &self.records);
                html.element("details", &[], |html| {
                    html.words("summary", "", "The newest snapshots as a table");
                    snapshot::list(html, &self.records, &self.accepted);
                });
            }
        });
    }

    /// The age of the last good snapshot, and a bar of it against the time between two runs.
    fn draw_age(&self, html: &mut Html, view: &View, health: &Health) {
        html.element("div", &[("class", "age")], |html| {
            match &health.last_good {
                Some(good) => {
                    let link = Link::of_snapshot(&good.id, "", &[]);
                    html.element("p", &[("class", "big")], |html| {
                        html.text("Last good backup ");
                        html.link(&link, |html| html.text(&amount::age(good.time, view.now)));
                    });
                    let what = format!(
                        "{}, {}",
                        amount::moment(good.time),
                        amount::counted(good.items, "item")
                    );
                    html.words("p", "quiet", &what);
                    if let Some((_, Some(interval))) = &self.schedule {
                        let age = view.now.duration_since(good.time).unsigned_abs();
                        meter(html, age, *interval, health.state);
                    }
                }
                None => html.words("p", "big", "There is no good backup"),
            }
            html.words("p", "", &self.coming(view, health));
        });
    }

    fn coming(&self, view: &View, health: &Health) -> String {
        if view.plans.running.contains(&health.workspace) {
            let since = health
                .running_since
                .map(|since| format!(", begun {}", amount::age(since, view.now)));
            return format!("A backup is under way{}.", since.unwrap_or_default());
        }
        match (&self.schedule, self.next) {
            (None, _) => {
                "No schedule: it is backed up when somebody types `mlark backup`.".to_owned()
            }
            (Some((pattern, _)), None) => format!("The schedule `{pattern}` never comes again."),
            (Some((pattern, _)), Some(next)) => format!(
                "Next run {} ({}), by the schedule `{pattern}`.",
                amount::age(next, view.now),
                amount::moment(next)
            ),
        }
    }

    fn draw_gaps(&self, html: &mut Html, health: &Health) {
        html.words("h3", "", "Gaps");
        if self.gaps.is_empty() {
            let words = match health.last {
                Some(_) => "None: everything that was listed is stored.",
                None => "Nothing is known: there was no backup yet.",
            };
            html.words("p", "quiet", words);
            return;
        }
        html.table(
            "Listed and not stored",
            &["what", "reason", "since"],
            |html| {
                for gap in &self.gaps {
                    let part = gap.file.as_deref().map(|file| format!("//{file}"));
                    let known = if gap.known { " (known)" } else { "" };
                    html.element("tr", &[], |html| {
                        html.element("td", &[], |html| {
                            html.name(&format!("{}{}", gap.item, part.unwrap_or_default()))
                        });
                        html.cell(&format!("{}{known}", cut(&gap.reason)));
                        html.cell(&timeline::day(gap.first));
                    });
                }
            },
        );
        if self.gaps.len() >= GAPS as usize {
            frame::next_step(
                html,
                &format!("mlark gaps --workspace {}", health.workspace),
            );
        }
    }
}

/// A state as a sign with a word.
pub(super) fn badge(html: &mut Html, state: State) {
    let class = match state {
        State::Good => "badge good",
        State::Gone => "badge",
        State::Failing | State::Suspect => "badge late",
        State::Late | State::Never => "badge bad",
    };
    let sign = match state {
        State::Good => "✓ ",
        State::Gone => "– ",
        State::Failing | State::Suspect => "! ",
        State::Late | State::Never => "✕ ",
    };
    html.element("span", &[("class", class)], |html| {
        html.text(sign);
        html.text(state.as_str());
    });
}

/// The age as a share of twice the time between two runs; the middle is where the next run should have come.
fn meter(html: &mut Html, age: Duration, interval: Duration, state: State) {
    let share = (age.as_secs_f64() / interval.as_secs_f64().max(1.0) / 2.0).min(1.0);
    let label = format!(
        "{} old; the schedule wants one every {}",
        amount::span(age),
        amount::span(interval)
    );
    let class = match state {
        State::Good | State::Gone => "level good",
        State::Failing | State::Suspect => "level late",
        State::Late | State::Never => "level bad",
    };
    html.element(
        "svg",
        &[
            ("class", "meter"),
            ("viewBox", "0 0 200 8"),
            ("preserveAspectRatio", "none"),
            ("role", "img"),
            ("aria-label", &label),
        ],
        |html| {
            html.element(
                "rect",
                &[("class", "trough"), ("width", "200"), ("height", "8")],
                |_| {},
            );
            html.element(
                "rect",
                &[
                    ("class", class),
                    ("width", &format!("{:.1}", share * 200.0)),
                    ("height", "8"),
                ],
                |_| {},
            );
            html.element(
                "rect",
                &[
                    ("class", "due"),
                    ("x", "99"),
                    ("width", "2"),
                    ("height", "8"),
                ],
                |_| {},
            );
        },
    );
    html.words("p", "quiet", &label);
}
