//! A snapshot's tree, one level at a time and so many rows a page: of a kind the items by name, of a share or folder what
//! lies right below a directory. What lies deeper is passed over, not read.

use std::collections::BTreeSet;

use archive_format::{EntryKind, Line, LineKey, SnapshotReader};
use futures::TryStreamExt;
use workspace::{Content, Kind};

use super::frame;
use super::markup::{Html, Link};
use super::route::{Query, Refusal};
use super::snapshot::find;
use super::view::View;
use crate::ui::amount;

/// How many rows a page has.
const ROWS: usize = 500;
/// The character right behind `/`: what begins with a directory's name and this comes after all that is in it.
const AFTER_SLASH: char = '0';

/// A row.
enum Row {
    /// A directory, by its name within the one that is shown.
    Folder(String),
    /// An item.
    Item(Counted),
}

/// An item, and what its lines say together.
struct Counted {
    key: LineKey,
    documents: usize,
    files: usize,
    bytes: u64,
    gaps: usize,
}

impl Counted {
    fn add(&mut self, line: &Line) {
        self.documents += line.documents.len();
        self.files += line.files.len();
        self.gaps += line.gaps.len();
        let bytes = line.files.iter().map(|file| file.size());
        self.bytes = bytes.fold(self.bytes, u64::saturating_add);
    }
}

/// One page of a level.
struct Level {
    rows: Vec<Row>,
    /// Where the next page begins.
    next: Option<LineKey>,
}

/// Makes the page.
pub(super) async fn page(view: &View, id: &str, query: &Query<'_>) -> Result<String, Refusal> {
    let record = find(view, id).await?.record;
    let kind = query.get("kind").ok_or(Refusal::Unknown)?;
    let under = query.get("under").unwrap_or_default();
    let from = LineKey::new(
        kind,
        query.get("from").unwrap_or(under),
        query.get("version"),
    );
    let reader = view.repository.snapshot(&record);
    let level = match is_tree(kind) {
        true => below(&reader, from, under).await?,
        false => flat(&reader, from).await?,
    };
    let id = record.id.to_string();
    let back = way_back(&id, &record.workspace, kind, under);
    let title = format!("{kind} {under} · {}", record.workspace);
    Ok(frame::page(view, &title, &back, |html| {
        html.element("section", &[("class", "card")], |html| {
            html.element("h1", &[], |html| {
                html.name(if under.is_empty() { kind } else { under })
            });
            let about = format!("In the snapshot of {}", amount::moment(record.started));
            html.words("p", "quiet", &about);
            draw(html, &level, &id, kind, under);
        });
    }))
}

/// Whether items of the kind are entries of a share or folder.
fn is_tree(kind: &str) -> bool {
    Kind::find(kind).is_some_and(|kind| matches!(kind.content, Content::Share | Content::Folder))
}

/// The steps back to the snapshot.
pub(super) fn way_back<'a>(
    id: &str,
    workspace: &'a str,
    kind: &'a str,
    under: &'a str,
) -> Vec<(&'a str, Link)> {
    let mut back = vec![
        (workspace, Link::of_snapshot(id, "", &[])),
        (kind, Link::of_snapshot(id, "/items", &[("kind", kind)])),
    ];
    for (end, _) in under.match_indices('/') {
        let path = &under[..=end];
        let name = path[..end].rsplit('/').next().unwrap_or(path);
        back.push((
            name,
            Link::of_snapshot(id, "/items", &[("kind", kind), ("under", path)]),
        ));
    }
    back
}

async fn flat(reader: &SnapshotReader, from: LineKey) -> Result<Level, Refusal> {
    let mut lines = reader.lines_from(from);
    let mut level = Level {
        rows: Vec::new(),
        next: None,
    };
    while let Some(line) = lines.try_next().await? {
        if !level.take(&line) {
            break;
        }
    }
    Ok(level)
}

