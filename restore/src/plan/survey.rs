//! Which items of the snapshot a plan is about: those selected, and what they need and the target lacks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use archive_format::{GapEntry, Line};
use futures::TryStreamExt;
use jiff::Timestamp;
use workspace::kind::{Origin, Restore};
use workspace::select::Named;
use workspace::{Content, ItemId, Kind};

use super::listing::Listing;
use super::order::Node;
use crate::run::read_time;
use crate::snapshot::{Loaded, id_of, may_select};
use crate::world::World;
use crate::{Error, Event, Observer};

/// The field of a line that names the item below which it was found: the pipeline of a child run.
const BELOW: &str = "below";

/// An item that the plan is about.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Its place in the order.
    pub(crate) node: Node,
    /// Why it is in the plan without being selected.
    pub(crate) pulled: Option<String>,
    /// What it refers to.
    refers: BTreeSet<ItemId>,
}

/// The names in the snapshot: all of them, or those that a narrow selection is about, with others as they are asked for.
#[derive(Debug, Default)]
pub(crate) struct Names {
    items: BTreeSet<ItemId>,
    below: BTreeMap<String, Vec<ItemId>>,
    selected: BTreeSet<ItemId>,
    /// What kept kinds as a whole from being taken as they should be, where the selection asks for something of them.
    of_kinds: Vec<(ItemId, GapEntry)>,
    /// The names, by kind, that were read; `None` where all were.
    read: Option<BTreeSet<(String, String)>>,
}

impl Names {
    /// Reads the names of all items, and which of them are selected; where the selection says what they are called, only
    /// those.
    pub(crate) async fn read(world: &World<'_>) -> Result<Self, Error> {
        let mut names = Self::default();
        let Some(wanted) = world.selection.names() else {
            let mut lines = world.source.lines();
            while let Some(line) = lines.try_next().await? {
                names.add(world, &line, true).await?;
            }
            return Ok(names);
        };
        names.read = Some(BTreeSet::new());
        for named in &wanted {
            if !named.below {
                names.know(world, &named.kind, &named.name, true).await?;
                continue;
            }
            let mut lines = world.source.lines_of(named);
            while let Some(line) = lines.try_next().await? {
                names.add(world, &line, true).await?;
            }
        }
        names.read_below(world).await?;
        Ok(names)
    }

    /// Reads what lies below the jobs that are selected whole. No name tells it, so all names of the kind are read.
    async fn read_below(&mut self, world: &World<'_>) -> Result<(), Error> {
        let of_runs = |id: &&ItemId| {
            Kind::find(&id.kind).is_some_and(|kind| kind.content == Content::Run)
                && world.selection.takes_whole(id, &())
        };
        let kinds: BTreeSet<String> = self
            .selected
            .iter()
            .filter(of_runs)
            .map(|id| id.kind.clone())
            .collect();
        for kind in kinds {
            let mut lines = world.source.lines_of_kind(&kind);
            while let Some(line) = lines.try_next().await? {
                if line.more.contains_key(BELOW) {
                    self.add(world, &line, false).await?;
                }
            }
        }
        Ok(())
    }

    /// Adds an item by its line.
    async fn add(&mut self, world: &World<'_>, line: &Line, may_take: bool) -> Result<(), Error> {
        let id = id_of(line);
        if line.is_of_kind() {
            if may_take && may_select(&world.selection, line) {
                let gaps = line.gaps.iter().cloned();
                self.of_kinds.extend(gaps.map(|gap| (id.clone(), gap)));
            }
            return Ok(());
        }
        if line.part != 0 {
            return Ok(());
        }
        if let Some(root) = line.more.get(BELOW).and_then(serde_json::Value::as_str) {
            let below = self.below.entry(root.to_owned()).or_default();
            if !below.contains(&id) {
                below.push(id.clone());
            }
        }
        if may_take && world.is_selected(&id).await? {
            self.selected.insert(id.clone());
        }
        self.items.insert(id);
        Ok(())
    }

