//! Planning an item that is bytes alone: an entry of the workspace's file share.

use workspace::Kind;

use super::{Draft, Turn};
use crate::files::{Standing, standing};
use crate::plan::Amount;
use crate::plan::decide::{Found, Verdict, decide_file};
use crate::{Action, Error, Loss, Work};

impl Draft<'_> {
    /// Plans one entry.
    pub(super) async fn file(
        &mut self,
        kind: &'static Kind,
        turn: &Turn,
    ) -> Result<Option<u32>, Error> {
        if kind.content != workspace::Content::Share {
            let verdict = Verdict::nothing(
                Action::Impossible,
                "a workspace has no place for files of a folder; a folder as the target has",
            );
            return Ok(self.push(turn, Work::Nothing, turn.id.clone(), verdict));
        }
        let Some(loaded) = self.world.load(&turn.id).await? else {
            return Err(Self::vanished(&turn.id));
        };
        self.gaps(&loaded);
        let Some(file) = loaded.item.files.first() else {
            let verdict = Verdict::nothing(Action::Impossible, "the snapshot has no bytes of it");
            return Ok(self.push(turn, Work::Nothing, turn.id.clone(), verdict));
        };
        let target = self.world.map_item(&turn.id);
        self.sight(&target).await?;
        let there = match self.listing.has_exactly(&target).await? {
            true => self.world.get(&target).await?,
            false => None,
        };
        let there = there.and_then(|listed| listed.file);
        let found = match &there {
            None => Found::Absent,
            Some(there) if there.entry != workspace::Entry::File && file.content.is_some() => {
                Found::Other("a directory".to_owned())
            }
            Some(there) => {
                let standing = standing(self.world.azure, file, there).await;
                let standing =
                    standing.map_err(|error| Error::target(target.to_string(), error))?;
                found_of(standing, file.size())
            }
        };
        let whole = Amount {
            files: 1,
            bytes: file.size(),
        };
        let verdict = decide_file(&found, whole, self.on_conflict);
        if verdict.action == Action::Upload {
            for (what, reason, substitute) in kind.losses {
                self.losses.push(Loss::new(
                    &turn.id,
                    Action::Upload,
                    *what,
                    *reason,
                    *substitute,
                ));
            }
        }
        let number = self.push(turn, Work::Files, target.clone(), verdict);
        self.note_directory(turn, &target, file, there.as_ref(), number);
        Ok(number)
    }
}

fn found_of(standing: Standing, bytes: u64) -> Found {
    match standing {
        Standing::Same => Found::Same,
        Standing::Missing => Found::Absent,
        Standing::Differs => Found::Differing(Amount { files: 1, bytes }),
    }
}
