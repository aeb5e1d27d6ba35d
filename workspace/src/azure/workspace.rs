//! One Azure ML workspace for one run: what it is read and written through.

use std::sync::OnceLock;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use super::arm::Arm;
use super::blob::BlobReader;
use super::connection::Connection;
use super::datastore::{DatastoreCache, NOTEBOOK_STORE};
use super::doors::Doors;
use super::experiments;
use super::history::{History, MetricName};
use super::inventory::Inventory;
use super::mlflow::KnownExperiments;
use super::name::{Root, WorkspaceName};
use super::place::Place;
use super::registry::region_of;
use super::settings::ReadOptions;
use super::share::{self, ShareReader};
use super::share_snapshot::ShareSnapshot;
use super::ways::Ways;
use super::write::MayWrite;
use super::{listing, metric, range, secrets, tier, types};
use crate::kind::{KINDS, Origin, UnknownKinds};
use crate::{
    ByteStream, Content, Details, Document, Entry, Error, FilePath, Form, FoundRun, Identity,
    ItemId, Kind, Listed, Location, RunList, Secret, SourceFile, Workspace,
};

/// The kind that runs are items of.
const RUNS: &str = "jobs";

/// One workspace, for one run: what it has listed is kept, so a new run opens it anew.
#[derive(Debug)]
pub struct AzureWorkspace {
    identity: Identity,
    document: Document,
    options: ReadOptions,
    arm: Arm,
    history: History,
    datastores: DatastoreCache,
    doors: Doors,
    inventory: Inventory,
    ways: Ways,
    share_snapshot: ShareSnapshot,
    may_write: MayWrite,
    experiments: KnownExperiments,
    unknown: OnceLock<Vec<&'static Kind>>,
    registry_front: OnceCell<Url>,
    is_made: bool,
}

impl AzureWorkspace {
    /// Opens a workspace: one GET of it, and one of its discovery address.
    pub async fn open(
        connection: &Connection,
        name: &WorkspaceName,
        options: ReadOptions,
    ) -> Result<Self, Error> {
        let arm = Arm::new(connection.clone(), name.clone());
        let document = arm.workspace().await?;
        let workspace = Self::assemble(arm, document, options)?;
        if workspace.is_registry() {
            return Ok(workspace);
        }
        if let Err(error) = workspace.history.base().await {
            // It is asked for again when a job needs it, and is a gap then.
            tracing::warn!(%error, "discovery of the data plane failed");
        }
        Ok(workspace)
    }

    /// One that is not there yet, with the datastores that it will have.
    pub(crate) fn unmade(
        arm: Arm,
        document: Document,
        options: ReadOptions,
        datastores: Vec<Listed>,
    ) -> Result<Self, Error> {
        Ok(Self {
            datastores: DatastoreCache::holding(datastores),
            is_made: false,
            ..Self::assemble(arm, document, options)?
        })
    }

    fn assemble(arm: Arm, document: Document, options: ReadOptions) -> Result<Self, Error> {
        let datastores = match arm.name.root {
            Root::Workspace => DatastoreCache::default(),
            Root::Registry => DatastoreCache::holding(Vec::new()),
        };
        Ok(Self {
            identity: identity(&arm.name, &document.value),
            history: History::new(&arm, &document.value),
            document,
            options,
            arm,
            datastores,
            doors: Doors::default(),
            inventory: Inventory::open()?,
            ways: Ways::default(),
            share_snapshot: ShareSnapshot::default(),
            may_write: MayWrite::default(),
            experiments: KnownExperiments::default(),
            unknown: OnceLock::new(),
            registry_front: OnceCell::new(),
            is_made: true,
        })
    }

