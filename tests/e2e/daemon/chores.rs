//! What the daemon does besides backups, by schedules of its own: drills.

use archive_format::log::{DrillOutcome, SealJudgement};
use archive_format::{Identity, Said};
use jiff::Timestamp;
use mlark::ExitStatus;
use mlark::shutdown::Shutdown;

use super::site::{Place, Site, hours_after};

/// A Tuesday.
const START: &str = "2026-12-01T12:00:00Z";

/// Backups every night, and a drill on Sundays at the same time.
fn configure(site: &Site<'_>, place: &Place) {
    site.configure(
        None,
        &format!(
            "[[workspace]]\nname = \"prod\"\nurl = \"{}\"\nschedule = \"0 2 * * *\"\n[drill]\nschedule = \"0 2 * * 0\"\n",
            place.url()
        ),
    );
}

async fn drills(site: &Site<'_>) -> Vec<Said<archive_format::log::Drill>> {
    site.repository().await.drills().await.unwrap()
}

fn day(moment: Timestamp) -> String {
    moment.to_string()[..10].to_owned()
}

#[tokio::test(start_paused = true)]
async fn drills_come_by_their_schedule_behind_the_backup_of_the_same_time_and_are_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    configure(&site, &site.workspace("ws"));
    site.init().await;
    // Over the first Sunday, and off over the second.
    site.daemon_until(hours_after(start, 11 * 24), &[]).await;
    let first = drills(&site).await;
    let [sunday] = &first[..] else {
        panic!("{first:?}: {}", site.said.text());
    };
    assert_eq!(day(sunday.what.started), "2026-12-06");
    assert_eq!(sunday.what.outcome, DrillOutcome::Same, "{sunday:?}");
    let history = site.repository().await.history().await.unwrap();
    let of_that_night = history
        .iter()
        .find(|record| day(record.started) == "2026-12-06")
        .unwrap();
    assert_eq!(
        sunday.what.snapshot, of_that_night.id,
        "the backup went first"
    );

    site.wait_until(hours_after(start, 13 * 24)).await;
    site.daemon_until(hours_after(start, 14 * 24), &[]).await;
    let second = drills(&site).await;
    assert_eq!(second.len(), 2, "{second:?}: {}", site.said.text());
    assert_eq!(
        day(second[1].what.started),
        "2026-12-14",
        "it was missed, and made up for"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drill_that_fails_is_said_and_comes_again_with_its_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    let place = site.workspace("ws");
    configure(&site, &place);
    site.init().await;
    site.daemon_until(hours_after(start, 4 * 24), &[]).await;
    // The documents of the first night lie in the largest pack of then.
    let packs = std::fs::read_dir(folder.path().join("repository/packs")).unwrap();
    let pack = packs
        .flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap();
    let whole = std::fs::read(&pack).unwrap();
    let mut harmed = whole.clone();
    let middle = harmed.len() / 2;
    harmed[middle] ^= 0xff;
    std::fs::write(&pack, harmed).unwrap();
    site.daemon_until(hours_after(start, 6 * 24), &[]).await;
    let said = site.said.text();
    assert!(said.contains("a drill: "), "{said}");
    std::fs::write(&pack, whole).unwrap();
    site.daemon_until(hours_after(start, 13 * 24), &[]).await;
    let outcomes: Vec<DrillOutcome> = drills(&site)
        .await
        .iter()
        .map(|said| said.what.outcome)
        .collect();
    assert_eq!(
        outcomes,
        [DrillOutcome::Failed, DrillOutcome::Same],
        "{}",
        site.said.text()
    );
}

#[tokio::test(start_paused = true)]
async fn a_machine_without_the_owners_part_says_so_and_backs_up_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    configure(&site, &site.workspace("ws"));
    let owner = Identity::generate()
        .to_recipient()
        .to_public_text()
        .unwrap();
    let words = ["init", "--recipient", &owner];
    let init = site.mlark(&words, &[], Shutdown::default());
    assert_eq!(init.await, ExitStatus::Done, "{}", site.said.text());
    site.daemon_until(hours_after(start, 6 * 24), &[]).await;
    let said = site.said.text();
    assert!(
        said.contains("[drill]") && said.contains("owner's part"),
        "{said}"
    );
    let status = site.json(&["status"]).await;
    assert_eq!(status["workspaces"][0]["state"], "good", "{status}");
    assert_eq!(status["drills"].as_array().unwrap().len(), 0);
}

/// Exports of each night's snapshot, of which so many stay.
fn exporting(site: &Site<'_>, place: &Place, export: &str) {
    let folder = site.folder.join("cold").display().to_string();
    exporting_to(site, place, export, &folder);
}

