//! One item: what the listing says of it is compared with what the snapshot before has; only what differs is asked for.
//!
//! An error about an item is a gap of that item. Only a failure of the repository ends the run.

use std::sync::atomic::Ordering;

use archive_format::{DocumentEntry, Line};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};
use workspace::select::{AttributeName, AttributeValue, Known, Verdict};
use workspace::{Content, Details, Document, FilePath, Form, ItemId, Kind, Listed};

use super::counts::KindCounts;
use super::observer::Event;
use super::previous::{self, Before};
use super::run::{ITEMS_AT_ONCE, Run, outcome_of};
use super::tally::Outcome;
use super::{Error, document, reason, secret_fields};

/// How an item was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// In its kind's listing.
    Listed,
    /// By what another one says about it, and asked for by its name. `always`: taken whatever the selection says.
    Named {
        /// Whether the selection does not matter.
        always: bool,
    },
    /// Below another item of its kind: a child run.
    Below {
        /// The uppermost one.
        root: String,
        /// The experiment that it is of, where that is known from elsewhere than its own documents.
        experiment: Option<String>,
    },
    /// Where no list of its kind shows it: a run that is no job.
    Unlisted {
        /// As above.
        experiment: Option<String>,
    },
}

impl Found {
    /// Notes in a line what the next run must know of how its item was found.
    pub(super) fn mark(&self, line: &mut Line) {
        let experiment = match self {
            Self::Listed | Self::Named { .. } => None,
            Self::Below { root, experiment } => {
                line.more.insert(BELOW.to_owned(), json!(root));
                experiment.as_ref()
            }
            Self::Unlisted { experiment } => {
                line.more.insert(UNLISTED.to_owned(), json!(true));
                experiment.as_ref()
            }
        };
        if let Some(experiment) = experiment {
            line.more.insert(EXPERIMENT.to_owned(), json!(experiment));
        }
    }

    /// What [`Found::mark`] noted in a line.
    pub(super) fn of_line(line: &Line) -> Option<Self> {
        let text = |member: &str| {
            let text = line.more.get(member).and_then(Value::as_str);
            text.map(str::to_owned)
        };
        let experiment = text(EXPERIMENT);
        if let Some(root) = text(BELOW) {
            return Some(Self::Below { root, experiment });
        }
        let unlisted = line.more.contains_key(UNLISTED);
        unlisted.then_some(Self::Unlisted { experiment })
    }

    /// The experiment that it is of, where that is known from elsewhere than its documents.
    fn experiment(&self) -> Option<&String> {
        match self {
            Self::Below { experiment, .. } | Self::Unlisted { experiment } => experiment.as_ref(),
            Self::Listed | Self::Named { .. } => None,
        }
    }
}

/// The field of a line that names the item below which it was found.
pub(super) const BELOW: &str = "below";
/// The field of a line that says that no list of its kind shows the item.
pub(super) const UNLISTED: &str = "unlisted";
/// The field of a line that names the experiment of a run whose documents do not.
const EXPERIMENT: &str = "experiment";
/// The field of a line that says where the bytes of an item lie which its document names by way of another item.
const PLACE: &str = "place";

/// How much is told of a type that nobody knows.
const SORT_CHARS_MAX: usize = 80;

/// An item on its way into the snapshot.
pub(super) struct Draft {
    pub(super) kind: &'static Kind,
    pub(super) id: ItemId,
    pub(super) line: Line,
    /// The documents themselves, without credentials.
    pub(super) documents: Vec<Document>,
    /// When it was last written, for entries of a share or folder.
    written: Option<Timestamp>,
    /// Whether it is taken whatever the selection says.
    pub(super) always: bool,
    /// Whether it is settled once all of its files are there.
    pub(super) settles: bool,
}

impl Draft {
    fn new(kind: &'static Kind, listed: &Listed, found: &Found) -> Self {
        let mut line = Line::new(previous::key(&listed.id));
        let attributes = listed
            .file
            .as_ref()
            .and_then(|file| file.attributes.as_ref());
        found.mark(&mut line);
        Self {
            kind,
            id: listed.id.clone(),
            line,
            documents: Vec::new(),
            written: attributes.and_then(|attributes| attributes.written),
            always: matches!(found, Found::Named { always: true }),
            settles: false,
        }
    }

