//! Submitting a job again. Its name is fixed, so that nobody can make two of it, and it is asked for before and after.

use workspace::Kind;

use super::executor::Executor;
use super::step::Trouble;
use crate::Step;
use crate::run::Again;

impl Executor<'_> {
    /// Submits a job that had not ended, unless it is there.
    pub(super) async fn resubmit(&self, step: &Step) -> Result<(), Trouble> {
        self.safe_point()?;
        let kind =
            Kind::find(&step.item.kind).ok_or_else(|| Trouble::because("the kind is not known"))?;
        let loaded = self.world.load(&step.item).await?;
        let loaded = loaded.ok_or_else(|| Trouble::because("the snapshot does not have it"))?;
        let again = Again::of(&loaded, self.world.source.identity(), self.world.stays());
        let again = again
            .filter(|again| again.target == step.target)
            .ok_or_else(|| Trouble::because("the snapshot has no open job of it"))?;
        if self.is_submitted(&again).await? {
            return Ok(());
        }
        let body = again.body(kind, &self.world.rewriter());
        let azure = self.world.azure;
        match azure.put(&again.target, &body, again.api_version()).await {
            Ok(_) => Ok(()),
            // It may have been carried out, and only its answer was lost.
            Err(error) => match self.is_submitted(&again).await {
                Ok(true) => Ok(()),
                _ => Err(error.into()),
            },
        }
    }

    async fn is_submitted(&self, again: &Again<'_>) -> Result<bool, Trouble> {
        let there = self.world.get(&again.target).await?;
        match there.and_then(|listed| listed.document) {
            None => Ok(false),
            Some(document) if again.is(&document.value) => Ok(true),
            Some(_) => Err(Trouble::because("the target has another job of this name")),
        }
    }
}
