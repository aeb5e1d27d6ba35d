//! The policy that keeps what the login endpoint said when it refused a credential.
//!
//! azure_identity loses the text (AADSTS…) where it holds an escaped line break, which it always does.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{AsyncRawResponse, Context, Request};
use serde_json::Value;

use crate::Error;
use crate::azure::wire::own;

/// Turns a refusal of the login endpoint into [`Error::Credential`].
#[derive(Debug)]
pub(crate) struct Explain;

#[async_trait]
impl Policy for Explain {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let answer = next[0].send(ctx, request, &next[1..]).await?;
        let status = u16::from(answer.status());
        if !matches!(status, 400 | 401 | 403) {
            return Ok(answer);
        }
        let (status_code, headers, body) = answer.deconstruct();
        let body = body.collect().await?;
        let said = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|value| {
                let text = value.get("error_description").or(value.get("error"))?;
                text.as_str().map(str::to_owned)
            });
        match said {
            Some(reason) => Err(own(Error::Credential {
                credential: String::new(),
                reason,
            })),
            None => Ok(AsyncRawResponse::from_bytes(status_code, headers, body)),
        }
    }
}