    /// What the attributes of a selector find in it.
    pub(super) fn known(&self, size: Option<u64>) -> Known<'_> {
        Known {
            kind: Some(self.kind),
            documents: &self.documents,
            size,
            written: self.written,
        }
    }

    /// What it is called where its row, or all of the table, does not know what it is.
    fn unfamiliar(&self) -> Option<String> {
        if self.kind.is_unknown() {
            return Some(self.kind.name.to_owned());
        }
        let mut documents = self.documents.iter();
        let of_arm = documents.find(|document| document.form == Form::Arm)?;
        let sort = self.kind.unfamiliar_sort(&of_arm.value)?;
        let sort: String = sort.chars().take(SORT_CHARS_MAX).collect();
        Some(format!("{} of type {sort}", self.kind.name))
    }

    /// Whether there may be items below it that no list shows.
    fn may_have_children(&self) -> bool {
        let mut documents = self.documents.iter();
        documents.any(|document| (self.kind.has_children)(&document.value))
    }

    /// The experiment that its documents name.
    fn experiment(&self) -> Option<String> {
        let mut documents = self.documents.iter();
        documents.find_map(|document| experiment_of(&document.value).map(str::to_owned))
    }

    /// Whether its document names a place where its bytes lie.
    pub(super) fn names_place(&self) -> bool {
        let Content::Uri(pointer) = self.kind.content else {
            return false;
        };
        self.documents.iter().any(|document| {
            let place = document.value.pointer(pointer).and_then(Value::as_str);
            place.is_some_and(|place| !place.is_empty())
        })
    }
}

/// The experiment that a document of a run names, in either form.
fn experiment_of(document: &Value) -> Option<&str> {
    ["/experimentName", "/properties/experimentName"]
        .into_iter()
        .find_map(|pointer| {
            let name = document.pointer(pointer).and_then(Value::as_str);
            name.filter(|name| !name.is_empty())
        })
}

/// Whether the document that a list carried names an experiment.
pub(super) fn names_experiment(listed: &Listed) -> bool {
    let document = listed.document.as_ref();
    document.is_some_and(|document| experiment_of(&document.value).is_some())
}

