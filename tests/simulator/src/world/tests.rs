//! Worlds: whole, valid, the same each time.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::{Census, DECOYS, World, pair};
use crate::clock::FixedClock;
use crate::workspace::WorkspaceKey;
use crate::{Settings, Simulator};

fn simulator() -> Simulator {
    let at = Timestamp::from_second(1_795_000_000).unwrap();
    Simulator::with_clock(Settings::default(), Arc::new(FixedClock::at(at)))
}

#[test]
fn demo_has_what_a_team_leaves_behind() {
    let simulator = simulator();
    pair(&simulator, &World::demo()).unwrap();
    let spec = World::demo().spec;
    let state = simulator.state();
    let key = WorkspaceKey::new(&spec.subscription, &spec.group, &spec.name);
    let census = Census::of(&state, &key);
    assert_eq!(census.items["jobs"], 200);
    assert_eq!(census.containers["models"], 12);
    assert_eq!(census.containers["environments"], 9);
    assert_eq!(census.items["schedules"], 4);
    assert_eq!(census.items["datastores"], 8);
    assert_eq!(census.running_jobs, 2);
    assert!(census.child_runs > 40, "{census:?}");
    assert!((10 << 20..80 << 20).contains(&census.bytes), "{census:?}");
    let workspace = state.workspace(&key).unwrap();
    let share = state.accounts[&workspace.account]
        .shares
        .share(&workspace.notebook_share);
    let entries = share.unwrap().walk();
    let notebooks = entries.iter().filter(|(path, _)| path.ends_with(".ipynb"));
    assert_eq!(notebooks.count(), 60);
}

#[test]
fn same_seed_gives_the_same_world_and_another_seed_another() {
    let dump = |seed| {
        let simulator = simulator();
        let key = World::small(seed).build(&simulator).unwrap();
        let state = simulator.state();
        let workspace = state.workspace(&key).unwrap();
        let mut text = format!("{:?}", Census::of(&state, &key));
        for (collection, resources) in workspace.documents.collections() {
            for resource in resources.values() {
                let (name, body) = (&resource.name, &resource.body);
                text.push_str(&format!("{collection} {name} {body:?}\n"));
            }
        }
        for (_, container) in state.accounts[&workspace.account].blobs.iter() {
            for (name, blob) in &container.blobs {
                let digest = hex::encode(blob.content.sha256());
                text.push_str(&format!("{name} {digest} {}\n", blob.etag));
            }
        }
        text
    };
    let first = dump(1);
    assert!(first == dump(1));
    assert!(first != dump(2));
}

#[test]
fn everything_lies_in_the_past_and_most_jobs_are_settled() {
    let simulator = simulator();
    let key = World::small(3).build(&simulator).unwrap();
    let state = simulator.state();
    let workspace = state.workspace(&key).unwrap();
    let now = simulator.now();
    for (_, resources) in workspace.documents.collections() {
        for resource in resources.values() {
            let past = resource.created <= now && resource.ready <= now;
            assert!(past, "{}", resource.name);
        }
    }
    let day = jiff::SignedDuration::from_hours(24);
    let jobs = || workspace.history.runs().filter(|run| run.parent.is_none());
    assert!(
        workspace
            .history
            .runs()
            .all(|run| run.ended.is_none_or(|ended| ended <= now))
    );
    let settled = jobs().filter(|run| run.ended.is_some_and(|ended| ended + day < now));
    assert_eq!((jobs().count(), settled.count()), (12, 12 - 5));
}

#[test]
fn every_decoy_names_the_workspace() {
    let simulator = simulator();
    let key = World::small(3).build(&simulator).unwrap();
    let state = simulator.state();
    let workspace = state.workspace(&key).unwrap();
    for decoy in DECOYS {
        let (kind, name) = decoy.item.split_once('/').unwrap();
        let resource = match name.split_once(':') {
            Some((name, version)) => {
                let versions = format!("{kind}/{name}/versions");
                workspace.documents.get(&versions, version)
            }
            None => workspace.documents.get(kind, name),
        };
        let body = Value::Object(resource.unwrap().body.clone());
        let text = body.pointer(decoy.pointer).unwrap().as_str().unwrap();
        assert!(text.contains(&workspace.name), "{decoy:?}");
        assert_eq!(decoy.looks_whole, !text.contains(' '), "{decoy:?}");
    }
}
