//! What stands between an export's key and its erasure: holds and locks where the export lies, a destination that does not say,
//! and a repository whose store keeps what is deleted.

use mlark::ExitStatus;
use serde_json::Value;
use simulator::blob::{Content, Retention, Written};
use simulator::call::Service;
use simulator::faults::{Fault, Rule};

use super::archive::Site;
use super::cold::keep_by_file;
use super::exports::{kept, row, site};

const ERASE: [&str; 4] = ["export", "erase", "audit", "--yes"];

async fn exported(to: &str) -> (Site, String) {
    let site = site();
    site.well(&["init"]).await;
    site.well(&["backup"]).await;
    let made = ["export", "bag", "latest", "--to", to, "--name", "audit"];
    let made = site.json(&made, ExitStatus::Done).await;
    (site, made["export"].as_str().unwrap().to_owned())
}

async fn refused(site: &Site, words: &[&str], why: &str) {
    let (status, _, said) = site.run(words).await;
    assert_eq!(status, ExitStatus::Usage, "{words:?}: {said}");
    assert!(said.contains(why), "{words:?}: {said}");
}

/// Writes an export's key once more, so that an account that keeps versions by now has one of it.
fn write_key_again(site: &Site, export: &str, retention: Option<Retention>) {
    let name = format!("team/keys/export-{export}.age");
    let at = site.store.simulator.now();
    let mut state = site.store.simulator.state();
    let blobs = &mut state.accounts.get_mut(&site.store.account).unwrap().blobs;
    let content = blobs.blob("mlark", &name).unwrap().content.clone();
    let written = Written {
        retention,
        ..Written::default()
    };
    blobs.put("mlark", &name, content, written, at).unwrap();
}

/// Versions of an export's key in the repository's container: current and past.
fn versions(site: &Site, export: &str) -> (usize, usize) {
    let state = site.store.simulator.state();
    let blobs = &state.accounts[&site.store.account].blobs;
    let container = blobs.container("mlark").unwrap();
    let name = format!("team/keys/export-{export}.age");
    let past = container.past.keys().filter(|key| key.0 == name);
    (
        usize::from(container.blobs.contains_key(&name)),
        past.count(),
    )
}

