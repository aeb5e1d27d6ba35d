//! What was stored comes back, and what is known is not stored again.

use archive_format::{Error, KeyChain, KeyLack, Part, Repository};
use serde_json::json;

use crate::world::{Tested, Thing, World, backup, floats, model, noise, restore};

fn things() -> Vec<Thing> {
    let mut things: Vec<Thing> = (0..300)
        .map(|number| Thing {
            kind: "jobs",
            name: format!("job-{number:04}"),
            document: json!({"name": number, "properties": {"command": "python train.py", "seed": number * 7}}),
            files: vec![("logs/std.txt".to_owned(), format!("step {number}\n").repeat(50).into_bytes())],
        })
        .collect();
    things.push(model("floats", floats(700_000, 4)));
    things.push(model("large", noise(25 << 20, 5)));
    things.push(model("none", Vec::new()));
    things.push(model("odd", noise(100_001, 6)));
    things.sort_by(|left, right| (left.kind, &left.name).cmp(&(right.kind, &right.name)));
    things
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_from_an_encrypted_repository() -> Tested {
    let world = World::with_packs(true, 4 << 20).await?;
    let repository = world.open().await?;
    assert_eq!(repository.part(), Part::Owner);
    let record = backup(&repository, &things()).await?;
    assert_eq!(restore(&repository, &record).await?, things());
    // Another machine with nothing in its cache sees the same.
    let fresh = world.open_at(world.storage(), "other").await?;
    let record = fresh.resolve("latest").await?.record;
    assert_eq!(restore(&fresh, &record).await?, things());
    let item = fresh
        .snapshot(&record)
        .item("models", "large", Some("1"))
        .await?
        .ok_or("missing")?;
    assert!(
        item.files[0]
            .content
            .as_ref()
            .is_some_and(|content| content.chunk_list.is_some())
    );
    assert!(
        fresh
            .snapshot(&record)
            .item("models", "large", Some("2"))
            .await?
            .is_none()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_backup_of_the_same_bytes_writes_no_new_pack() -> Tested {
    for encrypted in [false, true] {
        let world = World::new(encrypted).await?;
        let repository = world.open().await?;
        let first = backup(&repository, &things()).await?;
        let packs = world.files("packs");
        let second = backup(&repository, &things()).await?;
        assert_eq!(world.files("packs"), packs);
        assert_eq!(first.manifest, second.manifest);
        assert_eq!((second.bytes.new, second.bytes.stored), (0, 0));
        assert_eq!(world.files("log").len(), 3);
        assert_eq!(restore(&repository, &second).await?, things());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_key_reads_names_and_no_contents() -> Tested {
    let world = World::new(true).await?;
    let all = world.open().await?;
    let record = backup(&all, &things()).await?;
    let keys = KeyChain {
        machine: Some(world.machine.clone()),
        owners: Vec::new(),
    };
    let agent = Repository::open(world.storage(), keys, world.options("agent")).await?;
    assert_eq!(agent.part(), Part::Agent);
    let item = agent
        .snapshot(&record)
        .item("models", "odd", Some("1"))
        .await?
        .ok_or("missing")?;
    let refused = agent.snapshot(&record).document(&item.documents[0]).await;
    assert!(
        matches!(refused, Err(Error::NoKey(KeyLack::MachineOnly))),
        "{refused:?}"
    );
    // And it can write: everything is known, nothing is stored again.
    let packs = world.files("packs");
    backup(&agent, &things()).await?;
    assert_eq!(world.files("packs"), packs);
    Ok(())
}
