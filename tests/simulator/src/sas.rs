//! Service shared access signatures of blobs and files: made for clients, and checked (version 2020-12-06 and later of the
//! string to sign, as Azure Storage's "Create a service SAS" describes it; older ones lack the encryption scope).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use jiff::Timestamp;
use url::form_urlencoded;

use crate::account::Account;
use crate::call::{Call, Query, Service};
use crate::directory::hmac_sha256;
use crate::identity::Sas;
use crate::permission;
use crate::reply::Refusal;

const VERSION: &str = "2024-08-04";
const WITH_ENCRYPTION_SCOPE: &str = "2020-12-06";

/// A signature for a whole container or share, as a query string without a question mark.
pub fn issue(
    account: &Account,
    service: Service,
    container: &str,
    permissions: &str,
    expires: Timestamp,
) -> String {
    let kind = if service == Service::File { "s" } else { "c" };
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let fields = [
        ("sv", VERSION),
        ("spr", "https"),
        ("sr", kind),
        ("sp", permissions),
        ("se", &expires),
    ];
    sign(account, service, container, None, &fields)
}

/// A signature for one blob.
pub fn issue_blob(
    account: &Account,
    container: &str,
    blob: &str,
    permissions: &str,
    expires: Timestamp,
) -> String {
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let fields = [
        ("sv", VERSION),
        ("spr", "https"),
        ("sr", "b"),
        ("sp", permissions),
        ("se", &expires),
    ];
    sign(account, Service::Blob, container, Some(blob), &fields)
}

fn sign(
    account: &Account,
    service: Service,
    container: &str,
    path: Option<&str>,
    fields: &[(&str, &str)],
) -> String {
    let unsigned = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let text = string_to_sign(account, service, container, path, &Query::parse(&unsigned));
    let signature = signature(&account.keys[0], &text);
    form_urlencoded::Serializer::new(unsigned)
        .append_pair("sig", &signature)
        .finish()
}

fn signature(key: &str, text: &str) -> String {
    let key = STANDARD.decode(key).unwrap_or_default();
    STANDARD.encode(hmac_sha256(&key, text.as_bytes()))
}

fn string_to_sign(
    account: &Account,
    service: Service,
    container: &str,
    path: Option<&str>,
    query: &Query,
) -> String {
    let get = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let word = if service == Service::File {
        "file"
    } else {
        "blob"
    };
    let mut resource = format!("/{word}/{}/{container}", account.name);
    if let Some(path) = path {
        resource = format!("{resource}/{path}");
    }
    let mut lines = vec![
        get("sp"),
        get("st"),
        get("se"),
        resource,
        get("si"),
        get("sip"),
        get("spr"),
        get("sv"),
    ];
    if service != Service::File {
        lines.extend([get("sr"), get("snapshot")]);
        if query
            .get("sv")
            .is_some_and(|version| version >= WITH_ENCRYPTION_SCOPE)
        {
            lines.push(get("ses"));
        }
    }
    lines.extend(["rscc", "rscd", "rsce", "rscl", "rsct"].map(get));
    lines.join("\n")
}

fn account_string(account: &Account, query: &Query) -> String {
    let get = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let mut lines = vec![account.name.clone()];
    lines.extend(["sp", "ss", "srt", "st", "se", "sip", "spr", "sv"].map(get));
    if query
        .get("sv")
        .is_some_and(|version| version >= WITH_ENCRYPTION_SCOPE)
    {
        lines.push(get("ses"));
    }
    lines.join("\n") + "\n"
}

/// Checks the signature in a call's query.
pub(crate) fn verify(call: &Call, account: &Account) -> Result<Sas, Refusal> {
    let failed = |detail: &str| {
        let text = "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.";
        Refusal::storage(
            StatusCode::FORBIDDEN,
            "AuthenticationFailed",
            &format!("{text} {detail}"),
        )
    };
    let query = &call.query;
    let given = query.get("sig").unwrap_or_default();
    let of_account = query.get("ss").is_some();
    let container = (!of_account).then(|| call.segment(0).to_owned());
    let path = matches!(query.get("sr"), Some("b" | "f")).then(|| call.rest(1));
    let text = match &container {
        Some(container) => string_to_sign(account, call.service, container, path.as_deref(), query),
        None => account_string(account, query),
    };
    if !account
        .keys
        .iter()
        .any(|key| signature(key, &text) == given)
    {
        return Err(failed("Signature did not match."));
    }
    let expires = query
        .get("se")
        .and_then(parse_time)
        .ok_or_else(|| failed("Signed expiry time is missing."))?;
    if expires <= call.now {
        return Err(failed("Signed expiry time is past."));
    }
    Ok(Sas {
        permissions: query.get("sp").unwrap_or_default().to_owned(),
        container,
        path,
        expires,
    })
}

fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse()
        .ok()
        .or_else(|| format!("{text}T00:00:00Z").parse().ok())
}

/// Refuses a call that the letters of the signature do not allow.
pub(crate) fn covers(sas: &Sas, call: &Call) -> Result<(), Refusal> {
    let lists = call.query.is("comp", "list");
    let kept = call.query.is("comp", "immutabilityPolicies") || call.query.is("comp", "legalhold");
    let needed = match call.method {
        Method::GET if lists => "l",
        Method::GET | Method::HEAD => "r",
        _ if kept => "i",
        Method::DELETE if call.query.get("versionid").is_some() => "x",
        Method::DELETE => "d",
        _ => "cwa",
    };
    let has = |letters: &str| letters.chars().any(|it| sas.permissions.contains(it));
    let keeps = !kept && call.method == Method::PUT && permission::keeps(call);
    if has(needed) && (!keeps || has("i")) {
        return Ok(());
    }
    let text = "This request is not authorized to perform this operation using this permission.";
    Err(Refusal::storage(
        StatusCode::FORBIDDEN,
        "AuthorizationPermissionMismatch",
        text,
    ))
}
