//! Azure: a batch of one delete is sent as the delete that it holds.
//!
//! object_store deletes by batches only. A plain Delete Blob needs no right on the container, is answered by every
//! service that speaks Azure's protocol, and says its status and code like every other request.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Uri};
use object_store::client::{HttpRequest, HttpRequestBody, HttpResponse};

/// What a batch answers whose one delete was accepted.
const DELETED: &[u8] = b"--one\r\nContent-Type: application/http\r\nContent-ID: 0\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n--one--\r\n";

/// The delete in a batch, where it holds exactly one.
pub(super) fn delete_of(request: &HttpRequest) -> Option<HttpRequest> {
    let query = request.uri().query().unwrap_or_default();
    if request.method() != Method::POST || !query.split('&').any(|pair| pair == "comp=batch") {
        return None;
    }
    let body = std::str::from_utf8(request.body().as_bytes()?).ok()?;
    let (_, rest) = body.split_once("\r\nDELETE ")?;
    if rest.contains("\r\nDELETE ") {
        return None;
    }
    let (head, _) = rest.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let target = lines.next()?.strip_suffix(" HTTP/1.1")?;
    let uri = Uri::builder()
        .scheme(request.uri().scheme()?.clone())
        .authority(request.uri().authority()?.clone())
        .path_and_query(target)
        .build()
        .ok()?;
    let mut delete = HttpRequest::new(HttpRequestBody::empty());
    *delete.method_mut() = Method::DELETE;
    *delete.uri_mut() = uri;
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let mut value = HeaderValue::from_str(value).ok()?;
        value.set_sensitive(name == http::header::AUTHORIZATION);
        delete.headers_mut().insert(name, value);
    }
    let none = HeaderValue::from_static("0");
    delete.headers_mut().insert(CONTENT_LENGTH, none);
    Some(delete)
}

/// The answer that object_store expects after the delete went well.
pub(super) fn deleted() -> HttpResponse {
    let mut response = HttpResponse::new(Bytes::from_static(DELETED).into());
    let form = HeaderValue::from_static("multipart/mixed; boundary=one");
    response.headers_mut().insert(CONTENT_TYPE, form);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(uri: &'static str, deletes: usize) -> HttpRequest {
        let one = "--b\r\nContent-Type: application/http\r\nContent-ID: 0\r\n\r\nDELETE /acct/c/x?sig=s HTTP/1.1\r\nX-Ms-Version: 2023-11-03\r\nAuthorization: Bearer t\r\nContent-Length: 0\r\n\r\n\r\n";
        let body = format!("{}--b--\r\n", one.repeat(deletes));
        let mut request = HttpRequest::new(body.into());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static(uri);
        request
    }

    #[test]
    fn a_batch_of_one_is_the_delete_in_it() {
        let uri = "http://127.0.0.1:1/acct/c?restype=container&comp=batch";
        let delete = delete_of(&batch(uri, 1));
        let parts = delete.map(|delete| {
            let version = delete.headers().get("x-ms-version").cloned();
            (delete.method().clone(), delete.uri().to_string(), version)
        });
        let version = Some(HeaderValue::from_static("2023-11-03"));
        let expected = "http://127.0.0.1:1/acct/c/x?sig=s".to_owned();
        assert_eq!(parts, Some((Method::DELETE, expected, version)));
        assert!(delete_of(&batch(uri, 2)).is_none(), "two stay a batch");
        let list = "http://127.0.0.1:1/acct/c?restype=container&comp=list";
        assert!(delete_of(&batch(list, 1)).is_none());
    }
}
