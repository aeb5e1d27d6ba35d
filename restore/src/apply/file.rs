//! Steps that write bytes alone: an entry of the workspace's file share.

use archive_format::EntryKind;
use futures::StreamExt;
use workspace::FilePath;
use workspace::azure::{Place, Written};

use super::executor::Executor;
use super::step::Trouble;
use super::upload::{UNCHANGED, Upload};
use crate::files::{Standing, meta, standing};
use crate::{Event, Step};

/// The datastore of the share with the notebooks.
const WORKING_DIRECTORY: &str = "workspaceworkingdirectory";

impl Executor<'_> {
    /// Writes one entry, unless it is there with the same bytes.
    pub(super) async fn file(&self, step: &Step) -> Result<(), Trouble> {
        self.safe_point()?;
        let loaded = self.world.load(&step.item).await?;
        let loaded = loaded.ok_or_else(|| Trouble::because("the snapshot does not have it"))?;
        let Some(file) = loaded.item.files.first() else {
            return Err(Trouble::because("the snapshot has no bytes of it"));
        };
        if self.share_standing(step, file).await? == Standing::Same {
            return Ok(());
        }
        let place = self.share().await?;
        let upload = Upload {
            place: &place,
            listed: &place,
            overwrite: step.overwrite,
            run: None,
            tables: &UNCHANGED,
        };
        let path = FilePath::new(step.target.name.as_str())?;
        let bytes = self.world.source.bytes(file);
        let written = self
            .write_bytes(upload, &path, &meta(file, step.overwrite), bytes)
            .await?;
        if written == Written::Present && self.share_standing(step, file).await? != Standing::Same {
            return Err(Trouble::because(
                "something else came to be there after the plan was made",
            ));
        }
        self.session
            .observer
            .event(Event::Bytes { count: file.size() });
        Ok(())
    }

    /// Writes the times of a directory once more.
    pub(super) async fn times(&self, step: &Step) -> Result<(), Trouble> {
        let loaded = self.world.load(&step.item).await?;
        let file = loaded.as_ref().and_then(|loaded| loaded.item.files.first());
        let Some(file) = file.filter(|file| file.entry == EntryKind::Directory) else {
            return Err(Trouble::because("the snapshot has no times of it"));
        };
        let place = self.share().await?;
        let path = FilePath::new(step.target.name.as_str())?;
        let nothing = futures::stream::empty().boxed();
        let azure = self.world.azure;
        azure
            .write_file(&place, &path, &meta(file, false), nothing)
            .await?;
        Ok(())
    }

    /// The share with the notebooks.
    async fn share(&self) -> Result<Place, Trouble> {
        let azure = self.world.azure;
        Ok(azure.datastore_place(Some(WORKING_DIRECTORY), "").await?)
    }

    async fn share_standing(
        &self,
        step: &Step,
        file: &archive_format::FileEntry,
    ) -> Result<Standing, Trouble> {
        match self
            .world
            .get(&step.target)
            .await?
            .and_then(|listed| listed.file)
        {
            Some(there) => Ok(standing(self.world.azure, file, &there).await?),
            None => Ok(Standing::Missing),
        }
    }
}
