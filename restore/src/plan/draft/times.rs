//! The times of directories of a share. Making an entry in a directory moves its last write time, so that each is written
//! once more when everything in it is there.

use std::collections::BTreeMap;

use archive_format::{EntryKind, FileEntry};
use workspace::{ItemId, SourceFile};

use super::{Draft, Turn};
use crate::files::{Standing, times};
use crate::{Action, Step, Work};

/// A directory whose times are to be as the snapshot has them.
pub(super) struct Directory {
    item: ItemId,
    target: ItemId,
    /// The step that makes it.
    step: Option<u32>,
    /// Whether they are other ones by now.
    differs: bool,
}

impl Draft<'_> {
    /// Notes a directory that this plan makes, or that is the one that was saved. One that merely has its name keeps its
    /// own times.
    pub(super) fn note_directory(
        &mut self,
        turn: &Turn,
        target: &ItemId,
        file: &FileEntry,
        there: Option<&SourceFile>,
        step: Option<u32>,
    ) {
        let knows = file
            .attributes
            .as_ref()
            .is_some_and(|own| own.written.is_some());
        if file.entry != EntryKind::Directory || !knows {
            return;
        }
        let standing = match there {
            Some(there) => times(file, there),
            None => Standing::Missing,
        };
        let is_ours = match there {
            Some(_) => standing != Standing::Missing,
            None => step.is_some(),
        };
        if is_ours {
            self.directories.push(Directory {
                item: turn.id.clone(),
                target: target.clone(),
                step,
                differs: standing == Standing::Differs,
            });
        }
    }

    /// A step for each directory whose times differ, or will when entries are made in it.
    pub(super) fn append_times(&mut self) {
        let mut made_in: BTreeMap<(&str, &str), Vec<u32>> = BTreeMap::new();
        for step in &self.steps {
            if step.work == Work::Files
                && let Some((directory, _)) = step.target.name.rsplit_once('/')
            {
                let key = (step.target.kind.as_str(), directory);
                made_in.entry(key).or_default().push(step.step);
            }
        }
        let mut number = self.steps.len() as u32;
        let mut steps = Vec::new();
        for directory in &self.directories {
            let key = (
                directory.target.kind.as_str(),
                directory.target.name.as_str(),
            );
            let after = made_in.get(&key).cloned().unwrap_or_default();
            if !directory.differs && after.is_empty() {
                continue;
            }
            number += 1;
            steps.push(Step {
                step: number,
                item: directory.item.clone(),
                action: Action::Upload,
                work: Work::Times,
                target: directory.target.clone(),
                reason: "its last write time moves when entries are made in it".to_owned(),
                needs: directory.step.into_iter().collect(),
                after,
                overwrite: false,
                files: 0,
                bytes: 0,
            });
        }
        self.directories.clear();
        self.steps.extend(steps);
    }
}
