//! What lies in the containers: one flat listing of a prefix that items share serves all of them.
//!
//! Uploads of models, data and build contexts lie below `LocalUpload/`; asking for each of them would be a request an
//! item, every day. A prefix is listed once in a run, however many ask for it.

use std::collections::HashMap;
use std::sync::Arc;

use futures::TryStreamExt;
use tokio::sync::{Mutex, OnceCell};

use super::blob::{self, BlobEntry, container_url};
use super::connection::Connection;
use super::locate::below;
use super::place::Place;
use super::spool::Spool;
use crate::Error;

/// Prefixes that many items share (seen from azure-ai-ml 1.35.2; `az-ml-artifacts` is of older releases).
const SHARED: &[&str] = &[
    "LocalUpload",
    "az-ml-artifacts",
    "azureml/DockerBuildContext",
];

/// The listings of a run.
#[derive(Debug)]
pub(crate) struct Inventory {
    spool: Spool,
    listed: Mutex<HashMap<Root, Arc<OnceCell<()>>>>,
}

/// A prefix of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Root {
    container: String,
    path: String,
}

impl Inventory {
    pub(crate) fn open() -> Result<Self, Error> {
        Ok(Self {
            spool: Spool::open()?,
            listed: Mutex::default(),
        })
    }

    /// The next blobs at or below a place, in the order of names, behind the given one; none at the end. The first call
    /// lists the prefix that the place shares with others, if nobody has.
    pub(crate) async fn next(
        &self,
        connection: &Connection,
        place: &Place,
        behind: Option<String>,
    ) -> Result<Vec<BlobEntry>, Error> {
        let container = container_url(place)?.to_string();
        if behind.is_none() {
            let (root, cell) = self.cell(place, &container).await;
            cell.get_or_try_init(|| self.fetch(connection, place, &root))
                .await?;
        }
        self.spool.next(&container, &place.path, behind).await
    }

    async fn cell(&self, place: &Place, container: &str) -> (Root, Arc<OnceCell<()>>) {
        let mut listed = self.listed.lock().await;
        let above = listed
            .iter()
            .find(|(root, _)| {
                root.container == container && blob::is_within(&root.path, &place.path)
            })
            .map(|(root, cell)| (root.clone(), cell.clone()));
        above.unwrap_or_else(|| {
            let root = Root {
                container: container.to_owned(),
                path: root_of(&place.path).to_owned(),
            };
            let cell = listed.entry(root.clone()).or_default().clone();
            (root, cell)
        })
    }

    async fn fetch(
        &self,
        connection: &Connection,
        place: &Place,
        root: &Root,
    ) -> Result<(), Error> {
        let mut base = place.url.clone();
        base.set_path("/");
        let at = Place {
            url: below(&below(&base, &place.container)?, &root.path)?,
            path: root.path.clone(),
            ..place.clone()
        };
        let pages = blob::pages(connection, &at)?;
        pages
            .try_for_each(|page| self.spool.add(&root.container, page))
            .await
    }
}

/// The prefix that is listed for a path.
fn root_of(path: &str) -> &str {
    SHARED
        .iter()
        .find(|shared| blob::is_within(shared, path))
        .copied()
        .unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_share_one_listing_and_other_places_have_their_own() {
        assert_eq!(root_of("LocalUpload/3f/model"), "LocalUpload");
        assert_eq!(root_of("LocalUpload"), "LocalUpload");
        assert_eq!(
            root_of("azureml/DockerBuildContext/x"),
            "azureml/DockerBuildContext"
        );
        assert_eq!(root_of("azureml/run/out"), "azureml/run/out");
        assert_eq!(root_of("LocalUploads/x"), "LocalUploads/x");
    }
}
