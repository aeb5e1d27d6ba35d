//! A connection to one cloud as one identity: what several workspaces share.

use std::sync::Arc;

use super::cloud::Cloud;
use super::name::WorkspaceName;
use super::settings::Settings;
use super::traffic::{Counter, Traffic};
use crate::Error;

/// A cloud, a credential, one pipeline and its counters. Cheap to clone; clones share all of it.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) cloud: Cloud,
    pub(crate) counter: Counter,
}

impl Connection {
    /// Asks the cloud for its description and prepares the credential. Asks for no token yet.
    pub async fn open(settings: Settings) -> Result<Self, Error> {
        drop(settings);
        Err(unserved("a connection"))
    }

    /// The cloud.
    pub fn cloud(&self) -> &Cloud {
        &self.inner.cloud
    }

    /// What went over the wire since this connection was opened.
    pub fn traffic(&self) -> Traffic {
        self.inner.counter.sums()
    }

    /// The workspaces that a name with `*` means, sorted.
    pub async fn workspaces(&self, pattern: &WorkspaceName) -> Result<Vec<WorkspaceName>, Error> {
        Err(unserved(&pattern.to_string()))
    }
}

pub(crate) fn unserved(what: &str) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
    }
}
