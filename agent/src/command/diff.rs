//! `mlark diff`: what differs between two snapshots. Names, sizes and digests need no owner's key; field by field does.

mod fields;

use archive_format::diff::{Change, DocumentDifference, FileDifference, FileState};
use archive_format::{ItemDifference, SnapshotReader};
use futures::TryStreamExt;
use serde_json::{Map, Value, json};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Rows, amount};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark diff latest:prod prod@2026-11-01
  mlark diff 01KA3 latest 'models/*'
  mlark diff -p 01KA3 latest models/churn:3")]
pub struct Args {
    /// The snapshot before: an id, a unique prefix, latest, latest:WORKSPACE, WORKSPACE@TIME
    #[arg(value_name = "A")]
    before: String,
    /// The snapshot after
    #[arg(value_name = "B")]
    after: String,
    /// What to compare; everything where none is given
    selector: Vec<String>,
    /// Field by field, where documents changed; needs an owner's identity
    #[arg(short, long)]
    patch: bool,
}

/// How many differences there are.
#[derive(Debug, Default)]
struct Counts {
    added: u64,
    removed: u64,
    changed: u64,
}

impl Counts {
    fn count(&mut self, change: Change) {
        match change {
            Change::Added => self.added += 1,
            Change::Removed => self.removed += 1,
            Change::Changed => self.changed += 1,
        }
    }

    fn value(&self) -> Value {
        json!({ "added": self.added, "removed": self.removed, "changed": self.changed })
    }
}

/// Compares.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let selection = session.selection(&args.selector)?;
    let repository = session.open_repository().await?;
    let before = session.resolve(&repository, &args.before).await?;
    let after = session.resolve(&repository, &args.after).await?;
    let (before, after) = (repository.snapshot(&before), repository.snapshot(&after));
    let mut differences = archive_format::diff(&before, &after);
    let mut rows = session.ui.json().then(|| {
        let head = Map::from_iter([
            ("before".to_owned(), json!(before.record().id.to_string())),
            ("after".to_owned(), json!(after.record().id.to_string())),
        ]);
        Rows::begin(&session.ui, &head, "differences")
    });
    let (mut items, mut files) = (Counts::default(), Counts::default());
    while let Some(found) = differences
        .try_next()
        .await
        .map_err(|error| Failure::of_archive(&error))?
    {
        if session.ui.closed() {
            break;
        }
        let Some(found) = chosen(&selection, found) else {
            continue;
        };
        items.count(found.change);
        for file in &found.files {
            files.count(file.change());
        }
        let fields = match args.patch {
            true => fields::of(&before, &after, &found).await?,
            false => Vec::new(),
        };
        match &mut rows {
            Some(rows) => rows.row(&row(&found, args.patch.then_some(&fields))),
            None => show(session, &found, &fields),
        }
    }
    match rows {
        Some(rows) => {
            let tail = [("items", items.value()), ("files", files.value())];
            rows.end_with(&tail);
        }
        None => sum(session, &items, &files),
    }
    Ok(ExitStatus::Done)
}

/// What the selection takes of a difference. Conditions on documents are not asked: what differs is known by name.
fn chosen(selection: &workspace::Selection, mut found: ItemDifference) -> Option<ItemDifference> {
    if selection.is_everything() {
        return Some(found);
    }
    let id = crate::held::id(&found.item);
    if selection.matches_item(&id, &()) == workspace::Verdict::No {
        return None;
    }
    found.files.retain(|file| {
        workspace::FilePath::new(file.path.as_str())
            .is_ok_and(|path| selection.matches_file(&id, &path, &()) != workspace::Verdict::No)
    });
    Some(found)
}

fn sum(session: &Session, items: &Counts, files: &Counts) {
    let text = |counts: &Counts| {
        format!(
            "{} added, {} removed, {} changed",
            amount::count(counts.added),
            amount::count(counts.removed),
            amount::count(counts.changed)
        )
    };
    session
        .ui
        .line(&format!("Items: {}; files: {}", text(items), text(files)));
}

fn mark(change: Change) -> char {
    match change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Changed => '~',
    }
}

fn show(session: &Session, found: &ItemDifference, fields: &[fields::Document]) {
    let ui = &session.ui;
    ui.line(&format!("{} {}", mark(found.change), found.item));
    // Of an item that came or went whole only the name is told.
    if found.change != Change::Changed && fields.is_empty() {
        return;
    }
    for document in &found.documents {
        if found.change == Change::Changed {
            ui.line(&format!(
                "    {} document {}",
                mark(document.change()),
                document.form
            ));
        }
        for field in fields
            .iter()
            .filter(|known| known.form == document.form)
            .flat_map(|known| &known.fields)
        {
            ui.line(&format!("        {field}"));
        }
    }
    for file in &found.files {
        ui.line(&format!(
            "    {} //{}{}",
            mark(file.change()),
            file.path,
            sizes(file)
        ));
    }
}

/// The size of a file, or how it changed.
fn sizes(file: &FileDifference) -> String {
    let size = |state: &Option<FileState>| state.as_ref().map(|state| amount::size(state.size));
    match (size(&file.before), size(&file.after)) {
        (Some(before), Some(after)) if before == after => format!("  {after}"),
        (Some(before), Some(after)) => format!("  {before} → {after}"),
        (before, after) => before
            .or(after)
            .map(|size| format!("  {size}"))
            .unwrap_or_default(),
    }
}

fn row(found: &ItemDifference, fields: Option<&Vec<fields::Document>>) -> Value {
    let documents = found.documents.iter().map(|document| {
        let mut row = document_row(document);
        if let Some(fields) = fields {
            let own = fields.iter().filter(|known| known.form == document.form);
            row["fields"] = own
                .flat_map(|known| &known.fields)
                .map(fields::Field::value)
                .collect();
        }
        row
    });
    let files = found.files.iter().map(|file| {
        json!({
            "path": file.path,
            "change": file.change().as_str(),
            "before": file.before.as_ref().map(state_row),
            "after": file.after.as_ref().map(state_row),
        })
    });
    json!({
        "item": found.item.to_string(),
        "change": found.change.as_str(),
        "documents": documents.collect::<Vec<_>>(),
        "files": files.collect::<Vec<_>>(),
    })
}

fn document_row(document: &DocumentDifference) -> Value {
    let sha256 = |entry: &Option<archive_format::DocumentEntry>| {
        entry.as_ref().map(|entry| entry.address.to_string())
    };
    json!({
        "form": document.form,
        "change": document.change().as_str(),
        "before": sha256(&document.before),
        "after": sha256(&document.after),
    })
}

fn state_row(state: &FileState) -> Value {
    json!({ "size": state.size, "sha256": state.sha256.map(|digest| digest.to_string()) })
}

/// A document of one side, with secret-looking values masked.
async fn read(
    reader: &SnapshotReader,
    entry: Option<&archive_format::DocumentEntry>,
) -> Result<Value, Failure> {
    let Some(entry) = entry else {
        return Ok(Value::Null);
    };
    let mut document = reader
        .document(entry)
        .await
        .map_err(|error| Failure::of_archive(&error))?;
    super::show::mask::mask(&mut document);
    Ok(document)
}
