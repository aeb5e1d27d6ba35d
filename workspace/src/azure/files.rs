//! The files of an item, wherever its kind's row says that its bytes lie.

use std::collections::BTreeMap;

use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use serde_json::Value;

use super::blob;
use super::connection::Connection;
use super::locate;
use super::place::{Place, Store};
use super::settings::{DataBytes, JobOutputs};
use super::share;
use super::workspace::AzureWorkspace;
use crate::{Content, Document, Entry, Error, FilePath, Form, Kind, Listed, SourceFile};

type Files<'a> = BoxStream<'a, Result<SourceFile, Error>>;

/// Where logs are among the artifacts of a run.
const LOGS: &[&str] = &["user_logs", "system_logs", "logs", "azureml-logs"];
/// Names by which a job's outputs mean its artifacts.
const ARTIFACTS: &[&str] = &["default", "artifacts"];
/// The kind whose bytes are read by policy: its items are bookmarks of other people's data.
const BOOKMARKS: &str = "data";

impl AzureWorkspace {
    pub(crate) fn files_of<'a>(&'a self, item: &'a Listed) -> Files<'a> {
        let Some(kind) = Kind::find(&item.id.kind) else {
            return stream::empty().boxed();
        };
        match kind.content {
            // An entry of a share or folder is itself the file, and its listing carries it.
            Content::None | Content::Folder | Content::Share => stream::empty().boxed(),
            Content::Run => self.files_of_run(item),
            // A container of versions has no bytes of its own.
            Content::Uri(_) if kind.versioned && item.id.version.is_none() => {
                stream::empty().boxed()
            }
            Content::Uri(pointer) => self.files_of_uri(kind, pointer, item),
        }
    }

    fn files_of_uri<'a>(
        &'a self,
        kind: &'static Kind,
        pointer: &'static str,
        item: &'a Listed,
    ) -> Files<'a> {
        let uri = item
            .document
            .as_ref()
            .and_then(|document| document.value.pointer(pointer))
            .and_then(Value::as_str);
        let policy = (kind.name == BOOKMARKS).then_some(self.options().data);
        // Data of a registry lies in storage of its own.
        let policy = policy.filter(|policy| *policy == DataBytes::None || !self.is_registry());
        match (uri, policy) {
            (None | Some(""), _) | (_, Some(DataBytes::None)) => stream::empty().boxed(),
            (Some(uri), policy) => flattened(async move {
                let place = match self.locate_of(&item.id, uri).await {
                    // What lies nowhere in this workspace lies not on its default datastore.
                    Err(Error::Place { .. }) if policy == Some(DataBytes::DefaultDatastore) => {
                        return Ok(stream::empty().boxed());
                    }
                    place => place?,
                };
                if policy == Some(DataBytes::DefaultDatastore) && !place.is_default {
                    return Ok(stream::empty().boxed());
                }
                Ok(self.files_at(place))
            }),
        }
    }

    /// Everything at a place: blobs by the run's shared listings, shares by a walk.
    fn files_at(&self, place: Place) -> Files<'_> {
        if place.store == Store::Share {
            return flattened(async move {
                let walk = share::walk(&self.way_to(&place).await?, &place);
                let files = walk.try_filter(|file| {
                    let is_file = file.entry == Entry::File;
                    async move { is_file }
                });
                Ok(files.boxed())
            });
        }
        let batches = stream::try_unfold((place, None), async move |(place, behind)| {
            let way = self.way_to(&place).await?;
            let found = self.inventory().next(&way, &place, behind).await?;
            let Some(last) = found.last().map(|last| last.name.clone()) else {
                return Ok(None);
            };
            let files: Vec<_> = found.into_iter().map(|entry| entry.file(&place)).collect();
            Ok(Some((stream::iter(files), (place, Some(last)))))
        });
        batches.try_flatten().boxed()
    }

    fn files_of_run<'a>(&'a self, item: &'a Listed) -> Files<'a> {
        let wanted = self.options().job_outputs;
        if wanted == JobOutputs::None {
            return stream::empty().boxed();
        }
        let artifacts = flattened(async move {
            let place = self.run_place(&item.id.name, "").await?;
            let way = self.way_to(&place).await?;
            Ok(below(&way, place, "artifacts"))
        });
        if wanted == JobOutputs::Logs {
            return artifacts
                .try_filter(|file| {
                    let is_log = is_log(&file.path);
                    async move { is_log }
                })
                .boxed();
        }
        artifacts.chain(self.named_outputs(item)).boxed()
    }

    /// Named outputs that lie on the default datastore. Those where the service puts them by itself share one listing.
    fn named_outputs<'a>(&'a self, item: &'a Listed) -> Files<'a> {
        let Some(outputs) = item
            .document
            .as_ref()
            .map(outputs)
            .filter(|all| !all.is_empty())
        else {
            return stream::empty().boxed();
        };
        flattened(async move {
            let run = &item.id.name;
            let own = self
                .datastore_place(None, &format!("azureml/{run}"))
                .await?;
            // All of them lie on the default datastore.
            let way = self.way_to(&own).await?;
            let mut inside: Vec<String> = Vec::new();
            let mut streams: Vec<Files<'a>> = Vec::new();
            for (name, uri) in outputs {
                let usual = self.inside(own.clone(), &name)?;
                let place = match uri {
                    None => Ok(usual.clone()),
                    Some(uri) => self.locate(&uri).await,
                };
                match place {
                    Ok(place) if place == usual => inside.push(name),
                    Ok(place) if place.is_default && place.store == Store::Blob => {
                        streams.push(below(&way, place, &format!("outputs/{name}")));
                    }
                    // On another datastore: its document says where, its bytes are not the workspace's own.
                    Ok(_) => {}
                    Err(error) => streams.push(stream::once(async { Err(error) }).boxed()),
                }
            }
            if !inside.is_empty() {
                let listed = below(&way, own, "outputs");
                let mine = listed.try_filter(move |file| {
                    let name = file.path.as_str().split('/').nth(1).unwrap_or_default();
                    let is_mine = inside.iter().any(|one| one == name);
                    async move { is_mine }
                });
                streams.push(mine.boxed());
            }
            Ok(stream::iter(streams).flatten().boxed())
        })
    }
}

