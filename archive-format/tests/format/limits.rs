//! The limits of FORMAT.md on whole files: one that is a byte too long is refused by its name, before it is read.
//!
//! The limits on what is inside of files stand beside the code that reads it.

use std::path::Path;

use archive_format::{Depth, OpenOptions, Repository, check, magic};

use crate::world::{Tested, World, backup, model, noise};

/// What is said of a file: by the one who opens the repository, or by `check`.
async fn said_of(world: &World, file: &Path, cache: &str) -> Tested<String> {
    let options = OpenOptions {
        tolerate_damage: true,
        ..world.options(cache)
    };
    let repository = match Repository::open(world.storage(), world.keys(), options).await {
        Ok(repository) => repository,
        Err(error) => return Ok(format!("{error}: {error:?}")),
    };
    let report = check(&repository, Depth::Structure, &mut |_| {}).await?;
    let name = file
        .strip_prefix(world.root())?
        .to_string_lossy()
        .into_owned();
    let found = report.damages.iter().find(|damage| damage.name == name);
    Ok(found
        .map(|damage| format!("{name}: {}", damage.reason))
        .unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_a_byte_longer_than_its_limit_is_refused_by_name() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    backup(&repository, &[model("a", noise(5_000, 1))]).await?;
    repository.write_checkpoint().await?;
    drop(repository);
    for (folder, limit) in [
        ("repository.json", magic::RECORD_BYTES_MAX),
        ("keys", magic::RECORD_BYTES_MAX),
        ("log", magic::ENTRY_BYTES_MAX),
        ("checkpoints", magic::CHECKPOINT_BYTES_MAX),
        ("index", magic::INDEX_BYTES_MAX),
    ] {
        let file = match world.files(folder).pop() {
            Some(file) => file,
            None => world.root().join(folder),
        };
        let kept = std::fs::read(&file)?;
        for (over, cache) in [(0, "at"), (1, "over")] {
            std::fs::File::options()
                .write(true)
                .open(&file)?
                .set_len(limit + over)?;
            let cache = format!("{folder}-{cache}");
            let said = said_of(&world, &file, &cache).await?;
            let name = file
                .file_name()
                .and_then(|name| name.to_str())
                .ok_or("no name")?;
            assert!(said.contains(name), "{folder}: {said:?}");
            // A checkpoint's reason leaves the cause out; one that is read fails for what is in it.
            let too_large = said.contains("arge") || said.contains("Failed to read");
            assert_eq!(too_large, over == 1, "{folder}: {said:?}");
        }
        std::fs::write(&file, kept)?;
    }
    Ok(())
}
