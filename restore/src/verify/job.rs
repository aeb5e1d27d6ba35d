//! Comparing a job with the run that it became: end, times, tags, parameters, every point of every metric, every file, and
//! the artifact that keeps a metric which is no series of numbers.

use std::collections::BTreeMap;

use archive_format::FileEntry;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde_json::Value;
use workspace::azure::{RunFound, RunId};
use workspace::{Details, Form, ItemId, Listed, SourceFile, Workspace};

use super::azure::Comparison;
use super::{Standing, Sum};
use crate::Error;
use crate::files::present;
use crate::run::metric::{Line, lines, lines_of};
use crate::run::{Again, JobFiles, RunRecord, read_time};
use crate::snapshot::Loaded;

/// Points of a metric, each with how often it stands there: value, milliseconds, step.
type Points = BTreeMap<(String, i64, i64), i64>;

impl Comparison<'_> {
    /// Compares one job.
    pub(super) async fn job(&self, loaded: &Loaded, sum: &mut Sum) -> Result<Standing, Error> {
        let id = &loaded.id;
        if loaded.arm.is_none() && loaded.record.is_none() {
            return Ok(Standing::Expected);
        }
        let before = (sum.differences.len(), sum.files);
        if self.world.job_here(&id.name).await? {
            let own = RunId::new(id.name.clone())
                .map_err(|error| Error::target(id.to_string(), error))?;
            self.job_files(id, &JobFiles::own(loaded, &own), sum)
                .await?;
            return Ok(standing(before, sum, Standing::Same));
        }
        let Some(run) = self.run_of(id).await? else {
            sum.differs(id, "the item", "no run was made of it");
            return Ok(Standing::Missing);
        };
        let record = RunRecord::read(loaded, self.world.source.identity());
        compare_tags(id, &record, &run, sum);
        let details = self.details(&run.id).await?;
        compare_record(id, &record, &details, sum);
        let files = JobFiles::restored(loaded, &run.id);
        self.job_files(id, &files, sum).await?;
        self.metrics(id, &files, &details, sum).await?;
        self.submission(loaded, sum).await?;
        Ok(standing(before, sum, Standing::Expected))
    }

    /// Where jobs are submitted again: whether this one is, if it had not ended.
    async fn submission(&self, loaded: &Loaded, sum: &mut Sum) -> Result<(), Error> {
        let world = &self.world;
        let again = Again::of(loaded, world.source.identity(), world.stays());
        if let Some(again) = again.filter(|_| world.include.resubmit) {
            let there = world.get(&again.target).await?;
            let there = there.and_then(|listed| listed.document);
            if !there.is_some_and(|document| again.is(&document.value)) {
                sum.differs(&loaded.id, "its submission", "it was not submitted again");
            }
        }
        Ok(())
    }

    async fn details(&self, run: &RunId) -> Result<Details, Error> {
        let listed = Listed {
            id: ItemId::new("jobs", run.as_str()),
            document: None,
            file: None,
        };
        let failed = |error| Error::target(format!("run {run}"), error);
        self.world.azure.details(&listed).await.map_err(failed)
    }

    async fn job_files(&self, id: &ItemId, files: &JobFiles, sum: &mut Sum) -> Result<(), Error> {
        for part in files.parts().filter(|part| !part.files.is_empty()) {
            let failed = |error| Error::target(format!("the files of {id}"), error);
            let place = part.locate(self.world.azure).await.map_err(failed)?;
            let there = present(self.world.azure, &place).await.map_err(failed)?;
            self.files(id, &part.files, &there, |file| part.path_below(file), sum)
                .await?;
        }
        Ok(())
    }

    async fn metrics(
        &self,
        id: &ItemId,
        files: &JobFiles,
        details: &Details,
        sum: &mut Sum,
    ) -> Result<(), Error> {
        let logged: BTreeMap<&str, &SourceFile> = details
            .files
            .iter()
            .map(|file| (file.path.as_str(), file))
            .collect();
        for file in &files.metrics {
            sum.files.compared += 1;
            match self.metric(id, files, file, &logged).await? {
                Found::Same => sum.files.same += 1,
                Found::Different(reason) => {
                    sum.files.different += 1;
                    sum.differs(id, file.path.as_str(), reason);
                }
                Found::Missing(reason) => {
                    sum.files.missing += 1;
                    sum.differs(id, file.path.as_str(), reason);
                }
            }
        }
        Ok(())
    }

    /// One metric: its points, and where some of them are no numbers, the artifact that keeps its history whole.
    async fn metric(
        &self,
        id: &ItemId,
        files: &JobFiles,
        file: &FileEntry,
        logged: &BTreeMap<&str, &SourceFile>,
    ) -> Result<Found, Error> {
        let wished = History::of(lines(&self.world.source, file)).await?;
        if wished.is_unusual {
            match self.kept_metric(id, files, file).await? {
                Found::Same => {}
                found => return Ok(found),
            }
            if wished.points.is_empty() {
                return Ok(Found::Same);
            }
        }
        let Some(there) = logged.get(file.path.as_str()) else {
            return Ok(Found::Missing("the metric is not there"));
        };
        let failed = |error| Error::target(format!("`{}` of {id}", there.path), error);
        let bytes = self.world.azure.read(there).await.map_err(failed)?;
        let found = History::of(lines_of(bytes, there.path.as_str())).await?;
        Ok(match found.points == wished.points {
            true => Found::Same,
            false => Found::Different("the metric has other points"),
        })
    }

    /// The artifact that keeps a history whole, against the history.
    async fn kept_metric(
        &self,
        id: &ItemId,
        files: &JobFiles,
        file: &FileEntry,
    ) -> Result<Found, Error> {
        let part = files.kept_metric(file);
        let failed = |error| Error::target(format!("the metrics of {id}"), error);
        let place = part.locate(self.world.azure).await.map_err(failed)?;
        let there = present(self.world.azure, &place).await.map_err(failed)?;
        let Some(there) = there.get(&part.path_below(file)) else {
            return Ok(Found::Missing("the artifact that keeps it is not there"));
        };
        let wished = file.content.as_ref();
        let wished = wished.map(|content| content.sha256.to_string());
        let found = self.digest(id, there).await?;
        Ok(match wished.is_none_or(|wished| wished == found) {
            true => Found::Same,
            false => Found::Different("the artifact that keeps it has other bytes"),
        })
    }
}

