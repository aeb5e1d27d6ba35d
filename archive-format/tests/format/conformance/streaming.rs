//! What every store that takes streams must keep to.

use std::io;
use std::sync::Arc;

use archive_format::storage::{Created, FileUse, Incoming};
use archive_format::{FileName, StreamingStorage};
use bytes::Bytes;
use futures::{StreamExt, stream};

use super::{Tested, noise};

/// The whole suite over a new store.
pub(super) async fn conforms(storage: &Arc<dyn StreamingStorage>) -> Tested {
    // Nothing, a few bytes, one part exactly, several parts with a rest.
    for (number, length) in [0, 5, 8 << 20, (8 << 20) + 1, 21 << 20]
        .into_iter()
        .enumerate()
    {
        let bytes = noise(length, number as u64);
        let name = FileName::new(format!("export.seal/file-{number}"))?;
        let created = storage
            .create_streaming(&name, pieces(&bytes), FileUse::Contents)
            .await?;
        assert_eq!(created, Created::New, "{length}");
        assert_eq!(storage.size(&name).await?, Some(length as u64));
        assert!(storage.read(&name, 1 << 30).await? == bytes, "{length}");
        for other in [noise(10, 9), noise(17 << 20, 9)] {
            let again = storage
                .create_streaming(&name, pieces(&other), FileUse::Names)
                .await?;
            assert_eq!(again, Created::Exists, "{length}");
        }
        assert!(
            storage.read(&name, 1 << 30).await? == bytes,
            "it was not touched"
        );
    }
    a_broken_stream_leaves_nothing(storage).await
}

async fn a_broken_stream_leaves_nothing(storage: &Arc<dyn StreamingStorage>) -> Tested {
    for length in [100, 9 << 20, 30 << 20] {
        let name = FileName::new(format!("broken-{length}"))?;
        let broken = stream::once(async { Err(io::Error::other("the source broke")) });
        let bytes = pieces(&noise(length, 3)).chain(broken).boxed();
        let error = storage
            .create_streaming(&name, bytes, FileUse::Contents)
            .await
            .err();
        let cause = error.ok_or("it was taken")?;
        assert!(
            cause.source.to_string().contains("the source broke")
                || format!("{cause:?}").contains("the source broke"),
            "{cause:?}"
        );
        assert_eq!(storage.size(&name).await?, None, "{length}");
        let whole = storage
            .create_streaming(&name, pieces(b"whole"), FileUse::Contents)
            .await?;
        assert_eq!(whole, Created::New, "its name is free");
    }
    Ok(())
}

/// Bytes as they come: in pieces of many lengths, none among them.
fn pieces(bytes: &[u8]) -> Incoming {
    let mut cut = Vec::new();
    let mut rest = Bytes::copy_from_slice(bytes);
    for length in [0, 1, 70_000, 0, 1_000_000].into_iter().cycle() {
        let piece = rest.split_to(length.min(rest.len()));
        cut.push(Ok(piece));
        if rest.is_empty() {
            break;
        }
    }
    // It must not be asked again behind its end.
    stream::unfold(cut.into_iter(), |mut rest| async {
        rest.next().map(|piece| (piece, rest))
    })
    .boxed()
}