impl Run<'_> {
    /// Takes one item, with all that lies below it.
    pub(super) fn item(&self, listed: Listed, found: Found) -> BoxFuture<'_, Result<(), Error>> {
        self.take_item(listed, found).boxed()
    }

    async fn take_item(&self, mut listed: Listed, found: Found) -> Result<(), Error> {
        let Some(counts) = self.counts.of(&listed.id.kind) else {
            return Ok(());
        };
        if !self.is_first(counts.kind, &listed.id, &found).await? {
            return Ok(());
        }
        counts.items.list(1);
        let before = self.before(&listed.id, counts).await?;
        let mut draft = Draft::new(counts.kind, &listed, &found);
        let mut taken = Vec::new();
        if let Some(document) = &mut listed.document {
            taken = secret_fields::take(counts.kind, &mut document.value);
            draft.documents.push(document.clone());
        }
        if self.is_refused(&draft) {
            return self.exclude(&draft, counts);
        }
        if let Some(what) = draft.unfamiliar() {
            self.counts.unfamiliar(what);
        }
        if let Some(before) = before.as_ref().filter(|before| self.rests(&draft, before)) {
            self.remember_targets(&draft).await?;
            self.carry(counts, before).await?;
            self.remember_parent(&draft, &found).await?;
            counts.items.settle(1, Outcome::Unchanged);
            self.tell(&draft.id, Outcome::Unchanged);
            return Ok(());
        }
        self.recall_place(&draft, &listed, before.as_ref());
        let details = self.ask(&mut draft, &listed).await;
        if self.is_refused(&draft) {
            return self.exclude(&draft, counts);
        }
        let known = self.known_children(&draft, before.as_ref());
        let children = match known {
            Some(_) => None,
            None => self.ask_children(&mut draft).await,
        };
        match &children {
            None => self.remember_parent(&draft, &found).await?,
            Some(_) if draft.may_have_children() && !matches!(found, Found::Below { .. }) => {
                self.staging.relisted(&draft.id.name).await?;
            }
            Some(_) => {}
        }
        let experiment = draft.experiment().or_else(|| found.experiment().cloned());
        let files = self
            .list_files(&mut draft, &listed, details.files, before.as_ref(), counts)
            .await?;
        let Some(files) = files else {
            return self.exclude(&draft, counts);
        };
        self.touched.store(true, Ordering::Relaxed);
        for document in &draft.documents {
            let entry = self
                .document(counts.kind, document, before.as_ref())
                .await?;
            draft.line.documents.push(entry);
        }
        if let Some(place) = self.source.led_to(&listed) {
            draft.line.more.insert(PLACE.to_owned(), json!(place));
        }
        if counts.kind.content == Content::Run || matches!(found, Found::Named { .. }) {
            draft.line.asked = Some(known.unwrap_or_else(|| self.now()));
        }
        self.keep_secrets(&mut draft, &listed, taken, before.as_ref())
            .await?;
        self.remember_targets(&draft).await?;
        self.lay_down(draft, files, before, counts).await?;
        let root = match found {
            Found::Below { root, .. } => root,
            Found::Listed | Found::Named { .. } | Found::Unlisted { .. } => listed.id.name,
        };
        futures::stream::iter(children.unwrap_or_default())
            .map(|child| {
                let root = root.clone();
                let experiment = experiment.clone().filter(|_| !names_experiment(&child));
                self.item(child, Found::Below { root, experiment })
            })
            .buffer_unordered(ITEMS_AT_ONCE)
            .try_for_each(|()| async { Ok(()) })
            .await
    }

    /// Whether an item was not taken yet. Several lists may show a run; who is asked for by name is known not to be there.
    async fn is_first(&self, kind: &Kind, id: &ItemId, found: &Found) -> Result<bool, Error> {
        if kind.content != Content::Run {
            return Ok(true);
        }
        let claimed = self.staging.claim(&id.name).await?;
        Ok(claimed || matches!(found, Found::Named { .. }))
    }

    /// Where the snapshot before found the bytes of an item that names them by way of another one, which then need not be
    /// asked again: as long as the item's own document is the same.
    fn recall_place(&self, draft: &Draft, listed: &Listed, before: Option<&Before>) {
        let Some(before) = before.filter(|_| !self.policy.full) else {
            return;
        };
        let place = before.item.more.get(PLACE).and_then(Value::as_str);
        let same =
            |document| document::find(draft.kind, document, &before.item.documents).is_some();
        if let Some(place) = place
            && draft.documents.iter().all(same)
        {
            self.source.recall(listed, place);
        }
    }

    /// Since when what lies below an item is known, where that is the last accepted snapshot: nothing in its documents
    /// changed since, as it does where a step or trial is added. An interrupted run may have taken the item and not yet
    /// what is below it.
    fn known_children(&self, draft: &Draft, before: Option<&Before>) -> Option<Timestamp> {
        let before = before.filter(|_| !self.policy.full && draft.may_have_children())?;
        let same = |document| document::find(draft.kind, document, &before.accepted).is_some();
        let gaps = &before.item.gaps;
        let known = self.was_asked_lately(before)
            && gaps.iter().all(|gap| gap.file.is_some())
            && draft.documents.iter().all(same);
        before.item.asked.filter(|_| known)
    }

    /// Asks for what lies below an item, where its row says that there may be something. Where it cannot be had, that is a
    /// gap.
    async fn ask_children(&self, draft: &mut Draft) -> Option<Vec<Listed>> {
        if !draft.may_have_children() {
            return Some(Vec::new());
        }
        let permit = self.questions.acquire().await;
        let children = self.source.children(&draft.id).await;
        drop(permit);
        match children {
            Ok(children) => Some(children),
            Err(error) => {
                self.add_gap(draft, None, reason::of(&error));
                None
            }
        }
    }

    /// Remembers that nothing was asked about an item, so that what lies below it is taken over as well.
    async fn remember_parent(&self, draft: &Draft, found: &Found) -> Result<(), Error> {
        match found {
            _ if !draft.may_have_children() => Ok(()),
            Found::Below { root, .. } => self.staging.parent(root).await,
            Found::Listed | Found::Named { .. } | Found::Unlisted { .. } => {
                self.staging.parent(&draft.id.name).await
            }
        }
    }

    /// What the snapshots before have of an item.
    async fn before(&self, id: &ItemId, counts: &KindCounts) -> Result<Option<Before>, Error> {
        let before = self.previous.item(id).await?;
        let had = |before: &Before| {
            before.is_accepted && before.item.gaps.iter().all(|gap| gap.file.is_some())
        };
        if before.as_ref().is_some_and(had) {
            counts.seen_again.fetch_add(1, Ordering::Relaxed);
        }
        Ok(before)
    }

    fn is_refused(&self, draft: &Draft) -> bool {
        let verdict = || self.policy.verdict(&draft.id, &draft.known(None));
        !draft.always && verdict() == Verdict::No
    }

    fn exclude(&self, draft: &Draft, counts: &KindCounts) -> Result<(), Error> {
        counts.items.settle(1, Outcome::Excluded);
        self.tell(&draft.id, Outcome::Excluded);
        Ok(())
    }

    pub(super) fn tell(&self, id: &ItemId, outcome: Outcome) {
        self.observer.event(&Event::Item(id, outcome));
    }

    /// Asks for what the listing does not carry. What cannot be had is a gap.
    async fn ask(&self, draft: &mut Draft, listed: &Listed) -> Details {
        let permit = self.questions.acquire().await;
        let details = self.source.details(listed).await;
        drop(permit);
        match details {
            Ok(mut details) => {
                draft.documents.append(&mut details.documents);
                draft.settles = self.is_over(draft.kind, &draft.documents);
                for (file, reason) in std::mem::take(&mut details.gaps) {
                    self.add_gap(draft, file.as_ref().map(FilePath::as_str), reason);
                }
                details
            }
            Err(error) => {
                self.add_gap(draft, None, reason::of(&error));
                Details::default()
            }
        }
    }

    /// Whether nothing about an item is asked: it is settled, its document is as before, and it was asked about lately.
    fn rests(&self, draft: &Draft, before: &Before) -> bool {
        let same = |listed| document::find(draft.kind, listed, &before.item.documents).is_some();
        !self.policy.full
            && before.item.settled
            && self.was_asked_lately(before)
            && !draft.documents.is_empty()
            && draft.documents.iter().all(same)
            && (!draft.may_have_children() || self.known_children(draft, Some(before)).is_some())
    }

    /// Whether everything about an item was asked for lately.
    fn was_asked_lately(&self, before: &Before) -> bool {
        before.item.asked.is_some_and(|asked| {
            self.now().duration_since(asked).unsigned_abs() < self.policy.full_every
        })
    }

    /// Takes an item over from the snapshot before, whole.
    pub(super) async fn carry(&self, counts: &KindCounts, before: &Before) -> Result<(), Error> {
        let mut first = true;
        for line in self.previous.lines(before).await? {
            let contents = line.files.iter().filter(|file| file.content.is_some());
            let (files, bytes) = contents.fold((0, 0), |(files, bytes), file| {
                (files + 1, bytes + file.size())
            });
            counts.files.list(files);
            counts.files.settle(files, Outcome::Unchanged);
            counts.files_before.fetch_add(files, Ordering::Relaxed);
            self.counts.list_bytes(bytes);
            self.counts.skip_bytes(bytes);
            self.write(line, first).await?;
            first = false;
        }
        Ok(())
    }

    /// The entry of a document: the one before where nothing changed in it, else it is stored.
    async fn document(
        &self,
        kind: &Kind,
        document: &Document,
        before: Option<&Before>,
    ) -> Result<DocumentEntry, Error> {
        if let Some(before) = before.filter(|_| !self.policy.full)
            && let Some(entry) = document::find(kind, document, &before.item.documents)
        {
            return Ok(entry.clone());
        }
        let stored = self.writer.document(&document.value).await;
        let stored = stored.map_err(|error| self.broken(error))?;
        Ok(document::entry(kind, document, stored))
    }

    /// Whether nothing is expected to change any more: the status is a last one, and the end is long enough ago.
    fn is_over(&self, kind: &Kind, documents: &[Document]) -> bool {
        let attribute = |name| (kind.attribute)(documents, &name);
        let Some(AttributeValue::Text(status)) = attribute(AttributeName::Status) else {
            return false;
        };
        let Some(AttributeValue::Time(ended)) = attribute(AttributeName::Ended) else {
            return false;
        };
        let ago = self.now().duration_since(ended);
        kind.terminal.contains(&status.as_str())
            && ago.is_positive()
            && ago.unsigned_abs() >= self.policy.settling
    }

    /// Adds a gap to an item on its way.
    pub(super) fn add_gap(&self, draft: &mut Draft, file: Option<&str>, reason: String) -> Outcome {
        let gap = self.gap(draft.kind, &draft.id, file, reason);
        let outcome = outcome_of(&gap);
        draft.line.gaps.push(gap);
        draft.settles = false;
        outcome
    }
}
