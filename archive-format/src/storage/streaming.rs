//! Files that are written as their bytes come, for what is too large to lie on a local disk first.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::{Created, FileUse, Storage, StorageError};
use crate::FileName;

/// The bytes of a new file as they come. An error in it ends the file: nothing of that name is then made.
pub type Incoming = BoxStream<'static, io::Result<Bytes>>;

/// A store that takes a file whose length is not known beforehand, in bounded memory and without a local copy.
#[async_trait]
pub trait StreamingStorage: Storage {
    /// Creates a file with the bytes of a stream, all or nothing, as [`Storage::create`] does. The bytes cannot be sent
    /// again: where the answer was lost, a look tells whether the file is there and ours.
    async fn create_streaming(
        &self,
        name: &FileName,
        bytes: Incoming,
        used: FileUse,
    ) -> Result<Created, StorageError>;
}
