#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use workspace::Period;

use super::*;

const HOUR: i64 = 3_600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

fn candidate(started: Timestamp) -> Candidate {
    Candidate {
        id: SnapshotId::new(started).unwrap(),
        started,
        finished: started,
        outcome: Outcome::Complete,
        tags: Vec::new(),
        protected: false,
        kinds: BTreeSet::new(),
        unlisted: BTreeSet::new(),
    }
}

#[test]
fn the_newest_snapshot_with_a_kind_stays_while_newer_ones_could_not_list_it() {
    let mut nights: Vec<Candidate> = (0..30).map(|day| candidate(at(day * 24 * HOUR))).collect();
    for (day, night) in nights.iter_mut().enumerate() {
        night.kinds = ["jobs", "models"].map(str::to_owned).into();
        if day > 9 {
            // What the first page showed is there, and is not all.
            night.unlisted = BTreeSet::from(["jobs".to_owned()]);
        }
    }
    let rules = rules(&[(Every::One, 3)]);
    let decided = decide(&nights, &rules, &TimeZone::UTC);
    assert_eq!(decided[9], [Reason::Unlisted("jobs".to_owned())]);
    assert_eq!(kept(&nights, &rules, &TimeZone::UTC), [9, 27, 28, 29]);

    // Once it is listed again, nothing is held for it.
    nights.push(Candidate {
        kinds: nights[9].kinds.clone(),
        ..candidate(at(30 * 24 * HOUR))
    });
    assert_eq!(kept(&nights, &rules, &TimeZone::UTC), [28, 29, 30]);
}

fn rules(counts: &[(Every, u32)]) -> Rules {
    Rules {
        counts: counts.to_vec(),
        ..Rules::default()
    }
}

fn kept(snapshots: &[Candidate], rules: &Rules, zone: &TimeZone) -> Vec<usize> {
    let decided = decide(snapshots, rules, zone);
    (0..snapshots.len())
        .filter(|place| !decided[*place].is_empty())
        .collect()
}

/// The same rule by sets: the periods there are, newest first, and of each the newest snapshot.
fn naive(snapshots: &[Candidate], counts: &[(Every, u32)], zone: &TimeZone) -> BTreeSet<usize> {
    let mut all: Vec<usize> = (0..snapshots.len())
        .filter(|place| snapshots[*place].outcome == Outcome::Complete)
        .collect();
    all.sort_by_key(|place| snapshots[*place].age());
    let mut keep: BTreeSet<usize> = all.last().copied().into_iter().collect();
    for (every, count) in counts {
        let count = *count as usize;
        let period = |place: usize| {
            let number = all
                .iter()
                .filter(|other| snapshots[**other].age() > snapshots[place].age());
            every.period(snapshots[place].started, zone, number.count())
        };
        let mut newest_of: Vec<usize> = Vec::new();
        for place in &all {
            newest_of.retain(|other| period(*other) != period(*place));
            newest_of.push(*place);
        }
        if newest_of.len() < count {
            keep.extend(all.first());
        }
        keep.extend(newest_of.iter().rev().take(count));
    }
    keep
}

fn any_snapshots() -> impl Strategy<Value = Vec<Candidate>> {
    // Some years by the hour, many close together.
    let moment = prop_oneof![0..20_000_i64, 0..300_i64];
    prop::collection::vec((moment, 0..3600_i64, 0..10_u8), 0..60).prop_map(|moments| {
        moments
            .into_iter()
            .map(|(hours, seconds, sort)| {
                let mut snapshot = candidate(at(hours * HOUR + seconds));
                if sort == 0 {
                    snapshot.outcome = Outcome::Partial;
                }
                snapshot.protected = sort == 1;
                snapshot
            })
            .collect()
    })
}

fn any_counts() -> impl Strategy<Value = Vec<(Every, u32)>> {
    let count = prop::sample::select(Every::ALL.to_vec());
    prop::collection::vec((count, 1..12_u32), 1..4)
}

fn any_zone() -> impl Strategy<Value = TimeZone> {
    let names = ["UTC", "Europe/Sofia", "America/St_Johns", "Pacific/Apia"];
    prop::sample::select(names.to_vec()).prop_map(|name| TimeZone::get(name).unwrap())
}

proptest! {
    #[test]
    fn the_rules_keep_what_a_naive_reading_of_them_keeps(
        snapshots in any_snapshots(), counts in any_counts(), zone in any_zone()
    ) {
        let decided = decide(&snapshots, &rules(&counts), &zone);
        let expected = naive(&snapshots, &counts, &zone);
        for (place, reasons) in decided.iter().enumerate() {
            let by_rule = reasons.iter().any(|reason| {
                !matches!(reason, Reason::Protected | Reason::Unfinished)
            });
            prop_assert_eq!(by_rule, expected.contains(&place), "{} {:?}", place, reasons);
            prop_assert!(!snapshots[place].protected || !reasons.is_empty());
        }
    }

    #[test]
    fn what_was_kept_once_is_kept_again_by_the_same_rules(
        snapshots in any_snapshots(), counts in any_counts(), zone in any_zone()
    ) {
        let rules = rules(&counts);
        let left: Vec<Candidate> =
            kept(&snapshots, &rules, &zone).into_iter().map(|place| snapshots[place].clone()).collect();
        prop_assert_eq!(kept(&left, &rules, &zone).len(), left.len());
    }

    #[test]
    fn another_rule_never_forgets_more(
        snapshots in any_snapshots(), counts in any_counts(), more in any_counts(), days in 0..400_u32, zone in any_zone()
    ) {
        let few = rules(&counts);
        let mut many = rules(&[counts, more].concat());
        many.within = Some(Period::from_days(days).duration());
        let many: BTreeSet<usize> = kept(&snapshots, &many, &zone).into_iter().collect();
        prop_assert!(kept(&snapshots, &few, &zone).iter().all(|place| many.contains(place)));
    }
}

