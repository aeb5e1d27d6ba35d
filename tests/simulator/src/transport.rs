//! The simulator in-process: what azure_core's pipeline sends goes straight into it, without sockets, in the runtime's own time.

use std::io;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request};
use azure_core::{Bytes, Error};
use futures::{AsyncReadExt, StreamExt, stream};

use crate::reply::{Reply, WireFault};
use crate::simulator::Simulator;

/// An HTTP client of azure_core that asks a simulator.
#[derive(Debug, Clone)]
pub struct SimulatorTransport {
    simulator: Simulator,
}

impl SimulatorTransport {
    /// A client of that simulator. Its URLs carry no port.
    pub fn new(simulator: &Simulator) -> Self {
        Self {
            simulator: simulator.clone(),
        }
    }
}

#[async_trait]
impl HttpClient for SimulatorTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let reply = self.simulator.handle(plain(request).await?);
        match reply.fault {
            WireFault::Reset => Err(broken("The connection was reset")),
            WireFault::Slow(delay) => {
                tokio::time::sleep(delay).await;
                Ok(response(request, reply))
            }
            _ => Ok(response(request, reply)),
        }
    }
}

/// The request with its whole body.
async fn plain(request: &Request) -> azure_core::Result<http::Request<Bytes>> {
    let body = match request.body().clone() {
        Body::Bytes(bytes) => bytes,
        Body::SeekableStream(mut stream) => {
            let mut bytes = Vec::new();
            stream.reset().await?;
            stream.read_to_end(&mut bytes).await?;
            Bytes::from(bytes)
        }
    };
    let mut builder = http::Request::builder()
        .method(request.method().as_ref())
        .uri(request.url().as_str());
    for (name, value) in request.headers().iter() {
        builder = builder.header(name.as_str(), value.as_str());
    }
    if !body.is_empty() {
        builder = builder.header(http::header::CONTENT_LENGTH, body.len());
    }
    builder
        .body(body)
        .map_err(|error| Error::new(ErrorKind::Other, error))
}

fn response(request: &Request, reply: Reply) -> AsyncRawResponse {
    let mut headers = Headers::new();
    for (name, value) in &reply.headers {
        if let Ok(value) = value.to_str() {
            headers.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    if !reply.headers.contains_key(http::header::CONTENT_LENGTH) {
        headers.insert("content-length", reply.body.len().to_string());
    }
    let status = reply.status.as_u16().into();
    match reply.fault {
        _ if request.method() == azure_core::http::Method::Head => {
            AsyncRawResponse::from_bytes(status, headers, Bytes::new())
        }
        WireFault::Truncate(at) if at < reply.body.len() => {
            let part = reply.body.slice(..at);
            let frames = [Ok(part), Err(broken("The body ended before its length"))];
            AsyncRawResponse::new(status, headers, Box::pin(stream::iter(frames)))
        }
        WireFault::SlowBody { pause, pieces } => {
            let pieces = stream::iter(reply.pieces(pieces)).then(move |piece| async move {
                tokio::time::sleep(pause).await;
                Ok(piece)
            });
            AsyncRawResponse::new(status, headers, Box::pin(pieces))
        }
        _ => AsyncRawResponse::from_bytes(status, headers, reply.body),
    }
}

fn broken(what: &'static str) -> Error {
    Error::with_error(
        ErrorKind::Io,
        io::Error::from(io::ErrorKind::ConnectionReset),
        what,
    )
}
