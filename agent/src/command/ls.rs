//! `mlark ls`: what a snapshot holds, in the words that selectors take back in. Names and sizes need no owner's key;
//! conditions on documents do.

use archive_format::{FileEntry, SnapshotReader};
use futures::StreamExt;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use workspace::{Content, ItemId, Kind, Selection};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::held::{self, Chooser, Chosen};
use crate::session::Session;
use crate::ui::{Rows, amount};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark ls latest
  mlark ls latest:prod 'jobs[experiment=exp-*,status=Completed]'
  mlark ls -l latest models/churn:3")]
pub struct Args {
    /// The snapshot: an id, a unique prefix, latest, latest:WORKSPACE, WORKSPACE@TIME
    snapshot: String,
    /// What to list; everything where none is given
    selector: Vec<String>,
    /// With sizes, times and digests, and every file
    #[arg(short, long)]
    long: bool,
}

/// Lists.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let selection = session.selection(&args.selector)?;
    let repository = session.open_repository().await?;
    let record = session.resolve(&repository, &args.snapshot).await?;
    let reader = repository.snapshot(&record);
    let files = args.long || args.selector.iter().any(|selector| selector.contains("//"));
    let listing = Listing {
        session,
        long: args.long,
        files,
    };
    if session.ui.json() {
        let head = Map::from_iter([
            ("snapshot".to_owned(), json!(record.id.to_string())),
            ("workspace".to_owned(), json!(record.workspace)),
        ]);
        let mut rows = Rows::begin(&session.ui, &head, "items");
        let found = listing
            .each(&reader, &selection, |chosen| rows.row(&row(&chosen, files)))
            .await?;
        rows.end();
        return listing.over(found, &args.selector);
    }
    let found = listing
        .each(&reader, &selection, |chosen| listing.show(&chosen))
        .await?;
    listing.over(found, &args.selector)
}

struct Listing<'a> {
    session: &'a Session,
    long: bool,
    files: bool,
}

impl Listing<'_> {
    async fn each(
        &self,
        reader: &SnapshotReader,
        selection: &Selection,
        mut show: impl FnMut(Chosen),
    ) -> Result<u64, Failure> {
        let chooser = Chooser::new(reader, selection);
        let mut items = held::items(reader);
        let mut found = 0;
        while let Some(item) = items.next().await {
            if self.session.ui.closed() {
                break;
            }
            if let Some(chosen) = chooser.choose(item?).await? {
                found += 1;
                show(chosen);
            }
        }
        Ok(found)
    }

    /// A selector that finds nothing is a question with an answer: not an error, but said.
    fn over(&self, found: u64, selectors: &[String]) -> Result<ExitStatus, Failure> {
        if found == 0 && !selectors.is_empty() {
            self.session.ui.note("Nothing in the snapshot is selected");
        }
        Ok(ExitStatus::Done)
    }

    fn show(&self, chosen: &Chosen) {
        let item = chosen.id.to_string();
        if self.long {
            self.show_long(&item, chosen);
        } else if self.files {
            for file in &chosen.item.files {
                self.session.ui.line(&file_text(&chosen.id, file));
            }
        } else {
            self.session.ui.line(&item);
        }
    }

    fn show_long(&self, item: &str, chosen: &Chosen) {
        match itself(chosen) {
            // An entry of a share or folder is the file that it holds: one line says all.
            Some(file) => self.file_line(file, item),
            None => {
                let document = chosen.item.documents.first();
                let digest = document.map(|document| document.address.to_string());
                let size = held::size(&chosen.item);
                self.long_line(size, time(chosen), digest.as_deref(), item);
                for file in &chosen.item.files {
                    self.file_line(file, &file_text(&chosen.id, file));
                }
            }
        }
        for gap in &chosen.item.gaps {
            let part = gap.file.as_deref().map(|file| format!("//{file}"));
            let part = part.unwrap_or_default();
            let line = format!("gap: {item}{part}: {}", gap.reason);
            self.session.ui.line(&line);
        }
    }

    fn file_line(&self, file: &FileEntry, name: &str) {
        let content = file.content.as_ref();
        let digest = content.map(|content| content.sha256.to_string());
        self.long_line(file.size(), file_time(file), digest.as_deref(), name);
    }

    fn long_line(&self, size: u64, time: Option<Timestamp>, digest: Option<&str>, name: &str) {
        let time = time.map(amount::moment).unwrap_or_default();
        let digest = digest.unwrap_or_default();
        self.session.ui.line(&format!(
            "{:>10}  {time:<20}  {digest:<64}  {name}",
            amount::size(size)
        ));
    }
}

/// The one file of an item that is itself an entry of a share or folder.
fn itself(chosen: &Chosen) -> Option<&FileEntry> {
    let kind = Kind::find(&chosen.id.kind)?;
    let is_file = matches!(kind.content, Content::Share | Content::Folder);
    chosen.item.files.first().filter(|_| is_file)
}

/// A file as selectors take it.
fn file_text(id: &ItemId, file: &FileEntry) -> String {
    format!("{id}//{}", escaped(file.path.as_str()))
}

/// A path in which a selector's special characters stand for themselves.
fn escaped(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for character in path.chars() {
        if matches!(character, '\\' | '*' | '?' | '[') {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

fn time(chosen: &Chosen) -> Option<Timestamp> {
    chosen
        .item
        .documents
        .iter()
        .map(|document| document.read)
        .max()
}

fn file_time(file: &FileEntry) -> Option<Timestamp> {
    let written = file
        .attributes
        .as_ref()
        .and_then(|attributes| attributes.written);
    let modified = file.validators.last_modified.as_deref();
    written.or_else(|| {
        let modified = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(modified?);
        modified.ok()
    })
}

fn row(chosen: &Chosen, files: bool) -> Value {
    let mut row = json!({
        "item": chosen.id.to_string(),
        "kind": chosen.id.kind,
        "name": chosen.id.name,
        "version": chosen.id.version,
        "size": held::size(&chosen.item),
        "time": time(chosen).map(|time| time.to_string()),
        "documents": chosen.item.documents.iter().map(|document| json!({
            "form": document.form,
            "api_version": document.api_version,
            "size": document.size,
            "sha256": document.address.to_string(),
        })).collect::<Vec<_>>(),
        "gaps": chosen.item.gaps.iter().map(|gap| json!({
            "file": gap.file,
            "reason": gap.reason,
            "known": gap.known,
        })).collect::<Vec<_>>(),
    });
    if files {
        row["files"] = chosen
            .item
            .files
            .iter()
            .map(|file| file_row(&chosen.id, file))
            .collect();
    }
    row
}

/// A file as JSON.
pub fn file_row(id: &ItemId, file: &FileEntry) -> Value {
    json!({
        "selector": file_text(id, file),
        "path": file.path.as_str(),
        "size": file.size(),
        "sha256": file.content.as_ref().map(|content| content.sha256.to_string()),
        "time": file_time(file).map(|time| time.to_string()),
    })
}
