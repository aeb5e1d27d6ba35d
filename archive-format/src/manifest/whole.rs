//! The line that stands for a kind as a whole: what keeps the kind from being taken as it should be is a gap there. An
//! entry of a folder can have its name too, so that what is in the line counts as well.

use super::{DocumentEntry, FileEntry, GapEntry, Item, Line, LineKey, SecretEntry};

/// Its name.
const NAME: &str = "*";

impl LineKey {
    /// The key of the line that stands for a kind as a whole.
    pub fn of_kind(kind: impl Into<String>) -> Self {
        Self::new(kind, NAME, None::<String>)
    }

    /// Whether it may be such a key.
    pub(crate) fn is_of_kind(&self) -> bool {
        self.name == NAME && self.version.is_none()
    }
}

impl Line {
    /// Whether it stands for its kind as a whole and for no item of it.
    pub fn is_of_kind(&self) -> bool {
        let entries = (&*self.documents, &*self.files, &*self.secrets);
        self.name == NAME && self.version.is_none() && has_but_gaps(entries, &self.gaps)
    }
}

impl Item {
    /// Whether it is none, but stands for its kind as a whole.
    pub fn is_of_kind(&self) -> bool {
        let entries = (&*self.documents, &*self.files, &*self.secrets);
        self.key.is_of_kind() && has_but_gaps(entries, &self.gaps)
    }
}

/// Whether there is nothing but gaps, none of them about a file.
fn has_but_gaps(
    (documents, files, secrets): (&[DocumentEntry], &[FileEntry], &[SecretEntry]),
    gaps: &[GapEntry],
) -> bool {
    let is_empty = documents.is_empty() && files.is_empty() && secrets.is_empty();
    is_empty && !gaps.is_empty() && gaps.iter().all(|gap| gap.file.is_none())
}
