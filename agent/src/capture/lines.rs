//! The lines of an item on their way into the manifest: as the snapshot before has them, anew, or as far as they can be
//! before the item's files are read.

use std::sync::atomic::Ordering;

use archive_format::{DocumentEntry, GapEntry, Line};
use serde::{Deserialize, Serialize};
use workspace::ItemId;

use super::Error;
use super::counts::KindCounts;
use super::files::Files;
use super::item::Draft;
use super::previous::Before;
use super::run::{Run, outcome_of};
use super::staging::StagedItem;
use super::tally::Outcome;

/// How many entries of files are written at once.
const ENTRIES_AT_ONCE: u32 = 500;

/// What is remembered of an item until its files are read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// Its line without files.
    pub(super) line: Line,
    /// Whether anything differs from the snapshot before.
    pub(super) changed: bool,
    /// Whether it is settled once all of its files are there.
    pub(super) settles: bool,
}

impl Run<'_> {
    /// Brings an item into the snapshot: as it was, or anew, or as far as it can be before its files are read.
    pub(super) async fn lay_down(
        &self,
        mut draft: Draft,
        mut files: Files,
        before: Option<Before>,
        counts: &KindCounts,
    ) -> Result<(), Error> {
        let none = files.count == 0 && files.excluded == 0 && draft.line.gaps.is_empty();
        if none && draft.kind.must_have_files && draft.names_place() {
            let reason = "It names a place for its files, and no file is listed there".to_owned();
            self.add_gap(&mut draft, None, reason);
        }
        let mut head = Head {
            changed: before
                .as_ref()
                .is_none_or(|before| differs(&draft.line, &files, before)),
            settles: draft.settles,
            line: draft.line.clone(),
        };
        if files.reading == 0 && files.staged.is_none() {
            files.ready.sort_by(|one, two| one.path.cmp(&two.path));
            head.line.files = files.ready;
            let outcome = head.outcome();
            self.write_item(head, before, None).await?;
            counts.items.settle(1, outcome);
            self.tell(&draft.id, outcome);
            return Ok(());
        }
        if self.policy.dry_run {
            if let Some(staged) = files.staged {
                self.staging.close(staged).await?;
            }
            counts.items.settle(1, head.outcome());
            return self.previous.done(before).await;
        }
        let mut provisional = head.line.clone();
        provisional.files.clone_from(&files.ready);
        let (staged, open) = self.put_all_down(&draft, &mut files, &head).await?;
        self.previous.done(before).await?;
        if open == 0 {
            return self.finish_item(staged, &draft.id).await;
        }
        // An item that is nothing but a file is nothing before that is read.
        let bare = Line::new(provisional.key());
        if provisional == bare {
            return Ok(());
        }
        self.write(provisional, true).await
    }

    /// Finishes an item whose files are all read.
    pub(super) async fn finish_item(&self, staged: StagedItem, id: &ItemId) -> Result<(), Error> {
        let _with_others = self.laying.read().await;
        let taken = self.staging.take::<Head>(staged, ENTRIES_AT_ONCE).await?;
        let Some((kept, entries)) = taken else {
            return Ok(());
        };
        let mut head = kept.head;
        head.changed |= kept.changed;
        let outcome = head.outcome();
        let before = match head.changed {
            true => None,
            false => self.previous.item(id).await?,
        };
        self.touched.store(true, Ordering::Relaxed);
        match entries {
            Some(entries) => {
                head.line.files = entries;
                self.write_item(head, before, None).await?;
            }
            None => {
                self.write_item(head, before, Some(staged)).await?;
                self.staging.close(staged).await?;
            }
        }
        if let Some(counts) = self.counts.of(&id.kind) {
            counts.items.settle(1, outcome);
        }
        self.tell(id, outcome);
        Ok(())
    }

    /// Writes an item: as the snapshot before has it where nothing changed, else anew.
    async fn write_item(
        &self,
        head: Head,
        before: Option<Before>,
        staged: Option<StagedItem>,
    ) -> Result<(), Error> {
        let lines = match before {
            Some(before) if !head.changed => self.lines_before(before).await?,
            before => {
                self.previous.done(before).await?;
                Vec::new()
            }
        };
        let mut line = head.line;
        line.settled = head.settles;
        if lines.is_empty() {
            return self.write_anew(line, staged).await;
        }
        let mut first = true;
        for mut old in lines {
            if first {
                old.asked = line.asked;
                old.settled = line.settled;
            }
            self.write(old, first).await?;
            first = false;
        }
        Ok(())
    }

    /// The lines of an item as they were; what was kept about it is given up.
    async fn lines_before(&self, before: Before) -> Result<Vec<Line>, Error> {
        match before.into_only_line() {
            Ok(line) => Ok(vec![line]),
            Err(before) => {
                let lines = self.previous.lines(&before).await?;
                self.previous.done(Some(*before)).await?;
                Ok(lines)
            }
        }
    }

    /// Writes a line and the entries of its files, some at a time. The first of them go into the item's own line, so
    /// that an item with few files has one line; the writer cuts a line that grows too long.
    pub(super) async fn write_anew(
        &self,
        line: Line,
        staged: Option<StagedItem>,
    ) -> Result<(), Error> {
        let Some(staged) = staged else {
            return self.write(line, true).await;
        };
        let key = line.key();
        let (mut part, mut first) = (line, true);
        let mut after = String::new();
        loop {
            let entries = self
                .staging
                .entries_after(staged, after.clone(), ENTRIES_AT_ONCE)
                .await?;
            let last = entries.last().map(|entry| entry.path.as_str().to_owned());
            if !first && last.is_none() {
                return Ok(());
            }
            let more = entries.len() >= ENTRIES_AT_ONCE as usize;
            part.files.extend(entries);
            self.write(part, first).await?;
            let Some(last) = last.filter(|_| more) else {
                return Ok(());
            };
            after = last;
            part = Line::new(key.clone());
            first = false;
        }
    }

    /// Stages a line: the first one of an item replaces all that was staged for it.
    pub(super) async fn write(&self, line: Line, first: bool) -> Result<(), Error> {
        let written = match first {
            true => self.writer.line(line).await,
            false => self.writer.append(line).await,
        };
        written.map_err(|error| self.broken(error))
    }
}

impl Head {
    /// What becomes of the item: a gap of the item itself counts before everything else.
    fn outcome(&self) -> Outcome {
        let own = self.line.gaps.iter().filter(|gap| gap.file.is_none());
        let outcomes: Vec<Outcome> = own.map(outcome_of).collect();
        if outcomes.contains(&Outcome::Failed) {
            return Outcome::Failed;
        }
        match (outcomes.first(), self.changed) {
            (Some(_), _) => Outcome::Known,
            (None, true) => Outcome::Saved,
            (None, false) => Outcome::Unchanged,
        }
    }
}

/// Whether an item differs from what the snapshot before has of it, as far as is known before its files are read.
fn differs(line: &Line, files: &Files, before: &Before) -> bool {
    let item = &before.item;
    let documents = |entries: &[DocumentEntry]| {
        let addresses: Vec<_> = entries.iter().map(|entry| entry.address).collect();
        addresses
    };
    let gaps = |gaps: &[GapEntry]| {
        let parts: Vec<_> = gaps
            .iter()
            .map(|gap| (gap.file.clone(), gap.known))
            .collect();
        parts
    };
    documents(&line.documents) != documents(&item.documents)
        || gaps(&line.gaps) != gaps(&item.gaps)
        || line.secrets != item.secrets
        || line.more != item.more
        || files.count != before.file_count
        || files.same + files.reading != files.count
}