    /// Whether a workspace is there: one GET. One that was deleted softly is not.
    pub async fn is_there(connection: &Connection, name: &WorkspaceName) -> Result<bool, Error> {
        let arm = Arm::new(connection.clone(), name.clone());
        match arm.workspace().await {
            Ok(_) => Ok(true),
            Err(Error::NotFound(_) | Error::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether it is there; else it is still to be made, and has nothing but what every new one has.
    pub fn is_made(&self) -> bool {
        self.is_made
    }

    /// The workspace's own document, as ARM returned it.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The connection that it is reached by.
    pub fn connection(&self) -> &Connection {
        &self.arm.connection
    }

    pub(crate) fn identity_of(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn options(&self) -> ReadOptions {
        self.options
    }

    pub(crate) fn arm(&self) -> &Arm {
        &self.arm
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    pub(crate) fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    pub(crate) fn known_experiments(&self) -> &KnownExperiments {
        &self.experiments
    }

    pub(crate) fn may_write(&self) -> &MayWrite {
        &self.may_write
    }

    pub(crate) fn ways(&self) -> &Ways {
        &self.ways
    }

    pub(crate) fn share_snapshot(&self) -> &ShareSnapshot {
        &self.share_snapshot
    }

    /// Where a registry's own front is; asked for once.
    pub(crate) fn registry_front(&self) -> &OnceCell<Url> {
        &self.registry_front
    }

    pub(crate) fn doors(&self) -> &Doors {
        &self.doors
    }

    pub(crate) fn datastore_cache(&self) -> &DatastoreCache {
        &self.datastores
    }

    /// The root of the file share of notebooks.
    pub async fn notebooks(&self) -> Result<Place, Error> {
        self.datastore_place(Some(NOTEBOOK_STORE), "").await
    }

    fn list_notebooks(&self, kind: &'static Kind) -> BoxStream<'_, Result<Listed, Error>> {
        let start = async move {
            let place = self.notebooks_to_read().await?;
            let files = share::walk(&self.way_to(&place).await?, &place);
            Ok::<_, Error>(files.map_ok(move |file| entry_of_share(kind, file)))
        };
        start.into_stream().try_flatten().boxed()
    }

    async fn details_of_run(&self, item: &Listed) -> Result<Details, Error> {
        let mut details = Details::default();
        let run = item.id.name.as_str();
        let given = item.document.as_ref();
        let listed_as_run = given.filter(|document| document.form == Form::RunHistory);
        if listed_as_run.is_none() {
            match self.history.run(run).await? {
                Some(record) => details.documents.push(record),
                None => details
                    .gaps
                    .push((None, "run history has no record of it".to_owned())),
            }
        }
        match self.history.metrics(run).await {
            Ok(metrics) => {
                for one in &metrics {
                    match metric::file(run, one) {
                        Ok(file) => details.files.push(file),
                        Err(error) => details.gaps.push((None, error.to_string())),
                    }
                }
            }
            // The record is there, and the service knows of no metrics.
            Err(Error::NotFound(_)) => {}
            Err(error) => details.gaps.push((None, error.to_string())),
        }
        Ok(details)
    }

    /// The workspace as an item of its kind.
    fn itself(&self, kind: &'static Kind) -> Listed {
        Listed {
            id: ItemId::new(kind.name, &self.arm.name.workspace),
            document: Some(self.document.clone()),
            file: None,
        }
    }

    /// What the listing of an item names as the place of its bytes.
    fn uri_of(item: &Listed) -> Option<&str> {
        let document = item.document.as_ref()?;
        match Kind::find(&item.id.kind)?.content {
            Content::Uri(pointer) => document.value.pointer(pointer)?.as_str(),
            _ => None,
        }
    }
}

fn is_run(id: &ItemId) -> bool {
    Kind::find(&id.kind).is_some_and(|kind| kind.content == Content::Run)
}

/// A run as an item, by its record.
fn run_of(record: Document) -> Result<Listed, Error> {
    let id = record.value.get("runId").and_then(Value::as_str);
    let id = id
        .filter(|id| !id.is_empty())
        .ok_or_else(|| Error::Answer {
            act: "a list of runs".to_owned(),
            reason: "a run has no id".to_owned(),
        })?;
    Ok(Listed {
        id: ItemId::new(RUNS, id),
        document: Some(record),
        file: None,
    })
}

fn entry_of_share(kind: &'static Kind, file: SourceFile) -> Listed {
    Listed {
        id: ItemId::new(kind.name, file.path.as_str()),
        document: None,
        file: Some(file),
    }
}

fn identity(name: &WorkspaceName, document: &Value) -> Identity {
    if name.root == Root::Registry {
        return Identity::Registry {
            subscription: name.subscription.clone(),
            resource_group: name.resource_group.clone(),
            registry: name.workspace.clone(),
            region: region_of(document),
        };
    }
    let text = |pointer: &str| {
        document
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let account = text("/properties/storageAccount");
    Identity::Azure {
        subscription: name.subscription.clone(),
        resource_group: name.resource_group.clone(),
        workspace: name.workspace.clone(),
        region: text("/location").to_owned(),
        workspace_guid: text("/properties/workspaceId").to_owned(),
        storage_account: account.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

#[async_trait]
impl Workspace for AzureWorkspace {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn kinds(&self) -> Vec<&'static Kind> {
        let ours = |kind: &&Kind| {
            (kind.is_resource() || kind.content == Content::Share) && self.offers(kind)
        };
        let unknown = self.unknown.get().into_iter().flatten();
        let known = KINDS.iter().copied().filter(ours);
        known.chain(unknown.copied()).collect()
    }

    async fn discover(&self) -> Result<Vec<String>, Error> {
        if self.is_registry() {
            return Ok(Vec::new());
        }
        let types = types::below_workspaces(&self.arm).await?;
        let unknown = UnknownKinds::of(&types);
        // Who asks twice in one run gets what the first answer said.
        let _ = self.unknown.set(unknown.kinds);
        Ok(unknown.unreached)
    }

    fn absence(&self, kind: &'static Kind) -> Option<String> {
        self.arm.absence(kind)
    }

    async fn prepare(&self, kind: &'static Kind) -> Result<(), Error> {
        self.keep_share(kind).await
    }

    async fn release(&self) -> Result<(), Error> {
        self.give_back_share().await
    }

    fn requests(&self) -> u64 {
        self.arm.connection.traffic().total()
    }

    fn list(&self, kind: &'static Kind) -> BoxStream<'_, Result<Listed, Error>> {
        if !self.offers(kind) {
            return stream::empty().boxed();
        }
        if kind.origin == Origin::Workspace {
            return stream::iter([Ok(self.itself(kind))]).boxed();
        }
        if !self.is_made && kind.store.is_none() {
            return stream::empty().boxed();
        }
        if kind.content == Content::Share {
            return self.list_notebooks(kind);
        }
        if kind.store.is_none() {
            return listing::collection(&self.arm, kind);
        }
        // Datastores are asked for by every file too, and listed once.
        let start = async move {
            let stores = self.datastores().await?;
            let listed: Vec<_> = stores.listed.iter().cloned().map(Ok).collect();
            Ok::<_, Error>(stream::iter(listed))
        };
        start.into_stream().try_flatten().boxed()
    }

    async fn get(&self, id: &ItemId) -> Result<Option<Listed>, Error> {
        let kind = Kind::by_name(&id.kind)?;
        if !self.offers(kind) {
            return Ok(None);
        }
        if !self.is_made && kind.origin != Origin::Workspace {
            let mut listed = self.list(kind);
            while let Some(found) = listed.try_next().await? {
                if found.id == *id {
                    return Ok(Some(found));
                }
            }
            return Ok(None);
        }
        if kind.content == Content::Share {
            let path = FilePath::new(&id.name)?;
            let place = self.notebooks_to_read().await?;
            let file = share::entry(&self.way_to(&place).await?, &place, &path).await?;
            return Ok(file.map(|file| entry_of_share(kind, file)));
        }
        if kind.origin == Origin::Workspace {
            let own = self.itself(kind);
            let named = own.id.name.eq_ignore_ascii_case(&id.name);
            return Ok(named.then_some(own));
        }
        let document = self.arm.item(kind, id).await?;
        Ok(document.map(|document| Listed {
            id: id.clone(),
            document: Some(document),
            file: None,
        }))
    }

    async fn details(&self, item: &Listed) -> Result<Details, Error> {
        match is_run(&item.id) {
            true => self.details_of_run(item).await,
            false => Ok(Details::default()),
        }
    }

    async fn children(&self, item: &ItemId) -> Result<Vec<Listed>, Error> {
        if !is_run(item) {
            return Ok(Vec::new());
        }
        let records = self.history.children(&item.name).await?;
        records.into_iter().map(run_of).collect()
    }

    async fn child(&self, id: &ItemId) -> Result<Option<Listed>, Error> {
        if !is_run(id) {
            return self.get(id).await;
        }
        let record = self.history.run(&id.name).await?;
        Ok(record.map(|record| Listed {
            id: id.clone(),
            document: Some(record),
            file: None,
        }))
    }

    async fn runs(&self, since: Option<Timestamp>) -> Result<Option<RunList<'_>>, Error> {
        if !self.has_runs() {
            return Ok(None);
        }
        let found = experiments::runs(&self.history, since).await?;
        Ok(found.map(|found| RunList {
            changes: found.changes,
            runs: found
                .records
                .map(|record| {
                    let (record, experiment) = record?;
                    let root = experiments::root(&record.value).map(str::to_owned);
                    let listed = run_of(record)?;
                    Ok(FoundRun {
                        listed,
                        root,
                        experiment,
                    })
                })
                .boxed(),
        }))
    }

    fn led_to(&self, item: &Listed) -> Option<String> {
        self.ways.get(Self::uri_of(item)?).map(Into::into)
    }

    fn recall(&self, item: &Listed, address: &str) {
        if let (Some(uri), Ok(address)) = (Self::uri_of(item), Url::parse(address)) {
            self.ways.add(uri, address);
        }
    }

    fn files<'a>(&'a self, item: &'a Listed) -> BoxStream<'a, Result<SourceFile, Error>> {
        self.files_of(item)
    }

    async fn look_again(&self, file: &SourceFile) -> Result<Option<SourceFile>, Error> {
        let Location::Blob(url) = &file.location else {
            return Ok(None);
        };
        let place = self.locate(url.as_str()).await?;
        let mut below = self.list_place(&place);
        while let Some(found) = below.try_next().await? {
            if found.location == file.location {
                let path = file.path.clone();
                return Ok(Some(SourceFile { path, ..found }));
            }
        }
        Ok(None)
    }

    async fn read(&self, file: &SourceFile) -> Result<ByteStream, Error> {
        if file.entry != Entry::File {
            return Ok(stream::empty().boxed());
        }
        match &file.location {
            Location::Blob(url) => {
                let connection = self.way_to_url(url).await?;
                if file.tier.as_deref() == Some(tier::ARCHIVE) {
                    self.bring_back(&connection, url, file).await?;
                }
                let reader = BlobReader::new(&connection, url, None)?;
                let path = file.path.clone();
                let bytes = range::read(reader, file, connection.ahead());
                Ok(bytes
                    .map_err(move |error| tier::refused(error, &path))
                    .boxed())
            }
            Location::Share(url) => {
                let connection = self.way_to_url(url).await?;
                let ahead = connection.ahead();
                let url = url.clone();
                Ok(range::read(ShareReader { connection, url }, file, ahead))
            }
            Location::Metric {
                run,
                metric,
                namespace,
            } => {
                let metric = MetricName {
                    name: metric.clone(),
                    namespace: namespace.clone(),
                };
                Ok(metric::read(&self.history, run, metric))
            }
            Location::Local(_) => Err(Error::Unsupported {
                what: "reading a file of this machine through Azure".to_owned(),
            }),
        }
    }

    async fn secrets(&self, item: &Listed) -> Result<Vec<Secret>, Error> {
        secrets::of(&self.arm, item).await
    }
}
