//! What the target has, kind by kind: names, and a digest of each document, so that a plan can tell later whether
//! something changed. Asked once a kind, and only for kinds that the plan is about.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use workspace::azure::AzureWorkspace;
use workspace::{ItemId, Kind, Listed, Workspace};

use super::Seen;
use crate::Error;

/// Up to so many items of a kind are asked for by name; beyond it the kind is listed.
const SINGLES_MAX: usize = 24;

/// What was seen in the target.
pub(crate) struct Listing<'a> {
    azure: &'a AzureWorkspace,
    kinds: BTreeMap<&'static str, BTreeMap<ItemId, String>>,
    /// Of kinds whose items say a digest of their content: the first item of each digest.
    contents: BTreeMap<&'static str, BTreeMap<String, ItemId>>,
    singles: BTreeMap<ItemId, Option<String>>,
    single_kinds: Vec<&'static str>,
}

impl<'a> Listing<'a> {
    /// Nothing was seen yet.
    pub(crate) fn new(azure: &'a AzureWorkspace) -> Self {
        Self {
            azure,
            kinds: BTreeMap::new(),
            contents: BTreeMap::new(),
            singles: BTreeMap::new(),
            single_kinds: Vec::new(),
        }
    }

    /// Says how many items of a kind will be asked about, for kinds whose list may be long.
    pub(crate) fn expect(&mut self, kind: &'static Kind, count: usize) {
        let long = kind.named_by_path || kind.content == workspace::Content::Run;
        if long && count <= SINGLES_MAX {
            self.single_kinds.push(kind.name);
        }
    }

    /// What the target has of an item.
    pub(crate) async fn seen(&mut self, id: &ItemId) -> Result<Seen, Error> {
        let Some(kind) = Kind::find(&id.kind) else {
            return Ok(Seen::Absent);
        };
        let digest = if self.single_kinds.contains(&kind.name) {
            self.single(kind, id).await?
        } else {
            self.kind(kind).await?.get(id).cloned()
        };
        Ok(digest.map_or(Seen::Absent, Seen::Present))
    }

    /// Whether the target has an item; one without a version means any version of its name.
    pub(crate) async fn has(&mut self, id: &ItemId) -> Result<bool, Error> {
        let Some(kind) = Kind::find(&id.kind) else {
            return Ok(false);
        };
        if kind.versioned && id.version.is_none() {
            return Ok(!self.versions(id).await?.is_empty());
        }
        Ok(self.seen(id).await? != Seen::Absent)
    }

    /// Whether the target has exactly this item: of one without a version the container itself.
    pub(crate) async fn has_exactly(&mut self, id: &ItemId) -> Result<bool, Error> {
        Ok(self.seen(id).await? != Seen::Absent)
    }

    /// The item of the target whose content has a digest, by what its document says.
    pub(crate) async fn of_content(
        &mut self,
        kind: &'static Kind,
        content: &str,
    ) -> Result<Option<ItemId>, Error> {
        self.kind(kind).await?;
        let contents = self.contents.get(kind.name);
        Ok(contents.and_then(|contents| contents.get(content)).cloned())
    }

    /// The versions of a name.
    pub(crate) async fn versions(&mut self, id: &ItemId) -> Result<Vec<String>, Error> {
        let Some(kind) = Kind::find(&id.kind) else {
            return Ok(Vec::new());
        };
        let from = ItemId::new(id.kind.clone(), id.name.clone());
        let items = self.kind(kind).await?;
        let same = items
            .range(from..)
            .take_while(|(other, _)| other.name == id.name);
        Ok(same
            .filter_map(|(other, _)| other.version.clone())
            .collect())
    }

    async fn single(&mut self, kind: &'static Kind, id: &ItemId) -> Result<Option<String>, Error> {
        if let Some(known) = self.singles.get(id) {
            return Ok(known.clone());
        }
        let listed = self
            .azure
            .get(id)
            .await
            .map_err(|error| Error::target(id.to_string(), error))?;
        let digest = listed.map(|listed| digest(kind, &listed));
        self.singles.insert(id.clone(), digest.clone());
        Ok(digest)
    }

    async fn kind(&mut self, kind: &'static Kind) -> Result<&BTreeMap<ItemId, String>, Error> {
        if !self.kinds.contains_key(kind.name) {
            let (mut items, mut contents) = (BTreeMap::new(), BTreeMap::new());
            let mut listed = self.azure.list(kind);
            while let Some(one) = listed
                .try_next()
                .await
                .map_err(|error| Error::target(kind.name, error))?
            {
                let document = one.document.as_ref();
                if let Some(content) = document.and_then(|it| kind.content_of(&it.value)) {
                    let content = content.to_owned();
                    contents.entry(content).or_insert_with(|| one.id.clone());
                }
                items.insert(one.id.clone(), digest(kind, &one));
            }
            self.kinds.insert(kind.name, items);
            self.contents.insert(kind.name, contents);
        }
        Ok(self.kinds.entry(kind.name).or_default())
    }
}

/// What tells whether an item changed: of a document the SHA-256 of what it says, of a file size and validators.
pub(crate) fn digest(kind: &Kind, listed: &Listed) -> String {
    if let Some(document) = &listed.document {
        let said = archive_format::json::canonical(&kind.body(&listed.id, &document.value));
        return hex::encode(Sha256::digest(said));
    }
    let Some(file) = &listed.file else {
        return String::new();
    };
    format!(
        "{} {} {}",
        file.size.unwrap_or_default(),
        file.validators.etag.as_deref().unwrap_or("-"),
        file.validators.last_modified.as_deref().unwrap_or("-"),
    )
}
