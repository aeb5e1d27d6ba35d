//! An item of a snapshot: its gaps, its files so many at a time, and its documents where this machine opens contents, with
//! what looks like a secret masked as `mlark show` masks it.

use archive_format::{DocumentEntry, EntryKind, FileEntry, GapEntry, LineKey, SnapshotRecord};
use futures::TryStreamExt;

use super::markup::{Html, Link, cut};
use super::route::{Query, Refusal};
use super::view::View;
use super::{frame, snapshot, tree};
use crate::command::show::mask::mask;
use crate::ui::amount;

/// How many files a page has.
const FILES: usize = 500;
/// How many gaps.
const GAPS: usize = 100;
/// How many documents.
const DOCUMENTS: usize = 8;
/// A larger document is not shown, in bytes.
const DOCUMENT_BYTES_MAX: u64 = 1 << 20;

/// An item, as much of it as a page shows.
#[derive(Default)]
struct Shown {
    found: bool,
    documents: Vec<(DocumentEntry, Text)>,
    gaps: Vec<GapEntry>,
    files: Vec<FileEntry>,
    /// Where the next page of files begins.
    next: Option<u64>,
}

/// A document's text.
enum Text {
    Open(String),
    /// Why it is not shown.
    Closed(&'static str),
}

/// Makes the page.
pub(super) async fn page(view: &View, id: &str, query: &Query<'_>) -> Result<String, Refusal> {
    let record = snapshot::find(view, id).await?.record;
    let kind = query.get("kind").ok_or(Refusal::Unknown)?;
    let name = query.get("name").ok_or(Refusal::Unknown)?;
    let key = LineKey::new(kind, name, query.get("version"));
    let from = match query.get("from") {
        Some(from) => from.parse().map_err(|_| Refusal::Unknown)?,
        None => 0,
    };
    let shown = read(view, &record, &key, from).await?;
    if !shown.found {
        return Err(Refusal::Unknown);
    }
    let id = record.id.to_string();
    let under = name.rfind('/').map_or("", |end| &name[..=end]);
    let back = tree::way_back(&id, &record.workspace, kind, under);
    let title = format!("{} · {}", cut(&key.to_string()), record.workspace);
    Ok(frame::page(view, &title, &back, |html| {
        html.element("section", &[("class", "card")], |html| {
            html.element("h1", &[], |html| html.name(&key.to_string()));
            html.words(
                "p",
                "quiet",
                &format!("In the snapshot of {}", amount::moment(record.started)),
            );
            if let Some(word) = shell_word(&key.to_string()) {
                frame::next_step(html, &format!("mlark show {id} {word}"));
            }
            gaps(html, &shown.gaps);
            for (entry, text) in &shown.documents {
                document(html, entry, text);
            }
            files(html, &shown, &id, &key);
        });
    }))
}

async fn read(
    view: &View,
    record: &SnapshotRecord,
    key: &LineKey,
    from: u64,
) -> Result<Shown, Refusal> {
    let reader = view.repository.snapshot(record);
    let mut lines = reader.lines_of_item(key);
    let mut shown = Shown::default();
    let mut entries = Vec::new();
    let mut place = 0;
    while let Some(line) = lines.try_next().await? {
        shown.found = true;
        entries.extend(line.documents);
        shown.gaps.extend(
            line.gaps
                .into_iter()
                .take(GAPS.saturating_sub(shown.gaps.len())),
        );
        for file in line.files {
            if place >= from && shown.files.len() < FILES {
                shown.files.push(file);
            } else if place >= from {
                shown.next.get_or_insert(place);
            }
            place += 1;
        }
        if shown.next.is_some() {
            break;
        }
    }
    for entry in entries.into_iter().take(DOCUMENTS) {
        let text = if view.repository.contents_lack().is_some() {
            Text::Closed("This machine has no owner's key, and cannot open it.")
        } else if entry.size > DOCUMENT_BYTES_MAX {
            Text::Closed("It is too large for this page.")
        } else {
            let mut document = reader.document(&entry).await?;
            mask(&mut document);
            Text::Open(format!("{document:#}"))
        };
        shown.documents.push((entry, text));
    }
    Ok(shown)
}

fn gaps(html: &mut Html, gaps: &[GapEntry]) {
    if gaps.is_empty() {
        return;
    }
    html.words("h2", "", "Gaps");
    html.element("ul", &[], |html| {
        for gap in gaps {
            html.element("li", &[("class", "trouble")], |html| {
                if let Some(file) = &gap.file {
                    html.name(file);
                    html.text(": ");
                }
                html.text(&cut(&gap.reason));
                html.text(if gap.known { " (known)" } else { "" });
            });
        }
    });
}

fn document(html: &mut Html, entry: &DocumentEntry, text: &Text) {
    html.words("h2", "", &format!("Document {}", cut(&entry.form)));
    let about = format!(
        "{}, api-version {}, read {}",
        amount::size(entry.size),
        cut(&entry.api_version),
        amount::moment(entry.read)
    );
    html.words("p", "quiet", &about);
    match text {
        Text::Closed(why) => html.words("p", "", why),
        Text::Open(text) => {
            let label = format!("Document {}", cut(&entry.form));
            html.element(
                "pre",
                &[("tabindex", "0"), ("role", "group"), ("aria-label", &label)],
                |html| html.lines(text),
            );
        }
    }
}

fn files(html: &mut Html, shown: &Shown, id: &str, key: &LineKey) {
    if shown.files.is_empty() {
        return;
    }
    html.words("h2", "", "Files");
    html.table("Files of the item", &["path", "#size", "SHA-256"], |html| {
        for file in &shown.files {
            html.element("tr", &[], |html| {
                html.element("th", &[("scope", "row")], |html| {
                    html.name(file.path.as_str())
                });
                match &file.entry {
                    EntryKind::File => html.number(&amount::size(file.size())),
                    EntryKind::Directory => html.cell("directory"),
                    EntryKind::Symlink(to) => html.element("td", &[], |html| {
                        html.text("link to ");
                        html.name(to);
                    }),
                }
                let digest = file
                    .content
                    .as_ref()
                    .map(|content| content.sha256.to_string());
                html.element("td", &[], |html| {
                    html.words("code", "digest", &digest.unwrap_or_default())
                });
            });
        }
    });
    if let Some(next) = shown.next {
        let link = Link::of_item(id, key, Some(&next.to_string()));
        html.element("p", &[("class", "more")], |html| {
            html.link(&link, |html| html.text("more files →"))
        });
    }
}

/// A name as one word of a shell, so that nobody who copies a command runs what a name says. None where it has characters
/// that are shown otherwise than they are.
fn shell_word(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+=,-".contains(c);
    if name.chars().all(plain) {
        return Some(name.to_owned());
    }
    if crate::ui::escape::line(name) != name {
        return None;
    }
    Some(format!("'{}'", name.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_copied_runs_nothing_that_a_name_says() {
        assert_eq!(
            shell_word("models/churn:3").as_deref(),
            Some("models/churn:3")
        );
        assert_eq!(
            shell_word("files/a';reboot;'").as_deref(),
            Some("'files/a'\\'';reboot;'\\'''")
        );
        assert_eq!(
            shell_word("files/$(reboot)").as_deref(),
            Some("'files/$(reboot)'")
        );
        assert_eq!(shell_word("files/a\nreboot"), None);
    }
}
