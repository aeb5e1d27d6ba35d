//! What the HTTP of an object store needs so that the contract of a storage holds: it stands between object_store and
//! the network, whatever that is.
//!
//! - Completing an upload in parts is made conditional on the name being free (Azure: Put Block List; S3:
//!   CompleteMultipartUpload; both take `If-None-Match: *`). The header is added behind the signature, which S3 and Azure's
//!   tokens and shared access signatures allow; Azure's Shared Key covers it and must not be used with it.
//! - A refusal becomes an error with its status and the service's word for it, without the address.
//! - A name in a listing that is no path would end the listing with an error; it is replaced by one that everybody passes
//!   over.
//! - A batch of one delete is sent as a plain delete (see `single`).
//!
//! It sends nothing twice and keeps nothing.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, IF_NONE_MATCH};
use http::{HeaderMap, Method, Uri};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};

use super::single;

/// So much of a refusal's body is looked at.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// So much of a service's words is quoted.
const MESSAGE_CHARS_MAX: usize = 300;

/// A name that no repository file has and every listing can hold.
const NO_NAME: &str = "~";

/// A service's refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The service's word for it, such as `BlobArchived`; may be empty.
    pub code: String,
    /// What it says, in a line; may be empty.
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        for (before, text) in [(" ", &self.code), (": ", &self.message)] {
            if !text.is_empty() {
                write!(f, "{before}{text}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// Reads a refusal: its status, the header `x-ms-error-code` where it has one, and its body, in the services' XML.
    pub fn read(status: u16, code: Option<&str>, body: &[u8]) -> Self {
        let body = body.get(..REFUSAL_BYTES_MAX).unwrap_or(body);
        let text = String::from_utf8_lossy(body);
        let code = code.or_else(|| element(&text, "Code")).unwrap_or("");
        let message = element(&text, "Message").unwrap_or("");
        let line = message.lines().next().unwrap_or("").trim();
        let kept = |text: &str| {
            let fits = |c: &char| !c.is_control();
            text.chars()
                .filter(fits)
                .take(MESSAGE_CHARS_MAX)
                .collect::<String>()
        };
        Self {
            status,
            code: kept(code),
            message: kept(line),
        }
    }
}

/// HTTP as a storage needs it, over any other.
#[derive(Clone, Debug)]
pub struct Guarded<C>(pub C);

impl<C: HttpConnector> HttpConnector for Guarded<C> {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let inner = self.0.connect(options)?;
        Ok(HttpClient::new(Guard(inner)))
    }
}

#[derive(Debug)]
struct Guard(HttpClient);

#[async_trait]
impl HttpService for Guard {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if completes(request.method(), request.uri()) {
            let any = HeaderValue::from_static("*");
            request.headers_mut().insert(IF_NONE_MATCH, any);
        }
        let lists = lists(request.uri());
        let delete = single::delete_of(&request);
        let deletes = delete.is_some();
        let response = self.0.execute(delete.unwrap_or(request)).await?;
        let status = response.status();
        if !status.is_success() {
            let (parts, body) = response.into_parts();
            // The refusal stands whether or not its body can be read.
            let body = body.bytes().await.unwrap_or_default();
            let refused = refused(status.as_u16(), &parts.headers, &body);
            return Err(HttpError::new(HttpErrorKind::Unknown, refused));
        }
        if deletes {
            return Ok(single::deleted());
        }
        if !lists {
            return Ok(response);
        }
        let (mut parts, body) = response.into_parts();
        parts.headers.remove(CONTENT_LENGTH);
        let body = without_hostile_names(body.bytes().await?);
        Ok(HttpResponse::from_parts(parts, body.into()))
    }
}

