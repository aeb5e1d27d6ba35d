//! One snapshot and one target workspace, with everything that is known of how the one's names become the other's.
//! Plan, apply and verify all stand on it. It reads, and never writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use futures::TryStreamExt;
use serde_json::Value;
use tokio::sync::Mutex;
use workspace::azure::{AzureWorkspace, RunId};
use workspace::kind::{self, KINDS};
use workspace::pointer::each_string;
use workspace::reference::{Mapping, Reference, Rewriter, Slot, references};
use workspace::select::{Known, Verdict};
use workspace::{Document, FilePath, Form, Identity, ItemId, Kind, Listed, Selection, Workspace};

use crate::expected::{Expected, Given, expect, needs_job, source_job};
use crate::origin::Origin;
use crate::snapshot::{Loaded, Source};
use crate::{Error, Include, Options};

mod stores;

/// A snapshot and a target.
pub(crate) struct World<'a> {
    /// The snapshot.
    pub(crate) source: Source,
    /// The target.
    pub(crate) azure: &'a AzureWorkspace,
    /// How names become others. Steps that run side by side add to it; it is never held over a wait.
    rewriter: RwLock<Rewriter>,
    /// What was selected.
    pub(crate) selection: Selection,
    /// What is done only when asked for.
    pub(crate) include: Include,
    /// The ids of the snapshot's jobs; `None` where only some items are selected, and each is looked up.
    jobs: Option<BTreeSet<String>>,
    /// Jobs asked for in the target by their own ids.
    jobs_here: Mutex<BTreeMap<String, bool>>,
    /// The address of the target's default container.
    default_container: Option<String>,
    /// Storage accounts that may be written to: those of the target's datastores, and of the mapping.
    accounts: BTreeSet<String>,
}

/// A workspace or registry as an item of its own kind.
pub(crate) fn itself(identity: &Identity) -> Option<ItemId> {
    let (name, is_registry) = match identity {
        Identity::Azure { workspace, .. } => (workspace, false),
        Identity::Registry { registry, .. } => (registry, true),
        Identity::Folder(_) => return None,
    };
    let mut kinds = KINDS
        .iter()
        .filter(|kind| kind.origin == kind::Origin::Workspace);
    let kind = kinds.find(|kind| kind.registry.is_some() == is_registry)?;
    Some(ItemId::new(kind.name, name))
}

impl<'a> World<'a> {
    /// Reads what must be known before the first item: the datastores of both sides, and, where more than a few items are
    /// selected, the ids of the jobs.
    pub(crate) async fn open(
        origin: &Origin,
        azure: &'a AzureWorkspace,
        selection: Selection,
        options: &Options,
    ) -> Result<Self, Error> {
        let source = Source::new(origin, options.partial)?;
        let mapping = Mapping::parse(&options.mapping).map_err(Error::Mapping)?;
        let accounts = mapping.storage_accounts.clone();
        for account in accounts.values() {
            azure.allow_account(account);
        }
        let mut rewriter = Rewriter::new(source.identity().clone(), azure.identity().clone())
            .with_mapping(mapping);
        if !rewriter.stays() {
            for (from, to) in stores::moves(&source, azure, &rewriter).await? {
                if !accounts.contains_key(&from.account) {
                    rewriter.move_store(from, to);
                }
            }
        }
        let (from, to) = (itself(source.identity()), itself(azure.identity()));
        if let (Some(from), Some(to)) = (from, to) {
            rewriter.renamed(from, to);
        }
        let jobs = match selection.names() {
            Some(_) => None,
            None => Some(all_jobs(&source).await?),
        };
        let default = azure.datastore_place(None, "").await;
        Ok(Self {
            source,
            azure,
            rewriter: RwLock::new(rewriter),
            selection,
            include: options.include,
            jobs,
            jobs_here: Mutex::default(),
            accounts: stores::writable(azure, accounts.into_values()).await?,
            default_container: default
                .ok()
                .map(|place| place.url.as_str().trim_end_matches('/').to_owned()),
        })
    }

    /// How names become others.
    pub(crate) fn rewriter(&self) -> RwLockReadGuard<'_, Rewriter> {
        self.rewriter.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, to add to it.
    pub(crate) fn rewriter_mut(&self) -> RwLockWriteGuard<'_, Rewriter> {
        self.rewriter
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether source and target are the same workspace.
    pub(crate) fn stays(&self) -> bool {
        self.rewriter().stays()
    }

    /// The container registry of the target, where it has one.
    pub(crate) fn container_registry(&self) -> Option<String> {
        let document = &self.azure.document().value;
        let id = document
            .pointer("/properties/containerRegistry")?
            .as_str()?;
        id.rsplit('/').next().map(str::to_owned)
    }

    /// The name of an item in the target.
    pub(crate) fn map_item(&self, id: &ItemId) -> ItemId {
        self.rewriter().map_item(id)
    }

