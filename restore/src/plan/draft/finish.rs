//! Planning the last fields of items: they are written once all that they name is there, at the end of the plan.

use workspace::{ItemId, Kind};

use super::{Draft, Turn};
use crate::expected::Expected;
use crate::manual::Chore;
use crate::{Action, Error, Loss, Step, Work};

/// An item that the plan makes or finds, and whose last fields are open.
pub(super) struct Open {
    kind: &'static Kind,
    item: ItemId,
    expected: Expected,
    /// The step that makes it.
    main: Option<u32>,
}

impl Draft<'_> {
    /// Notes that an item has last fields.
    pub(super) fn finish_later(
        &mut self,
        kind: &'static Kind,
        turn: &Turn,
        expected: &Expected,
        main: Option<u32>,
    ) {
        if !expected.last.is_empty() {
            self.open.push(Open {
                kind,
                item: turn.id.clone(),
                expected: expected.clone(),
                main,
            });
        }
    }

    /// A step for each item whose last fields can be written, and a row for each field that cannot.
    pub(super) async fn append_finishes(&mut self) -> Result<(), Error> {
        for open in std::mem::take(&mut self.open) {
            let wanted = self.open_fields(&open).await?;
            if !wanted {
                continue;
            }
            let mut needs: Vec<u32> = open.main.into_iter().collect();
            let mut missing = None;
            for name in open.expected.last.iter().flat_map(|last| &last.names) {
                let made = self
                    .steps
                    .iter()
                    .find(|step| step.target == *name && step.action.changes());
                match made.map(|step| step.step) {
                    Some(number) => needs.push(number),
                    None if self.listing.has(name).await? => self.sight(name).await?,
                    None => missing = Some(name),
                }
            }
            match missing {
                Some(name) => self.unfinished(&open, name),
                None => self.push_finish(open, needs),
            }
        }
        Ok(())
    }

    /// Whether a last field has yet to be written, and may be: what somebody set in the target stays.
    async fn open_fields(&mut self, open: &Open) -> Result<bool, Error> {
        if open.main.is_some() {
            return Ok(true);
        }
        let there = self.world.get(&open.expected.target).await?;
        let Some(there) = there.and_then(|listed| listed.document) else {
            return Ok(false);
        };
        if open.expected.difference(open.kind, &there.value).is_some() {
            return Ok(false);
        }
        let other = open
            .expected
            .last
            .iter()
            .find(|last| !last.is_in(&there.value) && !last.is_unset_in(&there.value));
        if let Some(other) = other {
            self.losses.push(Loss::new(
                &open.item,
                Action::Skip,
                other.field.pointer,
                "the target has another value",
                format!("it stays; the source has {}", other.value),
            ));
            return Ok(false);
        }
        let last = &open.expected.last;
        Ok(!last.iter().all(|last| last.is_in(&there.value)))
    }

    fn unfinished(&mut self, open: &Open, missing: &ItemId) {
        for last in &open.expected.last {
            self.losses.push(Loss::new(
                &open.item,
                Action::Manual,
                last.field.pointer,
                format!("it names {missing}, which the target does not have"),
                format!("set it to {} when that is there", last.value),
            ));
            let chore = Chore::Last(last.clone());
            self.left_by_hand(open.kind, &open.item, &open.expected.target, &[chore]);
        }
    }

    fn push_finish(&mut self, open: Open, mut needs: Vec<u32>) {
        needs.sort_unstable();
        needs.dedup();
        let fields: Vec<&str> = open
            .expected
            .last
            .iter()
            .filter_map(|last| last.field.pointer.rsplit('/').next())
            .collect();
        self.steps.push(Step {
            step: self.steps.len() as u32 + 1,
            item: open.item,
            action: Action::Create,
            work: Work::Finish,
            target: open.expected.target,
            reason: format!(
                "its {} is set once what it names is there",
                fields.join(" and ")
            ),
            needs,
            after: Vec::new(),
            overwrite: false,
            files: 0,
            bytes: 0,
        });
    }
}