#[tokio::test(start_paused = true)]
async fn an_erased_key_leaves_no_earlier_version_and_its_custody_says_so() {
    let (site, export) = exported("cold").await;
    keep_by_file(&site.store);
    write_key_again(&site, &export, None);
    assert_eq!(versions(&site, &export).0, 1);
    let erased = site.json(&ERASE, ExitStatus::Done).await;
    assert_eq!(erased["versions"], 0, "{erased}");
    assert_eq!(versions(&site, &export), (0, 0));
    let last = {
        let state = site.store.simulator.state();
        let blobs = &state.accounts["stcold"].blobs;
        let event = blobs.blob("vault", "exports/audit.seal/custody/0001.json");
        let content = event.unwrap().content.clone();
        serde_json::from_slice::<Value>(&content.to_bytes()).unwrap()
    };
    assert_eq!(last["act"], "erase", "{last}");
    assert_eq!(last["says"]["entry"], erased["entry"]);
    assert!(last["by"]["machine"].is_string(), "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_version_is_locked_is_told_and_is_gone_once_it_may_be() {
    let (site, export) = exported("cold").await;
    keep_by_file(&site.store);
    let retention = Retention {
        until: site.store.simulator.now() + jiff::SignedDuration::from_hours(24 * 10),
        locked: true,
    };
    write_key_again(&site, &export, Some(retention));
    let (status, said, _) = site.run(&ERASE).await;
    assert_eq!(status, ExitStatus::Gaps, "{said}");
    assert!(said.contains("1 earlier version"), "{said}");
    assert!(!said.contains("no key opens it"), "{said}");
    assert_eq!(versions(&site, &export), (0, 1));
    tokio::time::sleep(std::time::Duration::from_secs(11 * 24 * 3600)).await;
    let (status, said, _) = site.run(&ERASE).await;
    assert_eq!(status, ExitStatus::Done, "{said}");
    assert_eq!(versions(&site, &export), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_outlived_its_export_is_shown_and_opens_nothing() {
    let (site, export) = exported("cold").await;
    let name = format!("team/keys/export-{export}.age");
    let stored = {
        let state = site.store.simulator.state();
        let blobs = &state.accounts[&site.store.account].blobs;
        blobs.blob("mlark", &name).unwrap().content.clone()
    };
    site.well(&ERASE).await;
    {
        let at = site.store.simulator.now();
        let mut state = site.store.simulator.state();
        let blobs = &mut state.accounts.get_mut(&site.store.account).unwrap().blobs;
        blobs
            .put("mlark", &name, stored, Written::default(), at)
            .unwrap();
    }
    let status = site.json(&["export", "status"], ExitStatus::Gaps).await;
    assert_eq!(row(&status, "audit")["key"], true, "{status}");
    let back = site.path("back");
    let words = [
        "restore",
        "plan",
        "cold/audit",
        "--into",
        back.to_str().unwrap(),
    ];
    let (status, _, why) = site.run(&words).await;
    assert_eq!(status, ExitStatus::NoKey, "{why}");
    site.well(&ERASE).await;
    let status = site.json(&["export", "status"], ExitStatus::Done).await;
    assert_eq!(row(&status, "audit")["key"], false, "{status}");
}

/// The container of exports does not say what it keeps its files by.
fn silence(site: &Site, method: &str, contains: &str) {
    let fault = Fault::Status {
        status: 403,
        code: Some("AuthorizationPermissionMismatch".to_owned()),
    };
    let rule = Rule {
        method: Some(method.to_owned()),
        contains: Some(contains.to_owned()),
        ..Rule::always(fault).on(Service::Blob)
    };
    site.store.simulator.set_faults(3, vec![rule]);
}

#[tokio::test(start_paused = true)]
async fn an_export_whose_container_does_not_say_how_it_keeps_it_is_erased_only_where_that_is_said()
{
    let (site, _) = exported("box").await;
    silence(&site, "HEAD", "/box?restype=container");
    let status = site.json(&["export", "status"], ExitStatus::Done).await;
    let said = row(&status, "audit");
    assert!(said["unread"].is_string(), "{said}");
    refused(&site, &ERASE, "does not say so").await;
    site.well(&[&ERASE[..], &["--unchecked"]].concat()).await;
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_cannot_be_opened_is_not_one_that_is_gone() {
    let (site, export) = exported("cold").await;
    let file = site.path("mlark.toml");
    let whole = std::fs::read_to_string(&file).unwrap();
    let cold = "name = \"cold\"\n";
    let without = whole.replace(cold, &format!("{cold}sas_file = \"/nowhere/sas\"\n"));
    assert_ne!(without, whole);
    std::fs::write(&file, without).unwrap();
    let (status, _, why) = site.run(&ERASE).await;
    assert_ne!(status, ExitStatus::Done, "{why}");
    assert!(why.contains("--unchecked"), "{why}");
    assert_eq!(versions(&site, &export).0, 1);
    // Where the place answers and nothing of the export is there, nothing can keep it.
    std::fs::write(&file, whole).unwrap();
    {
        let mut state = site.store.simulator.state();
        let blobs = &mut state.accounts.get_mut("stcold").unwrap().blobs;
        assert!(blobs.delete_prefix("vault", "exports/audit") > 0);
    }
    site.well(&ERASE).await;
    assert_eq!(versions(&site, &export).0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_lock_of_any_file_forbids_erasure_and_a_late_time_stamp_is_kept_as_the_rest() {
    let (site, _) = exported("cold").await;
    let until = site.day(20);
    site.well(&["export", "lock", "audit", "--until", &until, "--yes"])
        .await;
    let put = |name: &str| {
        let at = site.store.simulator.now();
        let mut state = site.store.simulator.state();
        let blobs = &mut state.accounts.get_mut("stcold").unwrap().blobs;
        let content = Content::from("x".as_bytes().to_vec());
        blobs
            .put("vault", name, content, Written::default(), at)
            .unwrap();
    };
    put("exports/audit.seal/timestamp.tsr");
    let status = site.json(&["export", "status"], ExitStatus::Done).await;
    let said = row(&status, "audit");
    assert!(said["retain_until"].is_string(), "{said}");
    refused(&site, &ERASE, "kept until").await;
    for held in ["on", "off"] {
        site.well(&["export", "hold", "audit", held]).await;
    }
    let stamp = kept(&site, "vault", "exports/audit.seal/timestamp.tsr");
    assert!(stamp[0].0.is_some() && !stamp[0].1, "{stamp:?}");
    // A file that nothing keeps makes the others no less kept.
    put("exports/audit.seal/stray.txt");
    let status = site.json(&["export", "status"], ExitStatus::Done).await;
    assert_eq!(row(&status, "audit")["retain_until"], Value::Null);
    refused(&site, &ERASE, "kept until").await;
}

#[tokio::test(start_paused = true)]
async fn an_archived_export_is_moved_by_a_priced_command_alone() {
    let (site, _) = exported("deep").await;
    let words = ["export", "tier", "audit", "cold"];
    refused(
        &site,
        &words,
        "mlark restore rehydrate az://stcold/box/deep/audit",
    )
    .await;
    let bills = site.bills_of("stcold");
    assert_eq!(bills.early_byte_days(simulator::blob::Tier::Archive), 0);
    site.well(&["export", "tier", "audit", "archive"]).await;
}
