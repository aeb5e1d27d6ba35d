//! One Azure ML workspace for one run: what it is read and written through.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::Value;

use super::connection::{Connection, unserved};
use super::name::WorkspaceName;
use super::place::{FileMeta, Place, Written};
use super::run::{ExperimentId, MetricPoint, NewRun, RunEnd, RunFound, RunId};
use super::settings::ReadOptions;
use crate::{
    ByteStream, Details, Error, FilePath, Identity, ItemId, Kind, Listed, Secret, SourceFile,
    Workspace,
};
use jiff::Timestamp;

/// One workspace, for one run: what it has listed is kept, so a new run opens it anew.
#[derive(Debug)]
pub struct AzureWorkspace {
    identity: Identity,
    document: Value,
}

/// A mark in the target by which a second restore refuses. Lost by itself when its owner dies (60 seconds).
#[derive(Debug)]
pub struct TargetLock {
    owner: String,
}

impl TargetLock {
    /// Who holds it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Gives the target free.
    pub async fn release(self) -> Result<(), Error> {
        Err(unserved("a lock"))
    }
}

impl AzureWorkspace {
    /// Opens a workspace: one GET of it, and one of its discovery address.
    pub async fn open(
        connection: &Connection,
        name: &WorkspaceName,
        options: ReadOptions,
    ) -> Result<Self, Error> {
        let _ = (connection, options);
        Err(unserved(&name.to_string()))
    }

    /// The workspace's own document, as ARM returned it.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Where the bytes that a uri names lie, in any of the forms of a reference, through the workspace's datastores.
    pub async fn locate(&self, uri: &str) -> Result<Place, Error> {
        Err(unserved(uri))
    }

    /// The place of a path on a datastore, or on the default one.
    pub async fn datastore_place(
        &self,
        datastore: Option<&str>,
        path: &str,
    ) -> Result<Place, Error> {
        let _ = datastore;
        Err(unserved(path))
    }

    /// What lies at a place now, by a listing of its own; a place that is not there is empty.
    pub fn list_place<'a>(&'a self, place: &'a Place) -> BoxStream<'a, Result<SourceFile, Error>> {
        let _ = place;
        stream::empty().boxed()
    }

    /// Writes one file below a place: uploads go on at the block where an earlier one stopped, an existing file is left
    /// alone unless [`FileMeta::overwrite`] says otherwise, and parents are made. Writes only to accounts that the
    /// workspace's datastores name, or with the place's own signature.
    pub async fn write_file(
        &self,
        place: &Place,
        path: &FilePath,
        meta: &FileMeta,
        content: ByteStream,
    ) -> Result<Written, Error> {
        let _ = (place, path, meta, content);
        Err(unserved("writing"))
    }

    /// PUTs a document and follows the operation that it starts to its end; answers what the service then holds.
    pub async fn put(&self, id: &ItemId, body: &Value, api_version: &str) -> Result<Value, Error> {
        let _ = (body, api_version);
        Err(unserved(&id.to_string()))
    }

    /// Deletes an item.
    pub async fn delete(&self, id: &ItemId, api_version: &str) -> Result<(), Error> {
        let _ = api_version;
        Err(unserved(&id.to_string()))
    }

    /// Asks for a place to put the bytes of a code asset to, which opens with a signature of its own.
    pub async fn start_code_upload(&self, id: &ItemId) -> Result<Place, Error> {
        Err(unserved(&id.to_string()))
    }

    /// The code asset of that name whose content has this hash (`hashVersion` 202208), if there is one.
    pub async fn find_code_by_hash(&self, name: &str, hash: &str) -> Result<Option<ItemId>, Error> {
        let _ = hash;
        Err(unserved(name))
    }

    /// The experiment of that name, made if it is not there.
    pub async fn experiment(&self, name: &str) -> Result<ExperimentId, Error> {
        Err(unserved(name))
    }

    /// The runs that carry the tag `mlark.source_run` with this value.
    pub async fn find_runs(&self, source_run: &str) -> Result<Vec<RunFound>, Error> {
        Err(unserved(source_run))
    }

    /// One run.
    pub async fn run(&self, run: &RunId) -> Result<Option<RunFound>, Error> {
        Err(unserved(run.as_str()))
    }

    /// Makes a run. Not tried again where it is unclear whether it was made: the caller searches first.
    pub async fn create_run(&self, run: &NewRun) -> Result<RunFound, Error> {
        Err(unserved(&run.name))
    }

    /// Logs parameters; those that are there with the same value stay.
    pub async fn log_params(
        &self,
        run: &RunId,
        params: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let _ = params;
        Err(unserved(run.as_str()))
    }

    /// Logs points of metrics in batches, leaving out those that are there already. Answers how many were sent.
    pub async fn log_metrics(&self, run: &RunId, points: &[MetricPoint]) -> Result<u64, Error> {
        let _ = points;
        Err(unserved(run.as_str()))
    }

    /// Sets tags of a run.
    pub async fn set_tags(
        &self,
        run: &RunId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let _ = tags;
        Err(unserved(run.as_str()))
    }

    /// Where the artifacts of a run lie.
    pub async fn artifact_place(&self, run: &RunId) -> Result<Place, Error> {
        Err(unserved(run.as_str()))
    }

    /// Writes one artifact of a run.
    pub async fn upload_artifact(
        &self,
        run: &RunFound,
        path: &FilePath,
        meta: &FileMeta,
        content: ByteStream,
    ) -> Result<Written, Error> {
        let _ = (path, meta, content);
        Err(unserved(run.id.as_str()))
    }

    /// Ends a run.
    pub async fn finish_run(
        &self,
        run: &RunId,
        end: RunEnd,
        time: Option<Timestamp>,
    ) -> Result<(), Error> {
        let _ = (end, time);
        Err(unserved(run.as_str()))
    }

    /// Changes a run record by run history: `{"hidden": true}` archives it.
    pub async fn patch_run(&self, run: &RunId, change: &Value) -> Result<(), Error> {
        let _ = change;
        Err(unserved(run.as_str()))
    }

    /// Marks the target as held, by a lease on `mlark/restore.lock` in its default container. The mark is renewed as long
    /// as it lives.
    pub async fn lock(&self, owner: &str) -> Result<TargetLock, Error> {
        Err(unserved(owner))
    }
}

#[async_trait]
impl Workspace for AzureWorkspace {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn kinds(&self) -> Vec<&'static Kind> {
        Vec::new()
    }

    fn list(&self, kind: &'static Kind) -> BoxStream<'_, Result<Listed, Error>> {
        let _ = kind;
        stream::empty().boxed()
    }

    async fn get(&self, id: &ItemId) -> Result<Option<Listed>, Error> {
        Err(unserved(&id.to_string()))
    }

    async fn details(&self, item: &Listed) -> Result<Details, Error> {
        Err(unserved(&item.id.to_string()))
    }

    fn files<'a>(&'a self, item: &'a Listed) -> BoxStream<'a, Result<SourceFile, Error>> {
        let _ = item;
        stream::empty().boxed()
    }

    async fn read(&self, file: &SourceFile) -> Result<ByteStream, Error> {
        Err(unserved(file.path.as_str()))
    }

    async fn secrets(&self, item: &Listed) -> Result<Vec<Secret>, Error> {
        Err(unserved(&item.id.to_string()))
    }
}
