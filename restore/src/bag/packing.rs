//! Writes what a snapshot holds into a bag, item by item in the snapshot's order, and then what is about the whole.

use std::collections::BTreeMap;

use archive_format::{EntryKind, FileEntry, GapEntry};
use futures::TryStreamExt;
use serde_json::json;
use workspace::{ItemId, Kind};

use super::info::{self, Known};
use super::press::{Press, Pressed};
use super::record::{Record, Table};
use super::{Bagged, Custody, Work, csv, drills, layout, metric, signing};
use crate::export::sheet::{Made, Sheets};
use crate::export::{config, path, pretty, record, selected};
use crate::snapshot::{Loaded, id_of, may_select};
use crate::{Error, Event, Observer, Stop};

/// A bag that is being filled.
pub(super) struct Packing<'a> {
    work: &'a Work<'a>,
    sheets: Sheets<'a>,
    press: Press,
    done: Bagged,
    observer: &'a dyn Observer,
}

impl<'a> Packing<'a> {
    pub(super) fn new(work: &'a Work<'a>, press: Press, observer: &'a dyn Observer) -> Self {
        Self {
            work,
            sheets: Sheets::new(work.source, work.selection, layout::plain),
            press,
            done: work.bagged(),
            observer,
        }
    }

    /// Writes every selected item. False where it was asked to stop.
    pub(super) async fn items(&mut self, stop: &Stop) -> Result<bool, Error> {
        let (source, selection) = (self.work.source, self.work.selection);
        self.press
            .text(Record::of_bag("bagit.txt"), info::BAGIT.to_owned())
            .await?;
        self.excluded_by_configuration().await?;
        let mut lines = source.lines();
        while let Some(line) = lines.try_next().await? {
            if !may_select(selection, &line) {
                continue;
            }
            if stop.asked() {
                return Ok(false);
            }
            let id = id_of(&line);
            if line.is_of_kind() {
                self.of_kind(&id).await?;
                continue;
            }
            if let Some(loaded) = selected(source, selection, &id).await? {
                self.item(&loaded).await?;
            }
        }
        Ok(true)
    }

    /// Notes what kept a kind as a whole from being taken, for people and for whoever restores from the bag.
    async fn of_kind(&mut self, kind: &ItemId) -> Result<(), Error> {
        let Some(loaded) = self.work.source.load(kind).await? else {
            return Ok(());
        };
        self.gaps(kind, &loaded.item.gaps, "items of the kind")
            .await?;
        self.noted(&loaded, &BTreeMap::new()).await
    }

    /// Writes what the snapshot says of an item.
    async fn noted(
        &mut self,
        loaded: &Loaded,
        yaml: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let path = layout::of_text(layout::ITEMS, &loaded.id, "item");
        let entry = Record::of_item(&loaded.id, "item", "", path);
        self.press.text(entry, pretty(&record(loaded, yaml)?)).await
    }

    async fn item(&mut self, loaded: &Loaded) -> Result<(), Error> {
        let id = &loaded.id;
        self.left_out(loaded).await?;
        for (form, text) in [("arm", &loaded.arm), ("runhistory", &loaded.record)] {
            if let Some(text) = text {
                let path = layout::of_text(layout::DOCUMENTS, id, form);
                let record = Record::of_item(id, "document", form, path);
                self.press.text(record, pretty(&text.value)).await?;
            }
        }
        let kind = Kind::find(&id.kind);
        let written = self.yaml(kind, loaded).await?;
        self.noted(loaded, &written).await?;
        for file in &loaded.item.files {
            self.file(kind, id, file).await?;
        }
        if let Some(bundle) = signing::over_model(self.work.request, &loaded.item, id)? {
            let path = layout::of_model_signature(id);
            self.press.text(Record::of_bag(&path), bundle).await?;
        }
        self.done.items += 1;
        self.observer.event(Event::Exported {
            items: self.done.items,
        });
        Ok(())
    }