/// How a metric stands in the target.
enum Found {
    Same,
    /// With what is wrong.
    Different(&'static str),
    /// With what is not there.
    Missing(&'static str),
}

fn standing(before: (usize, super::FileTally), sum: &Sum, good: Standing) -> Standing {
    let files = sum.files.different + sum.files.missing > before.1.different + before.1.missing;
    if files || sum.differences.len() > before.0 {
        Standing::Different
    } else {
        good
    }
}

fn compare_tags(id: &ItemId, record: &RunRecord, run: &RunFound, sum: &mut Sum) {
    for (tag, value) in &record.tags {
        if run.tags.get(tag) != Some(value) {
            sum.differs(
                id,
                format!("tag {tag}"),
                "it is not there, or has another value",
            );
        }
    }
    for (param, value) in &record.params {
        if run.params.get(param) != Some(value) {
            sum.differs(
                id,
                format!("parameter {param}"),
                "it is not there, or has another value",
            );
        }
    }
    if run.status != record.end.as_str() {
        sum.differs(id, "status", "the run has not ended as it should");
    }
}

/// What run history says of the run: names, times, whether it is archived.
fn compare_record(id: &ItemId, record: &RunRecord, details: &Details, sum: &mut Sum) {
    let document = details
        .documents
        .iter()
        .find(|document| document.form == Form::RunHistory);
    let Some(document) = document.map(|document| &document.value) else {
        return;
    };
    let time = |pointer: &str| {
        document
            .pointer(pointer)
            .and_then(Value::as_str)
            .and_then(read_time)
    };
    let same_time = |wished: Option<Timestamp>, found: Option<Timestamp>| {
        wished.is_none_or(|wished| {
            found.map(Timestamp::as_millisecond) == Some(wished.as_millisecond())
        })
    };
    if !same_time(record.start, time("/startTimeUtc")) {
        sum.differs(id, "start time", "it is another one");
    }
    if !same_time(record.end_time, time("/endTimeUtc")) {
        sum.differs(id, "end time", "it is another one");
    }
    let hidden = document
        .pointer("/hidden")
        .and_then(Value::as_bool)
        .unwrap_or_default();
    if hidden != record.hidden {
        sum.differs(id, "archived", "the flag is another one");
    }
    let name = document.pointer("/displayName").and_then(Value::as_str);
    if name.is_some_and(|name| name != record.name) {
        sum.differs(id, "display name", "it is another one");
    }
}

/// A metric's history.
#[derive(Default)]
struct History {
    points: Points,
    /// Whether something in it is no number.
    is_unusual: bool,
}

impl History {
    async fn of(mut lines: BoxStream<'static, Result<Line, Error>>) -> Result<Self, Error> {
        let mut history = Self::default();
        while let Some(line) = lines.try_next().await? {
            match line {
                Line::Points(more) => more
                    .iter()
                    .for_each(|point| count(&mut history.points, point)),
                Line::Other => history.is_unusual = true,
            }
        }
        Ok(history)
    }
}

fn count(points: &mut Points, point: &workspace::azure::MetricPoint) {
    let value = match &point.value {
        // A double may be written in several ways; the value is what counts.
        Value::Number(number) => number
            .as_f64()
            .map_or(number.to_string(), |value| format!("{value:e}")),
        other => other.to_string(),
    };
    *points
        .entry((value, point.time.as_millisecond(), point.step))
        .or_default() += 1;
}
