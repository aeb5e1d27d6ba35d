//! What every store must keep to. Each store runs the same suite.

mod streaming;
mod suite;

use std::path::Path;
use std::sync::Arc;

use archive_format::storage::{Created, StorageFault};
use archive_format::{FileName, Storage};
use bytes::Bytes;

use crate::faulty::{Fault, Faulty};
use crate::stores::Backend;
use crate::world::{Tested, noise};
use suite::fault_of;

/// The suite, and what a store does through faults that only these tests can make.
async fn conforms(storage: Arc<dyn Storage>) -> Tested {
    suite::conforms(&storage).await?;
    a_lost_answer_is_settled_by_reading(&storage).await
}

async fn a_lost_answer_is_settled_by_reading(storage: &Arc<dyn Storage>) -> Tested {
    let name = FileName::log(77);
    for (fault, then) in [
        (Fault::LostRequest, Created::New),
        (Fault::LostAnswer, Created::Exists),
    ] {
        let faulty = Faulty::new(Arc::clone(storage), fault, 0);
        let bytes = Bytes::from_static(b"mine");
        let lost = fault_of(faulty.create(&name, bytes.clone())).await;
        assert_eq!(lost, Some(StorageFault::Unclear));
        assert_eq!(faulty.create(&name, bytes.clone()).await?, then);
        assert_eq!(faulty.read(&name, 100).await?, bytes);
        storage.delete(&name).await?;
    }
    Ok(())
}

fn a_store(backend: Backend) -> Tested<(tempfile::TempDir, Arc<dyn Storage>)> {
    let folder = tempfile::tempdir()?;
    let storage = backend.store(folder.path())?;
    Ok((folder, storage))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_store_conforms() -> Tested {
    let (folder, storage) = a_store(Backend::Local)?;
    let root = folder.path().join("repository");
    conforms(storage).await?;
    let left = std::fs::read_dir(root.join(".tmp"))?.count();
    assert_eq!(left, 0, "temporary files are removed");
    private(&root)
}

#[cfg(unix)]
fn private(root: &Path) -> Tested {
    use std::os::unix::fs::PermissionsExt;
    let mode =
        |path: &Path| -> Tested<u32> { Ok(std::fs::metadata(path)?.permissions().mode() & 0o777) };
    assert_eq!(mode(&root.join("index"))?, 0o700);
    let file = std::fs::read_dir(root.join("index"))?.next();
    assert_eq!(mode(&file.ok_or("there is no file")??.path())?, 0o600);
    Ok(())
}

#[cfg(not(unix))]
fn private(_root: &Path) -> Tested {
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_store_conforms() -> Tested {
    let (_folder, storage) = a_store(Backend::Memory)?;
    conforms(storage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite_conforms() -> Tested {
    if !Backend::at_hand().contains(&Backend::Azurite) {
        return Ok(());
    }
    let (_folder, storage) = a_store(Backend::Azurite)?;
    conforms(storage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_store_takes_a_stream_whole_or_not_at_all() -> Tested {
    for backend in Backend::at_hand() {
        let folder = tempfile::tempdir()?;
        streaming::conforms(&backend.streaming(folder.path())?).await?;
        if backend == Backend::Local {
            let left = std::fs::read_dir(folder.path().join("repository/.tmp"))?.count();
            assert_eq!(left, 0, "temporary files are removed");
        }
    }
    Ok(())
}

#[test]
fn names_that_no_repository_has_are_refused() {
    for name in [
        "",
        "/",
        "a//b",
        "../a",
        "a/..",
        ".tmp/x",
        "A",
        "a b",
        "a/.hidden",
        "ü",
    ] {
        assert!(FileName::new(name).is_err(), "{name}");
    }
}
