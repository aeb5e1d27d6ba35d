//! Who may see the pages. On a loopback address everybody on this machine, but no web site that had its own name point
//! there (DNS rebinding): such a request names a host that is not this machine. Elsewhere whoever brings the token.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use crate::azure::read_secret;
use crate::failure::Failure;

/// A shorter token could be guessed.
const TOKEN_LENGTH_MIN: usize = 16;

/// What the token is hashed under before it is compared; it keeps nothing secret.
const COMPARED: &[u8] = b"mlark status page";

/// What is asked of a request.
pub(super) struct Access {
    address: IpAddr,
    /// The token's HMAC-SHA-256, whose comparison takes the same time wherever two differ.
    token: Option<Vec<u8>>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("address", &self.address)
            .field("token", &self.token.is_some())
            .finish()
    }
}

impl Access {
    /// Reads the token. Without one an address that other machines reach is refused.
    pub(super) fn new(address: SocketAddr, token_file: Option<&Path>) -> Result<Self, Failure> {
        let refused = |what: &str, why: &str| Failure::usage(what).why(why);
        let Some(file) = token_file else {
            if address.ip().is_loopback() {
                return Ok(Self {
                    address: address.ip(),
                    token: None,
                });
            }
            return Err(refused(
                "The status page would be open to other machines",
                "`listen` is no loopback address, and no `token_file` is named",
            )
            .on(address)
            .next("`(umask 077; openssl rand -hex 32 > /etc/mlark/page-token)`, then token_file = \"/etc/mlark/page-token\" under [daemon]; or listen = \"127.0.0.1:9464\""));
        };
        let token = read_secret(file)?;
        let token = token.expose_secret().trim();
        if token.len() < TOKEN_LENGTH_MIN {
            return Err(refused(
                "The token of the status page is refused",
                "it is shorter than 16 characters",
            )
            .on(file.display())
            .next("`openssl rand -hex 32` makes a good one"));
        }
        let mac = hashed(token.as_bytes()).map(|mac| mac.finalize().into_bytes().to_vec());
        Ok(Self {
            address: address.ip(),
            token: Some(mac.unwrap_or_default()),
        })
    }

    /// Whether the request was meant for this machine. One without a host comes from no browser.
    pub(super) fn knows_host(&self, headers: &HeaderMap) -> bool {
        if self.token.is_some() {
            return true;
        }
        match headers.get(HOST).map(|host| host.to_str()) {
            None => true,
            Some(Err(_)) => false,
            Some(Ok(host)) => self.is_here(host),
        }
    }

    fn is_here(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        if let Some(inner) = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
        {
            let Ok(address) = inner.parse::<Ipv6Addr>() else {
                return false;
            };
            return address == Ipv6Addr::LOCALHOST || self.address == address;
        }
        match name.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => name == "localhost" || name.ends_with(".localhost"),
        }
    }

    /// Whether it brings the token, where one is asked for.
    pub(super) fn allows(&self, headers: &HeaderMap) -> bool {
        let Some(wanted) = &self.token else {
            return true;
        };
        let brought = headers
            .get(AUTHORIZATION)
            .and_then(|header| header.to_str().ok())
            .and_then(token_in);
        let mac = brought.and_then(|token| hashed(&token));
        mac.is_some_and(|mac| mac.verify_slice(wanted).is_ok())
    }
}

fn hashed(token: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(COMPARED).ok()?;
    mac.update(token);
    Some(mac)
}

/// The token of a header: as bearer, or as the password of whatever user.
fn token_in(header: &str) -> Option<Vec<u8>> {
    let (scheme, rest) = header.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() =>
        {
            name
        }
        _ => host,
    }
}