fn queries(uri: &Uri) -> impl Iterator<Item = (&str, &str)> {
    let query = uri.query().unwrap_or_default();
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Whether a request makes a file of parts that were sent before.
fn completes(method: &Method, uri: &Uri) -> bool {
    let has = |wanted: (&str, &str)| queries(uri).any(|pair| pair == wanted);
    let named = |wanted: &str| queries(uri).any(|(name, _)| name == wanted);
    match *method {
        Method::PUT => has(("comp", "blocklist")),
        Method::POST => named("uploadId"),
        _ => false,
    }
}

/// Whether a request lists files.
fn lists(uri: &Uri) -> bool {
    queries(uri).any(|pair| matches!(pair, ("comp", "list") | ("list-type", _)))
}

fn refused(status: u16, headers: &HeaderMap, body: &Bytes) -> Refused {
    let header = headers
        .get("x-ms-error-code")
        .and_then(|code| code.to_str().ok());
    Refused::read(status, header, body)
}

/// The text of the first element of this name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inner)
}

/// Replaces names in a listing that object_store would refuse together with the page they stand on. Text in XML has no
/// `<`, so that elements are found by their tags.
fn without_hostile_names(body: Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(&body) else {
        return body;
    };
    let mut clean = String::new();
    let mut kept = 0;
    // Azure's element and that of S3 and GCS.
    for (open, close) in [("<Name>", "</Name>"), ("<Key>", "</Key>")] {
        let mut at = 0;
        while let Some(start) = text[at..].find(open).map(|found| at + found + open.len()) {
            let Some(end) = text[start..].find(close).map(|found| start + found) else {
                break;
            };
            at = end;
            if !is_path(&text[start..end]) && start >= kept {
                clean.push_str(&text[kept..start]);
                clean.push_str(NO_NAME);
                kept = end;
            }
        }
    }
    if kept == 0 {
        return body;
    }
    clean.push_str(&text[kept..]);
    clean.into()
}

/// Whether text can be the name of a file of a repository below its prefix, or that prefix: letters, digits, `.`, `-` and
/// `_` in parts of which none is empty, `.` or `..`.
pub(super) fn is_path(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    text.split('/')
        .all(|part| !matches!(part, "" | "." | "..") && part.bytes().all(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_completes_an_upload_is_told_from_its_parts() {
        let completes =
            |method: Method, uri: &'static str| completes(&method, &Uri::from_static(uri));
        assert!(completes(Method::PUT, "https://a/c/b?comp=blocklist"));
        assert!(completes(Method::PUT, "https://a/c/b?comp=blocklist&sig=x"));
        assert!(completes(Method::POST, "https://a/b?uploadId=7"));
        assert!(!completes(
            Method::PUT,
            "https://a/c/b?comp=block&blockid=x"
        ));
        assert!(!completes(
            Method::PUT,
            "https://a/b?partNumber=1&uploadId=7"
        ));
        assert!(!completes(Method::POST, "https://a/b?uploads"));
        assert!(!completes(Method::GET, "https://a/c/b?comp=blocklist"));
    }

    #[test]
    fn a_hostile_name_leaves_the_rest_of_its_page() {
        let page = "<L><Blob><Name>a/b</Name></Blob><Blob><Name>a//b</Name></Blob><Blob><Name>../x</Name></Blob><Blob><Name>c</Name></Blob></L>";
        let clean = without_hostile_names(Bytes::from_static(page.as_bytes()));
        let expected = "<L><Blob><Name>a/b</Name></Blob><Blob><Name>~</Name></Blob><Blob><Name>~</Name></Blob><Blob><Name>c</Name></Blob></L>";
        assert_eq!(clean, expected);
        let sound = Bytes::from_static(b"<Key>packs/ab/abc</Key>");
        assert_eq!(without_hostile_names(sound.clone()), sound);
    }

    #[test]
    fn a_refusal_is_short_and_in_the_services_words() {
        let body = Bytes::from_static(
            b"<?xml version=\"1.0\"?><Error><Code>BlobArchived</Code><Message>This operation is not permitted.\nRequestId:1\nTime:2</Message></Error>",
        );
        let found = refused(409, &HeaderMap::new(), &body);
        assert_eq!(
            found.to_string(),
            "409 BlobArchived: This operation is not permitted."
        );
        assert_eq!(
            refused(404, &HeaderMap::new(), &Bytes::new()).to_string(),
            "404"
        );
    }
}
