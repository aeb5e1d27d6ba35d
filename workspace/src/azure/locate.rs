//! Where the bytes that a reference names lie: account, container and path, through the workspace's own datastores.

use azure_core::http::Method;
use serde_json::Value;
use url::Url;

use super::answer;
use super::datastore::{ARTIFACT_STORE, Datastore, Datastores};
use super::place::{Place, Store};
use super::traffic::Service;
use super::workspace::AzureWorkspace;
use crate::reference::{Lead, Reference};
use crate::{Content, Error, ItemId, Kind};

/// How often a place may be named by another name of it.
const STEPS_MAX: usize = 4;

/// Either a place, or another name of it with what is below.
enum Step {
    Here(Place),
    Follow(String, String),
}

impl AzureWorkspace {
    /// Where the bytes that a uri names lie, in any of the forms of a reference, through the workspace's datastores.
    pub async fn locate(&self, uri: &str) -> Result<Place, Error> {
        let known = self.ways().get(uri);
        let mut next = known.map_or_else(|| uri.to_owned(), Into::into);
        let mut below = String::new();
        let mut asked = false;
        for _ in 0..STEPS_MAX {
            match self.step(&next).await? {
                Step::Here(place) => {
                    let place = self.inside(place, &below)?;
                    if asked {
                        self.ways().add(uri, place.url.clone());
                    }
                    return Ok(place);
                }
                Step::Follow(further, path) => {
                    next = further;
                    below = joined(&path, &below);
                    asked = true;
                }
            }
        }
        Err(nowhere(uri, "its names go round in a circle"))
    }

    /// The place of a path on a datastore, or on the default one.
    pub async fn datastore_place(
        &self,
        datastore: Option<&str>,
        path: &str,
    ) -> Result<Place, Error> {
        let stores = self.datastores().await?;
        let store = match datastore {
            Some(name) => stores.named(name)?,
            None => stores.default()?,
        };
        self.on(store, path)
    }

    /// Where the artifacts of a run lie.
    pub(crate) async fn run_place(&self, run: &str, path: &str) -> Result<Place, Error> {
        let stores = self.datastores().await?;
        let prefix = format!("ExperimentRun/dcid.{run}");
        self.on(stores.named(ARTIFACT_STORE)?, &joined(&prefix, path))
    }

    /// The place of a path on a datastore.
    pub(crate) fn on(&self, store: &Datastore, path: &str) -> Result<Place, Error> {
        self.place(
            store.store,
            &store.account,
            &store.container,
            path,
            Some(store),
        )
    }

    /// Something below a place.
    pub(crate) fn inside(&self, place: Place, path: &str) -> Result<Place, Error> {
        if path.trim_matches('/').is_empty() {
            return Ok(place);
        }
        let path = joined(&place.path, path);
        Ok(Place {
            url: self.address(place.store, &place.account, &place.container, &path)?,
            path,
            ..place
        })
    }

    async fn step(&self, uri: &str) -> Result<Step, Error> {
        let reference =
            Reference::parse(uri).ok_or_else(|| nowhere(uri, "it has no form that is known"))?;
        let named = reference
            .leads_to(self.identity_of())
            .ok_or_else(|| nowhere(uri, "it leads out of this workspace"))?;
        match named {
            Lead::Datastore { name, path } => {
                let place = self.datastore_place(Some(name), &path).await;
                Ok(Step::Here(place.map_err(|error| renamed(error, uri))?))
            }
            Lead::Artifacts { run, path } => Ok(Step::Here(self.run_place(run, &path).await?)),
            Lead::Output { job, output, path } => self.output(job, output, path).await,
            Lead::Artifact {
                origin,
                container,
                path,
            } => {
                let path = joined(&format!("{origin}/{container}"), &path);
                Ok(Step::Here(
                    self.datastore_place(Some(ARTIFACT_STORE), &path).await?,
                ))
            }
            Lead::Storage {
                account,
                service,
                suffix,
                container,
                path,
                encoded,
            } => {
                if !self.is_own_suffix(suffix) {
                    return Err(nowhere(uri, "it lies in another cloud"));
                }
                let path = if encoded { decoded(&path) } else { path };
                let store = if service.eq_ignore_ascii_case("file") {
                    Store::Share
                } else {
                    Store::Blob
                };
                let stores = self.datastores().await?;
                let account = account.to_ascii_lowercase();
                let held = stores.of(store, &account, container);
                Ok(Step::Here(
                    self.place(store, &account, container, &path, held)?,
                ))
            }
            Lead::Item(id) => self.content_of(&id, uri).await,
        }
    }

