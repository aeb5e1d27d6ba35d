//! A store that lets somebody else act at a chosen moment: between two requests of one process everything can happen.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use archive_format::storage::{Created, FileUse, StoredFile};
use archive_format::{FileName, Storage, StorageError};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};

use crate::world::Tested;

/// A request, before which somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Create,
    Delete,
    List,
}

type Act = Box<dyn FnOnce() -> BoxFuture<'static, Tested> + Send>;

/// The store as one process sees it.
pub(crate) struct Meanwhile {
    inner: Arc<dyn Storage>,
    moment: (Request, String),
    act: Mutex<Option<Act>>,
    deletes: Mutex<Vec<FileName>>,
    waits: AtomicBool,
}

impl Meanwhile {
    /// Before the first such request for a name with this prefix `act` happens, once.
    pub(crate) fn new<A, F>(
        inner: Arc<dyn Storage>,
        request: Request,
        prefix: &str,
        act: A,
    ) -> Arc<Self>
    where
        A: FnOnce() -> F + Send + 'static,
        F: Future<Output = Tested> + Send + 'static,
    {
        Arc::new(Self {
            inner,
            moment: (request, prefix.to_owned()),
            act: Mutex::new(Some(Box::new(move || act().boxed()))),
            deletes: Mutex::default(),
            waits: AtomicBool::new(false),
        })
    }

    /// The moment does not come before [`Meanwhile::go_on`].
    pub(crate) fn wait(&self) {
        self.waits.store(true, Ordering::SeqCst);
    }

    /// From now on the moment may come.
    pub(crate) fn go_on(&self) {
        self.waits.store(false, Ordering::SeqCst);
    }

    /// Whether it happened.
    pub(crate) fn happened(&self) -> bool {
        self.act
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }

    /// What this process deleted.
    pub(crate) fn deletes(&self) -> Vec<FileName> {
        self.deletes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn before(&self, request: Request, name: &str) {
        if self.waits.load(Ordering::SeqCst)
            || self.moment.0 != request
            || !name.starts_with(&self.moment.1)
        {
            return;
        }
        let act = self
            .act
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(act) = act {
            let done = act().await;
            assert!(done.is_ok(), "what happened meanwhile failed: {done:?}");
        }
    }
}

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Meanwhile({:?})", self.moment)
    }
}

#[async_trait]
impl Storage for Meanwhile {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self, name: &FileName, bytes: Bytes) -> Result<Created, StorageError> {
        self.before(Request::Create, name.as_str()).await;
        self.inner.create(name, bytes).await
    }

    async fn create_from_file(
        &self,
        name: &FileName,
        file: &Path,
        used: FileUse,
    ) -> Result<Created, StorageError> {
        self.before(Request::Create, name.as_str()).await;
        self.inner.create_from_file(name, file, used).await
    }

    async fn read(&self, name: &FileName, limit: u64) -> Result<Bytes, StorageError> {
        self.inner.read(name, limit).await
    }

    async fn read_range(&self, name: &FileName, range: Range<u64>) -> Result<Bytes, StorageError> {
        self.inner.read_range(name, range).await
    }

    async fn size(&self, name: &FileName) -> Result<Option<u64>, StorageError> {
        self.inner.size(name).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<StoredFile, StorageError>> {
        let prefix = prefix.to_owned();
        let listed = async move {
            self.before(Request::List, &prefix).await;
            self.inner.list(&prefix)
        };
        stream::once(listed).flatten().boxed()
    }

    async fn delete(&self, name: &FileName) -> Result<(), StorageError> {
        self.before(Request::Delete, name.as_str()).await;
        self.deletes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name.clone());
        self.inner.delete(name).await
    }
}