    /// Reads the items of a name, unless that was done before.
    async fn know(
        &mut self,
        world: &World<'_>,
        kind: &str,
        name: &str,
        may_take: bool,
    ) -> Result<(), Error> {
        let is_new = self
            .read
            .as_mut()
            .is_some_and(|read| read.insert((kind.to_owned(), name.to_owned())));
        if !is_new {
            return Ok(());
        }
        let named = Named {
            kind: kind.to_owned(),
            name: name.to_owned(),
            below: false,
        };
        let mut lines = world.source.lines_of(&named);
        while let Some(line) = lines.try_next().await? {
            self.add(world, &line, may_take).await?;
        }
        Ok(())
    }

    /// Takes an item that is in the snapshot, whatever is selected.
    pub(crate) async fn take(&mut self, world: &World<'_>, id: ItemId) -> Result<(), Error> {
        self.know(world, &id.kind, &id.name, false).await?;
        if self.items.contains(&id) {
            self.selected.insert(id);
        }
        Ok(())
    }

    /// Those that are selected.
    pub(crate) fn selected(&self) -> &BTreeSet<ItemId> {
        &self.selected
    }

    /// What the snapshot says of kinds as a whole that it could not take as it should.
    pub(crate) fn of_kinds(&self) -> &[(ItemId, GapEntry)] {
        &self.of_kinds
    }

    /// How many are selected of a kind.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.selected.iter().filter(|id| id.kind == kind).count()
    }

    /// The versions that the snapshot has of an item's name.
    pub(crate) fn versions(&self, id: &ItemId) -> Vec<String> {
        let from = ItemId::new(id.kind.clone(), id.name.clone());
        let same = self
            .items
            .range(from..)
            .take_while(|other| other.kind == id.kind && other.name == id.name);
        same.filter_map(|other| other.version.clone()).collect()
    }

    /// The snapshot's item for a name: for one without a version the newest version.
    async fn find(&mut self, world: &World<'_>, id: &ItemId) -> Result<Option<ItemId>, Error> {
        self.know(world, &id.kind, &id.name, false).await?;
        Ok(self.found(id))
    }

    fn found(&self, id: &ItemId) -> Option<ItemId> {
        let versioned = Kind::find(&id.kind).is_some_and(|kind| kind.versioned);
        if !versioned || id.version.is_some() {
            return self.items.get(id).cloned();
        }
        self.items
            .range(id.clone()..)
            .take_while(|other| other.kind == id.kind && other.name == id.name)
            .filter(|other| other.version.is_some())
            .max_by_key(|other| {
                let version = other.version.clone().unwrap_or_default();
                (version.parse::<u64>().ok(), version)
            })
            .cloned()
    }
}

/// Finds the items of the plan, those needed included.
pub(crate) async fn survey(
    world: &World<'_>,
    names: &mut Names,
    listing: &mut Listing<'_>,
    observer: &dyn Observer,
) -> Result<Vec<Candidate>, Error> {
    let mut queue: VecDeque<(ItemId, Option<String>)> =
        names.selected.iter().map(|id| (id.clone(), None)).collect();
    let mut known = names.selected.clone();
    let mut candidates = Vec::with_capacity(queue.len());
    while let Some((id, pulled)) = queue.pop_front() {
        let candidate = candidate(world, names, id, pulled).await?;
        let is_whole =
            candidate.pulled.is_some() || world.selection.takes_whole(&candidate.node.id, &());
        let below = names.below.get(&candidate.node.id.name);
        for child in below.filter(|_| is_whole).into_iter().flatten() {
            if candidate.node.id.kind == child.kind && known.insert(child.clone()) {
                queue.push_back((
                    child.clone(),
                    Some(format!("a child of {}", candidate.node.id)),
                ));
            }
        }
        for need in &candidate.refers {
            if need.kind != "jobs"
                && !known.contains(need)
                && !lacks_nothing(world, listing, need).await?
            {
                known.insert(need.clone());
                queue.push_back((
                    need.clone(),
                    Some(format!("{} refers to it", candidate.node.id)),
                ));
            }
        }
        candidates.push(candidate);
        observer.event(Event::Planning {
            done: candidates.len() as u64,
            total: 0,
        });
    }
    Ok(candidates)
}

