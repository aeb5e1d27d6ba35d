//! References of an item that lead nowhere in the target: each is a row, and some leave the item to a person.

use serde_json::Value;
use workspace::kind::Restore;
use workspace::reference::references;
use workspace::{ItemId, Kind};

use super::{Draft, Turn};
use crate::expected::must_lead;
use crate::plan::decide::Verdict;
use crate::{Action, Error, Loss};

impl Draft<'_> {
    /// Rows for references that lead nowhere in the target, and what was seen of those that lead somewhere.
    pub(super) async fn check_references(
        &mut self,
        kind: &'static Kind,
        id: &ItemId,
        value: &Value,
    ) -> Result<(), Error> {
        let target = self.world.rewriter().target().clone();
        for (pointer, reference) in references(kind, value) {
            let Some(item) = reference.item_in(&target) else {
                continue;
            };
            if item.kind == "jobs" || self.is_made(&item) {
                continue;
            }
            if self.listing.has(&item).await? {
                self.sight(&item).await?;
                continue;
            }
            let substitute = match Kind::find(&item.kind).map(|kind| kind.restore) {
                Some(Restore::Never) => {
                    "make one of this name, or map the name to one that is there"
                }
                _ => "restore it too, or map its name",
            };
            self.losses.push(Loss::new(
                id,
                Action::Manual,
                pointer,
                format!("it refers to {item}, which the target does not have"),
                substitute,
            ));
        }
        Ok(())
    }

    /// What an item must lead to and neither the target has nor a step makes.
    pub(super) async fn lacking(
        &mut self,
        kind: &Kind,
        value: &Value,
    ) -> Result<Option<ItemId>, Error> {
        let target = self.world.rewriter().target().clone();
        for item in must_lead(kind, value, &target) {
            if !self.is_made(&item) && !self.listing.has(&item).await? {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// Leaves an item to a person, which the service does not make without another one.
    pub(super) fn made_without(
        &mut self,
        kind: &Kind,
        turn: &Turn,
        target: &ItemId,
        lacking: &ItemId,
    ) -> Verdict {
        let reason =
            format!("the service makes none without {lacking}, which the target does not have");
        let asked = Kind::find(&lacking.kind).and_then(|kind| kind.asked.word());
        let substitute = match asked {
            Some(word) => {
                format!("plan with --include {word}, or make it by hand when that is there")
            }
            None => "make it by hand when that is there".to_owned(),
        };
        self.losses.push(Loss::new(
            &turn.id,
            Action::Manual,
            "the item",
            reason.clone(),
            substitute,
        ));
        self.make_by_hand(kind, &turn.id, target);
        Verdict::nothing(Action::Manual, reason)
    }
}
