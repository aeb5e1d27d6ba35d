//! The part that this machine plays, by the keys and rights that it has, and what its theft would cost.

use archive_format::{Part, Repository};

/// A part, in the words of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartWords {
    /// `agent`, `keeper` or `owner`.
    pub part: &'static str,
    /// What a thief of the machine gains.
    pub theft: &'static str,
}

/// The part, by whether contents are encrypted, whether they open here, and whether the storage is known to delete.
pub fn words(encrypted: bool, part: Part, deletes: Option<bool>) -> PartWords {
    let (part, theft) = match (encrypted, part, deletes) {
        (false, _, _) => (
            "owner",
            "nothing is encrypted, so whoever reads the repository reads every backup",
        ),
        (true, Part::Owner, _) => (
            "owner",
            "the key here opens every backup, and a thief of it would read them all; keep it elsewhere",
        ),
        (true, Part::Agent, Some(true)) => (
            "keeper",
            "a thief could delete the backups and add to them, and read names, sizes and digests, but no contents",
        ),
        (true, Part::Agent, _) => (
            "agent",
            "a thief of its key could add to the repository and read names, sizes and digests, but no contents",
        ),
    };
    PartWords { part, theft }
}

/// The part that this machine plays for an open repository.
pub fn of(repository: &Repository) -> PartWords {
    words(
        repository.record().encryption.is_some(),
        repository.part(),
        repository.storage().deletes(),
    )
}

impl PartWords {
    /// The one line for people.
    pub fn line(&self) -> String {
        format!(
            "this machine plays the part of {}: {}",
            self.part, self.theft
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_a_keeper_only_where_the_storage_is_known_to_delete() {
        let part = |deletes| words(true, Part::Agent, deletes).part;
        assert_eq!(part(Some(true)), "keeper");
        assert_eq!((part(Some(false)), part(None)), ("agent", "agent"));
        assert_eq!(words(true, Part::Owner, Some(true)).part, "owner");
        assert!(
            words(false, Part::Owner, None)
                .line()
                .contains("nothing is encrypted")
        );
    }
}
