//! Comparing an Azure ML workspace, several items at once.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::Mutex;
use workspace::azure::{AzureWorkspace, RunFound, RunId};
use workspace::kind::Restore;
use workspace::{ItemId, Kind, Selection};

use super::{Standing, Sum, content};
use crate::files::{self, Present, sha256, times};
use crate::origin::Origin;
use crate::plan::Names;
use crate::run::restored;
use crate::snapshot::Loaded;
use crate::world::World;
use crate::{Error, Event, Journal, Observer, Request};

/// Items compared at once.
const ITEMS_MAX: usize = 8;
/// Files of one item read at once.
const FILES_MAX: usize = 4;

/// A comparison under way.
pub(super) struct Comparison<'a> {
    pub(super) world: World<'a>,
    /// Runs by the job that they were made of; `None`: searched for and not there.
    runs: Mutex<BTreeMap<String, Option<RunFound>>>,
    /// Runs that the journal noted.
    noted: BTreeMap<String, String>,
}

/// Compares every selected item.
pub(super) async fn verify_azure(
    origin: &Origin,
    azure: &AzureWorkspace,
    request: &Request,
    journal: Option<&Journal>,
    observer: &dyn Observer,
) -> Result<Sum, Error> {
    let selection = Selection::parse(&request.selectors, request.now).map_err(Error::Selection)?;
    let world = World::open(origin, azure, selection, &request.options).await?;
    let mut noted = BTreeMap::new();
    if let Some(journal) = journal {
        noted = journal.runs(&request.target).await?;
        let renamed = journal.renamed(&world.source.id(), &request.target).await?;
        for (from, to) in renamed {
            world.rewriter_mut().renamed(from, to);
        }
    }
    let names = Names::read(&world).await?;
    content::follow(&world, &names).await?;
    let comparison = Comparison {
        world,
        runs: Mutex::default(),
        noted,
    };
    let total = names.selected().len() as u64;
    let comparison = &comparison;
    let mut sums = stream::iter(names.selected().iter().map(|id| comparison.item(id)))
        .buffer_unordered(ITEMS_MAX);
    let (mut sum, mut done) = (Sum::default(), 0);
    while let Some(item) = sums.try_next().await? {
        sum.add(item);
        done += 1;
        observer.event(Event::Verifying { done, total });
    }
    sum.differences
        .sort_by(|one, two| (&one.item, &one.what).cmp(&(&two.item, &two.what)));
    Ok(sum)
}

impl Comparison<'_> {
    async fn item(&self, id: &ItemId) -> Result<Sum, Error> {
        let mut sum = Sum::default();
        let Some(kind) = Kind::find(&id.kind) else {
            sum.item(Standing::Expected);
            return Ok(sum);
        };
        let Some(loaded) = self.world.load(id).await? else {
            return Err(Error::snapshot(
                id.to_string(),
                "the manifest lists it and does not hold it",
            ));
        };
        let standing = match kind.restore {
            _ if !self.world.azure.offers(kind) => Standing::Expected,
            _ if !self.world.include.takes(kind) => Standing::Expected,
            Restore::Never => Standing::Expected,
            Restore::Put | Restore::PendingUpload => {
                self.know_runs(kind, &loaded).await?;
                self.document(kind, &loaded, &mut sum).await?
            }
            Restore::Run => {
                self.know_runs(kind, &loaded).await?;
                self.job(&loaded, &mut sum).await?
            }
            Restore::Files => self.entry(&loaded, &mut sum).await?,
        };
        sum.item(standing);
        Ok(sum)
    }

    /// An entry of the share.
    async fn entry(&self, loaded: &Loaded, sum: &mut Sum) -> Result<Standing, Error> {
        let Some(file) = loaded.item.files.first() else {
            return Ok(Standing::Expected);
        };
        let target = self.world.map_item(&loaded.id);
        let there = self
            .world
            .get(&target)
            .await?
            .and_then(|listed| listed.file);
        let Some(there) = there else {
            sum.file(&loaded.id, file, None);
            return Ok(Standing::Missing);
        };
        let digest = match file.content {
            Some(_) => self.digest(&target, &there).await?,
            None => String::new(),
        };
        sum.file(&loaded.id, file, Some(&digest));
        if sum.files.different > 0 {
            return Ok(Standing::Different);
        }
        Ok(match times(file, &there) {
            files::Standing::Differs => {
                sum.differs(&loaded.id, "times and attributes", "they have other values");
                Standing::Different
            }
            files::Standing::Same => Standing::Same,
            // It was there before, with the same bytes.
            files::Standing::Missing => Standing::Expected,
        })
    }

    /// Files of an item against what lies at a place.
    pub(super) async fn files(
        &self,
        id: &ItemId,
        files: &[archive_format::FileEntry],
        there: &Present,
        path_of: impl Fn(&archive_format::FileEntry) -> String,
        sum: &mut Sum,
    ) -> Result<(), Error> {
        let asked: Vec<_> = files
            .iter()
            .map(|file| (file, there.get(&path_of(file))))
            .collect();
        let digests: Vec<Option<String>> =
            stream::iter(asked.iter().map(|(_, there)| async move {
                match there {
                    Some(there) => Ok::<_, Error>(Some(self.digest(id, there).await?)),
                    None => Ok(None),
                }
            }))
            .buffered(FILES_MAX)
            .try_collect()
            .await?;
        for (file, digest) in files.iter().zip(digests) {
            sum.file(id, file, digest.as_deref());
        }
        Ok(())
    }

    pub(super) async fn digest(
        &self,
        id: &ItemId,
        file: &workspace::SourceFile,
    ) -> Result<String, Error> {
        sha256(self.world.azure, file)
            .await
            .map_err(|error| Error::target(format!("`{}` of {id}", file.path), error))
    }

    /// Finds the runs of the jobs that an item refers to, so that references to them are expected as they are.
    async fn know_runs(&self, kind: &'static Kind, loaded: &Loaded) -> Result<(), Error> {
        let needs = self.world.needs(kind, loaded).await?;
        for (_, job) in needs.into_iter().filter(|(_, need)| need.kind == "jobs") {
            self.run_of(&job).await?;
        }
        Ok(())
    }

    /// The run that a job became.
    pub(super) async fn run_of(&self, job: &ItemId) -> Result<Option<RunFound>, Error> {
        if self.world.job_here(&job.name).await? {
            return Ok(None);
        }
        if let Some(known) = self.runs.lock().await.get(&job.name) {
            return Ok(known.clone());
        }
        let run = self.find_run(job).await?;
        if let Some(run) = &run
            && let Some(loaded) = self.world.source.load(job).await?
        {
            let restored = restored(&loaded, &run.id);
            self.world
                .rewriter_mut()
                .restored_run(job.name.clone(), restored);
        }
        self.runs.lock().await.insert(job.name.clone(), run.clone());
        Ok(run)
    }

    /// By the journal's word first: a search does not show at once what was made just now.
    async fn find_run(&self, job: &ItemId) -> Result<Option<RunFound>, Error> {
        let azure = self.world.azure;
        let failed = |error| Error::target(format!("the runs of {job}"), error);
        if let Some(id) = self
            .noted
            .get(&job.name)
            .and_then(|id| RunId::new(id.clone()).ok())
            && let Some(run) = azure.run(&id).await.map_err(failed)?
        {
            return Ok(Some(run));
        }
        let found = azure.find_runs(&job.name).await.map_err(failed)?;
        Ok(found.into_iter().min_by(|one, two| one.id.cmp(&two.id)))
    }
}