fn exporting_to(site: &Site<'_>, place: &Place, export: &str, to: &str) {
    site.configure(
        None,
        &format!(
            "[[workspace]]\nname = \"prod\"\nurl = \"{}\"\nschedule = \"0 2 * * *\"\n\
             [[workspace.export]]\nschedule = \"0 2 * * *\"\nto = \"cold\"\n{export}\
             [[destination]]\nname = \"cold\"\nurl = \"{}\"\nrecipients = [\"{}\"]\n",
            place.url(),
            to,
            Identity::generate()
                .to_recipient()
                .to_public_text()
                .unwrap(),
        ),
    );
}

/// The names of the keys of exports that are left.
fn keys(site: &Site<'_>) -> Vec<String> {
    let folder = std::fs::read_dir(site.folder.join("repository/keys"));
    let mut names: Vec<String> = folder
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("export-"))
        .collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn exports_come_by_their_schedule_and_the_keys_of_those_that_are_too_many_are_erased() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    exporting(&site, &site.workspace("ws"), "keep = 2\n");
    site.init().await;
    // An export that somebody made is not one of the schedule.
    site.daemon_until(hours_after(start, 24), &[]).await;
    let own = site
        .json(&["export", "bag", "latest", "--to", "cold", "--name", "mine"])
        .await;
    site.daemon_until(hours_after(start, 5 * 24), &[]).await;
    let repository = site.repository().await;
    let exports = repository.exports().await.unwrap();
    let history = repository.history().await.unwrap();
    let of_schedule: Vec<_> = exports
        .iter()
        .filter(|known| known.export.name != "mine")
        .collect();
    assert_eq!(of_schedule.len(), 5, "{}", site.said.text());
    for (export, record) in of_schedule.iter().zip(&history) {
        assert_eq!(
            export.export.snapshot, record.id,
            "each is of its own night"
        );
        let seal = format!("cold/{}.seal/seal.json", export.export.name);
        assert!(site.folder.join(seal).exists());
    }
    let erased: Vec<bool> = of_schedule
        .iter()
        .map(|known| known.erased.is_some())
        .collect();
    assert_eq!(erased, [true, true, true, false, false]);
    let mut left: Vec<String> = of_schedule[3..]
        .iter()
        .map(|known| format!("export-{}.age", known.export.export))
        .chain([format!("export-{}.age", own["export"].as_str().unwrap())])
        .collect();
    left.sort();
    assert_eq!(keys(&site), left);
}

#[tokio::test(start_paused = true)]
async fn an_export_that_is_to_be_kept_longer_stays_however_many_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    exporting(&site, &site.workspace("ws"), "keep = 1\nretain = \"60h\"\n");
    site.init().await;
    site.daemon_until(hours_after(start, 5 * 24), &[]).await;
    let exports = site.repository().await.exports().await.unwrap();
    let erased: Vec<bool> = exports.iter().map(|known| known.erased.is_some()).collect();
    // The one of the fifth night is the newest; those of the nights before are kept for two days and a half each.
    assert_eq!(
        erased,
        [true, true, false, false, false],
        "{}",
        site.said.text()
    );
}

#[tokio::test(start_paused = true)]
async fn an_export_that_was_held_since_it_was_made_is_not_erased() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    let place = site.workspace("ws");
    let url = site.vault(&place);
    exporting_to(&site, &place, "keep = 1\n", &url);
    site.init().await;
    site.daemon_until(hours_after(start, 24), &[]).await;
    let first = site.repository().await.exports().await.unwrap();
    let hold = ["export", "hold", &first[0].export.name, "on"];
    let held = site.mlark(&hold, &[], Shutdown::default()).await;
    assert_eq!(held, ExitStatus::Done, "{}", site.said.text());
    site.daemon_until(hours_after(start, 4 * 24), &[]).await;
    let exports = site.repository().await.exports().await.unwrap();
    let erased: Vec<bool> = exports.iter().map(|known| known.erased.is_some()).collect();
    let said = site.said.text();
    assert_eq!(erased, [false, true, true, false], "{said}");
    assert!(said.contains("stays") && said.contains("hold"), "{said}");
    assert_eq!(keys(&site).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_could_not_be_deleted_is_deleted_after_the_next_export() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    exporting(&site, &site.workspace("ws"), "keep = 2\n");
    site.init().await;
    site.daemon_until(hours_after(start, 2 * 24), &[]).await;
    let key = site.folder.join("repository/keys").join(&keys(&site)[0]);
    let stored = std::fs::read(&key).unwrap();
    site.daemon_until(hours_after(start, 3 * 24), &[]).await;
    assert!(!key.exists());
    std::fs::write(&key, stored).unwrap();
    site.daemon_until(hours_after(start, 4 * 24), &[]).await;
    assert!(!key.exists(), "{}", site.said.text());
}

