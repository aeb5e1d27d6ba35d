//! Random edits of a random workspace, snapshot by snapshot, against a plain copy of it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::world::{Tested, Thing, World, backup, floats, noise, restore};

#[derive(Clone, Debug)]
enum Edit {
    Write { name: u8, file: u8, bytes: Vec<u8> },
    Remove { name: u8 },
    Document { name: u8, value: i64 },
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        (1_usize..200_000, 0_u64..6).prop_map(|(length, seed)| noise(length, seed)),
        (1_usize..80_000, 0_u64..6).prop_map(|(count, seed)| floats(count, seed)),
        (1_usize..3, 0_u64..3).prop_map(|(mebibytes, seed)| noise(mebibytes << 21, seed)),
        (0_usize..400_000).prop_map(|length| vec![7; length]),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (0_u8..6, 0_u8..3, content()).prop_map(|(name, file, bytes)| Edit::Write { name, file, bytes }),
        1 => (0_u8..6).prop_map(|name| Edit::Remove { name }),
        2 => (0_u8..6, any::<i64>()).prop_map(|(name, value)| Edit::Document { name, value }),
    ]
}

type Model = BTreeMap<u8, (i64, BTreeMap<u8, Vec<u8>>)>;

fn apply(model: &mut Model, edit: Edit) {
    match edit {
        Edit::Write { name, file, bytes } => {
            model.entry(name).or_default().1.insert(file, bytes);
        }
        Edit::Remove { name } => {
            model.remove(&name);
        }
        Edit::Document { name, value } => model.entry(name).or_default().0 = value,
    }
}

fn things(model: &Model) -> Vec<Thing> {
    model
        .iter()
        .map(|(name, (value, files))| Thing {
            kind: "notebooks",
            name: format!("n{name}"),
            document: json!({"value": value, "name": name}),
            files: files
                .iter()
                .map(|(file, bytes)| (format!("f/{file}"), bytes.clone()))
                .collect(),
        })
        .collect()
}

async fn history(encrypted: bool, steps: Vec<Vec<Edit>>) -> Tested {
    let world = World::with_packs(encrypted, 1 << 20).await?;
    let mut model = Model::new();
    let mut past = Vec::new();
    for step in steps {
        for edit in step {
            apply(&mut model, edit);
        }
        let repository = world.open().await?;
        past.push((backup(&repository, &things(&model)).await?, things(&model)));
    }
    let repository = world.open_at(world.storage(), "fresh").await?;
    for (record, things) in past {
        assert_eq!(restore(&repository, &record).await?, things);
    }
    Ok(())
}

#[test]
fn every_snapshot_is_what_the_workspace_was() -> Tested {
    let runtime = tokio::runtime::Runtime::new()?;
    let steps = proptest::collection::vec(proptest::collection::vec(edit(), 1..6), 1..4);
    let mut runner = TestRunner::new(Config {
        cases: 12,
        max_shrink_iters: 50,
        failure_persistence: None,
        ..Config::default()
    });
    runner.run(&(any::<bool>(), steps), |(encrypted, steps)| {
        runtime
            .block_on(history(encrypted, steps))
            .map_err(|error| TestCaseError::fail(error.to_string()))
    })?;
    Ok(())
}
