//! Azure Resource Manager: addresses below a workspace, api-versions, one item.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures::TryStreamExt;
use serde_json::Value;
use url::Url;

use super::answer::Answer;
use super::connection::Connection;
use super::name::WorkspaceName;
use super::pager::{self, Page};
use crate::kind::Origin;
pub(crate) use crate::kind::WORKSPACE_VERSIONS;
use crate::permission::{AUTHORIZATION, PROVIDER};
use crate::{Document, Error, Form, ItemId, Kind};

/// ARM, below one workspace.
#[derive(Debug)]
pub(crate) struct Arm {
    pub(crate) connection: Connection,
    pub(crate) name: WorkspaceName,
    /// For each kind, which of its row's api-versions the cloud knows.
    known: Mutex<HashMap<&'static str, usize>>,
    /// The names of items that others lie below, as their list showed them.
    names: Mutex<HashMap<&'static str, Vec<String>>>,
    /// Kinds that the workspace does not have, with what it said.
    absent: Mutex<HashMap<&'static str, String>>,
}

impl Arm {
    pub(crate) fn new(connection: Connection, name: WorkspaceName) -> Self {
        Self {
            connection,
            name,
            known: Mutex::default(),
            names: Mutex::default(),
            absent: Mutex::default(),
        }
    }

    /// The address of something below the workspace.
    pub(crate) fn url<'a>(
        &'a self,
        parts: impl IntoIterator<Item = &'a str>,
        query: &[(&str, &str)],
        api_version: &str,
    ) -> Result<Url, Error> {
        let workspace = [
            "subscriptions",
            &self.name.subscription,
            "resourceGroups",
            &self.name.resource_group,
            "providers",
            PROVIDER,
            self.name.root.segment(),
            &self.name.workspace,
        ];
        url(
            &self.connection,
            workspace.into_iter().chain(parts),
            query,
            api_version,
        )
    }

    /// The workspace's own document.
    pub(crate) async fn workspace(&self) -> Result<Document, Error> {
        for (at, version) in WORKSPACE_VERSIONS.iter().enumerate() {
            let url = self.url([], &[], version)?;
            match self.connection.get(url).await {
                Err(error) if unknown_version(&error) && at + 1 < WORKSPACE_VERSIONS.len() => {}
                answer => return self.document(&answer?, version),
            }
        }
        Err(Error::Unsupported {
            what: "reading the workspace with any known api-version".to_owned(),
        })
    }

    /// One item's document; `None` where it is not there.
    pub(crate) async fn item(
        &self,
        kind: &'static Kind,
        id: &ItemId,
    ) -> Result<Option<Document>, Error> {
        let parts = item_parts(kind, id)?;
        loop {
            let version = self.version(kind)?;
            let url = self.url(parts.iter().map(String::as_str), &[], version)?;
            match self.connection.get(url).await {
                Ok(answer) => return Ok(Some(self.document(&answer, version)?)),
                Err(error) if self.tries_older(kind, version, &error) => {}
                Err(Error::NotFound(_)) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// The newest api-version of the kind that the cloud is not known not to know.
    pub(crate) fn version(&self, kind: &'static Kind) -> Result<&'static str, Error> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.get(kind.name).copied().unwrap_or_default();
        kind.api_versions
            .get(at)
            .copied()
            .ok_or_else(|| Error::Unsupported {
                what: format!("reading {} with any known api-version", kind.name),
            })
    }

    /// The api-version to write an item with that was read with the given one: that, or the newest that the cloud is not
    /// known not to know, if it is older.
    pub(crate) fn version_to_write<'v>(
        &self,
        kind: &'static Kind,
        read_with: &'v str,
    ) -> Result<&'v str, Error> {
        let refused_any = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.contains_key(kind.name)
        };
        // Before that, the version that it was read with may be newer than every one of the row.
        match refused_any {
            false => Ok(read_with),
            true => Ok(read_with.min(self.version(kind)?)),
        }
    }

    /// Whether an error means that the cloud does not know the api-version, and an older one is to be tried; it is the
    /// one for the rest of the run.
    pub(crate) fn tries_older(&self, kind: &'static Kind, tried: &str, error: &Error) -> bool {
        let mut versions = kind.api_versions.iter();
        // They are dates, so that the older one is the lesser text.
        let Some(older) = versions.position(|version| *version < tried) else {
            return false;
        };
        if !unknown_version(error) {
            return false;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let held = known.entry(kind.name).or_default();
        *held = older.max(*held);
        true
    }

    /// The names of a kind's items, where they were listed to the end.
    pub(crate) fn listed_names(&self, kind: &Kind) -> Option<Vec<String>> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(kind.name).cloned()
    }

    /// Remembers them.
    pub(crate) fn remember_names(&self, kind: &'static Kind, listed: Vec<String>) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(kind.name, listed);
    }

    /// Forgets them, since one is written or deleted.
    pub(crate) fn forget_names(&self, kind: &Kind) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.remove(kind.name);
    }

    /// What the service said where it does not have a kind.
    pub(crate) fn absence(&self, kind: &Kind) -> Option<String> {
        let absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        absent.get(kind.name).cloned()
    }

    /// Remembers that the workspace does not have a kind.
    pub(crate) fn is_absent(&self, kind: &'static Kind, said: String) {
        let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        absent.insert(kind.name, said);
    }

    pub(crate) fn document(&self, answer: &Answer, api_version: &str) -> Result<Document, Error> {
        let value = answer.json()?;
        if !value.is_object() {
            return Err(answer.unusable("it is no JSON object"));
        }
        Ok(self.wrap(value, api_version))
    }

    pub(crate) fn wrap(&self, value: Value, api_version: &str) -> Document {
        Document {
            form: Form::Arm,
            api_version: api_version.to_owned(),
            read: self.connection.clock().now(),
            value,
        }
    }
}

