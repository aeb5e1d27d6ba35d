//! A snapshot as a folder that people and the official command line read: `az ml` YAML with its files beside it, and each
//! original document below `.mlark`.
//!
//! Names and order are always the same, so that two exports can be compared line by line. Everything is written before
//! `.mlark/snapshot.json`, whose absence says that an export was cut off.

use std::collections::BTreeMap;

use archive_format::GapEntry;
use futures::TryStreamExt;
use serde::Serialize;
use serde_json::{Value, json};
use workspace::folder::Folder;
use workspace::{Identity, ItemId, Kind, Selection, Verdict};

pub(crate) use path::yaml_of;

use crate::origin::{AT, Origin};
use crate::snapshot::{Loaded, Source, id_of, may_select};
use crate::world::{documents, known};
use crate::{Error, Event, LostPart, Observer, Stop};

pub(crate) mod path;
pub(crate) mod sheet;
mod writer;

use sheet::Sheets;
use writer::Writer;

/// What an export is asked for.
#[derive(Clone, Debug, Default)]
pub struct ExportRequest {
    /// The selectors, as they were given; none means everything.
    pub selectors: Vec<String>,
    /// What ages in selectors count back from.
    pub now: jiff::Timestamp,
    /// Whether what a damaged repository lost is left out; else it is an error.
    pub partial: bool,
    /// Subscription, resource group and name of the workspace that `config.json` names; the snapshot's own where none.
    pub names: Option<[String; 3]>,
}

/// Something that the YAML does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportLoss {
    /// The kind.
    pub kind: String,
    /// The item.
    pub item: String,
    /// The place in its document, or a few words.
    pub what: String,
    /// Why.
    pub reason: String,
    /// What to do, or where it still stands.
    pub substitute: String,
}

/// A file that could not be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportFailure {
    /// The item.
    pub item: String,
    /// The path below the folder.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// The JSON document of `export folder`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Exported {
    /// The snapshot.
    pub snapshot: String,
    /// The folder.
    pub to: String,
    /// Items written.
    pub items: u64,
    /// Of these, items with YAML.
    pub yaml: u64,
    /// Files of items.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What the YAML does not say.
    pub losses: Vec<ExportLoss>,
    /// What could not be written.
    pub failures: Vec<ExportFailure>,
    /// What a damaged repository lost.
    pub lost: Vec<LostPart>,
    /// Whether it ended before everything was written.
    pub stopped: bool,
    /// Whether it ended at damage of the repository.
    pub damaged: bool,
}

/// Where the original documents and what the snapshot says of each item lie.
pub(crate) const OWN: &str = ".mlark";

/// The edition of what lies there.
pub(crate) const EDITION: u32 = 1;

const ORIGINAL: &str = "the original document lies below `.mlark/documents`";

/// Writes the selected items of a snapshot, or of an export of one, into a folder, which must hold nothing yet.
pub async fn export_folder(
    snapshot: impl Into<Origin>,
    folder: &Folder,
    request: &ExportRequest,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Exported, Error> {
    let selection = Selection::parse(&request.selectors, request.now).map_err(Error::Selection)?;
    let origin = snapshot.into();
    let source = Source::new(&origin, request.partial)?;
    let mut export = Export {
        sheets: Sheets::new(&source, &selection, str::to_owned),
        writer: Writer::new(folder, &source),
        done: Exported {
            snapshot: source.id(),
            to: folder.path().display().to_string(),
            ..Exported::default()
        },
        observer,
    };
    let mut lines = source.lines();
    while let Some(line) = lines.try_next().await? {
        let id = id_of(&line);
        if !may_select(&selection, &line) {
            continue;
        }
        if stop.asked() || source.is_damaged() || export.writer.has_failed_often() {
            export.done.stopped = true;
            break;
        }
        if line.is_of_kind() {
            export.gaps(&id, &line.gaps);
            continue;
        }
        if let Some(loaded) = selected(&source, &selection, &id).await? {
            export.item(&loaded).await?;
        }
    }
    export.end(&origin, request).await
}

/// An item with its selected files; `None` where its documents say that it is not selected.
pub(crate) async fn selected(
    source: &Source,
    selection: &Selection,
    id: &ItemId,
) -> Result<Option<Loaded>, Error> {
    let Some(mut loaded) = source.load(id).await? else {
        return Ok(None);
    };
    if selection.is_everything() {
        return Ok(Some(loaded));
    }
    let texts = documents(&loaded);
    let attributes = known(&loaded, &texts);
    if selection.matches_item(id, &attributes) != Verdict::Yes {
        return Ok(None);
    }
    let takes = |file: &archive_format::FileEntry| {
        workspace::FilePath::new(file.path.as_str())
            .is_ok_and(|path| selection.matches_file(id, &path, &attributes) == Verdict::Yes)
    };
    let keep: Vec<bool> = loaded.item.files.iter().map(takes).collect();
    let mut keep = keep.into_iter();
    loaded
        .item
        .files
        .retain(|_| keep.next().unwrap_or_default());
    Ok(Some(loaded))
}

/// An export under way.
struct Export<'a> {
    sheets: Sheets<'a>,
    writer: Writer<'a>,
    done: Exported,
    observer: &'a dyn Observer,
}

