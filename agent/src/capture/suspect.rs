//! Whether a snapshot looks like the result of an accident in the workspace: a kind lost much of what it had, or most
//! of its files changed at once. Such a snapshot is kept, but nothing older is forgotten for it until someone accepts it.
//!
//! It judges counts alone and never looks into a document.

use super::policy::Guard;

/// What is known about one kind, now and before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Items listed in this run.
    pub(super) listed: u64,
    /// Items of the last accepted snapshot that were seen again in this run.
    pub(super) seen_again: u64,
    /// Items of the last accepted snapshot.
    pub(super) before: u64,
    /// The most items that any accepted snapshot of the last 30 days had.
    pub(super) most: u64,
    /// Files that the last accepted snapshot has too, with the same path of the same item.
    pub(super) files_before: u64,
    /// Those of them whose content is another now.
    pub(super) files_changed: u64,
}

/// Below this number of files a change of more than half is everyday work.
const FILES_AT_LEAST: u64 = 10;

/// Why a kind makes the snapshot suspect; `None` where it does not.
pub(super) fn suspicion(kind: &str, now: &Comparison, guard: &Guard) -> Option<String> {
    let gone = now.before.saturating_sub(now.seen_again);
    if now.before > 0 && now.seen_again == 0 && now.listed == 0 {
        return Some(format!("All {} {kind} are gone", now.before));
    }
    if guard.is_loss(gone, now.before) {
        return Some(format!("{gone} of {} {kind} are gone", now.before));
    }
    let fewer = now.most.saturating_sub(now.listed);
    if guard.is_loss(fewer, now.most) || (now.most > 0 && now.listed == 0) {
        return Some(format!(
            "There are {} {kind}, {} were there within 30 days",
            now.listed, now.most
        ));
    }
    let many = now.files_before >= FILES_AT_LEAST;
    if many && now.files_changed.saturating_mul(2) > now.files_before {
        return Some(format!(
            "{} of {} files of {kind} changed their content at once",
            now.files_changed, now.files_before
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(comparison: Comparison) -> bool {
        suspicion("models", &comparison, &Guard::default()).is_some()
    }

    fn items(before: u64, seen_again: u64) -> Comparison {
        Comparison {
            listed: seen_again,
            seen_again,
            before,
            most: before,
            ..Comparison::default()
        }
    }

    #[test]
    fn a_kind_that_lost_more_than_a_fifth_and_ten_items_is_suspect() {
        assert!(judged(items(40, 30)));
        assert!(!judged(items(50, 40)), "a fifth is not more than a fifth");
        assert!(!judged(items(40, 31)), "nine items are fewer than ten");
    }

    #[test]
    fn a_kind_that_lost_all_it_had_is_suspect_however_small() {
        assert!(judged(items(1, 0)));
        assert!(!judged(items(0, 0)));
    }

    #[test]
    fn items_replaced_by_new_ones_do_not_hide_a_loss() {
        let replaced = Comparison {
            listed: 40,
            ..items(40, 10)
        };
        assert!(judged(replaced));
    }

    #[test]
    fn a_slow_loss_is_seen_against_the_largest_count_of_30_days() {
        let slow = Comparison {
            most: 100,
            ..items(75, 70)
        };
        assert!(judged(slow));
    }

    #[test]
    fn most_files_changed_at_once_is_suspect() {
        let files = |before, changed| Comparison {
            files_before: before,
            files_changed: changed,
            ..items(5, 5)
        };
        assert!(judged(files(20, 11)));
        assert!(!judged(files(20, 10)));
        assert!(!judged(files(4, 4)), "a handful of files is everyday work");
    }
}
