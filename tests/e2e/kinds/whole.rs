//! What a snapshot has of each kind is what the service shows, with no credential in it.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use serde_json::Value;
use simulator::world::World;
use workspace::kind::KINDS;

use crate::backup::bench::Bench;
use crate::backup::cloud::Cloud;

/// The documents of the newest snapshot as ARM gave them, by their ids.
async fn documents(cloud: &Cloud) -> BTreeMap<String, (String, Value)> {
    let newest = cloud.bench.newest().await;
    let mut lines = newest.lines();
    let mut found = BTreeMap::new();
    while let Some(line) = lines.try_next().await.unwrap() {
        for entry in line.documents.iter().filter(|entry| entry.form == "arm") {
            let value = newest.document(entry).await.unwrap();
            let id = value["id"].as_str().unwrap().to_owned();
            found.insert(id, (line.kind.clone(), value));
        }
    }
    found
}

#[tokio::test(start_paused = true)]
async fn every_document_is_the_one_that_the_service_shows() {
    let cloud = Cloud::everything().await;
    cloud.back_up().await;
    let saved = documents(&cloud).await;
    let shown = cloud.simulator.dump(&cloud.key).unwrap();
    let items = shown["documents"].as_object().unwrap().values();
    let mut compared = BTreeMap::new();
    for document in items.chain([&shown["workspace"]]) {
        let id = document["id"].as_str().unwrap();
        let (kind, value) = saved.get(id).unwrap_or_else(|| panic!("{id} is not there"));
        assert_eq!(value, document, "{id}");
        *compared.entry(kind.as_str()).or_insert(0) += 1;
    }
    let of_arm = KINDS
        .iter()
        .filter(|kind| kind.is_resource() && kind.name != "registries");
    for kind in of_arm.filter(|kind| kind.name != "roleAssignments") {
        assert!(compared.contains_key(kind.name), "no {}", kind.name);
    }
    let assignments: Vec<&Value> = saved
        .values()
        .filter(|(kind, _)| kind == "roleAssignments")
        .map(|(_, value)| &value["properties"]["scope"])
        .collect();
    assert_eq!(
        assignments, [&shown["workspace"]["id"]; 2],
        "and none of the group's"
    );
}

#[tokio::test(start_paused = true)]
async fn no_document_holds_what_only_a_post_returns_and_the_snapshot_has_it_beside() {
    let open = Cloud::everything().await;
    open.back_up().await;
    let text: String = documents(&open)
        .await
        .values()
        .map(|(_, value)| value.to_string())
        .collect();
    for secret in [
        "-key-of-scoring",
        "key-of-the-model",
        "token-of-tickets",
        "sig-of-partner",
        "password-of-feed",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }
    let mut cloud = Cloud::of(&World::everything(7), Bench::encrypted().await);
    cloud.bench.policy.secrets = true;
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    for (kind, name, pointers) in [
        (
            "onlineEndpoints",
            "scoring",
            &[
                "/properties/keys/primaryKey",
                "/properties/keys/secondaryKey",
            ][..],
        ),
        ("onlineEndpoints", "by-token", &[]),
        ("batchEndpoints", "nightly", &[]),
        ("connections", "openai", &["/properties/credentials/key"]),
        ("connections", "tickets", &["/properties/credentials/keys"]),
        ("connections", "search", &[]),
        ("connections", "blobs", &["/properties/credentials/sas"]),
        (
            "connections",
            "feed",
            &[
                "/properties/credentials/password",
                "/properties/credentials/username",
            ],
        ),
        (
            "connections",
            "managed",
            &[
                "/properties/credentials/clientId",
                "/properties/credentials/resourceId",
            ],
        ),
    ] {
        let item = cloud.bench.item(kind, name, None).await.unwrap();
        let mut found: Vec<&str> = item
            .secrets
            .iter()
            .map(|entry| entry.pointer.as_str())
            .collect();
        found.sort_unstable();
        assert_eq!(found, pointers, "{kind}/{name}");
    }
}
