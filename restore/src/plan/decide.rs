//! What is done with an item, by what the target has of it and what the caller decided. Pure: a table, not a walk.

use crate::{Action, OnConflict};

/// How many files, and how many bytes they have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// Files.
    pub(crate) files: u64,
    /// Bytes.
    pub(crate) bytes: u64,
}

impl Amount {
    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            files: self.files + other.files,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// What the target has of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing of that name.
    Absent,
    /// The same document and the same files.
    Same,
    /// The same document; some of the files are not at the place that it names.
    Lacking(Amount),
    /// The same document; some of the files have another content.
    Differing(Amount),
    /// The same document, which says of itself that making it failed.
    Failed,
    /// Another document: the first field that differs.
    Other(String),
}

/// What is done with an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The step's action.
    pub(crate) action: Action,
    /// Why.
    pub(crate) reason: String,
    /// Whether it is to be made under another version number.
    pub(crate) renumber: bool,
    /// Whether files that are there are written over.
    pub(crate) overwrite: bool,
    /// What is written at most.
    pub(crate) amount: Amount,
}

impl Verdict {
    /// A verdict by which nothing is written.
    pub(crate) fn nothing(action: Action, reason: impl Into<String>) -> Self {
        Self {
            action,
            reason: reason.into(),
            renumber: false,
            overwrite: false,
            amount: Amount::default(),
        }
    }

    fn write(action: Action, reason: impl Into<String>, amount: Amount) -> Self {
        Self {
            amount,
            ..Self::nothing(action, reason)
        }
    }
}

/// Decides about an item that is restored with a document. `whole` is what all its files amount to.
pub(crate) fn decide(
    found: &Found,
    whole: Amount,
    versioned: bool,
    on_conflict: OnConflict,
) -> Verdict {
    match found {
        Found::Absent => Verdict::write(Action::Create, "not in the target", whole),
        Found::Same => Verdict::nothing(Action::Skip, "the target has it, document and files"),
        Found::Lacking(amount) => Verdict::write(
            Action::Repair,
            format!(
                "the document is there, {} of its files are missing",
                amount.files
            ),
            *amount,
        ),
        Found::Failed => Verdict::write(
            Action::Repair,
            "the target has it and says that making it failed; it is written again",
            whole,
        ),
        Found::Differing(amount) => differing(*amount, whole, versioned, on_conflict),
        Found::Other(field) => other(field, whole, versioned, on_conflict),
    }
}

fn differing(amount: Amount, whole: Amount, versioned: bool, on_conflict: OnConflict) -> Verdict {
    let count = amount.files;
    match on_conflict {
        OnConflict::OverwriteFiles => Verdict {
            overwrite: true,
            ..Verdict::write(
                Action::Repair,
                format!("{count} of its files differ and are written over, as asked"),
                amount,
            )
        },
        _ => conflict(
            &format!("{count} of its files have another content"),
            whole,
            versioned,
            on_conflict,
        ),
    }
}

fn other(field: &str, whole: Amount, versioned: bool, on_conflict: OnConflict) -> Verdict {
    conflict(
        &format!("another document, first at {field}"),
        whole,
        versioned,
        on_conflict,
    )
}

fn conflict(what: &str, whole: Amount, versioned: bool, on_conflict: OnConflict) -> Verdict {
    match on_conflict {
        OnConflict::Skip => Verdict::nothing(
            Action::Skip,
            format!("the target has {what}; it stays, as asked"),
        ),
        OnConflict::NewVersion if versioned => Verdict {
            renumber: true,
            ..Verdict::write(
                Action::Create,
                format!("the target has {what}; made under a new version number, as asked"),
                whole,
            )
        },
        OnConflict::NewVersion => Verdict::nothing(
            Action::Impossible,
            format!("the target has {what}, and the kind has no versions"),
        ),
        OnConflict::Fail | OnConflict::OverwriteFiles => {
            Verdict::nothing(Action::Impossible, format!("the target has {what}"))
        }
    }
}

