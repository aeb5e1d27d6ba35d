//! Shared key authorization of the storage services ("Authorize with Shared Key", versions from 2015-02-21 on).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;

use crate::account::Account;
use crate::call::Call;
use crate::directory::hmac_sha256;
use crate::reply::Refusal;

const SIGNED_HEADERS: [&str; 11] = [
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

/// Checks `Authorization: SharedKey ACCOUNT:SIGNATURE`.
pub(crate) fn verify(call: &Call, account: &Account) -> Result<(), Refusal> {
    let given = call
        .header("authorization")
        .unwrap_or_default()
        .trim_start_matches("SharedKey ");
    let text = string_to_sign(call, &account.name);
    let fits = given.split_once(':').is_some_and(|(name, signature)| {
        name == account.name
            && account.keys.iter().any(|key| {
                let key = STANDARD.decode(key).unwrap_or_default();
                STANDARD.encode(hmac_sha256(&key, text.as_bytes())) == signature
            })
    });
    if fits {
        return Ok(());
    }
    let text = "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.";
    Err(Refusal::storage(
        StatusCode::FORBIDDEN,
        "AuthenticationFailed",
        text,
    ))
}

fn string_to_sign(call: &Call, account: &str) -> String {
    let mut lines = vec![call.method.to_string()];
    for name in SIGNED_HEADERS {
        let value = call.header(name).unwrap_or_default();
        lines.push(if name == "content-length" && value == "0" {
            String::new()
        } else {
            value.to_owned()
        });
    }
    lines.extend(canonical_headers(call));
    lines.push(format!("/{account}{}", call.raw_path));
    lines.extend(canonical_query(call));
    lines.join("\n")
}

fn canonical_headers(call: &Call) -> Vec<String> {
    let mut found: Vec<(&str, String)> = call
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .filter(|(name, _)| name.starts_with("x-ms-"))
        .map(|(name, value)| (name, value.trim().to_owned()))
        .collect();
    // By name, of which one may begin with another; the colon behind it takes no part.
    found.sort();
    found
        .into_iter()
        .map(|(name, value)| format!("{name}:{value}"))
        .collect()
}

fn canonical_query(call: &Call) -> Vec<String> {
    let mut pairs: Vec<(String, &str)> = call
        .query
        .pairs()
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    pairs.sort();
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, value) in pairs {
        match lines.last_mut() {
            Some((last, values)) if *last == name => values.push(value),
            _ => lines.push((name, vec![value])),
        }
    }
    lines
        .into_iter()
        .map(|(name, values)| format!("{name}:{}", values.join(",")))
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use bytes::Bytes;
    use jiff::Timestamp;

    use super::*;
    use crate::cloud::Cloud;

    #[test]
    fn own_headers_are_signed_in_the_order_of_their_names() {
        let request = http::Request::get("https://acct.file.core.sim.localhost/share/a?comp=range")
            .header("x-ms-version", "2024-11-04")
            .header("x-ms-range-get-content-md5", "true")
            .header("x-ms-range", "bytes=0-4")
            .header("x-ms-date", "Mon, 23 Nov 2026 02:00:00 GMT")
            .body(Bytes::new());
        let cloud = Cloud::new("sim.localhost", None);
        let call = Call::parse(request.unwrap(), &cloud, Timestamp::UNIX_EPOCH).unwrap();
        let expected = "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Mon, 23 Nov 2026 02:00:00 GMT\n\
                        x-ms-range:bytes=0-4\nx-ms-range-get-content-md5:true\n\
                        x-ms-version:2024-11-04\n/acct/share/a\ncomp:range";
        assert_eq!(string_to_sign(&call, "acct"), expected);
    }
}