    /// A named output: where the job's document says, or else where the service puts it.
    async fn output(&self, job: &str, output: &str, path: String) -> Result<Step, Error> {
        if matches!(output, "artifacts" | "default") {
            return Ok(Step::Here(self.run_place(job, &path).await?));
        }
        let document = match Kind::find("jobs") {
            Some(kind) => self.arm().item(kind, &ItemId::new(kind.name, job)).await?,
            None => None,
        };
        let stated = document.as_ref().and_then(|document| {
            let outputs = document.value.pointer("/properties/outputs")?;
            outputs.get(output)?.get("uri")?.as_str()
        });
        match stated {
            Some(uri) if !uri.is_empty() => Ok(Step::Follow(uri.to_owned(), path)),
            _ => {
                let usual = format!("azureml/{job}/{output}");
                let place = self.datastore_place(None, &usual).await?;
                Ok(Step::Follow(place.url.into(), path))
            }
        }
    }

    /// The place that an item's own document names.
    async fn content_of(&self, id: &ItemId, uri: &str) -> Result<Step, Error> {
        let kind = Kind::find(&id.kind).filter(|kind| matches!(kind.content, Content::Uri(_)));
        let Some((kind, Content::Uri(pointer))) = kind.map(|kind| (kind, kind.content)) else {
            return Err(nowhere(uri, "what it names has no bytes of its own"));
        };
        let document = self.arm().item(kind, id).await?;
        let stated = document
            .as_ref()
            .and_then(|document| document.value.pointer(pointer))
            .and_then(Value::as_str);
        match stated {
            Some(next) => Ok(Step::Follow(next.to_owned(), String::new())),
            None => Err(nowhere(uri, "what it names is not there")),
        }
    }

    fn is_own_suffix(&self, suffix: &str) -> bool {
        let host = |suffix: &str| {
            suffix
                .split(':')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        host(suffix) == host(&self.connection().cloud().storage_suffix)
    }

    fn place(
        &self,
        store: Store,
        account: &str,
        container: &str,
        path: &str,
        datastore: Option<&Datastore>,
    ) -> Result<Place, Error> {
        let path = path.trim_matches('/').to_owned();
        Ok(Place {
            url: self.address(store, account, container, &path)?,
            store,
            account: account.to_owned(),
            container: container.to_owned(),
            path,
            datastore: datastore.map(|datastore| datastore.name.clone()),
            is_default: datastore.is_some_and(|datastore| datastore.is_default),
            sas: None,
        })
    }

    fn address(
        &self,
        store: Store,
        account: &str,
        container: &str,
        path: &str,
    ) -> Result<Url, Error> {
        let service = match store {
            Store::Blob => Service::Blob,
            Store::Share => Service::File,
        };
        let base = self.connection().cloud().storage_url(account, service)?;
        below(&base, container).and_then(|url| below(&url, path))
    }

    /// The datastores, for those who only look.
    pub(crate) async fn datastores(&self) -> Result<std::sync::Arc<Datastores>, Error> {
        self.datastore_cache().get(self.arm()).await
    }
}

/// An address with a path of `/`-separated parts put below it.
pub(crate) fn below(base: &Url, path: &str) -> Result<Url, Error> {
    let mut url = base.clone();
    let refused = || Error::Place {
        uri: format!("{}/{path}", answer::act(Method::Get, base)),
        reason: "its path has an empty part, `.` or `..`".to_owned(),
    };
    if path.is_empty() {
        return Ok(url);
    }
    {
        let mut parts = url.path_segments_mut().map_err(|()| refused())?;
        parts.pop_if_empty();
        for part in path.split('/') {
            if matches!(part, "" | "." | "..") {
                return Err(refused());
            }
            parts.push(part);
        }
    }
    Ok(url)
}

pub(crate) fn joined(above: &str, below: &str) -> String {
    let (above, below) = (above.trim_matches('/'), below.trim_matches('/'));
    match (above.is_empty(), below.is_empty()) {
        (true, _) => below.to_owned(),
        (_, true) => above.to_owned(),
        _ => format!("{above}/{below}"),
    }
}

/// Undoes percent-encoding; what is no valid escape stays.
pub(crate) fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = (byte == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let value =
            escape.and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        out.push(value.unwrap_or(byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn nowhere(uri: &str, reason: &str) -> Error {
    Error::Place {
        uri: uri.split(['?', '#']).next().unwrap_or_default().to_owned(),
        reason: reason.to_owned(),
    }
}

/// The same error with the reference as it stands in the document.
fn renamed(error: Error, uri: &str) -> Error {
    match error {
        Error::Place { reason, .. } => nowhere(uri, &reason),
        error => error,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone_and_done_again() {
        assert_eq!(decoded("a%20b%2Fc%zz%"), "a b/c%zz%");
        let base = Url::parse("https://a.blob.x/").unwrap();
        let url = below(&base, "c/ä b#?%.txt").unwrap();
        assert_eq!(decoded(url.path()), "/c/ä b#?%.txt");
    }

    #[test]
    fn a_path_cannot_climb_out_of_its_container() {
        let base = Url::parse("https://a.blob.x/c").unwrap();
        for path in ["..", "a/../../d", "a//b", "./a"] {
            assert!(below(&base, path).is_err(), "{path}");
        }
        assert_eq!(below(&base, "%2e%2e/d").unwrap().path(), "/c/%252e%252e/d");
    }
}