    async fn file(
        &mut self,
        kind: Option<&'static Kind>,
        id: &ItemId,
        file: &FileEntry,
    ) -> Result<(), Error> {
        let own = file.path.as_str();
        let path = path::of_file(kind, id, own);
        let path = layout::plain(&format!("{}/{path}", layout::AZML));
        let mut entry = Record::of_item(id, "file", own, path);
        entry.content_type = file.content_type.clone().unwrap_or_default();
        match &file.entry {
            EntryKind::File => {}
            EntryKind::Directory => {
                entry.path.clear();
                entry.what = "directory".to_owned();
                return self.press.note(entry).await;
            }
            EntryKind::Symlink(target) => {
                entry.path.clear();
                entry.what = "link".to_owned();
                entry.own = format!("{own} -> {target}");
                self.press.note(entry).await?;
                return self
                    .exclude(
                        "link",
                        id,
                        own,
                        "a bag has no links: where it leads stands in data/index.csv",
                    )
                    .await;
            }
        }
        if self.work.request.partial && self.is_lost(id, file).await? {
            return Ok(());
        }
        entry.size = file.size();
        self.press.file(entry).await?;
        let mut bytes = self.work.source.bytes(file);
        loop {
            let piece = bytes.try_next().await;
            let piece =
                piece.map_err(|error| Error::snapshot(format!("`{own}` of {id}"), error))?;
            let Some(piece) = piece else { break };
            let count = piece.len() as u64;
            self.press.bytes(piece).await?;
            self.observer.event(Event::Bytes { count });
        }
        self.press.end_of_file().await?;
        if metric::is_history(&id.kind, own) {
            self.metric(id, file).await?;
        }
        Ok(())
    }