/// Whether the target has what a reference needs, so that it is not pulled in.
async fn lacks_nothing(
    world: &World<'_>,
    listing: &mut Listing<'_>,
    need: &ItemId,
) -> Result<bool, Error> {
    listing.has(&world.map_item(need)).await
}

async fn candidate(
    world: &World<'_>,
    names: &mut Names,
    id: ItemId,
    pulled: Option<String>,
) -> Result<Candidate, Error> {
    let kind = Kind::find(&id.kind);
    let mut node = Node {
        order: kind.map_or(u8::MAX, |kind| kind.order_of(&id)),
        id,
        created: None,
        needs: BTreeSet::new(),
        after: BTreeSet::new(),
    };
    let mut refers = BTreeSet::new();
    if kind.is_some_and(|kind| kind.named_by_path) {
        node.after.extend(directory_of(&node.id));
    }
    let has_documents = kind.is_some_and(|kind| !kind.named_by_path);
    if let Some(kind) = kind.filter(|kind| has_documents && world.include.takes(kind))
        && let Some(mut loaded) = world.source.load(&node.id).await?
    {
        world.source.load_tables(&mut loaded).await?;
        node.created = created(&loaded);
        let needs = world.needs(kind, &loaded).await?.into_iter();
        let above = node.id.nested().map(|(above, ..)| above);
        for need in needs.map(|(_, need)| need).chain(above) {
            refers.extend(names.find(world, &need).await?);
        }
        // The history of a job is brought back whatever became of what the job used.
        if kind.restore == Restore::Run {
            node.after.clone_from(&refers);
        } else {
            node.needs.clone_from(&refers);
        }
        node.needs.extend(parent(&loaded));
        if node.id.version.is_none() && kind.versioned {
            node.after.extend(versions(names, &node.id));
        }
        let first = names.selected.iter();
        node.after.extend(
            first
                .filter(|id| kind.follows.contains(&id.kind.as_str()))
                .cloned(),
        );
        if kind.origin == Origin::Workspace {
            // What its settings name lies in it.
            node.needs.clear();
        }
        node.needs.remove(&node.id);
        node.after.remove(&node.id);
    }
    Ok(Candidate {
        node,
        pulled,
        refers,
    })
}

/// The directory that an entry lies in; it is made first, with its own attributes.
fn directory_of(id: &ItemId) -> Option<ItemId> {
    let (directory, _) = id.name.rsplit_once('/')?;
    Some(ItemId::new(id.kind.clone(), directory))
}

/// A container comes after all of its versions: an archived one hides them.
fn versions<'n>(names: &'n Names, container: &ItemId) -> impl Iterator<Item = ItemId> + 'n {
    let (kind, name) = (container.kind.clone(), container.name.clone());
    names
        .selected
        .range(container.clone()..)
        .take_while(move |id| id.kind == kind && id.name == name)
        .filter(|id| id.version.is_some())
        .cloned()
}

fn created(loaded: &Loaded) -> Option<Timestamp> {
    let of = |text: &crate::snapshot::Text, pointer: &str| {
        text.value
            .pointer(pointer)
            .and_then(serde_json::Value::as_str)
            .and_then(read_time)
    };
    let arm = loaded
        .arm
        .as_ref()
        .and_then(|text| of(text, "/systemData/createdAt"));
    arm.or_else(|| {
        loaded
            .record
            .as_ref()
            .and_then(|text| of(text, "/createdUtc"))
    })
}

/// The run that a child run names; it is made first, since the child's tag names it.
fn parent(loaded: &Loaded) -> Option<ItemId> {
    let record = loaded.record.as_ref()?;
    let parent = record.value.pointer("/parentRunId")?.as_str()?;
    (!parent.is_empty()).then(|| ItemId::new(loaded.id.kind.clone(), parent))
}
