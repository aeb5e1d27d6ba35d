//! The YAML of an item, with what it needs to know of the items that it refers to.

use std::collections::BTreeMap;

use serde_json::Value;
use workspace::azml::{Given, Neighbour, Sheet, Unmapped, is_anonymous};
use workspace::kind::Restore;
use workspace::reference::references;
use workspace::{ItemId, Kind, Selection};

use super::{path, selected};
use crate::Error;
use crate::snapshot::{Loaded, Source};

/// So many items are remembered before all of them are forgotten: jobs share code and environments with their
/// neighbours in the order of names.
const REMEMBERED_MAX: usize = 4_096;

/// What came of an item.
pub(crate) enum Made {
    /// Its YAML.
    Sheet(Sheet),
    /// There is none to be expected: a container of versions, a notebook, a step of a job.
    Nothing,
    /// There should be one, and is not, for this reason.
    Unmapped(String),
}

/// Makes YAML.
pub(crate) struct Sheets<'a> {
    source: Source,
    selection: &'a Selection,
    /// How a path is written where the YAML lies.
    naming: fn(&str) -> String,
    /// Items that others refer to, as seen from the folder's root; `None` where they are not written.
    seen: BTreeMap<ItemId, Option<Neighbour>>,
}

impl<'a> Sheets<'a> {
    pub(crate) fn new(
        source: &Source,
        selection: &'a Selection,
        naming: fn(&str) -> String,
    ) -> Self {
        Self {
            source: source.clone(),
            selection,
            naming,
            seen: BTreeMap::new(),
        }
    }

    pub(crate) async fn sheet(
        &mut self,
        kind: Option<&'static Kind>,
        loaded: &Loaded,
    ) -> Result<Made, Error> {
        let id = &loaded.id;
        let Some((kind, azml)) = kind.and_then(|kind| Some((kind, kind.azml?))) else {
            return Ok(match kind {
                // What is itself a file needs no YAML.
                Some(kind) if kind.restore == Restore::Files => Made::Nothing,
                Some(_) => Made::Unmapped("`az ml` has no YAML for items of this kind".to_owned()),
                None => Made::Unmapped("the kind is not known here".to_owned()),
            });
        };
        if kind.versioned && id.version.is_none() {
            return Ok(match says_something(loaded) {
                true => Made::Unmapped("`az ml` has YAML for versions alone".to_owned()),
                false => Made::Nothing,
            });
        }
        let Some(text) = &loaded.arm else {
            return Ok(match is_child(loaded) {
                true => Made::Nothing,
                false => Made::Unmapped("it has no specification, only a run record".to_owned()),
            });
        };
        let neighbours = self.neighbours(kind, loaded).await?;
        let files: Vec<String> = loaded
            .item
            .files
            .iter()
            .map(|file| (self.naming)(file.path.as_str()))
            .collect();
        let given = Given {
            id,
            document: &text.value,
            identity: self.source.identity(),
            files: &files,
            neighbours: &neighbours,
            read_only: kind.read_only_of(id),
        };
        Ok(match azml.sheet(&given) {
            Ok(sheet) => Made::Sheet(sheet),
            Err(Unmapped(reason)) => Made::Unmapped(reason),
        })
    }

    /// The items of the snapshot that a document refers to and that are written too, as seen from its folder.
    async fn neighbours(
        &mut self,
        kind: &'static Kind,
        loaded: &Loaded,
    ) -> Result<BTreeMap<ItemId, Neighbour>, Error> {
        let mut found = BTreeMap::new();
        let Some(text) = &loaded.arm else {
            return Ok(found);
        };
        let up = "../".repeat(path::depth(&loaded.id));
        for (_, reference) in references(kind, &text.value) {
            let Some(item) = reference.item_in(self.source.identity()) else {
                continue;
            };
            if let Some(neighbour) = self.neighbour(&item).await? {
                let folder = format!("{up}{}", neighbour.folder);
                found.insert(
                    item,
                    Neighbour {
                        folder,
                        ..neighbour
                    },
                );
            }
        }
        Ok(found)
    }

    async fn neighbour(&mut self, item: &ItemId) -> Result<Option<Neighbour>, Error> {
        if let Some(seen) = self.seen.get(item) {
            return Ok(seen.clone());
        }
        let there = selected(&self.source, self.selection, item).await?;
        let neighbour = there.map(|loaded| Neighbour {
            folder: (self.naming)(&path::of_item(item)),
            file: Kind::find(&item.kind)
                .and_then(|kind| kind.azml)
                .filter(|_| loaded.arm.is_some())
                .map(|azml| azml.file),
            has_files: !loaded.item.files.is_empty(),
            document: loaded
                .arm
                .filter(|_| item.kind == "environments" && is_anonymous(item))
                .map(|text| text.value),
        });
        if self.seen.len() >= REMEMBERED_MAX {
            self.seen.clear();
        }
        self.seen.insert(item.clone(), neighbour.clone());
        Ok(neighbour)
    }
}

/// Whether a container says something of its own, besides which versions there are.
fn says_something(loaded: &Loaded) -> bool {
    let document = loaded.arm.as_ref().map(|text| &text.value);
    let said = |name: &str| {
        document?
            .pointer(&format!("/properties/{name}"))
            .map(|value| match value {
                Value::Null | Value::Bool(false) => false,
                Value::String(text) => !text.is_empty(),
                Value::Object(members) => !members.is_empty(),
                _ => true,
            })
    };
    let own = ["description", "tags", "properties", "isArchived"];
    own.into_iter().filter_map(said).any(|said| said)
}

/// Whether a job is a step, trial or iteration of another: that one's YAML says it.
fn is_child(loaded: &Loaded) -> bool {
    loaded.record.as_ref().is_some_and(|record| {
        record
            .value
            .get("parentRunId")
            .is_some_and(Value::is_string)
    })
}