    /// An item of the snapshot with its selected files.
    pub(crate) async fn load(&self, id: &ItemId) -> Result<Option<Loaded>, Error> {
        let mut loaded = self.source.load(id).await?;
        if let Some(loaded) = loaded.as_mut().filter(|_| !self.selection.is_everything()) {
            self.keep_selected(loaded);
        }
        if let Some(loaded) = &mut loaded {
            self.source.load_tables(loaded).await?;
        }
        Ok(loaded)
    }

    /// An item that another one needs is not selected, and keeps all of its files.
    fn keep_selected(&self, loaded: &mut Loaded) {
        let documents = documents(loaded);
        let known = known(loaded, &documents);
        if self.selection.matches_item(&loaded.id, &known) != Verdict::Yes {
            return;
        }
        let id = loaded.id.clone();
        let keep: Vec<bool> = loaded
            .item
            .files
            .iter()
            .map(|file| {
                FilePath::new(file.path.as_str()).is_ok_and(|path| {
                    self.selection.matches_file(&id, &path, &known) == Verdict::Yes
                })
            })
            .collect();
        let mut keep = keep.into_iter();
        loaded
            .item
            .files
            .retain(|_| keep.next().unwrap_or_default());
    }

    /// What an item becomes; `None` where the snapshot has no document of it.
    pub(crate) async fn expect(
        &self,
        kind: &'static Kind,
        loaded: &Loaded,
    ) -> Result<Option<Expected>, Error> {
        let Some(text) = &loaded.arm else {
            return Ok(None);
        };
        let mut here = BTreeSet::new();
        if self.stays() {
            for job in jobs_named(kind, loaded, &text.value) {
                if self.job_here(&job).await? {
                    here.insert(job);
                }
            }
        }
        let source_job = match source_job(&text.value) {
            Some(job) if !here.contains(job) => {
                let loaded = self.source.load(&ItemId::new("jobs", job)).await?;
                loaded.and_then(|loaded| loaded.arm)
            }
            _ => None,
        };
        let mut known = self.known_jobs(kind, loaded, &text.value).await?;
        if let (Some(job), Some(jobs)) = (&source_job, Kind::find("jobs")) {
            known.extend(self.known_jobs(jobs, loaded, &job.value).await?);
        }
        let rewriter = self.rewriter();
        let given = Given {
            rewriter: &rewriter,
            secrets: self.include.secrets,
            job_here: &|job| here.contains(job),
            job_known: &|job| known.contains(job),
            source_job: source_job.as_ref(),
            default_container: self.default_container.as_deref(),
            accounts: &self.accounts,
        };
        Ok(expect(kind, loaded, &given))
    }

    /// The items of the source that an item refers to, each with the pointer where: of a schedule that names a job,
    /// also what that job refers to, since the schedule will hold its definition.
    pub(crate) async fn needs(
        &self,
        kind: &'static Kind,
        loaded: &Loaded,
    ) -> Result<Vec<(String, ItemId)>, Error> {
        let mut found = needs(kind, loaded, self).await?;
        let named = loaded.arm.as_ref().and_then(|text| source_job(&text.value));
        if let (Some(job), Some(jobs)) = (named, Kind::find("jobs"))
            && !self.job_here(job).await?
            && let Some(job) = self.source.load(&ItemId::new(jobs.name, job)).await?
        {
            found.extend(needs(jobs, &job, self).await?);
        }
        Ok(found)
    }

    /// Whether the target has a job of this id, asked once.
    pub(crate) async fn job_here(&self, job: &str) -> Result<bool, Error> {
        if !self.stays() {
            return Ok(false);
        }
        let mut known = self.jobs_here.lock().await;
        if let Some(here) = known.get(job) {
            return Ok(*here);
        }
        let id = ItemId::new("jobs", job);
        // Steps of pipelines and trials of sweeps are runs that ARM shows no job for.
        let here = self.get(&id).await?.is_some() || self.run_here(&id).await?;
        known.insert(job.to_owned(), here);
        Ok(here)
    }

    async fn run_here(&self, job: &ItemId) -> Result<bool, Error> {
        let Ok(run) = RunId::new(job.name.clone()) else {
            return Ok(false);
        };
        let found = self.azure.run(&run).await;
        Ok(found
            .map_err(|error| Error::target(job.to_string(), error))?
            .is_some())
    }

    /// Those of the jobs that a document names, or an item's files, which the snapshot has.
    async fn known_jobs(
        &self,
        kind: &Kind,
        loaded: &Loaded,
        value: &Value,
    ) -> Result<BTreeSet<String>, Error> {
        let mut known = BTreeSet::new();
        for job in jobs_named(kind, loaded, value) {
            let has = match &self.jobs {
                Some(jobs) => jobs.contains(&job),
                None => self.source.has(&ItemId::new("jobs", &job)).await?,
            };
            if has {
                known.insert(job);
            }
        }
        Ok(known)
    }

