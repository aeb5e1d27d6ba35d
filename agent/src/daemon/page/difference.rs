//! What differs between a snapshot and the one before it: the first so many items, and how to see all.

use archive_format::diff::Change;
use archive_format::{ItemDifference, SnapshotRecord};
use futures::TryStreamExt;

use super::frame;
use super::markup::{Html, Link};
use super::route::Refusal;
use super::view::View;
use crate::ui::amount;

/// How many items are shown.
const SHOWN: usize = 100;
/// How many files of an item.
const FILES: usize = 10;

/// Differences, as many as are shown.
pub(super) struct Differences {
    items: Vec<ItemDifference>,
    more: bool,
}

/// Reads them.
pub(super) async fn read(
    view: &View,
    before: &SnapshotRecord,
    after: &SnapshotRecord,
) -> Result<Differences, Refusal> {
    let (before, after) = (
        view.repository.snapshot(before),
        view.repository.snapshot(after),
    );
    let mut found = archive_format::diff(&before, &after);
    let mut items = Vec::new();
    while let Some(mut difference) = found.try_next().await? {
        if items.len() == SHOWN {
            return Ok(Differences { items, more: true });
        }
        // One more than is shown tells that there are more.
        difference.files.truncate(FILES + 1);
        items.push(difference);
    }
    Ok(Differences { items, more: false })
}

impl Differences {
    /// Draws them.
    pub(super) fn draw(&self, html: &mut Html, before: &SnapshotRecord, after: &SnapshotRecord) {
        let link = Link::of_snapshot(&before.id.to_string(), "", &[]);
        html.element("p", &[("class", "quiet")], |html| {
            html.text("Compared with ");
            html.link(&link, |html| html.text(&amount::moment(before.started)));
        });
        if self.items.is_empty() {
            html.words("p", "", "Nothing: both hold the same.");
            return;
        }
        html.table(
            "Items that are not the same in both",
            &["change", "item", "what"],
            |html| {
                for item in &self.items {
                    html.element("tr", &[], |html| {
                        change(html, item.change);
                        html.element("td", &[], |html| self.draw_item(html, before, after, item));
                        html.element("td", &[], |html| parts(html, item));
                    });
                }
            },
        );
        if self.more {
            frame::next_step(html, &format!("mlark diff {} {}", before.id, after.id));
        }
    }

    fn draw_item(
        &self,
        html: &mut Html,
        before: &SnapshotRecord,
        after: &SnapshotRecord,
        item: &ItemDifference,
    ) {
        let holder = if item.change == Change::Removed {
            before
        } else {
            after
        };
        let key = &item.item;
        let link = Link::of_item(&holder.id.to_string(), key, None);
        html.link(&link, |html| html.name(&key.to_string()));
    }
}

fn change(html: &mut Html, change: Change) {
    let (class, sign) = match change {
        Change::Added => ("change added", "+ "),
        Change::Removed => ("change removed", "− "),
        Change::Changed => ("change changed", "~ "),
    };
    html.element("td", &[("class", class)], |html| {
        html.text(sign);
        html.text(change.as_str());
    });
}

/// Of an item that came or went whole nothing more is told.
fn parts(html: &mut Html, item: &ItemDifference) {
    if item.change != Change::Changed {
        return;
    }
    html.element("ul", &[("class", "parts")], |html| {
        for document in &item.documents {
            let text = format!("document {} {}", document.form, document.change().as_str());
            html.words("li", "", &text);
        }
        for file in item.files.iter().take(FILES) {
            let size =
                |state: Option<u64>| state.map_or_else(|| "nothing".to_owned(), amount::size);
            let before = size(file.before.as_ref().map(|state| state.size));
            let after = size(file.after.as_ref().map(|state| state.size));
            html.element("li", &[], |html| {
                html.name(&file.path);
                html.text(&format!(" {}: {before} → {after}", file.change().as_str()));
            });
        }
        if item.files.len() > FILES {
            html.words("li", "", "and more files");
        }
    });
}
