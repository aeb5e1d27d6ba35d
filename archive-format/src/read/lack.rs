//! What of an item cannot be read any more, by what is known without reading it: the pack is gone, or a repair found the
//! object lost.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::TryStreamExt;

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

impl SnapshotReader {
    /// What of an item the repository is known to have lost. An empty answer is no promise: what is damaged and was not
    /// looked at yet is found when it is read.
    pub async fn lacks(&self, item: &Item) -> Result<Vec<Lack>, Error> {
        let mut lacks = Vec::new();
        let mut lack = |part| lacks.push(part);
        for document in &item.documents {
            if !self.has(document.address).await? {
                lack(Lack::Document(document.form.clone()));
            }
        }
        for secret in &item.secrets {
            if !self.has(secret.address).await? {
                lack(Lack::Secret(secret.pointer.clone()));
            }
        }
        for file in &item.files {
            if let Some(content) = &file.content
                && !self.has_content(content).await?
            {
                lack(Lack::File(file.path.as_str().to_owned()));
            }
        }
        Ok(lacks)
    }

    async fn has(&self, address: Address) -> Result<bool, Error> {
        self.repository()
            .inner
            .catalogue
            .is_available(address)
            .await
    }

    async fn has_content(&self, content: &Content) -> Result<bool, Error> {
        if let Some(list) = content.chunk_list
            && !self.has(list.address).await?
        {
            return Ok(false);
        }
        let mut chunks = self.chunks(content);
        loop {
            match chunks.try_next().await {
                Ok(None) => return Ok(true),
                Ok(Some(chunk)) if self.has(chunk.address).await? => {}
                Ok(Some(_)) => return Ok(false),
                Err(error) if error.is_damage() => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
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
