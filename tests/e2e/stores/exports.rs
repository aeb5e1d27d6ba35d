//! Exports at a destination with locks, holds and tiers: shown, kept, never shortened, and not where a workspace keeps its own.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use mlark::ExitStatus;
use serde_json::{Value, json};
use simulator::Caller;

use super::archive::Site;

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

fn site() -> Site {
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
         [[destination]]\nname = \"kept\"\nurl = \"az://stcold/vault/kept\"\nretain = \"30d\"\n",
        site.workspace()
    );
    let text = text.replacen("[repository]\n", &owner, 1) + &more;
    std::fs::write(site.path("mlark.toml"), text).unwrap();
    site
}

/// Ends of locks and holds of the blobs below a prefix.
fn kept(site: &Site, container: &str, prefix: &str) -> Vec<(Option<Timestamp>, bool)> {
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

fn row(status: &Value, name: &str) -> Value {
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
    let own = format!("az://{}/mlark/exports", site.store.account);
    let (status, _, why) = site.run(&["export", "bag", "latest", "--to", &own]).await;
    assert_eq!(status, ExitStatus::Usage, "{why}");
    assert!(why.contains("breaks Azure ML's logging"), "{why}");
}
