//! The page of a snapshot: what it holds by kind, as the way into its tree, and what differs from the one before.

use archive_format::{SnapshotId, SnapshotRecord};

use super::markup::{Html, Link};
use super::route::Refusal;
use super::timeline::{Sort, last_of_runs};
use super::view::View;
use super::{difference, frame};
use crate::ui::amount;

/// How many snapshots a list shows.
const LISTED: usize = 15;

/// A snapshot among those of its workspace.
pub(super) struct Found {
    /// It.
    pub(super) record: SnapshotRecord,
    /// The one of the run before.
    pub(super) before: Option<SnapshotRecord>,
    /// The one after it.
    after: Option<SnapshotId>,
}

/// Finds a snapshot by its whole id.
pub(super) async fn find(view: &View, id: &str) -> Result<Found, Refusal> {
    let id: SnapshotId = id.parse().map_err(|_| Refusal::Unknown)?;
    let history = view.repository.history().await?;
    let record = history
        .iter()
        .find(|record| record.id == id)
        .cloned()
        .ok_or(Refusal::Unknown)?;
    let own: Vec<SnapshotRecord> = history
        .into_iter()
        .filter(|other| {
            other.workspace == record.workspace && (other.run != record.run || other.id == id)
        })
        .collect();
    let mut row: Vec<&SnapshotRecord> = last_of_runs(&own).collect();
    let place = row.iter().position(|other| other.id == id);
    let after = place
        .and_then(|place| row.get(place + 1))
        .map(|next| next.id);
    row.truncate(place.unwrap_or_default());
    let before = row.last().map(|before| (*before).clone());
    Ok(Found {
        record,
        before,
        after,
    })
}

/// Makes the page.
pub(super) async fn page(view: &View, id: &str) -> Result<String, Refusal> {
    let found = find(view, id).await?;
    let accepted = view.repository.accepted().await?;
    let differences = match &found.before {
        Some(before) => Some(difference::read(view, before, &found.record).await?),
        None => None,
    };
    let record = &found.record;
    let title = format!("{} · {}", record.workspace, amount::moment(record.started));
    Ok(frame::page(view, &title, &[], |html| {
        html.element("section", &[("class", "card")], |html| {
            html.element("h1", &[], |html| {
                html.name(&record.workspace);
                html.text(&format!(" {} ", amount::moment(record.started)));
                outcome(html, Sort::of(record, &accepted));
            });
            facts(html, record);
            neighbours(html, &found);
            if Sort::of(record, &accepted) == Sort::Suspect {
                frame::next_step(
                    html,
                    &format!(
                        "look at the workspace; if it is right: mlark snapshots accept {}",
                        record.id
                    ),
                );
            }
        });
        html.element("section", &[("class", "card")], |html| {
            html.words("h2", "", "What it holds");
            kinds(html, record);
        });
        html.element("section", &[("class", "card")], |html| {
            html.words("h2", "", "What differs from the one before");
            match (&found.before, &differences) {
                (Some(before), Some(differences)) => differences.draw(html, before, record),
                _ => html.words("p", "quiet", "It is the first that is kept."),
            }
        });
    }))
}

fn neighbours(html: &mut Html, found: &Found) {
    html.element("p", &[("class", "neighbours")], |html| {
        if let Some(before) = &found.before {
            html.link(
                &Link::of_snapshot(&before.id.to_string(), "", &[]),
                |html| html.text("← the one before"),
            );
            html.text(" ");
        }
        if let Some(after) = &found.after {
            html.link(&Link::of_snapshot(&after.to_string(), "", &[]), |html| {
                html.text("the one after →")
            });
        }
    });
}

fn facts(html: &mut Html, record: &SnapshotRecord) {
    let took = record
        .finished
        .duration_since(record.started)
        .unsigned_abs();
    html.element("dl", &[("class", "facts")], |html| {
        html.fact("id", |html| html.words("code", "", &record.id.to_string()));
        html.fact("took", |html| html.text(&amount::span(took)));
        html.fact("items", |html| {
            html.text(&amount::count(record.item_count()))
        });
        html.fact("files", |html| {
            html.text(&amount::count(
                record.files.read.saturating_add(record.files.unchanged),
            ))
        });
        html.fact("size", |html| html.text(&amount::size(record.bytes.listed)));
        html.fact("read", |html| html.text(&amount::size(record.bytes.read)));
        html.fact("added", |html| {
            html.text(&amount::size(record.bytes.stored))
        });
        html.fact("gaps", |html| html.text(&amount::count(gaps(record))));
        if !record.tags.is_empty() {
            html.fact("tags", |html| html.name(&record.tags.join(", ")));
        }
        html.fact("written by", |html| html.text(&record.program));
    });
}

/// Its gaps, of items and files.
fn gaps(record: &SnapshotRecord) -> u64 {
    let items = record.items.values().map(|counts| counts.failed);
    items.fold(record.files.failed, u64::saturating_add)
}

/// How it went, as a sign with a word.
pub(super) fn outcome(html: &mut Html, sort: Sort) {
    let class = match sort {
        Sort::Complete | Sort::Accepted => "badge good",
        Sort::Suspect | Sort::Partial => "badge late",
        _ => "badge bad",
    };
    html.words("span", class, sort.word());
}

/// What it holds by kind; each kind leads into the tree.
pub(super) fn kinds(html: &mut Html, record: &SnapshotRecord) {
    let id = record.id.to_string();
    html.table(
        "Items of the snapshot by kind",
        &[
            "kind",
            "#stored",
            "#new",
            "#gaps",
            "#known gaps",
            "#excluded",
        ],
        |html| {
            let kinds = record.items.iter().filter(|(_, counts)| counts.listed > 0);
            for (kind, counts) in kinds {
                html.element("tr", &[], |html| {
                    html.element("th", &[("scope", "row")], |html| {
                        html.link(
                            &Link::of_snapshot(&id, "/items", &[("kind", kind)]),
                            |html| html.name(kind),
                        );
                    });
                    let stored = counts.saved.saturating_add(counts.unchanged);
                    for number in [stored, counts.saved] {
                        html.number(&amount::count(number));
                    }
                    let class = if counts.failed > 0 {
                        "number trouble"
                    } else {
                        "number"
                    };
                    html.words("td", class, &amount::count(counts.failed));
                    for number in [counts.known, counts.excluded] {
                        html.number(&amount::count(number));
                    }
                });
            }
        },
    );
}

/// The newest snapshots, the newest first.
pub(super) fn list(html: &mut Html, records: &[SnapshotRecord], accepted: &[SnapshotId]) {
    html.table(
        "Snapshots, the newest first",
        &["begun", "outcome", "#items", "#gaps", "#size", "#added"],
        |html| {
            for record in records.iter().rev().take(LISTED) {
                html.element("tr", &[], |html| {
                    html.element("th", &[("scope", "row")], |html| {
                        html.link(
                            &Link::of_snapshot(&record.id.to_string(), "", &[]),
                            |html| html.text(&amount::moment(record.started)),
                        );
                    });
                    html.element("td", &[], |html| outcome(html, Sort::of(record, accepted)));
                    html.number(&amount::count(record.item_count()));
                    html.number(&amount::count(gaps(record)));
                    html.number(&amount::size(record.bytes.listed));
                    html.number(&amount::size(record.bytes.stored));
                });
            }
        },
    );
}