    /// Whether the repository has lost a file. A tar says that a file is there before its first byte, so that it is read to its
    /// end once more beforehand.
    async fn is_lost(&self, id: &ItemId, file: &FileEntry) -> Result<bool, Error> {
        let mut bytes = self.work.source.bytes(file);
        loop {
            match bytes.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(false),
                Err(_) if self.work.source.note_lost(id, file) => return Ok(true),
                Err(error) => {
                    let what = format!("`{}` of {id}", file.path);
                    return Err(Error::snapshot(what, error));
                }
            }
        }
    }

    async fn metric(&mut self, id: &ItemId, file: &FileEntry) -> Result<(), Error> {
        let own = file.path.as_str();
        let length = match metric::length(self.work.source, file).await {
            Ok(length) => length,
            Err(error) if !metric::is_about_the_text(&error) => return Err(error),
            Err(_) => {
                return self
                    .exclude(
                        "metric",
                        id,
                        own,
                        "the history is not in a form that makes a table; it is beside the job",
                    )
                    .await;
            }
        };
        let Some(length) = length else {
            return self
                .exclude(
                    "metric",
                    id,
                    own,
                    "it is no series of numbers; its history is beside the job",
                )
                .await;
        };
        let mut entry = Record::of_item(id, "metric", own, layout::of_metric(id, own));
        entry.content_type = "text/csv".to_owned();
        entry.size = length;
        self.press.file(entry).await?;
        self.press.bytes(csv::row(metric::HEAD).into()).await?;
        let mut rows = metric::rows(self.work.source, file);
        while let Some(row) = rows.try_next().await? {
            self.press.bytes(row.into()).await?;
        }
        self.press.end_of_file().await
    }

    /// Writes the YAML of an item. Gives the digest of each file by its path below the folder of YAML.
    async fn yaml(
        &mut self,
        kind: Option<&'static Kind>,
        loaded: &Loaded,
    ) -> Result<BTreeMap<String, String>, Error> {
        let id = &loaded.id;
        let mut written = BTreeMap::new();
        let sheet = match self.sheets.sheet(kind, loaded).await? {
            Made::Sheet(sheet) => sheet,
            Made::Nothing => return Ok(written),
            Made::Unmapped(reason) => {
                self.exclude("yaml", id, "YAML", &reason).await?;
                return Ok(written);
            }
        };
        for left in &sheet.left {
            self.exclude("yaml", id, &left.pointer, left.reason).await?;
        }
        for (name, text) in sheet.files {
            let path = layout::plain(&format!("{}/{name}", path::of_item(id)));
            written.insert(
                path.clone(),
                archive_format::Digest::of(text.as_bytes()).to_string(),
            );
            let record = Record::of_item(id, "yaml", name, format!("{}/{path}", layout::AZML));
            self.press.text(record, text).await?;
        }
        Ok(written)
    }

    /// What the snapshot does not have of an item, and what no bag has.
    async fn left_out(&mut self, loaded: &Loaded) -> Result<(), Error> {
        let id = &loaded.id;
        self.gaps(id, &loaded.item.gaps, "all of it").await?;
        for secret in &loaded.item.secrets {
            self.exclude(
                "credential",
                id,
                &secret.pointer,
                "credentials are never in a bag; the repository keeps this one",
            )
            .await?;
        }
        Ok(())
    }

    async fn gaps(&mut self, id: &ItemId, gaps: &[GapEntry], whole: &str) -> Result<(), Error> {
        for gap in gaps {
            let sort = if gap.known { "known gap" } else { "gap" };
            let what = gap.file.as_deref().unwrap_or(whole);
            self.exclude(sort, id, what, &gap.reason).await?;
        }
        Ok(())
    }

    async fn exclude(
        &mut self,
        sort: &str,
        id: &ItemId,
        what: &str,
        reason: &str,
    ) -> Result<(), Error> {
        let item = id.to_string();
        let row = csv::row([sort, &id.kind, &item, what, reason, "1"]);
        self.press.exclude(row).await
    }

    /// What the backup's configuration and this export's selectors left out, of which only numbers are known.
    async fn excluded_by_configuration(&mut self) -> Result<(), Error> {
        let record = self.work.reader.record();
        for (kind, counts) in record
            .items
            .iter()
            .filter(|(_, counts)| counts.excluded > 0)
        {
            let count = counts.excluded.to_string();
            let row = csv::row([
                "excluded",
                kind,
                "",
                "items",
                "the backup's configuration leaves them out",
                &count,
            ]);
            self.press.exclude(row).await?;
        }
        if record.files.excluded > 0 {
            let count = record.files.excluded.to_string();
            let row = csv::row([
                "excluded",
                "",
                "",
                "files",
                "the backup's configuration leaves them out",
                &count,
            ]);
            self.press.exclude(row).await?;
        }
        let selectors = self.work.request.selectors.join(" ");
        if !selectors.is_empty() {
            let row = csv::row([
                "not selected",
                "",
                "",
                &selectors,
                "the export was made of what these selectors take",
                "",
            ]);
            self.press.exclude(row).await?;
        }
        Ok(())
    }

    /// Writes what is about the whole.
    pub(super) async fn end(mut self) -> Result<(Pressed, Bagged, Custody), Error> {
        let (work, reader) = (self.work, self.work.reader);
        for part in work.source.lost_parts() {
            self.exclude(
                "lost",
                &part.item,
                &part.what,
                "the repository is damaged and has lost it",
            )
            .await?;
        }
        if let Some(config) = config(work.source.identity(), None) {
            let path = format!("{}/config.json", layout::AZML);
            self.press
                .text(Record::of_bag(&path), pretty(&config))
                .await?;
        }
        let whole = reader.record();
        let snapshot = json!({
            "edition": super::EDITION, "snapshot": whole.id, "workspace": whole.workspace, "started": whole.started,
            "finished": whole.finished, "outcome": whole.outcome, "identity": whole.identity, "tags": whole.tags,
            "items": whole.items, "files": whole.files, "selectors": work.request.selectors,
        });
        self.press
            .text(Record::of_bag(layout::SNAPSHOT), pretty(&snapshot))
            .await?;
        let readme = info::readme(&work.request.name, whole, &work.request.by.program);
        self.press
            .text(Record::of_bag(layout::README), readme)
            .await?;
        self.press.table(layout::INDEX, Table::Index).await?;
        self.press
            .table("manifest-sha256.txt", Table::Sha256)
            .await?;
        self.press
            .table("manifest-sha512.txt", Table::Sha512)
            .await?;
        self.press
            .table("exclusions.csv", Table::Exclusions)
            .await?;
        if let Some(text) = drills::text(reader.repository(), &whole.workspace).await? {
            self.press
                .text(Record::of_bag("drills.jsonl"), text)
                .await?;
        }
        let sum = self.press.sum().await?;
        let bag_info = info::bag_info(&Known {
            request: work.request,
            record: whole,
            repository: reader.repository().id().to_string(),
            log: &work.log,
            retain_until: work.destination.retain_until,
            octets: sum.octets,
            files: sum.files,
            excluded: sum.excluded,
        });
        self.press
            .text(Record::of_bag("bag-info.txt"), bag_info)
            .await?;
        let (text, custody) = work.custody(&sum.tags, sum.octets, sum.files);
        self.press
            .text(Record::of_bag("custody.jsonl"), text)
            .await?;
        self.press.tag_manifests().await?;
        self.done.files = sum.files;
        self.done.bytes = sum.octets;
        self.done.excluded = sum.excluded;
        Ok((self.press.finish().await?, self.done, custody))
    }
}
