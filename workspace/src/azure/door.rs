//! The way into a storage account by a datastore's own secret: its key, or a shared access signature.
//!
//! In place of the token, and for the one account that the datastore names: a request to any other host ends before it
//! is sent. Neither key nor signature is ever part of an error.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::headers::{AUTHORIZATION, HeaderName};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::Url;

use super::cloud::{Cloud, host_of};
use super::ticket::Ticket;
use super::wire::own;
use crate::{Clock, Error};

/// Headers whose values are signed, in this order ("Authorize with Shared Key", versions from 2015-02-21 on).
const SIGNED: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// What a datastore's secret is.
#[derive(Clone)]
pub(crate) enum StoreSecret {
    /// An account key, base64.
    Key(SecretString),
    /// The query of a shared access signature, without a question mark.
    Signature(SecretString),
    /// The same, which the service gives for a while.
    Ticket(Arc<Ticket>),
}

/// Opens one storage account.
pub(crate) struct Door {
    pub(crate) cloud: Cloud,
    pub(crate) account: String,
    pub(crate) secret: StoreSecret,
    pub(crate) clock: Clock,
}

/// Says nothing of the secret.
impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sort = match self.secret {
            StoreSecret::Key(_) => "key",
            StoreSecret::Signature(_) | StoreSecret::Ticket(_) => "signature",
        };
        f.debug_struct("Door")
            .field("account", &self.account)
            .field("by", &sort)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Policy for Door {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let account = self.cloud.storage_host(request.url());
        if account.is_none_or(|(account, _)| account != self.account) {
            return Err(own(Error::Untrusted {
                host: host_of(request.url()),
            }));
        }
        match &self.secret {
            StoreSecret::Signature(signature) => {
                add_signature(request.url_mut(), signature.expose_secret());
            }
            StoreSecret::Ticket(ticket) => {
                let signature = ticket.signature().await.map_err(own)?;
                take_signature_off(request.url_mut(), signature.expose_secret());
                add_signature(request.url_mut(), signature.expose_secret());
            }
            StoreSecret::Key(key) => {
                let now = self.clock.now();
                let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
                request.insert_header("x-ms-date", date);
                let signed = sign(request, &self.account, key.expose_secret());
                let value = format!("SharedKey {}:{signed}", self.account);
                request.insert_header(AUTHORIZATION, value);
            }
        }
        next[0].send(ctx, request, &next[1..]).await
    }
}

/// Adds a signature to an address that has none: a request that is sent again has it already.
fn add_signature(url: &mut Url, signature: &str) {
    if url.query_pairs().any(|(name, _)| name == "sig") {
        return;
    }
    let query = match url.query().filter(|query| !query.is_empty()) {
        Some(query) => format!("{query}&{signature}"),
        None => signature.to_owned(),
    };
    url.set_query(Some(&query));
}

/// Takes the parameters of a signature off an address, whatever they say: one that is sent again has those of a signature
/// that may have ended meanwhile. What else the address asks for stays byte by byte.
fn take_signature_off(url: &mut Url, signature: &str) {
    let names: Vec<&str> = signature.split('&').map(name_of).collect();
    let query = url.query().unwrap_or_default();
    let kept: Vec<&str> = query
        .split('&')
        .filter(|part| !names.contains(&name_of(part)))
        .collect();
    let kept = kept.join("&");
    url.set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
}

fn name_of(parameter: &str) -> &str {
    parameter
        .split_once('=')
        .map_or(parameter, |(name, _)| name)
}