impl Export<'_> {
    async fn item(&mut self, loaded: &Loaded) -> Result<(), Error> {
        let id = &loaded.id;
        let kind = Kind::find(&id.kind);
        self.gaps(id, &loaded.item.gaps);
        if !loaded.item.secrets.is_empty() {
            self.lose(
                id,
                "credentials",
                "credentials are never written into a folder",
                "`mlark restore apply --include secrets` brings them from the snapshot",
            );
        }
        for file in &loaded.item.files {
            let path = path::of_file(kind, id, file.path.as_str());
            self.writer.file(id, &path, file).await?;
            self.done.files += 1;
            self.done.bytes += file.size();
            self.observer.event(Event::Bytes { count: file.size() });
        }
        for (form, text) in [("arm", &loaded.arm), ("runhistory", &loaded.record)] {
            if let Some(text) = text {
                let path = path::of_document(id, form);
                self.writer.text(id, &path, pretty(&text.value)).await?;
            }
        }
        let written = self.yaml(kind, loaded).await?;
        let path = path::of_record(id);
        self.writer
            .text(id, &path, pretty(&record(loaded, &written)?))
            .await?;
        self.done.items += 1;
        self.observer.event(Event::Exported {
            items: self.done.items,
        });
        Ok(())
    }

    /// Writes the YAML of an item, and notes what it does not say. Gives the digest of each file by its path.
    async fn yaml(
        &mut self,
        kind: Option<&'static Kind>,
        loaded: &Loaded,
    ) -> Result<BTreeMap<String, String>, Error> {
        let id = &loaded.id;
        let mut written = BTreeMap::new();
        let sheet = match self.sheets.sheet(kind, loaded).await? {
            sheet::Made::Sheet(sheet) => sheet,
            sheet::Made::Nothing => return Ok(written),
            sheet::Made::Unmapped(reason) => {
                self.lose(id, "YAML", &reason, ORIGINAL);
                return Ok(written);
            }
        };
        // What each workspace is made with by itself needs no YAML to be made.
        let by_itself = kind
            .zip(loaded.arm.as_ref())
            .is_some_and(|(kind, text)| (kind.mapped_by_name)(id, &text.value).is_some());
        for left in sheet.left.iter().filter(|_| !by_itself) {
            self.lose(id, &left.pointer, left.reason, ORIGINAL);
        }
        for (name, text) in sheet.files {
            let path = format!("{}/{name}", path::of_item(id));
            written.insert(path.clone(), writer::digest(text.as_bytes()));
            self.writer.text(id, &path, text).await?;
        }
        self.done.yaml += 1;
        Ok(written)
    }

    fn gaps(&mut self, id: &ItemId, gaps: &[GapEntry]) {
        for gap in gaps {
            let reason = format!("the snapshot does not have it: {}", gap.reason);
            self.lose(id, "gap", &reason, "");
        }
    }

    fn lose(&mut self, id: &ItemId, what: &str, reason: &str, substitute: &str) {
        self.done.losses.push(ExportLoss {
            kind: id.kind.clone(),
            item: id.to_string(),
            what: what.to_owned(),
            reason: reason.to_owned(),
            substitute: substitute.to_owned(),
        });
    }

    /// Writes what is about the whole, last of all.
    async fn end(mut self, origin: &Origin, request: &ExportRequest) -> Result<Exported, Error> {
        self.writer.flush().await?;
        let source = self.writer.source();
        self.done.damaged = source.is_damaged();
        self.done.lost = source.lost_parts();
        if !self.done.stopped && !self.done.damaged {
            let of = origin.of();
            let whole = ItemId::new("workspaces", of.workspace.clone());
            if let Some(config) = config(source.identity(), request.names.as_ref()) {
                self.writer
                    .text(&whole, "config.json", pretty(&config))
                    .await?;
            }
            self.writer.flush().await?;
            let record = json!({
                "edition": EDITION,
                "snapshot": of.snapshot,
                "workspace": of.workspace,
                "started": of.started,
                "identity": origin.identity(),
            });
            let path = format!("{OWN}/snapshot.json");
            self.writer.text(&whole, &path, pretty(&record)).await?;
            self.writer.flush().await?;
        }
        self.done.failures = self.writer.failures;
        Ok(self.done)
    }
}

/// What `MLClient.from_config` reads.
pub(crate) fn config(source: &Identity, names: Option<&[String; 3]>) -> Option<Value> {
    let [subscription, group, workspace] = match (names, source) {
        (Some(names), _) => names.clone(),
        (
            None,
            Identity::Azure {
                subscription,
                resource_group,
                workspace,
                ..
            },
        ) => [
            subscription.clone(),
            resource_group.clone(),
            workspace.clone(),
        ],
        (None, Identity::Registry { .. } | Identity::Folder(_)) => return None,
    };
    Some(json!({
        "subscription_id": subscription,
        "resource_group": group,
        "workspace_name": workspace,
    }))
}

/// What the snapshot says of an item, with the digests of its YAML, by which an edited one is told. When it was asked
/// for is left out: it changes with every backup, and nothing else does.
pub(crate) fn record(loaded: &Loaded, written: &BTreeMap<String, String>) -> Result<Value, Error> {
    let mut line = loaded.item.clone().into_line();
    line.asked = None;
    line.settled = false;
    line.secrets.clear();
    for file in &mut line.files {
        file.more.remove(AT);
    }
    let item = serde_json::to_value(&line)
        .map_err(|error| Error::snapshot(loaded.id.to_string(), error))?;
    Ok(json!({ "item": item, "yaml": written }))
}

/// JSON over several lines, so that a comparison names the field.
pub(crate) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
