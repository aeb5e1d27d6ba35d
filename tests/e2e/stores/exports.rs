//! Exports at a destination with locks, holds and tiers: shown, kept, never shortened, not where a workspace keeps its own, and
//! brought back from the archive.

use std::time::Duration;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use mlark::ExitStatus;
use serde_json::{Value, json};
use simulator::Caller;
use simulator::blob::{Class, Priority, Tier};

use super::archive::{HOUR, Site, near};

/// A storage account `stcold` beside that of the workspace: `vault` has version-level immutability, `box` none.
fn account(site: &Site) {
    let id = {
        let state = site.store.simulator.state();
        let own = &state.accounts[&site.store.account].arm_id;
        own.rsplit_once('/').unwrap().0.to_owned() + "/stcold"
    };
    let target = format!("{id}?api-version=2023-01-01");
    let made = Caller::new(&site.store.simulator).arm(
        Method::PUT,
        &target,
        Some(&json!({"location": "westeurope"})),
    );
    assert!(made.status.is_success(), "{made:?}");
    let at = site.store.simulator.now();
    let mut state = site.store.simulator.state();
    let blobs = &mut state.accounts.get_mut("stcold").unwrap().blobs;
    blobs.versioning = true;
    blobs.create_container("vault", at);
    blobs.container_mut("vault").unwrap().worm.of_versions = true;
    blobs.create_container("box", at);
}

pub(super) fn site() -> Site {
    let site = Site::new("");
    account(&site);
    let text = std::fs::read_to_string(site.path("mlark.toml")).unwrap();
    let owner = format!(
        "[repository]\nidentity_file = \"{}\"\n",
        site.path("owner.key").display()
    );
    let more = format!(
        "[[target]]\nname = \"live\"\nurl = \"{}\"\n\
         [[destination]]\nname = \"cold\"\nurl = \"az://stcold/vault/exports\"\ntier = \"cold\"\n\
         [[destination]]\nname = \"box\"\nurl = \"az://stcold/box\"\n\
         [[destination]]\nname = \"deep\"\nurl = \"az://stcold/box/deep\"\ntier = \"archive\"\nsplit = \"4 MiB\"\n\
         [[destination]]\nname = \"kept\"\nurl = \"az://stcold/vault/kept\"\nretain = \"30d\"\n",
        site.workspace()
    );
    let text = text.replacen("[repository]\n", &owner, 1) + &more;
    std::fs::write(site.path("mlark.toml"), text).unwrap();
    site
}

/// Ends of locks and holds of the blobs below a prefix.
pub(super) fn kept(site: &Site, container: &str, prefix: &str) -> Vec<(Option<Timestamp>, bool)> {
    let state = site.store.simulator.state();
    let blobs = &state.accounts["stcold"]
        .blobs
        .container(container)
        .unwrap()
        .blobs;
    let below = blobs.iter().filter(|(name, _)| name.starts_with(prefix));
    below
        .map(|(_, blob)| (blob.retention.map(|it| it.until), blob.held))
        .collect()
}