async fn below(reader: &SnapshotReader, from: LineKey, under: &str) -> Result<Level, Refusal> {
    let kind = from.kind.clone();
    let mut lines = reader.lines_from(from);
    let mut level = Level {
        rows: Vec::new(),
        next: None,
    };
    let mut folders = BTreeSet::new();
    while let Some(line) = lines.try_next().await? {
        let Some(rest) = line.name.strip_prefix(under) else {
            break;
        };
        let deeper = rest.split_once('/').map(|(folder, _)| folder);
        let folder = match deeper {
            Some(folder) => Some(folder),
            None => Some(rest).filter(|_| is_directory(&line)),
        };
        match folder {
            Some(folder) if folders.contains(folder) => {}
            Some(_) if level.rows.len() == ROWS => {
                level.next = Some(line.key());
                break;
            }
            Some(folder) => {
                folders.insert(folder.to_owned());
                level.rows.push(Row::Folder(folder.to_owned()));
            }
            None if !level.take(&line) => break,
            None => {}
        }
        if let Some(folder) = deeper {
            let after = format!("{under}{folder}{AFTER_SLASH}");
            lines = reader.lines_from(LineKey::new(kind.clone(), after, None::<String>));
        }
    }
    Ok(level)
}

fn is_directory(line: &Line) -> bool {
    line.files
        .first()
        .is_some_and(|file| file.entry == EntryKind::Directory)
}

impl Level {
    /// Takes an item's line; false where the page is full.
    fn take(&mut self, line: &Line) -> bool {
        let key = line.key();
        if let Some(Row::Item(open)) = self.rows.last_mut()
            && open.key.same_item(&key)
        {
            open.add(line);
            return true;
        }
        if self.rows.len() == ROWS {
            self.next = Some(key);
            return false;
        }
        let mut item = Counted {
            key,
            documents: 0,
            files: 0,
            bytes: 0,
            gaps: 0,
        };
        item.add(line);
        self.rows.push(Row::Item(item));
        true
    }
}

fn draw(html: &mut Html, level: &Level, id: &str, kind: &str, under: &str) {
    if level.rows.is_empty() {
        html.words("p", "", "Nothing is here.");
        return;
    }
    html.table(
        "What is here",
        &["name", "#files", "#documents", "#size", "#gaps"],
        |html| {
            for row in &level.rows {
                html.element("tr", &[], |html| match row {
                    Row::Folder(name) => folder(html, id, kind, under, name),
                    Row::Item(counted) => item(html, id, under, counted),
                });
            }
        },
    );
    if let Some(next) = &level.next {
        let version = next.version.as_deref().unwrap_or_default();
        let link = Link::of_snapshot(
            id,
            "/items",
            &[
                ("kind", kind),
                ("under", under),
                ("from", &next.name),
                ("version", version),
            ],
        );
        html.element("p", &[("class", "more")], |html| {
            html.link(&link, |html| html.text("more →"))
        });
    }
}

fn folder(html: &mut Html, id: &str, kind: &str, under: &str, name: &str) {
    let path = format!("{under}{name}/");
    let link = Link::of_snapshot(id, "/items", &[("kind", kind), ("under", &path)]);
    html.element("th", &[("scope", "row")], |html| {
        html.link(&link, |html| html.name(&format!("{name}/")))
    });
    html.element("td", &[("colspan", "4"), ("class", "quiet")], |html| {
        html.text("directory")
    });
}

fn item(html: &mut Html, id: &str, under: &str, counted: &Counted) {
    let key = &counted.key;
    let version = key.version.as_deref().unwrap_or_default();
    let link = Link::of_item(id, key, None);
    let shown = key.name.strip_prefix(under).unwrap_or(&key.name);
    html.element("th", &[("scope", "row")], |html| {
        html.link(&link, |html| {
            html.name(shown);
            if !version.is_empty() {
                html.text(":");
                html.name(version);
            }
        });
    });
    html.number(&amount::count(counted.files as u64));
    html.number(&amount::count(counted.documents as u64));
    html.number(&amount::size(counted.bytes));
    let class = if counted.gaps > 0 {
        "number trouble"
    } else {
        "number"
    };
    html.words("td", class, &amount::count(counted.gaps as u64));
}
