//! What a repacking is told wrongly: files that have the bytes of lists, indexes that leave something out, packs that took
//! another's place and are lost themselves. It believes none of them.

use archive_format::{Address, Chunk, FileName, Repository, SnapshotRecord, Storage};
use bytes::Bytes;
use futures::TryStreamExt;

use super::{gone, is_sound, kept, new, over_memory, repack, sparse_in, sweep};
use crate::memory::Memory;
use crate::world::{Tested, Thing, World, backup, model, noise, now, restore};

/// A file of many chunks, which has a list of them.
fn large() -> Thing {
    model("large", noise(40_000_000, 21))
}

/// The bytes of the list of its chunks, which anybody who has the file can write (FORMAT.md, section 8).
async fn list_of_large(repository: &Repository, record: &SnapshotRecord) -> Tested<Vec<u8>> {
    let reader = repository.snapshot(record);
    let item = reader.item("models", "large", Some("1")).await?;
    let item = item.ok_or("no item")?;
    let content = item.files[0].content.clone().ok_or("no content")?;
    let list = content.chunk_list.ok_or("no list")?;
    let chunks: Vec<Chunk> = reader.chunks(&content).try_collect().await?;
    let mut bytes = b"mlarkcl1".to_vec();
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    for chunk in chunks {
        bytes.extend(chunk.address.as_bytes());
        bytes.extend(chunk.size.to_le_bytes());
    }
    assert_eq!(Address::of(&bytes), list.address);
    Ok(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_the_bytes_of_a_chunk_list_hides_no_chunk() -> Tested {
    let memory = std::sync::Arc::new(Memory::new(now()));
    let world = World::over(memory.clone(), false, 64 << 20).await?;
    let repository = world.open().await?;
    let junk = model("junk", noise(8_000_000, 22));
    let first = backup(&repository, &[large(), junk]).await?;
    let list = model("list", list_of_large(&repository, &first).await?);
    // An older one that is gone through before, where the list is nothing but a file.
    let second = backup(&repository, std::slice::from_ref(&list)).await?;
    let third = backup(&repository, &[large()]).await?;
    repository.forget(&[first.id], "a test", now()).await?;
    let done = repack(&repository).await?;
    assert!(done.replaced > 0, "{done:?}");
    assert!(sweep(&repository).await? > 0);
    is_sound(
        &world,
        "after",
        &[(&second, &[list][..]), (&third, &[large()][..])],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_leaves_an_object_out_is_not_believed() -> Tested {
    let (memory, world) = over_memory().await?;
    let (repository, second) = sparse_in(&world).await?;
    let reader = repository.snapshot(&second);
    let item = reader.item("models", "kept", Some("1")).await?;
    let content = item.ok_or("no item")?.files[0].content.clone();
    let needed = content.ok_or("no content")?.sha256;
    let holds = |name: &FileName| {
        let bytes = memory.bytes(name)?;
        let mut windows = bytes.windows(32);
        let at = windows.position(|window| window == needed.as_bytes())?;
        Some((name.clone(), bytes.to_vec(), at))
    };
    let mut indexes = memory.names("index/").into_iter();
    let (name, mut harmed, at) = indexes.find_map(|name| holds(&name)).ok_or("no index")?;
    harmed[at + 31] ^= 1;
    memory.lose(&name);
    memory.create(&name, Bytes::from(harmed)).await?;
    // A machine that knows the index alone.
    let fresh = world.open_at(world.storage(), "fresh").await?;
    let done = repack(&fresh).await?;
    assert_eq!(done.damaged.len(), 1, "{done:?}");
    sweep(&fresh).await?;
    assert_eq!(restore(&repository, &second).await?, [kept(), new(0)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_a_chain_that_is_lost_keeps_the_one_before() -> Tested {
    let (memory, world) = over_memory().await?;
    let repository = world.open().await?;
    let extra = model("extra", noise(300_000, 5));
    let first = backup(&repository, &[gone(), kept(), extra.clone()]).await?;
    let second = backup(&repository, &[kept(), extra]).await?;
    let third = backup(&repository, &[kept()]).await?;
    for forgotten in [first.id, second.id] {
        repository.forget(&[forgotten], "a test", now()).await?;
        if forgotten == first.id {
            assert!(repack(&repository).await?.replaced > 0);
            sweep(&repository).await?;
        }
    }
    // What took the place of others is sparse in turn.
    let before: Vec<FileName> = memory.names("packs/");
    let named: Vec<FileName> = memory.names("packs/");
    let done = repack(&repository).await?;
    assert!(done.replaced > 0, "{done:?}");
    for name in memory.names("packs/") {
        if !named.contains(&name) {
            memory.lose(&name);
        }
    }
    sweep(&repository).await?;
    assert!(before.iter().any(|name| memory.bytes(name).is_some()));
    let fresh = world.open_at(world.storage(), "fresh").await?;
    assert_eq!(restore(&fresh, &third).await?, [kept()]);
    Ok(())
}