#[tokio::test(start_paused = true)]
async fn exports_older_than_they_are_kept_are_erased_and_a_missed_one_is_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    exporting(&site, &site.workspace("ws"), "keep = \"2d\"\n");
    site.init().await;
    site.daemon_until(hours_after(start, 2 * 24), &[]).await;
    site.wait_until(hours_after(start, 6 * 24)).await;
    site.daemon_until(hours_after(start, 6 * 24 + 1), &[]).await;
    let exports = site.repository().await.exports().await.unwrap();
    let erased: Vec<bool> = exports.iter().map(|known| known.erased.is_some()).collect();
    assert_eq!(erased, [true, true, false], "{}", site.said.text());
    assert!(
        exports[2].time >= hours_after(start, 6 * 24),
        "it was made up for"
    );
}

#[tokio::test(start_paused = true)]
async fn drills_of_exports_take_the_newest_that_was_never_restored_and_then_the_longest_ago() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    let cold = folder.path().join("cold").display().to_string();
    site.configure(
        None,
        &format!(
            "[[workspace]]\nname = \"prod\"\nurl = \"{}\"\nschedule = \"0 2 * * *\"\n\
             [[destination]]\nname = \"cold\"\nurl = \"{cold}\"\nplain = true\n\
             [drill]\nschedule = \"0 4 * * *\"\nfrom = \"cold\"\n",
            site.workspace("ws").url(),
        ),
    );
    site.init().await;
    site.daemon_until(hours_after(start, 24), &[]).await;
    assert!(drills(&site).await.is_empty(), "there is no export");
    assert!(site.said.text().contains("no export to rehearse with"));
    let mut made = Vec::new();
    for name in ["a", "b"] {
        let words = ["export", "bag", "latest", "--to", "cold", "--name", name];
        made.push(site.json(&words).await["export"].clone());
    }
    // One that lies elsewhere is none of these.
    let elsewhere = folder.path().join("elsewhere").display().to_string();
    site.json(&[
        "export", "bag", "latest", "--to", &elsewhere, "--plain", "--name", "c",
    ])
    .await;
    site.daemon_until(hours_after(start, 4 * 24), &[]).await;
    let drills = drills(&site).await;
    let taken: Vec<_> = drills
        .iter()
        .map(|said| {
            let export = serde_json::Value::from(said.what.export.clone());
            (export, said.what.outcome)
        })
        .collect();
    let of = |at: usize| (made[at].clone(), DrillOutcome::Same);
    assert_eq!(taken, [of(1), of(0), of(1)], "{}", site.said.text());

    // One that somebody deleted is a drill that failed, and the others have their turn all the same.
    std::fs::remove_dir_all(folder.path().join("cold/a.seal")).unwrap();
    site.daemon_until(hours_after(start, 6 * 24), &[]).await;
    let all = site.repository().await.drills().await.unwrap();
    let [gone, last] = &all[3..] else {
        panic!("{all:?}: {}", site.said.text());
    };
    assert_eq!(serde_json::Value::from(gone.what.export.clone()), made[0]);
    assert_eq!(
        (gone.what.outcome, gone.what.seal),
        (DrillOutcome::Failed, Some(SealJudgement::Bad))
    );
    assert_eq!(last.what.outcome, DrillOutcome::Same);
}

/// Drills at four in the morning, of exports at `cold`.
fn drilling(site: &Site<'_>, place: &Place, cold: &str) {
    site.configure(
        None,
        &format!(
            "[[workspace]]\nname = \"prod\"\nurl = \"{}\"\nschedule = \"0 2 * * *\"\n\
             [[destination]]\nname = \"cold\"\nurl = \"{cold}\"\nplain = true\n\
             [drill]\nschedule = \"0 4 * * *\"\nfrom = \"cold\"\n",
            place.url(),
        ),
    );
}