pub(super) fn row(status: &Value, name: &str) -> Value {
    let rows = status["exports"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn an_export_is_locked_held_moved_and_never_shortened() {
    let site = site();
    site.well(&["init"]).await;
    site.well(&["backup"]).await;
    site.well(&["export", "bag", "latest", "--to", "cold", "--name", "audit"])
        .await;
    let status = site.json(&["export", "status"], ExitStatus::Done).await;
    let fresh = row(&status, "audit");
    assert_eq!(fresh["tier"], "cold", "{fresh}");
    assert_eq!(
        (&fresh["whole"], &fresh["held"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (&fresh["retain_until"], &fresh["verified"]),
        (&Value::Null, &Value::Null)
    );

    let until = site.day(20);
    let lock = |day: &str| ["export", "lock", "audit", "--until", day, "--yes"].map(str::to_owned);
    let run = async |words: &[String]| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        site.run(&words).await
    };
    let (status, _, why) = run(&lock(&until)).await;
    assert_eq!(status, ExitStatus::Done, "{why}");
    let end: Timestamp = format!("{until}T00:00:00Z").parse().unwrap();
    let all = kept(&site, "vault", "exports/audit");
    assert!(
        all.len() >= 5 && all.iter().all(|(until, _)| *until == Some(end)),
        "{all:?}"
    );
    // A shorter one is refused by name, and nothing is asked of the store.
    site.store.simulator.state().arrivals.reset();
    let (status, _, why) = run(&lock(&site.day(10))).await;
    assert_eq!(status, ExitStatus::Usage, "{why}");
    assert!(why.contains("never shortened"), "{why}");
    let puts = {
        let state = site.store.simulator.state();
        let log = state.arrivals.log().iter();
        log.filter(|it| it.method == "PUT").count()
    };
    assert_eq!(puts, 0);

    site.well(&["export", "hold", "audit", "on"]).await;
    assert!(
        kept(&site, "vault", "exports/audit")
            .iter()
            .all(|(_, held)| *held)
    );
    let (status, _, why) = site.run(&["export", "erase", "audit", "--yes"]).await;
    assert_eq!(status, ExitStatus::Usage, "{why}");
    assert!(why.contains("hold"), "{why}");
    site.well(&["export", "hold", "audit", "off"]).await;
    let (_, _, why) = site.run(&["export", "erase", "audit", "--yes"]).await;
    assert!(why.contains("kept until"), "{why}");
    site.well(&["export", "tier", "audit", "archive"]).await;
    let status = site.json(&["export", "status"], ExitStatus::Done).await;
    let now = row(&status, "audit");
    assert_eq!(
        (&now["tier"], &now["mode"]),
        (&json!("archive"), &json!("locked")),
        "{now}"
    );
    assert!(now["seconds_left"].as_i64().unwrap() > 19 * 24 * 3600);
    // Four changes, each asked and done.
    let events = kept(&site, "vault", "exports/audit.seal/custody/").len();
    assert_eq!(events, 8);
    tokio::time::sleep(std::time::Duration::from_secs(21 * 24 * 3600)).await;
    site.well(&["export", "erase", "audit", "--yes"]).await;
    let status = site.json(&["export", "status"], ExitStatus::Done).await;
    assert!(row(&status, "audit")["erased"].is_string(), "{status}");
}

#[tokio::test(start_paused = true)]
async fn a_container_without_locks_of_files_is_kept_as_a_whole_where_that_is_said() {
    let site = site();
    site.well(&["init"]).await;
    site.well(&["backup"]).await;
    site.well(&["export", "bag", "latest", "--to", "box", "--name", "whole"])
        .await;
    let until = site.day(20);
    let lock = ["export", "lock", "whole", "--until", &until, "--yes"];
    let (status, _, why) = site.run(&lock).await;
    assert_eq!(status, ExitStatus::Usage, "{why}");
    assert!(why.contains("--container"), "{why}");
    site.well(&[&lock[..], &["--container"]].concat()).await;
    let policy = || {
        let state = site.store.simulator.state();
        let container = state.accounts["stcold"].blobs.container("box").unwrap();
        container.worm.policy.clone().unwrap()
    };
    assert!(policy().locked && policy().days >= 20, "{:?}", policy());
    let shorter = site.day(9);
    let (status, _, why) = site
        .run(&[
            "export",
            "lock",
            "whole",
            "--until",
            &shorter,
            "--yes",
            "--container",
        ])
        .await;
    assert_eq!(status, ExitStatus::Usage, "{why}");
    assert!(why.contains("never shortened"), "{why}");
    site.well(&["export", "hold", "whole", "on", "--container"])
        .await;
    let status = site.json(&["export", "status"], ExitStatus::Done).await;
    let row = row(&status, "whole");
    assert_eq!(
        (&row["held"], &row["mode"]),
        (&json!(true), &json!("locked")),
        "{row}"
    );
    let end: Timestamp = row["retain_until"].as_str().unwrap().parse().unwrap();
    let wanted: Timestamp = format!("{until}T00:00:00Z").parse().unwrap();
    assert!(
        end >= wanted && end <= wanted + SignedDuration::from_hours(48),
        "{end}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_export_with_a_retention_is_locked_when_made_and_never_lies_in_a_workspaces_account() {
    let site = site();
    site.well(&["init"]).await;
    site.well(&["backup"]).await;
    site.well(&[
        "export", "bag", "latest", "--to", "kept", "--name", "monthly",
    ])
    .await;
    let all = kept(&site, "vault", "kept/monthly");
    assert!(
        !all.is_empty() && all.iter().all(|(until, _)| until.is_some()),
        "{all:?}"
    );
    // So is what comes later.
    site.well(&["export", "verify", "kept/monthly"]).await;
    let more = kept(&site, "vault", "kept/monthly");
    assert_eq!(more.len(), all.len() + 1, "the event of custody");
    assert!(more.iter().all(|(until, _)| until.is_some()), "{more:?}");
    let own = format!("az://{}/mlark/exports", site.store.account);
    let (status, _, why) = site.run(&["export", "bag", "latest", "--to", &own]).await;
    assert_eq!(status, ExitStatus::Usage, "{why}");
    assert!(why.contains("breaks Azure ML's logging"), "{why}");
}

/// Names and sizes of the archived files of the destination `deep`.
fn archived(site: &Site) -> Vec<(String, u64)> {
    let state = site.store.simulator.state();
    let blobs = &state.accounts["stcold"].blobs;
    let all = blobs.container("box").unwrap().blobs.iter();
    let archived = all.filter(|(_, blob)| blob.tier() == Tier::Archive);
    archived
        .map(|(name, blob)| {
            let name = name.strip_prefix("deep/").unwrap();
            (name.to_owned(), blob.content.size())
        })
        .collect()
}

fn outcome<'a>(verified: &'a Value, check: &str) -> &'a Value {
    let checks = verified["checks"].as_array().unwrap();
    let found = checks.iter().find(|row| row["check"] == check);
    &found.unwrap_or_else(|| panic!("{verified}"))["outcome"]
}

#[tokio::test(start_paused = true)]
async fn an_export_is_kept_held_and_moved_from_the_first_where_that_is_asked_for() {
    let site = site();
    site.well(&["init"]).await;
    site.well(&["backup"]).await;
    let until = site.day(40);
    let bag = ["export", "bag", "latest", "--to", "cold", "--name", "held"];
    let more = ["--plain", "--tier", "cool", "--retain", &until, "--hold"];
    site.well(&[&bag[..], &more].concat()).await;
    let end: Timestamp = format!("{until}T00:00:00Z").parse().unwrap();
    let all = kept(&site, "vault", "exports/held");
    assert!(
        all.len() > 5 && all.iter().all(|it| *it == (Some(end), true)),
        "{all:?}"
    );
    let status = site.json(&["export", "status"], ExitStatus::Done).await;
    let said = row(&status, "held");
    assert_eq!(
        (&said["tier"], &said["held"]),
        (&json!("cool"), &json!(true))
    );
    let text = {
        let state = site.store.simulator.state();
        let blobs = &state.accounts["stcold"].blobs;
        let info = blobs.blob("vault", "exports/held.seal/tags/bag-info.txt");
        String::from_utf8(info.unwrap().content.to_bytes().to_vec()).unwrap()
    };
    assert!(text.contains("Legal-Hold: on\n"), "{text}");
    assert!(
        text.contains(&format!("Retention-Until: {until}\n")),
        "{text}"
    );
    // Where nothing can be held, nothing is written.
    let folder = site.path("folder");
    for (to, name) in [("box", "never"), (folder.to_str().unwrap(), "never")] {
        let bag = [
            "export", "bag", "latest", "--to", to, "--name", name, "--hold",
        ];
        let (status, _, why) = site.run(&bag).await;
        assert_eq!(status, ExitStatus::Usage, "{why}");
    }
    assert!(kept(&site, "box", "never").is_empty() && !folder.exists());
}

#[tokio::test(start_paused = true)]
async fn an_archived_export_is_restored_over_hours_though_it_is_killed_twice() {
    let site = site();
    site.well(&["init"]).await;
    site.well(&["backup"]).await;
    site.well(&["export", "bag", "latest", "--to", "deep", "--name", "audit"])
        .await;
    let parts = archived(&site);
    assert!(parts.len() >= 3, "{parts:?}");
    let is_part = |(name, _): &(String, u64)| name.starts_with("audit.tar.age-");
    assert!(parts.iter().all(is_part), "the seal is readable: {parts:?}");

    // What cannot be read says what to type; it is no damage, and nothing is begun or read in vain.
    let verify = ["export", "verify", "audit", "--read-data"];
    let verified = site.json(&verify, ExitStatus::Gaps).await;
    assert_eq!(verified["archived"], parts.len(), "{verified}");
    assert_eq!(outcome(&verified, "tar"), "open");
    assert_eq!(
        verified["next"],
        "mlark restore rehydrate az://stcold/box/deep/audit"
    );
    let (_, told, _) = site.run(&verify).await;
    assert!(
        told.contains("next: mlark restore rehydrate az://stcold/box/deep/audit"),
        "{told}"
    );
    let back = site.path("back");
    let back = back.to_str().unwrap();
    let plan = ["restore", "plan", "deep/audit", "--into", back];
    let plan = site.json(&plan, ExitStatus::Gaps).await;
    let said = &plan["rehydration"];
    let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(said["names"], json!(names), "{plan}");
    assert_eq!(
        said["bytes"],
        parts.iter().map(|(_, size)| size).sum::<u64>()
    );
    assert_eq!(
        plan["next"],
        format!("mlark restore apply deep/audit --into {back}")
    );
    let bills = site.bills_of("stcold");
    assert_eq!(bills.rehydrations(Priority::Standard), 0);
    assert_eq!(bills.operations(Class::Read, Tier::Archive), 0);

    // Begun without waiting, it goes on by itself; killed twice while it waits, it is not begun again.
    site.forget_bills_of("stcold");
    let began = site.now();
    let apply = [
        "restore",
        "apply",
        "deep/audit",
        "--into",
        back,
        "--yes",
        "--keep-copies",
    ];
    let (status, _, why) = site.run(&apply[..5]).await;
    assert_eq!(status, ExitStatus::Usage, "nobody can be asked: {why}");
    let told = site
        .json(&[&apply[..], &["--no-wait"]].concat(), ExitStatus::Gaps)
        .await;
    assert_eq!(told["outcome"], "waiting", "{told}");
    assert_eq!(
        told["next"],
        format!("mlark restore apply deep/audit --into {back} --keep-copies --yes")
    );
    for _ in 0..2 {
        let killed = tokio::time::timeout(3 * HOUR, site.run(&apply)).await;
        assert!(killed.is_err(), "it was still waiting");
    }
    site.well(&apply).await;
    site.same_as_before("back");
    let within = Duration::from_secs(said["seconds"].as_u64().unwrap());
    let took = site.now().duration_since(began).unsigned_abs();
    assert!(took > 5 * HOUR && took <= within, "{took:?}");
    let bills = site.bills_of("stcold");
    assert_eq!(bills.rehydrations(Priority::Standard), parts.len() as u64);
    assert_eq!(bills.rehydrated_bytes(Priority::Standard), said["bytes"]);
    assert_eq!(bills.early_byte_days(Tier::Archive), 0);
    near(said, &bills);

    let verified = site.json(&verify, ExitStatus::Done).await;
    assert_eq!(verified["archived"], 0, "{verified}");
    assert_eq!(outcome(&verified, "bag"), "good");
    assert_eq!(archived(&site), parts, "they stay where they are");
}

#[tokio::test(start_paused = true)]
async fn an_archived_export_comes_back_in_place_before_it_is_compared() {
    let site = site();
    site.well(&["init"]).await;
    site.well(&["backup"]).await;
    let bag = ["export", "bag", "latest", "--to", "deep", "--name", "open"];
    site.well(&[&bag[..], &["--plain"]].concat()).await;
    let parts = archived(&site);
    tokio::time::sleep(20 * 24 * HOUR).await;
    site.forget_bills_of("stcold");
    let live = site.path("ws");
    let live = live.to_str().unwrap();
    let compare = ["restore", "verify", "deep/open", "--against", live];
    let told = site.json(&compare, ExitStatus::Gaps).await;
    assert_eq!(told["next"], "mlark restore rehydrate deep/open", "{told}");
    let rehydrate = [
        "restore",
        "rehydrate",
        "deep/open",
        "--rehydrate",
        "in-place",
        "--rehydrate-priority",
        "high",
    ];
    let dry = [&rehydrate[..], &["--dry-run"]].concat();
    let told = site.json(&dry, ExitStatus::Gaps).await;
    let said = &told["rehydration"];
    assert_eq!(said["files"], parts.len(), "{told}");
    assert_eq!(
        told["next"],
        "mlark restore rehydrate deep/open --rehydrate in-place --rehydrate-priority high"
    );
    assert!(said["early"].as_f64().unwrap() > 0.0, "{told}");
    let all = [&rehydrate[..], &["--yes"]].concat();
    let done = site.json(&all, ExitStatus::Done).await;
    assert_eq!(done["outcome"], "complete");
    assert_eq!(archived(&site), [], "they moved");
    let back = site.path("back");
    let back = back.to_str().unwrap();
    site.well(&["restore", "apply", "deep/open", "--into", back, "--yes"])
        .await;
    site.same_as_before("back");
    let bills = site.bills_of("stcold");
    assert_eq!(bills.rehydrations(Priority::High), parts.len() as u64);
    near(said, &bills);
    let found = site.json(&compare, ExitStatus::Done).await;
    assert_eq!(found["outcome"], "same", "{found}");
}

#[tokio::test(start_paused = true)]
async fn what_an_archived_export_of_many_small_files_costs_is_foretold() {
    let site = site();
    std::fs::create_dir_all(site.path("ws/small")).unwrap();
    for number in 0..800_u64 {
        let bytes = super::conformance::noise(8000, number + 100);
        std::fs::write(site.path(&format!("ws/small/{number}.bin")), bytes).unwrap();
    }
    site.well(&["init"]).await;
    site.well(&["backup"]).await;
    site.well(&["export", "bag", "latest", "--to", "deep", "--name", "many"])
        .await;
    let rehydrate = ["restore", "rehydrate", "deep/many"];
    let dry = [&rehydrate[..], &["--dry-run"]].concat();
    let told = site.json(&dry, ExitStatus::Gaps).await;
    site.forget_bills_of("stcold");
    let back = site.path("back");
    let back = back.to_str().unwrap();
    site.well(&["restore", "apply", "deep/many", "--into", back, "--yes"])
        .await;
    site.same_as_before("back");
    near(&told["rehydration"], &site.bills_of("stcold"));
    assert_eq!(
        kept(&site, "box", "deep/thawed/"),
        [],
        "nobody needs the copies"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drill_from_an_archived_export_is_refused_before_anything_is_begun() {
    let site = site();
    site.well(&["init"]).await;
    site.well(&["backup"]).await;
    site.well(&["export", "bag", "latest", "--to", "deep", "--name", "audit"])
        .await;
    let words = ["drill", "deep/audit"];
    let (status, _, why) = site.run(&words).await;
    assert_eq!(status, ExitStatus::Failed, "{why}");
    assert!(why.contains("mlark restore rehydrate deep/audit"), "{why}");
    let status = site.json(&["status"], ExitStatus::Done).await;
    assert_eq!(status["drills"], json!([]));
    site.well(&["restore", "rehydrate", "deep/audit", "--yes"])
        .await;
    let done = site.json(&words, ExitStatus::Done).await;
    assert_eq!(
        (&done["drill"]["outcome"], &done["drill"]["seal"]),
        (&json!("same"), &json!("good")),
        "{done}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_archived_export_that_no_key_opens_is_not_brought_back_for_nothing() {
    let site = site();
    site.well(&["init"]).await;
    site.well(&["backup"]).await;
    site.well(&["export", "bag", "latest", "--to", "deep", "--name", "gone"])
        .await;
    site.well(&["export", "erase", "gone", "--yes"]).await;
    let back = site.path("back");
    let into = ["deep/gone", "--into", back.to_str().unwrap()];
    for act in ["plan", "apply"] {
        let words = [&["restore", act][..], &into].concat();
        let (status, _, why) = site.run(&words).await;
        assert_eq!(status, ExitStatus::NoKey, "{act}: {why}");
    }
    let apply = [&["restore", "apply", "--yes"][..], &into].concat();
    let (status, _, why) = site.run(&apply).await;
    assert_eq!(status, ExitStatus::NoKey, "{why}");
    assert_eq!(
        site.bills_of("stcold").rehydrations(Priority::Standard),
        0,
        "nothing was begun"
    );
    // Who has the key elsewhere may have it brought back here.
    let rehydrate = ["restore", "rehydrate", "deep/gone", "--dry-run"];
    let told = site.json(&rehydrate, ExitStatus::Gaps).await;
    assert_eq!(told["rehydration"]["files"], archived(&site).len());
}
