//! Small JSON files beside the catalogue in which this machine remembers something: written whole or not at all, read and
//! written where that may block, and worth nothing to anybody else.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The largest file that is read, in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// What a file remembers; none where it is missing, too large or nonsense.
pub async fn read<T: DeserializeOwned>(file: &Path) -> Option<T> {
    let about = tokio::fs::metadata(file).await.ok()?;
    if about.len() > BYTES_MAX {
        return None;
    }
    let text = tokio::fs::read(file).await.ok()?;
    serde_json::from_slice(&text).ok()
}

/// Remembers something in a file.
pub async fn keep(file: &Path, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec(value)?;
    let new = file.with_extension("new");
    tokio::fs::write(&new, text).await?;
    tokio::fs::rename(&new, file).await
}
