//! The pipeline for a client that authorises and understands its own requests: the store of a repository.
//!
//! It gives roots, proxies, `.localhost`, retry with `Retry-After` and whole answers within a limit, as every other
//! request has them. It adds no token and no header of its own; a request goes where it is sent.

use azure_core::http::headers::Headers;
use azure_core::http::{Context, Request};
use bytes::Bytes;

use super::connection::{Base, pipeline, send};
use super::http::is_here;
use super::retry::Once;
use super::settings::Settings;
use super::traffic::Service;
use super::wire::{BodyLimit, PlainHttp};
use crate::Error;

/// Whether a request may be sent again after the service may have acted on it. After a refusal for the time being it
/// always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It may: it reads, or comes to the same when done twice.
    Allowed,
    /// It must not.
    Once,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: Headers,
    /// The whole body.
    pub body: Bytes,
}

/// A way to the network. Cheap to clone; clones share pace and counters.
#[derive(Clone, Debug)]
pub struct Channel {
    base: Base,
}

impl Channel {
    /// A way of its own, as these settings say. Sends nothing yet.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            base: Base::open(settings).await?,
        })
    }

    pub(super) fn new(base: Base) -> Self {
        Self { base }
    }

    /// Sends a request and reads its answer, at most `body_bytes` of it. Plain http is spoken to this machine alone.
    ///
    /// # Errors
    /// [`Error::Unreachable`] and [`Error::Broken`] after all tries, [`Error::TooLong`], [`Error::Name`] for plain http
    /// elsewhere. No error names the query of the address.
    pub async fn send(
        &self,
        request: Request,
        repeat: Repeat,
        body_bytes: u64,
    ) -> Result<Reply, Error> {
        let mut context = Context::new().with_value(BodyLimit(body_bytes));
        if repeat == Repeat::Once {
            context = context.with_value(Once);
        }
        if request.url().host().is_some_and(|host| is_here(&host)) {
            context = context.with_value(PlainHttp);
        }
        let pipeline = pipeline(self.base.options(Service::Blob, &[], None));
        let answer = send(&pipeline, context, request).await?;
        Ok(Reply {
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
        })
    }
}
