//! Files to a place, several at once: what is there with the same bytes stays, what is there with others is written over
//! only where the plan says so.

use std::collections::BTreeMap;

use archive_format::FileEntry;
use futures::{StreamExt, TryStreamExt, stream};
use workspace::azure::{FileMeta, Place, RunFound, Written};
use workspace::{FilePath, SourceFile};

use super::executor::Executor;
use super::step::Trouble;
use crate::Event;
use crate::expected::Table;
use crate::files::{Present, Standing, meta, present, standing};

/// Files of one item that are looked at at once; those written at once are fewer.
const AHEAD: usize = 16;

/// Where files go.
#[derive(Clone, Copy)]
pub(super) struct Upload<'u> {
    /// The place that they lie below.
    pub(super) place: &'u Place,
    /// The place that is listed: the same, or the one file that it is.
    pub(super) listed: &'u Place,
    /// Whether other bytes are written over.
    pub(super) overwrite: bool,
    /// The run whose artifacts they are.
    pub(super) run: Option<&'u RunFound>,
    /// Files with other bytes than the snapshot's, by their path in the item.
    pub(super) tables: &'u BTreeMap<String, Table>,
}

/// No file has other bytes.
pub(super) static UNCHANGED: BTreeMap<String, Table> = BTreeMap::new();

impl Executor<'_> {
    /// Brings files to a place. `path_of` gives the path below the listed place, `folder` what stands before it.
    pub(super) async fn upload(
        &self,
        upload: Upload<'_>,
        files: &[FileEntry],
        path_of: impl Fn(&FileEntry) -> String + Sync,
    ) -> Result<(), Trouble> {
        if files.is_empty() {
            return Ok(());
        }
        let there = present(self.world.azure, upload.listed).await?;
        let (there, path_of) = (&there, &path_of);
        stream::iter(files.iter().map(|file| async move {
            self.safe_point()?;
            let path = path_of(file);
            self.one(upload, file, &path, there).await?;
            self.session
                .observer
                .event(Event::Bytes { count: file.size() });
            Ok(())
        }))
        .buffer_unordered(AHEAD)
        .try_collect()
        .await
    }

    async fn one(
        &self,
        upload: Upload<'_>,
        file: &FileEntry,
        path: &str,
        there: &Present,
    ) -> Result<(), Trouble> {
        match self.standing_of(upload, file, path, there).await? {
            Standing::Same => return Ok(()),
            Standing::Differs if !upload.overwrite => return Err(differs(path, upload.place)),
            Standing::Differs | Standing::Missing => {}
        }
        let path = FilePath::new(path)?;
        if self.write(upload, &path, file).await? == Written::New {
            return Ok(());
        }
        // It came into being meanwhile, or was ours and only the answer was lost.
        let there = present(self.world.azure, upload.listed).await?;
        match self
            .standing_of(upload, file, path.as_str(), &there)
            .await?
        {
            Standing::Same => Ok(()),
            _ => Err(differs(path.as_str(), upload.place)),
        }
    }

    async fn standing_of(
        &self,
        upload: Upload<'_>,
        file: &FileEntry,
        path: &str,
        there: &Present,
    ) -> Result<Standing, Trouble> {
        // An artifact is announced before its bytes come: an empty one is what an attempt left that was cut off.
        let cut_off = |there: &SourceFile| there.size == Some(0) && file.size() > 0;
        match there.get(path) {
            Some(there) if upload.run.is_some() && cut_off(there) => Ok(Standing::Missing),
            Some(there) => Ok(standing(self.world.azure, file, there).await?),
            None => Ok(Standing::Missing),
        }
    }

    async fn write(
        &self,
        upload: Upload<'_>,
        path: &FilePath,
        file: &FileEntry,
    ) -> Result<Written, Trouble> {
        let meta = meta(file, upload.overwrite);
        let bytes = match upload.tables.get(file.path.as_str()) {
            Some(table) => {
                let bytes = Ok(table.bytes.clone());
                stream::once(std::future::ready(bytes)).boxed()
            }
            None => self.world.source.bytes(file),
        };
        self.write_bytes(upload, path, &meta, bytes).await
    }

    /// Writes one file, with a permit, so that few are in memory at once.
    pub(super) async fn write_bytes(
        &self,
        upload: Upload<'_>,
        path: &FilePath,
        meta: &FileMeta,
        bytes: workspace::ByteStream,
    ) -> Result<Written, Trouble> {
        let _permit = self.files.acquire().await.map_err(|_| Trouble::Stopped)?;
        let azure = self.world.azure;
        let written = match upload.run {
            Some(run) => azure.upload_artifact(run, path, meta, bytes).await,
            None => azure.write_file(upload.place, path, meta, bytes).await,
        };
        Ok(written?)
    }
}

fn differs(path: &str, place: &Place) -> Trouble {
    Trouble::because(format!(
        "`{path}` at {place} has other bytes and is not written over"
    ))
}
