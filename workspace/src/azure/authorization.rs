//! The policy that puts a token into a request, if the host may have one.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::headers::AUTHORIZATION;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};

use super::cloud::host_of;
use super::credential::claims::Claims;
use super::token::Tokens;
use super::trust::Trust;
use super::wire::own;
use crate::Error;

/// Adds `Authorization: Bearer` for trusted hosts; any other host ends the request before it is sent.
#[derive(Debug)]
pub(crate) struct Authorization {
    pub(crate) trust: Arc<Trust>,
    pub(crate) tokens: Arc<Tokens>,
}

#[async_trait]
impl Policy for Authorization {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let Some(audience) = self.trust.audience(request.url()) else {
            return Err(own(Error::Untrusted {
                host: host_of(request.url()),
            }));
        };
        let token = self.tokens.get(audience).await.map_err(own)?;
        request.insert_header(AUTHORIZATION, format!("Bearer {}", token.secret()));
        let answer = next[0].send(ctx, request, &next[1..]).await;
        if let Ok(answer) = &answer
            && u16::from(answer.status()) == 401
        {
            let claims = Claims::asked(answer.headers());
            self.tokens.forget(audience, &token, claims).await;
        }
        answer
    }
}
