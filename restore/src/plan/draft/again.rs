//! Planning the jobs that are submitted again: after everything that they name, before anything is archived.

use super::{Draft, Turn};
use crate::run::Again;
use crate::snapshot::Loaded;
use crate::{Action, Error, Loss, Step, Work};

impl Draft<'_> {
    /// Notes that a job is to be submitted again, where it had not ended and nobody did it yet.
    pub(super) async fn resubmit_later(
        &mut self,
        turn: &Turn,
        loaded: &Loaded,
        run: Option<u32>,
    ) -> Result<(), Error> {
        if !self.world.include.resubmit {
            return Ok(());
        }
        let source = self.world.source.identity();
        let Some(again) = Again::of(loaded, source, self.world.stays()) else {
            return Ok(());
        };
        let there = self.world.get(&again.target).await?;
        if let Some(there) = there.and_then(|listed| listed.document) {
            if !again.is(&there.value) {
                self.losses.push(Loss::new(
                    &turn.id,
                    Action::Manual,
                    "its submission",
                    "the target has another job of this name",
                    "submit `mlark/job.json` of its run under another name",
                ));
            }
            return Ok(());
        }
        self.losses.push(Loss::new(
            &turn.id,
            Action::Create,
            "its work so far",
            format!(
                "it is submitted again and begins anew; {} is paid for once more",
                again.compute()
            ),
            format!(
                "its run keeps what was logged; the new job is {}",
                again.target
            ),
        ));
        let mut after: Vec<u32> = turn.after.iter().chain(&turn.needs).copied().collect();
        after.extend(run);
        self.resubmissions.push(Step {
            step: 0,
            item: turn.id.clone(),
            action: Action::Create,
            work: Work::Resubmit,
            reason: format!(
                "it was {} at the source, and is submitted again",
                again.status
            ),
            target: again.target,
            needs: Vec::new(),
            after,
            overwrite: false,
            files: 0,
            bytes: 0,
        });
        Ok(())
    }

    /// A step for each.
    pub(super) fn append_resubmissions(&mut self) {
        for mut step in std::mem::take(&mut self.resubmissions) {
            step.step = self.steps.len() as u32 + 1;
            self.steps.push(step);
        }
    }
}
