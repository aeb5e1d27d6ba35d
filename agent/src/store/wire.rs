//! The network of an object store: object_store's requests over the one pipeline that every request of mlark takes, with
//! its roots, proxies and retries. What creates a file is sent once.

use std::error::Error as StdError;

use async_trait::async_trait;
use azure_core::http::headers::{HeaderName as CoreName, HeaderValue as CoreValue};
use azure_core::http::{Method as CoreMethod, Request};
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue, IF_NONE_MATCH, RANGE};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpService,
};
use url::Url;
use workspace::azure::{Channel, Repeat, Reply};

/// The longest answer to a request that names no range: a page of a listing.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A refusal of a request with a range is read up to here.
const REFUSAL_BYTES_MAX: u64 = 64 << 10;

/// GCS's header for "only if there is none".
const GENERATION_MATCH: &str = "x-goog-if-generation-match";

/// object_store's way to the network.
#[derive(Clone, Debug)]
pub(super) struct Wire(pub(super) Channel);

impl HttpConnector for Wire {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let repeat = if creates(request.headers()) {
            Repeat::Once
        } else {
            Repeat::Allowed
        };
        let limit = match range_bytes(request.headers()) {
            Some(bytes) => bytes.max(REFUSAL_BYTES_MAX),
            None => ANSWER_BYTES_MAX,
        };
        let request = to_core(request).await?;
        match self.0.send(request, repeat, limit).await {
            Ok(reply) => from_core(reply),
            Err(error) => {
                let kind = match error {
                    workspace::Error::Unreachable { .. } => HttpErrorKind::Connect,
                    _ => HttpErrorKind::Unknown,
                };
                Err(HttpError::new(kind, error))
            }
        }
    }
}

/// Whether a request makes a file that must not be there: such a one may be repeated only by who can tell its own file
/// from another's.
fn creates(headers: &HeaderMap) -> bool {
    headers.contains_key(IF_NONE_MATCH) || headers.contains_key(GENERATION_MATCH)
}

/// How many bytes a range asks for.
fn range_bytes(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RANGE)?.to_str().ok()?;
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    to.checked_sub(from)?.checked_add(1)
}

fn unfit(error: impl StdError + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

async fn to_core(request: HttpRequest) -> Result<Request, HttpError> {
    let (parts, body) = request.into_parts();
    let url = Url::parse(&parts.uri.to_string()).map_err(unfit)?;
    let method = match parts.method {
        Method::GET => CoreMethod::Get,
        Method::HEAD => CoreMethod::Head,
        Method::PUT => CoreMethod::Put,
        Method::POST => CoreMethod::Post,
        Method::PATCH => CoreMethod::Patch,
        _ => CoreMethod::Delete,
    };
    let mut core = Request::new(url, method);
    for (name, value) in &parts.headers {
        let value = value.to_str().map_err(unfit)?.to_owned();
        core.insert_header(
            CoreName::from(name.as_str().to_owned()),
            CoreValue::from(value),
        );
    }
    let body = bytes_of(body).await?;
    if !body.is_empty() {
        core.set_body(body);
    }
    Ok(core)
}

/// A body in one piece, without a copy where it is in one already.
async fn bytes_of(body: HttpRequestBody) -> Result<Bytes, HttpError> {
    Ok(body.collect().await?.to_bytes())
}

fn from_core(reply: Reply) -> Result<HttpResponse, HttpError> {
    let mut response = HttpResponse::new(reply.body.into());
    *response.status_mut() = StatusCode::from_u16(reply.status).map_err(unfit)?;
    for (name, value) in reply.headers.iter() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).map_err(unfit)?;
        let value = HeaderValue::from_str(value.as_str()).map_err(unfit)?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_creates_a_file_is_sent_once_and_the_rest_may_be_repeated() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            headers
        };
        assert!(creates(&with("if-none-match", "*")));
        assert!(creates(&with(GENERATION_MATCH, "0")));
        assert!(!creates(&with("range", "bytes=0-1")));
        assert_eq!(range_bytes(&with("range", "bytes=10-19")), Some(10));
        assert_eq!(range_bytes(&with("range", "bytes=10-")), None);
        assert_eq!(range_bytes(&with("range", "bytes=19-10")), None);
    }

    #[tokio::test]
    async fn a_body_comes_over_whole() -> Result<(), HttpError> {
        let payload = object_store::PutPayload::from_iter([
            Bytes::from_static(b"one"),
            Bytes::new(),
            Bytes::from_static(b"two"),
        ]);
        assert_eq!(bytes_of(payload.into()).await?, "onetwo");
        let single = Bytes::from(vec![7; 100]);
        let kept = bytes_of(single.clone().into()).await?;
        assert_eq!(kept.as_ptr(), single.as_ptr(), "one piece is not copied");
        Ok(())
    }
}