#[test]
fn a_year_of_nights_leaves_what_the_usual_rules_say() {
    let zone = TimeZone::get("Europe/Sofia").unwrap();
    let nights: Vec<Candidate> = (0..365).map(|day| candidate(at(day * 24 * HOUR))).collect();
    let rules = rules(&[
        (Every::One, 7),
        (Every::Day, 14),
        (Every::Week, 8),
        (Every::Month, 12),
        (Every::Year, 10),
    ]);
    let kept = kept(&nights, &rules, &zone);
    assert!(kept.ends_with(&(351..365).collect::<Vec<_>>()), "{kept:?}");
    assert_eq!(kept.len(), 14 + 6 + 10 + 1, "{kept:?}");
    assert_eq!(kept[0], 0, "the oldest, while there are not ten years");
}

#[test]
fn days_end_at_midnight_where_the_workspace_is() {
    // 21:30 and 22:30 in UTC are 23:30 and 00:30 in Sofia in winter.
    let pair = ["2026-01-10T21:30:00Z", "2026-01-10T22:30:00Z"]
        .map(|time| candidate(time.parse().unwrap()));
    let daily = rules(&[(Every::Day, 1)]);
    let two = [
        pair.as_slice(),
        &[candidate("2026-01-11T12:00:00Z".parse().unwrap())],
    ]
    .concat();
    let reasons = |zone: &str| {
        decide(
            &two,
            &rules(&[(Every::Day, 2)]),
            &TimeZone::get(zone).unwrap(),
        )
    };
    assert_eq!(reasons("UTC")[1], [Reason::Period(Every::Day)]);
    assert_eq!(reasons("Europe/Sofia")[1], []);
    assert_eq!(reasons("Europe/Sofia")[0], [Reason::Period(Every::Day)]);
    assert_eq!(kept(&pair, &daily, &TimeZone::UTC), [1]);
}

#[test]
fn weeks_run_over_the_end_of_the_year() {
    // 30 December 2024 is the Monday of week 1 of 2025.
    let days = ["2024-12-29", "2024-12-30", "2025-01-05", "2025-01-06"]
        .map(|day| candidate(format!("{day}T12:00:00Z").parse().unwrap()));
    assert_eq!(
        kept(&days, &rules(&[(Every::Week, 3)]), &TimeZone::UTC),
        [0, 2, 3]
    );
}

#[test]
fn what_is_unfinished_counts_for_nothing_and_goes_when_a_complete_one_follows() {
    let mut all: Vec<Candidate> = (0..4).map(|hour| candidate(at(hour * HOUR))).collect();
    all[1].outcome = Outcome::Partial;
    all[3].outcome = Outcome::Partial;
    let decided = decide(&all, &rules(&[(Every::One, 2)]), &TimeZone::UTC);
    assert_eq!(decided[0], [Reason::Period(Every::One)]);
    assert_eq!(decided[1], []);
    assert_eq!(decided[2], [Reason::Newest, Reason::Period(Every::One)]);
    assert_eq!(decided[3], [Reason::Unfinished]);
}

#[test]
fn a_suspect_snapshot_keeps_everything_and_so_does_the_lack_of_a_rule() {
    let mut all: Vec<Candidate> = (0..3).map(|hour| candidate(at(hour * HOUR))).collect();
    assert_eq!(kept(&all, &rules(&[(Every::One, 1)]), &TimeZone::UTC), [2]);
    let tagged = Rules {
        tags: vec!["x".to_owned()],
        ..Rules::default()
    };
    assert_eq!(kept(&all, &tagged, &TimeZone::UTC), [0, 1, 2]);
    all[1].outcome = Outcome::Suspect;
    let decided = decide(&all, &rules(&[(Every::One, 1)]), &TimeZone::UTC);
    assert!(
        decided
            .iter()
            .all(|reasons| *reasons == [Reason::Suspect(all[1].id)])
    );
}

#[test]
fn a_table_of_the_workspace_goes_before_the_general_one_key_by_key() {
    let general = Retention {
        keep_last: Some(7),
        keep_daily: Some(14),
        ..Retention::default()
    };
    let own = Retention {
        keep_daily: Some(0),
        keep_within: Some(Period::from_days(2)),
        ..Retention::default()
    };
    let rules = Rules::new(Some(&own), &general, &[]);
    assert_eq!(rules.counts, [(Every::One, 7)]);
    assert_eq!(rules.within, Some(Period::from_days(2).duration()));
    assert!(Rules::new(None, &Retention::default(), &["x".to_owned()]).is_empty());
}

#[test]
fn tags_of_the_configuration_keep_as_those_of_the_command_line_do() {
    let tags = |tags: &[&str]| Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
    let general = Retention {
        keep_last: Some(1),
        keep_tags: tags(&["audit"]),
        ..Retention::default()
    };
    let mut nights: Vec<Candidate> = (0..4).map(|day| candidate(at(day * 24 * HOUR))).collect();
    nights[0].tags = vec!["audit".to_owned()];
    nights[1].tags = vec!["release".to_owned()];
    let kept = |own: Option<&Retention>, more: &[String]| {
        kept(&nights, &Rules::new(own, &general, more), &TimeZone::UTC)
    };
    assert_eq!(kept(None, &[]), [0, 3]);
    assert_eq!(kept(None, &["release".to_owned()]), [0, 1, 3]);
    let own = Retention {
        keep_tags: tags(&["release"]),
        ..Retention::default()
    };
    assert_eq!(kept(Some(&own), &[]), [1, 3]);
}
