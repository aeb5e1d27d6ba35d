//! Items that the target has under another name: those whose document says a digest of their content, such as code that
//! somebody uploaded with the official client, which gives each upload a name by chance.

use workspace::{ItemId, Kind};

use super::{Draft, Turn};
use crate::expected::Expected;
use crate::plan::decide::{Found, Verdict};
use crate::snapshot::Loaded;
use crate::{Action, Error, Work};

impl Draft<'_> {
    /// The item of the target that has the same content and files; references follow it from here on.
    pub(super) async fn of_same_content(
        &mut self,
        kind: &'static Kind,
        loaded: &Loaded,
        expected: &Expected,
    ) -> Result<Option<ItemId>, Error> {
        let Some(content) = kind.content_of(&expected.value) else {
            return Ok(None);
        };
        let Some(same) = self.listing.of_content(kind, content).await? else {
            return Ok(None);
        };
        let own = expected.target.clone();
        let known = |draft: &Self, to: &ItemId| {
            let mut rewriter = draft.world.rewriter_mut();
            rewriter.renamed(loaded.id.clone(), to.clone());
        };
        known(self, &same);
        let there = self.world.expect(kind, loaded).await?;
        if let Some(there) = there
            && self.find(kind, loaded, &there).await?.0 == Found::Same
        {
            return Ok(Some(same));
        }
        known(self, &own);
        Ok(None)
    }

    /// A step with nothing to do.
    pub(super) fn push_same(&mut self, turn: &Turn, same: ItemId) -> Option<u32> {
        self.elsewhere.insert(turn.id.clone());
        self.made.insert(same.clone());
        let reason = "the target has the same content under this name";
        let verdict = Verdict::nothing(Action::Skip, reason);
        self.push(turn, Work::Nothing, same, verdict)
    }

    /// Whether all that a container holds is there under other names.
    pub(super) fn is_elsewhere(&self, container: &ItemId) -> bool {
        let mut below = self.elsewhere.range(container.clone()..);
        below
            .next()
            .is_some_and(|id| id.kind == container.kind && id.name == container.name)
    }
}