/// All blobs below a place, by a listing of its own, as files below a path.
fn below(connection: &Connection, place: Place, path: &str) -> Files<'static> {
    let path = path.to_owned();
    blob::list(connection, &place)
        .map(move |entry| {
            let file = entry?.file(&place)?;
            Ok(SourceFile {
                path: FilePath::new(format!("{path}/{}", file.path))?,
                ..file
            })
        })
        .boxed()
}

/// The named outputs of a job, with the place that its document states.
fn outputs(document: &Document) -> BTreeMap<String, Option<String>> {
    let pointer = match document.form {
        Form::RunHistory => "/outputs",
        Form::Arm | Form::AzMl => "/properties/outputs",
    };
    let Some(Value::Object(outputs)) = document.value.pointer(pointer) else {
        return BTreeMap::new();
    };
    outputs
        .iter()
        .filter(|(name, _)| !ARTIFACTS.contains(&name.as_str()))
        .filter(|(name, _)| locate::joined("", name) == **name && !name.is_empty())
        .map(|(name, output)| {
            let uri = output.get("uri").and_then(Value::as_str);
            // A binding of a pipeline is filled in when the job runs.
            let uri = uri.filter(|uri| !uri.is_empty() && !uri.contains("${{"));
            (name.clone(), uri.map(str::to_owned))
        })
        .collect()
}

fn is_log(path: &FilePath) -> bool {
    let mut parts = path.as_str().split('/');
    parts.next() == Some("artifacts") && parts.next().is_some_and(|part| LOGS.contains(&part))
}

fn flattened<'a>(start: impl Future<Output = Result<Files<'a>, Error>> + Send + 'a) -> Files<'a> {
    start.into_stream().try_flatten().boxed()
}