/// Decides about an item that is bytes alone: a notebook, a file.
pub(crate) fn decide_file(found: &Found, whole: Amount, on_conflict: OnConflict) -> Verdict {
    match (found, on_conflict) {
        (Found::Absent | Found::Lacking(_) | Found::Failed, _) => {
            Verdict::write(Action::Upload, "not in the target", whole)
        }
        (Found::Same, _) => Verdict::nothing(Action::Skip, "the target has it with the same bytes"),
        (Found::Differing(_), OnConflict::OverwriteFiles) => Verdict {
            overwrite: true,
            ..Verdict::write(
                Action::Upload,
                "its bytes differ and are written over, as asked",
                whole,
            )
        },
        (Found::Differing(_), OnConflict::Skip) => Verdict::nothing(
            Action::Skip,
            "the target has other bytes; they stay, as asked",
        ),
        (Found::Differing(_), _) => Verdict::nothing(
            Action::Impossible,
            "the target has other bytes of this name; --on-conflict overwrite-files writes over them",
        ),
        (Found::Other(what), _) => Verdict::nothing(
            Action::Impossible,
            format!("the target has {what} of this name"),
        ),
    }
}

/// The next free version: one above the highest number, or, where versions are no numbers, the version with a count
/// behind it.
pub(crate) fn next_version<'a>(
    version: &'a str,
    taken: impl Iterator<Item = &'a str> + Clone,
) -> String {
    let numbers: Option<Vec<u64>> = taken
        .clone()
        .chain([version])
        .map(|text| text.parse().ok())
        .collect();
    if let Some(highest) = numbers.and_then(|numbers| numbers.into_iter().max()) {
        return highest.saturating_add(1).to_string();
    }
    (2_u64..)
        .map(|count| format!("{version}-{count}"))
        .find(|free| taken.clone().all(|text| text != free))
        .unwrap_or_else(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Amount = Amount {
        files: 3,
        bytes: 30,
    };
    const PART: Amount = Amount {
        files: 1,
        bytes: 10,
    };

    fn word(found: &Found, on_conflict: OnConflict) -> (Action, bool, bool, Amount) {
        let verdict = decide(found, WHOLE, true, on_conflict);
        (
            verdict.action,
            verdict.renumber,
            verdict.overwrite,
            verdict.amount,
        )
    }

    #[test]
    fn what_is_not_there_is_created_and_what_is_the_same_skipped_whatever_was_asked() {
        for asked in [
            OnConflict::Fail,
            OnConflict::Skip,
            OnConflict::NewVersion,
            OnConflict::OverwriteFiles,
        ] {
            assert_eq!(
                word(&Found::Absent, asked),
                (Action::Create, false, false, WHOLE)
            );
            assert_eq!(word(&Found::Same, asked).0, Action::Skip);
            assert_eq!(
                word(&Found::Lacking(PART), asked),
                (Action::Repair, false, false, PART)
            );
        }
    }

    #[test]
    fn another_document_is_never_written_over() {
        let found = Found::Other("/properties/image".to_owned());
        assert_eq!(word(&found, OnConflict::Fail).0, Action::Impossible);
        assert_eq!(
            word(&found, OnConflict::OverwriteFiles).0,
            Action::Impossible
        );
        assert_eq!(word(&found, OnConflict::Skip).0, Action::Skip);
        assert_eq!(
            word(&found, OnConflict::NewVersion),
            (Action::Create, true, false, WHOLE)
        );
        let unversioned = decide(&found, WHOLE, false, OnConflict::NewVersion);
        assert_eq!(unversioned.action, Action::Impossible);
    }

    #[test]
    fn files_are_written_over_only_when_that_was_asked() {
        let found = Found::Differing(PART);
        assert_eq!(word(&found, OnConflict::Fail).0, Action::Impossible);
        assert_eq!(
            word(&found, OnConflict::OverwriteFiles),
            (Action::Repair, false, true, PART)
        );
        assert_eq!(
            decide_file(&found, WHOLE, OnConflict::Fail).action,
            Action::Impossible
        );
        assert!(decide_file(&found, WHOLE, OnConflict::OverwriteFiles).overwrite);
        assert_eq!(
            decide_file(&found, WHOLE, OnConflict::NewVersion).action,
            Action::Impossible
        );
    }

    #[test]
    fn a_new_version_is_one_that_nobody_has() {
        let next = |version, taken: &[&str]| next_version(version, taken.iter().copied());
        assert_eq!(next("1", &["1", "7"]), "8");
        assert_eq!(next("9", &["1"]), "10");
        assert_eq!(next("blue", &["blue", "blue-2"]), "blue-3");
        assert_eq!(next("3", &["3", "latest-good"]), "3-2");
    }
}
