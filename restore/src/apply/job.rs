//! A job's step: the run with its parameters, metrics, artifacts and outputs; its status last, so that a run that has
//! ended is a run that is whole.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use workspace::azure::{ExperimentId, FileMeta, Logged, MetricPoint, NewRun, RunFound, RunId};
use workspace::reference::rewrite;
use workspace::{FilePath, Kind};

use super::executor::Executor;
use super::leftover;
use super::step::Trouble;
use super::upload::{UNCHANGED, Upload};
use crate::Step;
use crate::run::metric::{Line, lines};
use crate::run::{JobFiles, RunRecord, SPECIFICATION, restored};
use crate::snapshot::Loaded;

/// Points handed over at once; the client cuts them into requests.
const POINTS_MAX: usize = 20_000;
/// How often the service is asked for a run when its answers get lost.
const CREATES_MAX: u32 = 6;

impl Executor<'_> {
    /// Brings a job back; answers the run.
    pub(super) async fn job(&self, step: &Step) -> Result<String, Trouble> {
        let loaded = self.world.load(&step.item).await?;
        let loaded = loaded.ok_or_else(|| Trouble::because("the snapshot does not have it"))?;
        if self.world.job_here(&step.item.name).await? {
            let id = RunId::new(step.item.name.clone())?;
            self.files_of(&JobFiles::own(&loaded, &id), None).await?;
            return Ok(step.item.to_string());
        }
        let record = RunRecord::read(&loaded, self.world.source.identity());
        let run = self.run_of(&record).await?;
        self.session
            .journal
            .note_run(self.plan, &record.source, run.id.as_str())
            .await?;
        self.world
            .rewriter_mut()
            .restored_run(record.source.clone(), restored(&loaded, &run.id));
        self.fill(&record, &run, &loaded).await?;
        Ok(format!("jobs/{}", run.id))
    }

    /// The run that a restore made before, or a new one. Where it stays unclear whether the service made it, that is
    /// searched for before it is asked again.
    async fn run_of(&self, record: &RunRecord) -> Result<RunFound, Trouble> {
        if let Some(run) = self.runs.get(&record.source) {
            return Ok(run.clone());
        }
        let azure = self.world.azure;
        let found = azure.find_runs(&record.source).await?;
        if let Some(run) = found.into_iter().min_by(|one, two| one.id.cmp(&two.id)) {
            return Ok(run);
        }
        let new = self.new_run(record).await?;
        let mut tries = 1;
        loop {
            match azure.create_run(&new).await {
                Ok(run) => {
                    self.made.add(&record.source);
                    return Ok(run);
                }
                Err(error) if is_certain(&error) || tries == CREATES_MAX => {
                    return Err(error.into());
                }
                Err(_) => tries += 1,
            }
            self.made.add(&record.source);
            let job = BTreeSet::from([record.source.clone()]);
            let mut left = leftover::search(azure, job).await?;
            if let Some(run) = left.remove(&record.source) {
                return Ok(run);
            }
        }
    }

    async fn new_run(&self, record: &RunRecord) -> Result<NewRun, Trouble> {
        let experiment = self.experiment(&record.experiment).await?;
        let parent = record.parent.as_ref().and_then(|parent| {
            let rewriter = self.world.rewriter();
            rewriter
                .run_of(parent)
                .and_then(|run| RunId::new(run.run.clone()).ok())
        });
        Ok(NewRun {
            experiment,
            name: record.name.clone(),
            start: record.start,
            tags: record.tags.clone(),
            parent,
        })
    }

    async fn experiment(&self, name: &str) -> Result<ExperimentId, Trouble> {
        let mut known = self.experiments.lock().await;
        if let Some(id) = known.get(name) {
            return Ok(id.clone());
        }
        let id = self.world.azure.experiment(name).await?;
        known.insert(name.to_owned(), id.clone());
        Ok(id)
    }

    /// Everything of a run but the run itself; what is there already stays.
    async fn fill(
        &self,
        record: &RunRecord,
        run: &RunFound,
        loaded: &Loaded,
    ) -> Result<(), Trouble> {
        let azure = self.world.azure;
        let tags: BTreeMap<String, String> = record
            .tags
            .iter()
            .filter(|(tag, value)| run.tags.get(*tag) != Some(*value))
            .map(|(tag, value)| (tag.clone(), value.clone()))
            .collect();
        if !tags.is_empty() {
            azure.set_tags(&run.id, &tags).await?;
        }
        if !record.params.is_empty() {
            azure.log_params(&run.id, &record.params).await?;
        }
        let files = JobFiles::restored(loaded, &run.id);
        self.metrics(run, &files).await?;
        self.files_of(&files, Some(run)).await?;
        self.specification(run, loaded).await?;
        self.describe(record, run).await?;
        self.safe_point()?;
        azure
            .finish_run(&run.id, record.end, record.end_time)
            .await?;
        Ok(())
    }

    /// Description and archived flag, by run history.
    async fn describe(&self, record: &RunRecord, run: &RunFound) -> Result<(), Trouble> {
        let mut change = serde_json::Map::new();
        if let Some(description) = &record.description {
            change.insert("description".to_owned(), Value::String(description.clone()));
        }
        if record.hidden {
            change.insert("hidden".to_owned(), Value::Bool(true));
        }
        if !change.is_empty() {
            self.world
                .azure
                .patch_run(&run.id, &Value::Object(change))
                .await?;
        }
        Ok(())
    }

    async fn metrics(&self, run: &RunFound, files: &JobFiles) -> Result<(), Trouble> {
        for file in &files.metrics {
            self.safe_point()?;
            let mut points: Vec<MetricPoint> = Vec::new();
            let mut logged = Logged::default();
            let mut history = lines(&self.world.source, file);
            let mut unusual = false;
            while let Some(line) = history.try_next().await? {
                match line {
                    Line::Points(more) => points.extend(more),
                    Line::Other => unusual = true,
                }
                if points.len() >= POINTS_MAX {
                    let azure = self.world.azure;
                    azure.log_metrics(&run.id, &points, &mut logged).await?;
                    points.clear();
                }
            }
            if !points.is_empty() {
                let azure = self.world.azure;
                azure.log_metrics(&run.id, &points, &mut logged).await?;
            }
            if unusual {
                self.keep_metric(run, file).await?;
            }
        }
        Ok(())
    }

    /// A history that is no series of numbers, whole, as an artifact.
    async fn keep_metric(
        &self,
        run: &RunFound,
        file: &archive_format::FileEntry,
    ) -> Result<(), Trouble> {
        let path = FilePath::new(JobFiles::kept_path(file))?;
        let meta = FileMeta {
            overwrite: true,
            ..crate::files::meta(file, true)
        };
        self.artifact(run, &path, &meta, self.world.source.bytes(file))
            .await
    }

    /// Artifacts and outputs.
    async fn files_of(&self, files: &JobFiles, run: Option<&RunFound>) -> Result<(), Trouble> {
        for part in files.parts() {
            if part.files.is_empty() {
                continue;
            }
            let place = part.locate(self.world.azure).await?;
            let upload = Upload {
                place: &place,
                listed: &place,
                overwrite: false,
                run: run.filter(|_| part.is_artifacts()),
                tables: &UNCHANGED,
            };
            self.upload(upload, &part.files, |file| part.path_below(file))
                .await?;
        }
        Ok(())
    }

    /// The specification, rewritten and ready to submit.
    async fn specification(&self, run: &RunFound, loaded: &Loaded) -> Result<(), Trouble> {
        let (Some(kind), Some(text)) = (Kind::find("jobs"), &loaded.arm) else {
            return Ok(());
        };
        let rewritten = rewrite(kind, &text.value, &self.world.rewriter()).value;
        let document = json!({
            "api-version": text.api_version,
            "body": kind.body(&loaded.id, &rewritten),
        });
        let mut bytes = serde_json::to_vec_pretty(&document).map_err(crate::Error::SavePlan)?;
        bytes.push(b'\n');
        let meta = FileMeta {
            size: bytes.len() as u64,
            content_type: Some("application/json".to_owned()),
            overwrite: true,
            ..FileMeta::default()
        };
        let stream = futures::stream::once(async move { Ok(Bytes::from(bytes)) }).boxed();
        self.artifact(run, &FilePath::new(SPECIFICATION)?, &meta, stream)
            .await
    }

    async fn artifact(
        &self,
        run: &RunFound,
        path: &FilePath,
        meta: &FileMeta,
        bytes: workspace::ByteStream,
    ) -> Result<(), Trouble> {
        let place = self.world.azure.artifact_place(&run.id).await?;
        let upload = Upload {
            place: &place,
            listed: &place,
            overwrite: true,
            run: Some(run),
            tables: &UNCHANGED,
        };
        self.write_bytes(upload, path, meta, bytes).await?;
        Ok(())
    }
}

/// Whether an error tells that the service made nothing.
fn is_certain(error: &workspace::Error) -> bool {
    use workspace::Error as E;
    matches!(
        error,
        E::Forbidden(_)
            | E::NotFound(_)
            | E::Conflict(_)
            | E::MissingReference(_)
            | E::Invalid(_)
            | E::Credential { .. }
            | E::Untrusted { .. }
            | E::Name { .. }
    )
}
