//! Shared access signatures and account-key signatures: made and checked by one piece of code.
//!
//! Service SAS as of version 2020-12-06 and later, SharedKey as of 2009-09-19 and later (Azure Storage's documentation
//! of "Create a service SAS" and "Authorize with Shared Key"). Signatures are real HMAC-SHA-256 ones, so that tokens
//! which other clients sign with an account's key are accepted too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use url::form_urlencoded;

use super::error::StorageError;
use crate::account::Account;
use crate::call::{Call, Query, Service};
use crate::directory::hmac_sha256;
use crate::identity::{Identity, Sas};

/// The version that minted tokens state.
const VERSION: &str = "2022-11-02";

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// A container with all blobs.
    Container(&'a str),
    /// One blob.
    Blob(&'a str, &'a str),
    /// A share with all files.
    Share(&'a str),
}

impl Scope<'_> {
    fn resource(self) -> &'static str {
        match self {
            Self::Container(_) => "c",
            Self::Blob(..) => "b",
            Self::Share(_) => "s",
        }
    }

    fn canonical(self, account: &str) -> String {
        match self {
            Self::Container(container) => format!("/blob/{account}/{container}"),
            Self::Blob(container, blob) => format!("/blob/{account}/{container}/{blob}"),
            Self::Share(share) => format!("/file/{account}/{share}"),
        }
    }
}

/// Makes a token, without a leading `?`: `se=…&sp=…&sv=…&sr=…&sig=…`.
pub fn mint(
    account: &str,
    key: &str,
    scope: Scope<'_>,
    permissions: &str,
    expiry: Timestamp,
) -> String {
    let expiry = expiry.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("se", &expiry)
        .append_pair("sp", permissions)
        .append_pair("sv", VERSION)
        .append_pair("sr", scope.resource());
    let unsigned = Query::parse(&query.finish());
    let signature = sign(key, &string_to_sign(account, scope, &unsigned));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .extend_pairs(unsigned.pairs())
        .append_pair("sig", &signature);
    query.finish()
}

/// Proves the signature that a storage request carries: a shared access signature in its query or an
/// `Authorization: SharedKey` header. `None` where it has neither.
pub fn prove(call: &Call, account: &Account) -> Result<Option<Identity>, StorageError> {
    if call.query.get("sig").is_some() {
        return prove_sas(call, account).map(Some);
    }
    match call.header("authorization") {
        Some(authorization) if authorization.starts_with("SharedKey ") => {
            prove_shared_key(call, account, authorization).map(Some)
        }
        _ => Ok(None),
    }
}

fn prove_sas(call: &Call, account: &Account) -> Result<Identity, StorageError> {
    let query = &call.query;
    let of = |name| query.get(name).unwrap_or_default();
    let (container, path) = (call.segment(0), call.rest(1));
    let scope = match (call.service, of("sr")) {
        (Service::Blob, "c") => Scope::Container(container),
        (Service::Blob, "b") => Scope::Blob(container, &path),
        (Service::File, "s") => Scope::Share(container),
        _ => return Err(failed("Signature fields not well formed.")),
    };
    let text = string_to_sign(&account.name, scope, query);
    if !account.keys.iter().any(|key| sign(key, &text) == of("sig")) {
        return Err(failed("Signature did not match."));
    }
    let expires = match parse_time(of("se")) {
        Some(expires) if call.now < expires => expires,
        _ => return Err(failed("Signature not valid in the specified time frame.")),
    };
    if query
        .get("st")
        .is_some_and(|st| parse_time(st).is_none_or(|start| call.now < start))
    {
        return Err(failed("Signature not valid in the specified time frame."));
    }
    Ok(Identity::Sas(Sas {
        permissions: of("sp").to_owned(),
        container: Some(container.to_owned()),
        path: matches!(scope, Scope::Blob(..)).then(|| path.clone()),
        expires,
    }))
}

fn prove_shared_key(
    call: &Call,
    account: &Account,
    authorization: &str,
) -> Result<Identity, StorageError> {
    let given = authorization
        .strip_prefix("SharedKey ")
        .and_then(|rest| rest.strip_prefix(account.name.as_str()))
        .and_then(|rest| rest.strip_prefix(':'));
    let text = shared_key_string(call, &account.name);
    if account
        .keys
        .iter()
        .any(|key| given == Some(sign(key, &text).as_str()))
    {
        Ok(Identity::SharedKey)
    } else {
        Err(failed(
            "The MAC signature found in the HTTP request is not the same as any computed signature.",
        ))
    }
}

/// The refusal of a caller who is known and may not do this.
pub(crate) fn permission_mismatch() -> StorageError {
    StorageError::new(
        403,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.",
    )
}

/// The refusal of a credential that is none.
pub(crate) fn failed(why: &str) -> StorageError {
    StorageError::new(
        403,
        "AuthenticationFailed",
        format!(
            "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature. {why}"
        ),
    )
}

fn parse_time(text: &str) -> Option<Timestamp> {
    let text = if text.len() == "2026-11-23".len() {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    text.parse().ok()
}

fn string_to_sign(account: &str, scope: Scope<'_>, query: &Query) -> String {
    let of = |name| query.get(name).unwrap_or_default();
    let blob = [
        of("sp"),
        of("st"),
        of("se"),
        &scope.canonical(account),
        of("si"),
        of("sip"),
        of("spr"),
        of("sv"),
        of("sr"),
        of("snapshot"),
        of("ses"),
        of("rscc"),
        of("rscd"),
        of("rsce"),
        of("rscl"),
        of("rsct"),
    ]
    .join("\n");
    if matches!(scope, Scope::Share(_)) {
        [
            of("sp"),
            of("st"),
            of("se"),
            &scope.canonical(account),
            of("si"),
            of("sip"),
            of("spr"),
            of("sv"),
            of("rscc"),
            of("rscd"),
            of("rsce"),
            of("rscl"),
            of("rsct"),
        ]
        .join("\n")
    } else {
        blob
    }
}

fn shared_key_string(call: &Call, account: &str) -> String {
    let of = |name| call.header(name).unwrap_or_default();
    let length = match of("content-length") {
        "0" => "",
        length => length,
    };
    let date = if call.header("x-ms-date").is_some() {
        ""
    } else {
        of("date")
    };
    let mut text = [
        call.method.as_str(),
        of("content-encoding"),
        of("content-language"),
        length,
        of("content-md5"),
        of("content-type"),
        date,
        of("if-modified-since"),
        of("if-match"),
        of("if-none-match"),
        of("if-unmodified-since"),
        of("range"),
    ]
    .join("\n");
    let mut headers: Vec<(&str, &str)> = call
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-ms-"))
        .map(|name| (name, of(name).trim()))
        .collect();
    headers.sort_unstable();
    for (name, value) in headers {
        text.push_str(&format!("\n{name}:{value}"));
    }
    text.push_str(&format!("\n/{account}{}", call.raw_path));
    let mut pairs: Vec<(String, &str)> = call
        .query
        .pairs()
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    pairs.sort_unstable();
    for (name, value) in pairs {
        text.push_str(&format!("\n{name}:{value}"));
    }
    text
}

/// HMAC-SHA-256 in base64. A key that is no base64 signs as the bytes it is written with.
fn sign(key: &str, text: &str) -> String {
    let key = STANDARD
        .decode(key)
        .unwrap_or_else(|_| key.as_bytes().to_vec());
    STANDARD.encode(hmac_sha256(&key, text.as_bytes()))
}
