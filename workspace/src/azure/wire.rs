//! The last policy of the pipeline: sends a request and reads its whole answer, within limits of length and of bandwidth.
//!
//! The body is read here, inside the try, so that a connection that breaks half-way is tried again like any other. What
//! a connection says when it breaks loses its address, which may carry a signature.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::CONTENT_LENGTH;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{AsyncRawResponse, Context, HttpClient, Method, Request};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use super::answer::act_of;
use super::bandwidth::Bandwidth;
use crate::Error;

/// The longest answer that is read where a request does not say less.
pub(crate) const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The longest answer that a request expects; put into its context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimit(pub(crate) u64);

/// Lets an answer end too early: what came of a range is of use. Put into a request's context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Partial;

/// Allows plain http, which the metadata service of a machine speaks; put into a request's context.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainHttp;

/// Sends and reads.
pub(crate) struct Wire {
    client: Arc<dyn HttpClient>,
    bandwidth: Bandwidth,
}

/// Says nothing of the client, which may hold whatever it was made with.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    pub(crate) fn new(client: Arc<dyn HttpClient>, bandwidth: Bandwidth) -> Self {
        Self { client, bandwidth }
    }
}

#[async_trait]
impl Policy for Wire {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        _next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        if request.url().scheme() != "https" && ctx.value::<PlainHttp>().is_none() {
            return Err(own(Error::Name {
                text: act_of(request),
                what: "an https address",
            }));
        }
        let empty = request.body().is_empty() == Some(true);
        if empty && matches!(request.method(), Method::Patch | Method::Post | Method::Put) {
            request.insert_header(CONTENT_LENGTH, "0");
        }
        let bytes = request.body().len().unwrap_or_default();
        self.bandwidth
            .send(usize::try_from(bytes).unwrap_or(usize::MAX))
            .await;
        let response = self
            .client
            .execute_request(request)
            .await
            .map_err(without_address)?;
        let limit = ctx
            .value::<BodyLimit>()
            .map_or(BODY_BYTES_MAX, |limit| limit.0);
        let partial = ctx.value::<Partial>().is_some();
        read(response, request, limit, partial, &self.bandwidth).await
    }
}

async fn read(
    response: AsyncRawResponse,
    request: &Request,
    limit: u64,
    partial: bool,
    bandwidth: &Bandwidth,
) -> PolicyResult {
    let (status, headers, mut stream) = response.deconstruct();
    let stated: Option<u64> = headers.get_optional_as(&CONTENT_LENGTH).ok().flatten();
    let bodiless = request.method() == Method::Head || matches!(u16::from(status), 204 | 304);
    let too_long = || {
        own(Error::TooLong {
            act: act_of(request),
            limit_bytes: limit,
        })
    };
    if !bodiless && stated.is_some_and(|stated| stated > limit) {
        return Err(too_long());
    }
    let partial = partial && (200..300).contains(&u16::from(status));
    let mut body = BytesMut::new();
    let mut only: Option<Bytes> = None;
    while let Some(piece) = stream.next().await {
        let held = body.len() + only.as_ref().map_or(0, Bytes::len);
        let piece = match piece {
            Ok(piece) => piece,
            Err(_) if partial && held > 0 => break,
            Err(error) => return Err(without_address(error)),
        };
        if (held + piece.len()) as u64 > limit {
            return Err(too_long());
        }
        bandwidth.receive(piece.len()).await;
        if held == 0 {
            only = Some(piece);
            continue;
        }
        if let Some(first) = only.take() {
            body.reserve(usize::try_from(stated.unwrap_or_default()).unwrap_or_default());
            body.extend_from_slice(&first);
        }
        body.extend_from_slice(&piece);
    }
    let body = only.unwrap_or_else(|| body.freeze());
    let whole = stated.is_none_or(|stated| stated == body.len() as u64);
    let useful = partial && !body.is_empty();
    if !(bodiless || whole || useful) {
        return Err(azure_core::Error::with_message(
            ErrorKind::Io,
            "the answer ended too early",
        ));
    }
    Ok(AsyncRawResponse::from_bytes(status, headers, body))
}

/// Carries an error of ours through the pipeline, which does not try it again.
pub(crate) fn own(error: Error) -> azure_core::Error {
    azure_core::Error::new(ErrorKind::Other, error)
}

/// What a connection said, without the address that it was made to.
fn without_address(error: azure_core::Error) -> azure_core::Error {
    let kind = error.kind().clone();
    if !matches!(kind, ErrorKind::Io | ErrorKind::Connection) {
        return error;
    }
    match error.into_downcast::<reqwest::Error>() {
        Ok(error) => azure_core::Error::new(kind, error.without_url()),
        Err(error) => error,
    }
}
