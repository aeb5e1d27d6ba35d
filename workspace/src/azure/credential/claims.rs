//! The policy that hands the login endpoint the claims that a service asked for.
//!
//! A service that takes part in continuous access evaluation answers 401 with `error="insufficient_claims"` and the
//! claims, in base64, when a token must be replaced before its time (seen from azure-core 1.32's challenge handling).
//! azure_identity has no place for them, so they are put into the form that it sends.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Body, Context, Request};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use url::form_urlencoded;

/// The longest claims that are passed on.
const BYTES_MAX: usize = 4096;

/// Claims as JSON; put into a request's context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims(pub(crate) String);

impl Claims {
    /// The claims that the challenge of a 401 asks for.
    pub(crate) fn asked(headers: &Headers) -> Option<Self> {
        let challenge = headers.get_optional_str(&HeaderName::from_static("www-authenticate"))?;
        if parameter(challenge, "error") != Some("insufficient_claims") {
            return None;
        }
        let encoded = parameter(challenge, "claims").filter(|text| text.len() <= BYTES_MAX)?;
        let bytes = [&STANDARD, &URL_SAFE]
            .into_iter()
            .find_map(|engine| engine.decode(encoded).ok())
            .or_else(|| STANDARD_NO_PAD.decode(encoded).ok())
            .or_else(|| URL_SAFE_NO_PAD.decode(encoded).ok())?;
        let text = String::from_utf8(bytes).ok()?;
        serde_json::from_str::<serde_json::Value>(&text).ok()?;
        Some(Self(text))
    }
}

/// The value of `name="…"` in a challenge (RFC 9110, 11.2).
fn parameter<'a>(challenge: &'a str, name: &str) -> Option<&'a str> {
    challenge.split([',', ' ']).find_map(|part| {
        let (found, value) = part.split_once('=')?;
        (found.trim() == name).then(|| value.trim().trim_matches('"'))
    })
}

/// Adds claims to a form.
#[derive(Debug)]
pub(crate) struct PassClaims;

#[async_trait]
impl Policy for PassClaims {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        if let (Some(Claims(claims)), Body::Bytes(form)) = (ctx.value::<Claims>(), request.body()) {
            let mut form = String::from_utf8_lossy(form).into_owned();
            // A try that is made again has them already.
            if !form.contains("&claims=") {
                form.push('&');
                let at = form.len();
                form = form_urlencoded::Serializer::for_suffix(form, at)
                    .append_pair("claims", claims)
                    .finish();
                request.set_body(form);
            }
        }
        next[0].send(ctx, request, &next[1..]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(challenge: &str) -> Option<String> {
        let mut headers = Headers::new();
        headers.insert("www-authenticate", challenge.to_owned());
        Claims::asked(&headers).map(|claims| claims.0)
    }

    #[test]
    fn claims_are_taken_from_a_challenge_that_asks_for_them_alone() {
        let claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;
        for encoded in [STANDARD.encode(claims), URL_SAFE_NO_PAD.encode(claims)] {
            let challenge = format!(
                "Bearer realm=\"\", authorization_uri=\"https://login/x\", error=\"insufficient_claims\", claims=\"{encoded}\""
            );
            assert_eq!(asked(&challenge).as_deref(), Some(claims));
            let other = challenge.replace("insufficient_claims", "invalid_token");
            assert_eq!(asked(&other), None);
        }
        assert_eq!(
            asked("Bearer error=\"insufficient_claims\", claims=\"?\""),
            None
        );
    }
}
