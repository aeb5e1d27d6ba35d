//! What of an item cannot be read any more, by what is known without reading it: the pack is gone, or a repair found the
//! object lost.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::TryStreamExt;
use futures::stream::TryChunksError;

use super::SnapshotReader;
use crate::catalogue::lines::ITEMS_MAX;
use crate::manifest::root::Child;
use crate::{Address, Content, Error, Item, LineKey};

/// What is lost of an item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// The document of a form.
    Document(String),
    /// A file, by its path.
    File(String),
    /// A secret, by its pointer.
    Secret(String),
}

impl std::fmt::Display for Lack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Document(form) => write!(f, "the document `{form}`"),
            Self::File(path) => write!(f, "the file `{path}`"),
            Self::Secret(pointer) => write!(f, "the secret at `{pointer}`"),
        }
    }
}

/// Chunks of a list that are looked up together.
const CHUNKS_TOGETHER: usize = 1024;

impl SnapshotReader {
    /// What of each item the repository is known to have lost. An empty answer is no promise: what is damaged and was not
    /// looked at yet is found when it is read.
    pub async fn lacks(&self, items: &[Item]) -> Result<Vec<Vec<Lack>>, Error> {
        let lost = self
            .unavailable(items.iter().flat_map(addresses).collect())
            .await?;
        let mut lacks = Vec::with_capacity(items.len());
        for item in items {
            lacks.push(self.lacks_of(item, &lost).await?);
        }
        Ok(lacks)
    }

    /// The same for one item, of whose own addresses these are lost.
    async fn lacks_of(&self, item: &Item, lost: &HashSet<Address>) -> Result<Vec<Lack>, Error> {
        let documents = item.documents.iter();
        let documents = documents.filter(|document| lost.contains(&document.address));
        let secrets = item.secrets.iter();
        let secrets = secrets.filter(|secret| lost.contains(&secret.address));
        let mut lacks: Vec<Lack> = documents
            .map(|document| Lack::Document(document.form.clone()))
            .chain(secrets.map(|secret| Lack::Secret(secret.pointer.clone())))
            .collect();
        for file in &item.files {
            if let Some(content) = &file.content
                && self.is_lost(content, lost).await?
            {
                lacks.push(Lack::File(file.path.as_str().to_owned()));
            }
        }
        Ok(lacks)
    }

    async fn unavailable(&self, addresses: Vec<Address>) -> Result<HashSet<Address>, Error> {
        let catalogue = &self.repository().inner.catalogue;
        catalogue.unavailable(addresses).await
    }

    async fn is_lost(&self, content: &Content, lost: &HashSet<Address>) -> Result<bool, Error> {
        let Some(list) = content.chunk_list else {
            let mut chunks = content.chunks.iter();
            return Ok(chunks.any(|chunk| lost.contains(&chunk.address)));
        };
        if lost.contains(&list.address) {
            return Ok(true);
        }
        let mut chunks = self.chunks(content).try_chunks(CHUNKS_TOGETHER);
        loop {
            match chunks.try_next().await {
                Ok(None) => return Ok(false),
                Ok(Some(some)) => {
                    let addresses = some.into_iter().map(|chunk| chunk.address);
                    if !self.unavailable(addresses.collect()).await?.is_empty() {
                        return Ok(true);
                    }
                }
                Err(TryChunksError(_, error)) if error.is_damage() => return Ok(true),
                Err(TryChunksError(_, error)) => return Err(error),
            }
        }
    }
}

/// What the lines of an item themselves name.
fn addresses(item: &Item) -> impl Iterator<Item = Address> {
    let documents = item.documents.iter().map(|document| document.address);
    let secrets = item.secrets.iter().map(|secret| secret.address);
    let contents = item.files.iter().filter_map(|file| file.content.as_ref());
    let contents = contents.flat_map(|content| {
        let chunks = content.chunks.iter().map(|chunk| chunk.address);
        chunks.chain(content.chunk_list.map(|list| list.address))
    });
    documents.chain(secrets).chain(contents)
}

/// A part of a manifest that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LostLines {
    /// The key of its first line; none where a list of many pieces is lost.
    pub first: Option<LineKey>,
    /// How many lines it has, where that is known.
    pub count: Option<u64>,
    /// Its items, as far as this machine remembers them; at most 1,000.
    pub items: Vec<LineKey>,
    /// Whether these are all.
    pub all_items: bool,
}

/// What a reader passed over. Cloned readers share it.
#[derive(Clone, Debug, Default)]
pub(super) struct PassedOver(Arc<Mutex<BTreeSet<LostLines>>>);

impl PassedOver {
    pub(super) fn note(&self, piece: Option<&Child>, items: Vec<LineKey>) {
        let mut lost = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lost.insert(LostLines {
            first: piece.map(|piece| piece.first.clone()),
            count: piece.map(|piece| piece.count),
            all_items: !items.is_empty() && items.len() < ITEMS_MAX as usize,
            items,
        });
    }
}

impl SnapshotReader {
    /// A reader that passes over pieces of the manifest that are damaged, for whoever takes what is left.
    #[must_use]
    pub fn passing_over_damage(&self) -> Self {
        Self {
            passed_over: Some(PassedOver::default()),
            ..self.clone()
        }
    }

    /// Whether it passes over damage.
    pub fn passes_over_damage(&self) -> bool {
        self.passed_over.is_some()
    }

    /// What it and its clones passed over so far.
    pub fn passed_over(&self) -> Vec<LostLines> {
        let lost = self.passed_over.as_ref().map(|passed| {
            let lost = passed.0.lock().unwrap_or_else(PoisonError::into_inner);
            lost.iter().cloned().collect()
        });
        lost.unwrap_or_default()
    }
}
