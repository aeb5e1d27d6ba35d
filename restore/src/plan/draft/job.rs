//! Planning a job: a run that is made of it, one that an earlier restore made, or the job itself where the target is the
//! workspace that it came from.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use workspace::azure::{RunFound, RunId};
use workspace::reference::{Rewritten, rewrite};
use workspace::{ItemId, Kind};

use super::super::survey::Candidate;
use super::{Draft, Turn};
use crate::files::{Standing, amount, present, standings};
use crate::plan::Amount;
use crate::plan::decide::Verdict;
use crate::run::{JobFiles, RunRecord, SPECIFICATION, is_fine, peculiarities, restored};
use crate::snapshot::Loaded;
use crate::{Action, Error, Loss, Work};

/// How many searches for runs are under way at once.
const SEARCHES_MAX: usize = 8;

/// What of a job's files the target has.
#[derive(Clone, Copy, Debug, Default)]
struct JobStanding {
    missing: Amount,
    differing: Amount,
    /// Whether the specification lies among the artifacts.
    specified: bool,
}

impl Draft<'_> {
    /// Finds the runs that earlier restores made of the plan's jobs.
    pub(super) async fn search_runs(&mut self, candidates: &[Candidate]) -> Result<(), Error> {
        let azure = self.world.azure;
        let jobs: Vec<String> = candidates
            .iter()
            .filter(|candidate| candidate.node.id.kind == "jobs")
            .map(|candidate| candidate.node.id.name.clone())
            .collect();
        self.found_runs = stream::iter(jobs.into_iter().map(|job| async move {
            let found = azure.find_runs(&job).await;
            let found =
                found.map_err(|error| Error::target(format!("the runs of jobs/{job}"), error))?;
            Ok::<_, Error>((job, found))
        }))
        .buffer_unordered(SEARCHES_MAX)
        .try_filter(|(_, found)| futures::future::ready(!found.is_empty()))
        .try_collect::<BTreeMap<_, _>>()
        .await?;
        Ok(())
    }

    /// Plans one job.
    pub(super) async fn job(
        &mut self,
        kind: &'static Kind,
        turn: &Turn,
    ) -> Result<Option<u32>, Error> {
        let Some(loaded) = self.world.load(&turn.id).await? else {
            return Err(Self::vanished(&turn.id));
        };
        self.gaps(&loaded);
        if loaded.arm.is_none() && loaded.record.is_none() {
            let verdict =
                Verdict::nothing(Action::Impossible, "the snapshot has no document of it");
            return Ok(self.push(turn, Work::Nothing, turn.id.clone(), verdict));
        }
        if self.world.job_here(&turn.id.name).await? {
            return self.own_job(turn, &loaded).await;
        }
        let found = self.found_runs.remove(&turn.id.name).unwrap_or_default();
        let number = match found.into_iter().min_by(|one, two| one.id.cmp(&two.id)) {
            Some(run) => self.restored_job(kind, turn, &loaded, &run).await?,
            None => self.new_job(kind, turn, &loaded).await?,
        };
        self.resubmit_later(turn, &loaded, number).await?;
        Ok(number)
    }

    /// The job itself is there: only bytes can be missing.
    async fn own_job(&mut self, turn: &Turn, loaded: &Loaded) -> Result<Option<u32>, Error> {
        let id = RunId::new(turn.id.name.clone())
            .map_err(|error| Error::target(turn.id.to_string(), error))?;
        self.sight(&turn.id).await?;
        let files = JobFiles::own(loaded, &id);
        let JobStanding {
            missing, differing, ..
        } = self.bytes_standing(&turn.id, &files).await?;
        let verdict = match (missing.files, differing.files) {
            (0, 0) => Verdict::nothing(Action::Skip, "the job is there, with its files"),
            (0, count) => Verdict::nothing(
                Action::Skip,
                format!("the job is there; {count} of its files were written since, and stay"),
            ),
            (count, _) => Verdict {
                amount: missing,
                ..Verdict::nothing(
                    Action::Repair,
                    format!("the job is there, {count} of its files are missing"),
                )
            },
        };
        Ok(self.push(turn, Work::Run, turn.id.clone(), verdict))
    }

    /// An earlier restore made a run of it.
    async fn restored_job(
        &mut self,
        kind: &'static Kind,
        turn: &Turn,
        loaded: &Loaded,
        run: &RunFound,
    ) -> Result<Option<u32>, Error> {
        let files = JobFiles::restored(loaded, &run.id);
        let target = ItemId::new("jobs", run.id.as_str());
        self.runs
            .insert(turn.id.name.clone(), run.id.as_str().to_owned());
        self.world
            .rewriter_mut()
            .restored_run(turn.id.name.clone(), restored(loaded, &run.id));
        let standing = self.bytes_standing(&target, &files).await?;
        let JobStanding {
            missing, differing, ..
        } = standing;
        let ended = matches!(run.status.as_str(), "FINISHED" | "FAILED" | "KILLED");
        let specified = loaded.arm.is_none() || standing.specified;
        let verdict = if !ended || !specified {
            Verdict {
                amount: missing,
                ..Verdict::nothing(
                    Action::Repair,
                    "an earlier restore began its run; it goes on",
                )
            }
        } else if missing.files > 0 {
            let reason = format!(
                "its run is there, {} of its files are missing",
                missing.files
            );
            Verdict {
                amount: missing,
                ..Verdict::nothing(Action::Repair, reason)
            }
        } else if differing.files > 0 {
            let reason = format!(
                "its run is there; {} of its files were written since, and stay",
                differing.files
            );
            Verdict::nothing(Action::Skip, reason)
        } else {
            Verdict::nothing(Action::Skip, "an earlier restore made its run")
        };
        if verdict.action == Action::Repair {
            self.rows(kind, loaded).await?;
        }
        Ok(self.push(turn, Work::Run, target, verdict))
    }

    /// Nothing of it is there. Until its run has an id, references to it lead to the job's own.
    async fn new_job(
        &mut self,
        kind: &'static Kind,
        turn: &Turn,
        loaded: &Loaded,
    ) -> Result<Option<u32>, Error> {
        let own = RunId::new(turn.id.name.clone())
            .map_err(|error| Error::target(turn.id.to_string(), error))?;
        self.world
            .rewriter_mut()
            .restored_run(turn.id.name.clone(), restored(loaded, &own));
        self.rows(kind, loaded).await?;
        let verdict = Verdict {
            amount: JobFiles::restored(loaded, &own).amount(),
            ..Verdict::nothing(
                Action::Create,
                "its history becomes an MLflow run; a finished job cannot be put back",
            )
        };
        Ok(self.push(turn, Work::Run, turn.id.clone(), verdict))
    }

    /// What of a job's files is missing and what differs.
    async fn bytes_standing(
        &self,
        target: &ItemId,
        files: &JobFiles,
    ) -> Result<JobStanding, Error> {
        let azure = self.world.azure;
        let failed = |error| Error::target(format!("the files of {target}"), error);
        let mut sum = JobStanding::default();
        for part in files.parts() {
            let place = part.locate(azure).await.map_err(failed)?;
            let there = present(azure, &place).await.map_err(failed)?;
            let standings = standings(azure, &part.files, &there, |file| part.path_below(file))
                .await
                .map_err(failed)?;
            sum.missing = sum
                .missing
                .plus(amount(&part.files, &standings, Standing::Missing));
            sum.differing = sum
                .differing
                .plus(amount(&part.files, &standings, Standing::Differs));
            sum.specified |= there.contains_key(SPECIFICATION);
        }
        Ok(sum)
    }

    /// The rows of a job that becomes a run.
    async fn rows(&mut self, kind: &'static Kind, loaded: &Loaded) -> Result<(), Error> {
        let id = &loaded.id;
        for (what, reason, substitute) in kind.losses {
            self.losses
                .push(Loss::new(id, Action::Create, *what, *reason, *substitute));
        }
        let arm = loaded.arm.as_ref().map(|text| &text.value);
        let run = RunRecord::read(loaded, self.world.source.identity());
        self.losses.extend(run.losses.iter().cloned());
        if let Some(parent) = run
            .parent
            .as_ref()
            .filter(|parent| self.world.rewriter().run_of(parent).is_none())
        {
            self.losses.push(Loss::new(
                id,
                Action::Create,
                "parent run",
                format!("jobs/{parent} is not restored"),
                "the run stands alone; `mlark/job.json` and tags keep what it was",
            ));
        }
        self.mentions_in_tags(id, &run);
        self.images(kind, loaded);
        if let Some(arm) = arm {
            let rewritten = rewrite(kind, arm, &self.world.rewriter());
            self.specification_rows(id, &rewritten);
            self.check_references(kind, id, &rewritten.value).await?;
        }
        self.peculiar_rows(loaded, &run).await
    }

    /// What MLflow keeps in another way.
    async fn peculiar_rows(&mut self, loaded: &Loaded, run: &RunRecord) -> Result<(), Error> {
        let id = &loaded.id;
        let found = peculiarities(&self.world.source, loaded).await?;
        for (metric, reason) in found.unusual {
            self.losses.push(Loss::new(
                id,
                Action::Create,
                format!("metric {metric}"),
                reason,
                "kept whole as an artifact below `mlark/metrics/`",
            ));
        }
        let fine = [run.start, run.end_time].into_iter().flatten().any(is_fine);
        if fine || found.fine_times {
            self.losses.push(Loss::new(
                id,
                Action::Create,
                "times beyond the millisecond",
                "MLflow keeps milliseconds",
                "start and end stand whole in tags `mlark.*`, metric times in the snapshot",
            ));
        }
        Ok(())
    }

    fn specification_rows(&mut self, id: &ItemId, rewritten: &Rewritten) {
        for left in &rewritten.left {
            self.losses.push(Loss::new(
                id,
                Action::Create,
                left.pointer.clone(),
                left.reason,
                "kept as it was in `mlark/job.json`",
            ));
        }
        // Tags are rows of the run.
        let texts = rewritten
            .mentions
            .iter()
            .filter(|mention| !mention.pointer.starts_with("/properties/tags/"));
        for mention in texts {
            self.losses.push(Loss::new(
                id,
                Action::Create,
                format!("mentions-source {}", mention.pointer),
                format!(
                    "the text mentions {} and is no reference",
                    mention.names.join(", ")
                ),
                "kept byte by byte",
            ));
        }
    }

    fn mentions_in_tags(&mut self, id: &ItemId, run: &RunRecord) {
        for (tag, text) in run
            .tags
            .iter()
            .filter(|(tag, _)| !tag.starts_with("mlark."))
        {
            let names = self.world.rewriter().mentioned_in(text);
            if !names.is_empty() {
                self.losses.push(Loss::new(
                    id,
                    Action::Create,
                    format!("mentions-source tag {tag}"),
                    format!("the text mentions {} and is no reference", names.join(", ")),
                    "kept byte by byte",
                ));
            }
        }
    }
}