    /// An item of the target.
    pub(crate) async fn get(&self, id: &ItemId) -> Result<Option<Listed>, Error> {
        self.azure
            .get(id)
            .await
            .map_err(|error| Error::target(id.to_string(), error))
    }

    /// Whether an item is selected; its documents are read only where a condition asks for them.
    pub(crate) async fn is_selected(&self, id: &ItemId) -> Result<bool, Error> {
        self.source.is_selected(&self.selection, id).await
    }
}

/// The ids of jobs that a document names, or an item's files, as a whole or in a path.
fn jobs_named(kind: &Kind, loaded: &Loaded, value: &Value) -> BTreeSet<String> {
    let mut jobs: BTreeSet<String> = all_references(kind, loaded, value)
        .iter()
        .flat_map(|(_, reference)| {
            let item = (reference.kind() == Some("jobs"))
                .then(|| reference.get(Slot::Name))
                .flatten();
            [
                reference.get(Slot::Run),
                reference.get(Slot::MaybeRun),
                item,
            ]
        })
        .flatten()
        .map(str::to_owned)
        .collect();
    each_string(value, &mut |at, name| {
        let bare = kind.bare_names.iter().find(|bare| at.matches(bare.at));
        if bare.is_some_and(|bare| bare.kinds.contains(&"jobs")) {
            jobs.extend(name.rsplit('/').next().map(str::to_owned));
        }
    });
    jobs.retain(|job| !job.is_empty());
    jobs
}

pub(crate) fn documents(loaded: &Loaded) -> Vec<Document> {
    let read = |text: &crate::snapshot::Text, form| Document {
        form,
        api_version: text.api_version.clone(),
        read: text.read,
        value: text.value.clone(),
    };
    let arm = loaded.arm.as_ref().map(|text| read(text, Form::Arm));
    let record = loaded
        .record
        .as_ref()
        .map(|text| read(text, Form::RunHistory));
    arm.into_iter().chain(record).collect()
}

pub(crate) fn known<'d>(loaded: &Loaded, documents: &'d [Document]) -> Known<'d> {
    let first = loaded.item.files.first();
    Known {
        kind: Kind::find(&loaded.id.kind),
        documents,
        size: Some(loaded.amount().bytes),
        written: first.and_then(|file| file.attributes.as_ref()?.written),
    }
}

/// The items of the source that a document refers to, each with the pointer where. Places among a job's bytes are left
/// out where the item's own files stand in for them.
async fn needs(
    kind: &'static Kind,
    loaded: &Loaded,
    world: &World<'_>,
) -> Result<Vec<(String, ItemId)>, Error> {
    let Some(text) = &loaded.arm else {
        return Ok(Vec::new());
    };
    let known = world.known_jobs(kind, loaded, &text.value).await?;
    let mut found = Vec::new();
    for (pointer, reference) in all_references(kind, loaded, &text.value) {
        let job = job_of(&reference).filter(|job| known.contains(*job));
        if let Some(job) = job.filter(|_| needs_job(kind, loaded, &pointer)) {
            found.push((pointer.clone(), ItemId::new("jobs", job)));
        }
        let item = reference.item_in(world.source.identity());
        if let Some(item) = item.filter(|item| item.kind != "jobs" && *item != loaded.id) {
            found.push((pointer, item));
        }
    }
    each_string(&text.value, &mut |at, name| {
        let bare = kind.bare_names.iter().find(|bare| at.matches(bare.at));
        if bare.is_some_and(|bare| bare.kinds.contains(&"jobs")) && known.contains(name) {
            found.push((at.to_string(), ItemId::new("jobs", name)));
        }
    });
    Ok(found)
}

/// The references of a document and of the item's files that hold any, those with the file's path.
fn all_references(kind: &Kind, loaded: &Loaded, value: &Value) -> Vec<(String, Reference)> {
    let mut found = references(kind, value);
    for (path, bytes) in &loaded.tables {
        let own = crate::mltable::references(bytes).into_iter();
        found.extend(own.map(|reference| (path.clone(), reference)));
    }
    found
}

/// The ids of a snapshot's jobs.
async fn all_jobs(source: &Source) -> Result<BTreeSet<String>, Error> {
    let lines = source.lines_of_kind("jobs");
    lines
        .try_fold(BTreeSet::new(), |mut jobs, line| async move {
            if !line.is_of_kind() {
                jobs.insert(line.name);
            }
            Ok(jobs)
        })
        .await
}

fn job_of(reference: &Reference) -> Option<&str> {
    reference
        .get(Slot::Run)
        .or_else(|| reference.get(Slot::MaybeRun))
}