fn sign(request: &Request, account: &str, key: &str) -> String {
    let key = STANDARD.decode(key.trim()).unwrap_or_default();
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(&key) else {
        // HMAC takes keys of every length.
        return String::new();
    };
    mac.update(string_to_sign(request, account).as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn string_to_sign(request: &Request, account: &str) -> String {
    let length = request.body().len().unwrap_or_default();
    let mut lines = vec![request.method().as_ref().to_owned()];
    for name in SIGNED {
        lines.push(match name {
            "content-length" if length > 0 => length.to_string(),
            "content-length" => String::new(),
            _ => request
                .headers()
                .get_optional_str(&HeaderName::from_static(name))
                .unwrap_or_default()
                .to_owned(),
        });
    }
    let mut own: Vec<(String, &str)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_ascii_lowercase(), value.as_str().trim()))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .collect();
    // By name alone: as whole lines, `x-ms-range-…` would come before `x-ms-range:`.
    own.sort();
    lines.extend(own.iter().map(|(name, value)| format!("{name}:{value}")));
    lines.push(format!("/{account}{}", request.url().path()));
    let mut pairs: Vec<(String, String)> = request
        .url()
        .query_pairs()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned()))
        .collect();
    pairs.sort();
    lines.extend(pairs.iter().map(|(name, value)| format!("{name}:{value}")));
    lines.join("\n")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use azure_core::http::Method;

    use super::*;

    #[test]
    fn what_is_signed_has_the_form_that_the_service_signs() {
        let url =
            Url::parse("https://acct.blob.x/c/a%20b?restype=container&comp=list&prefix=%C3%A4");
        let mut request = Request::new(url.unwrap(), Method::Get);
        request.insert_header("x-ms-version", "2024-11-04");
        request.insert_header("x-ms-date", "Mon, 23 Nov 2026 02:00:00 GMT");
        request.insert_header("range", "bytes=0-4");
        let expected = "GET\n\n\n\n\n\n\n\n\n\n\nbytes=0-4\nx-ms-date:Mon, 23 Nov 2026 02:00:00 GMT\n\
                        x-ms-version:2024-11-04\n/acct/c/a%20b\ncomp:list\nprefix:ä\nrestype:container";
        assert_eq!(string_to_sign(&request, "acct"), expected);
    }

    #[test]
    fn own_headers_are_signed_in_the_order_of_their_names() {
        let url = Url::parse("https://acct.file.x/share/a?sharesnapshot=2026");
        let mut request = Request::new(url.unwrap(), Method::Get);
        for (name, value) in [
            ("x-ms-version", "2024-11-04"),
            ("x-ms-range-get-content-md5", "true"),
            ("x-ms-range", "bytes=0-4"),
            ("x-ms-date", "Mon, 23 Nov 2026 02:00:00 GMT"),
        ] {
            request.insert_header(name, value);
        }
        let expected = "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Mon, 23 Nov 2026 02:00:00 GMT\n\
                        x-ms-range:bytes=0-4\nx-ms-range-get-content-md5:true\n\
                        x-ms-version:2024-11-04\n/acct/share/a\nsharesnapshot:2026";
        assert_eq!(string_to_sign(&request, "acct"), expected);
    }

    #[test]
    fn a_renewed_signature_takes_the_place_of_the_one_before() {
        let mut url =
            Url::parse("https://acct.blob.x/c?comp=list&prefix=%C3%A4&sv=1&se=early&sig=ab")
                .unwrap();
        for _ in 0..2 {
            take_signature_off(&mut url, "sv=2&se=late&sig=cd%2B");
            add_signature(&mut url, "sv=2&se=late&sig=cd%2B");
            assert_eq!(
                url.query(),
                Some("comp=list&prefix=%C3%A4&sv=2&se=late&sig=cd%2B")
            );
        }
        let mut bare = Url::parse("https://acct.blob.x/c?sig=ab").unwrap();
        take_signature_off(&mut bare, "sig=cd");
        assert_eq!(bare.query(), None);
    }

    #[test]
    fn a_signature_is_added_once() {
        let mut url = Url::parse("https://acct.blob.x/c?comp=list").unwrap();
        add_signature(&mut url, "sv=1&sig=ab%2B");
        add_signature(&mut url, "sv=1&sig=ab%2B");
        assert_eq!(url.query(), Some("comp=list&sv=1&sig=ab%2B"));
    }

    #[test]
    fn keys_and_signatures_are_never_printed() {
        for secret in [StoreSecret::Key, StoreSecret::Signature] {
            let door = Door {
                cloud: Cloud {
                    name: "x".into(),
                    resource_manager: Url::parse("https://management.x.localhost/").unwrap(),
                    login: Url::parse("https://login.x.localhost/").unwrap(),
                    storage_suffix: "core.x.localhost".into(),
                    arm_audience: "arm".into(),
                    storage_audience: "storage".into(),
                    data_audience: "data".into(),
                },
                account: "acct".to_owned(),
                secret: secret("c2VjcmV0".to_owned().into()),
                clock: Clock::system(),
            };
            assert!(!format!("{door:?}").contains("c2VjcmV0"));
        }
    }
}