/// Where an item is, below the workspace.
pub(crate) fn item_parts(kind: &Kind, id: &ItemId) -> Result<Vec<String>, Error> {
    let mut parts = match kind.origin {
        Origin::Collection(path) => {
            let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
            parts.push(id.name.clone());
            parts
        }
        Origin::Nested { .. } => {
            let names = id.name.split_once('/');
            let names = names.filter(|(above, name)| !above.is_empty() && !name.is_empty());
            let nested = kind.above().zip(names).ok_or_else(|| Error::Name {
                text: id.name.clone(),
                what: "the names of two things, one below the other",
            })?;
            let ((parent, segment), (above, name)) = nested;
            let mut parts = item_parts(parent, &ItemId::new(parent.name, above))?;
            parts.extend([segment.to_owned(), name.to_owned()]);
            parts
        }
        Origin::Authorization => {
            let mut parts = assignments().to_vec();
            parts.push(id.name.clone());
            parts
        }
        Origin::Workspace | Origin::Entries => {
            return Err(Error::Unsupported {
                what: format!("asking Resource Manager for {}", kind.name),
            });
        }
    };
    if let Some(version) = &id.version {
        let versions = kind
            .container
            .map_or("versions", |container| container.versions);
        parts.extend([versions.to_owned(), version.clone()]);
    }
    Ok(parts)
}

/// Where the assignments of roles at the workspace are, below it.
pub(crate) fn assignments() -> [String; 3] {
    ["providers", AUTHORIZATION, "roleAssignments"].map(str::to_owned)
}

pub(crate) fn url<'a>(
    connection: &Connection,
    parts: impl IntoIterator<Item = &'a str>,
    query: &[(&str, &str)],
    api_version: &str,
) -> Result<Url, Error> {
    let mut url = connection.cloud().resource_manager.clone();
    {
        let address = url.to_string();
        let mut path = url.path_segments_mut().map_err(|()| Error::Name {
            text: address,
            what: "an address with a path",
        })?;
        path.pop_if_empty();
        for part in parts {
            // The URL parser would take these for "here" and "up", even percent-encoded.
            if matches!(part, "" | "." | "..") {
                return Err(Error::Name {
                    text: part.to_owned(),
                    what: "a name in Resource Manager",
                });
            }
            path.push(part);
        }
    }
    url.query_pairs_mut()
        .append_pair("api-version", api_version)
        .extend_pairs(query);
    Ok(url)
}

/// Whether the cloud does not know an api-version.
pub(crate) fn unknown_version(error: &Error) -> bool {
    error.refusal().is_some_and(|refusal| {
        matches!(
            refusal.code.as_str(),
            "NoRegisteredProviderFound"
                | "InvalidApiVersionParameter"
                | "InvalidResourceType"
                | "UnsupportedApiVersion"
        )
    })
}

/// The workspaces or registries of a subscription that a name with `*` means.
pub(crate) async fn workspaces(
    connection: &Connection,
    pattern: &WorkspaceName,
) -> Result<Vec<WorkspaceName>, Error> {
    let parts = [
        "subscriptions",
        &pattern.subscription,
        "providers",
        PROVIDER,
        pattern.root.segment(),
    ];
    for (at, version) in WORKSPACE_VERSIONS.iter().enumerate() {
        let first = url(connection, parts, &[], version)?;
        match named(connection, pattern, first).await {
            Err(error) if unknown_version(&error) && at + 1 < WORKSPACE_VERSIONS.len() => {}
            found => return found,
        }
    }
    Ok(Vec::new())
}

/// The workspaces of a list that a name with `*` means, sorted.
async fn named(
    connection: &Connection,
    pattern: &WorkspaceName,
    first: Url,
) -> Result<Vec<WorkspaceName>, Error> {
    let mut found = Vec::new();
    let mut pages = std::pin::pin!(pager::pages(connection, first));
    while let Some(Page { values, .. }) = pages.try_next().await? {
        for value in values {
            let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
            let Ok(name) = id.parse::<WorkspaceName>() else {
                continue;
            };
            if matches(&pattern.resource_group, &name.resource_group)
                && matches(&pattern.workspace, &name.workspace)
            {
                found.push(name);
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Whether a name fits a pattern in which `*` stands for any letters. Letter case does not matter, as in ARM.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        match left.split_once(part) {
            Some((_, behind)) => left = behind,
            None => return false,
        }
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name) in [
            ("*", "x"),
            ("WS-*", "ws-a"),
            ("a*b*c", "a1b2bc"),
            ("a", "A"),
            ("*b", "ab"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a*", "b"), ("a*b*c", "acb"), ("a", "ab"), ("ab*ba", "aba")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