/// Exports the newest snapshot to `cold`; the export's id.
async fn bag(site: &Site<'_>, name: &str, more: &[&str]) -> String {
    let words = ["export", "bag", "latest", "--to", "cold", "--name", name];
    let made = site.json(&[&words[..], more].concat()).await;
    made["export"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn exports_that_cannot_be_drilled_are_put_on_record_and_the_others_have_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    let cold = folder.path().join("cold");
    drilling(&site, &site.workspace("ws"), &cold.display().to_string());
    site.init().await;
    site.daemon_until(hours_after(start, 24), &[]).await;
    let forgotten = bag(&site, "forgotten", &[]).await;
    site.json(&["backup"]).await;
    let whole = bag(&site, "whole", &[]).await;
    let unread = bag(&site, "unread", &[]).await;
    let newer = bag(&site, "newer", &[]).await;
    let foreign = bag(&site, "foreign", &[]).await;
    let until = hours_after(start, 32).to_string();
    let over = bag(&site, "over", &["--retain", &until]).await;

    let seal = |name: &str| cold.join(format!("{name}.seal/seal.json"));
    std::fs::write(seal("unread"), "{").unwrap();
    let text = std::fs::read_to_string(seal("newer")).unwrap();
    assert!(text.contains("\"edition\":1"), "{text}");
    std::fs::write(
        seal("newer"),
        text.replace("\"edition\":1", "\"edition\":2"),
    )
    .unwrap();
    std::fs::copy(seal("whole"), seal("foreign")).unwrap();
    for name in ["forgotten", "over"] {
        std::fs::remove_dir_all(cold.join(format!("{name}.seal"))).unwrap();
        std::fs::remove_file(cold.join(format!("{name}.tar"))).unwrap();
    }
    let first = site.repository().await.history().await.unwrap()[0].id;
    site.json(&["forget", &first.to_string()]).await;
    let live = site.repository().await.history().await.unwrap();
    assert!(live.iter().all(|record| record.id != first));

    site.daemon_until(hours_after(start, 7 * 24), &[]).await;
    let said = site.said.text();
    let all = drills(&site).await;
    let taken: Vec<_> = all
        .iter()
        .map(|said| {
            let drill = &said.what;
            assert_eq!(drill.workspace, "prod");
            (drill.export.as_deref().unwrap(), drill.outcome, drill.seal)
        })
        .collect();
    let failed = (DrillOutcome::Failed, Some(SealJudgement::Bad));
    let expected = [
        (&foreign, failed),
        (&newer, failed),
        (&unread, failed),
        (&whole, (DrillOutcome::Same, Some(SealJudgement::Good))),
        (&forgotten, failed),
        // And from the beginning: what was on record first.
        (&foreign, failed),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(export, (outcome, seal))| (export.as_str(), *outcome, *seal))
        .collect();
    assert_eq!(taken, expected, "{said}");
    assert_eq!(all[4].what.snapshot, first);
    assert!(!taken.iter().any(|(export, _, _)| *export == over));
}

#[tokio::test(start_paused = true)]
async fn an_archived_export_is_passed_over_and_refused_where_there_is_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    let place = site.workspace("ws");
    let vault = site.vault(&place);
    drilling(&site, &place, &vault);
    site.init().await;
    site.daemon_until(hours_after(start, 24), &[]).await;
    let warm = bag(&site, "warm", &[]).await;
    bag(&site, "frozen", &["--tier", "archive"]).await;
    // The newer one comes first, and cannot be read.
    site.daemon_until(hours_after(start, 3 * 24), &[]).await;
    let taken = async || -> Vec<(Option<String>, DrillOutcome)> {
        let drills = drills(&site).await.into_iter();
        drills
            .map(|said| (said.what.export, said.what.outcome))
            .collect()
    };
    let same = (Some(warm), DrillOutcome::Same);
    assert_eq!(
        taken().await,
        [same.clone(), same.clone()],
        "{}",
        site.said.text()
    );
    assert!(!site.said.text().contains("cannot be read now"));

    let hard = ["export", "tier", "warm", "archive"];
    let moved = site.mlark(&hard, &[], Shutdown::default()).await;
    assert_eq!(moved, ExitStatus::Done, "{}", site.said.text());
    site.daemon_until(hours_after(start, 4 * 24), &[]).await;
    let said = site.said.text();
    assert!(said.contains("cannot be read now"), "{said}");
    assert_eq!(taken().await, [same.clone(), same], "{said}");
}

#[tokio::test(start_paused = true)]
async fn the_evidence_of_drills_goes_into_the_next_export() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    configure(&site, &site.workspace("ws"));
    site.init().await;
    site.daemon_until(hours_after(start, 24), &[]).await;
    let to = site.folder.join("cold").display().to_string();
    let bag = async |name: &str| {
        site.json(&[
            "export", "bag", "latest", "--to", &to, "--plain", "--name", name,
        ])
        .await;
        let tar = std::fs::read(site.folder.join(format!("cold/{name}.tar"))).unwrap();
        let member = format!("{name}/drills.jsonl");
        tar.windows(member.len())
            .any(|window| window == member.as_bytes())
    };
    assert!(!bag("before").await, "nobody rehearsed");
    let drill = site.json(&["drill"]).await;
    assert!(bag("after").await);
    let tags = site.folder.join("cold/after.seal/tags/drills.jsonl");
    let line = std::fs::read_to_string(tags).unwrap();
    let line: serde_json::Value = serde_json::from_str(line.trim_end()).unwrap();
    assert_eq!(line["drill"]["snapshot"], drill["drill"]["snapshot"]);
    assert_eq!(line["entry"], drill["drill"]["entry"]);
}
