//! A connection to one cloud as one identity: what several workspaces share.

use std::sync::Arc;

use azure_core::credentials::Secret;
use azure_core::http::policies::Policy;
use azure_core::http::{
    ClientOptions, Context, Method, Pipeline, PipelineSendOptions, Request, RetryOptions, Transport,
};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

use super::answer::{Answer, act_of, from_core};
use super::arm;
use super::authorization::Authorization;
use super::bandwidth::Bandwidth;
use super::channel::Channel;
use super::cloud::Cloud;
use super::credential::claims::PassClaims;
use super::credential::explain::Explain;
use super::credential::metadata::{MetadataService, NOT_YET};
use super::credential::source::{Origin, Source};
use super::credential::{ClientSecret, CredentialSource};
use super::door::Door;
use super::http::Clients;
use super::name::WorkspaceName;
use super::pace::Pace;
use super::range::AHEAD_OF_ALL;
use super::retry::{self, Retry, Shared};
use super::settings::Settings;
use super::token::Tokens;
use super::traffic::{Counter, Service, Traffic};
use super::trust::Trust;
use super::wire::Wire;
use crate::{Clock, Error};

/// A cloud, a credential, one pipeline and its counters. Cheap to clone; clones share all of it.
#[derive(Clone, Debug)]
pub struct Connection {
    inner: Arc<Inner>,
    /// What opens a storage account in place of a token.
    door: Option<Arc<Door>>,
}

#[derive(Debug)]
struct Inner {
    cloud: Cloud,
    /// How far the cloud's clock was ahead of ours when the connection was opened.
    ahead_of_us: Option<SignedDuration>,
    base: Base,
    trust: Arc<Trust>,
    tokens: Arc<Tokens>,
    /// Bounds the ranges that are read ahead.
    ahead: Arc<Semaphore>,
}

/// How a request is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// By a token, which only trusted hosts get, or by the secret of the connection's storage account.
    Token,
    /// By nothing, or by a signature that the address carries.
    Open,
}

/// What every pipeline is made from.
#[derive(Clone, Debug)]
pub(super) struct Base {
    wire: Arc<Wire>,
    /// To the machine's own metadata service.
    direct: Arc<Wire>,
    shared: Arc<Shared>,
}

impl Base {
    pub(super) async fn open(settings: &Settings) -> Result<Self, Error> {
        let clients = Clients::new(settings).await?;
        Ok(Self {
            wire: Arc::new(Wire::new(clients.outside, settings.bandwidth.clone())),
            direct: Arc::new(Wire::new(clients.direct, Bandwidth::default())),
            shared: Arc::new(Shared::new(
                Counter::new(settings.observer.clone()),
                Pace::new(settings.concurrency),
                settings.quota.clone(),
                settings.clock.clone(),
            )),
        })
    }

    pub(super) fn options(
        &self,
        service: Service,
        also: &'static [u16],
        inner: Option<Arc<dyn Policy>>,
    ) -> ClientOptions {
        let retry: Arc<dyn Policy> = Arc::new(Retry {
            service,
            shared: self.shared.clone(),
            also,
        });
        ClientOptions {
            per_try_policies: std::iter::once(retry).chain(inner).collect(),
            retry: RetryOptions::none(),
            transport: Some(Transport::with_policy(self.wire.clone())),
            ..ClientOptions::default()
        }
    }

    fn tokens(&self, credential: CredentialSource, cloud: &Cloud) -> Tokens {
        let mut login = self.options(Service::Login, &[], Some(Arc::new(Explain)));
        login.per_try_policies.insert(0, Arc::new(PassClaims));
        let machine = pipeline(ClientOptions {
            transport: Some(Transport::with_policy(self.direct.clone())),
            ..self.options(Service::Login, NOT_YET, None)
        });
        Tokens::new(Source::new(
            credential,
            cloud.login.clone(),
            login,
            self.shared.clock.clone(),
            |identity| MetadataService::new(identity, machine.clone(), self.shared.clone()),
        ))
    }
}

pub(super) fn pipeline(options: ClientOptions) -> Pipeline {
    Pipeline::new(
        option_env!("CARGO_PKG_NAME"),
        option_env!("CARGO_PKG_VERSION"),
        options,
        Vec::new(),
        Vec::new(),
        None,
    )
}

impl Connection {
    /// Asks the cloud for its description and prepares the credential. Asks for no token yet.
    pub async fn open(settings: Settings) -> Result<Self, Error> {
        let base = Base::open(&settings).await?;
        let request = Request::new(Cloud::metadata_url(&settings.cloud)?, Method::Get);
        let described = send(
            &pipeline(base.options(Service::Metadata, &[], None)),
            Context::new(),
            request,
        )
        .await?;
        let described = success(described)?;
        let ahead_of_us =
            retry::date(&described.headers).map(|there| there.duration_since(settings.clock.now()));
        let cloud = Cloud::from_metadata(&settings.cloud, &described.json()?)?;
        let cloud = match settings.authority {
            Some(login) => Cloud { login, ..cloud },
            None => cloud,
        };
        let tokens = Arc::new(base.tokens(settings.credential, &cloud));
        Ok(Self {
            inner: Arc::new(Inner {
                trust: Arc::new(Trust::new(cloud.clone())),
                tokens,
                cloud,
                ahead_of_us,
                base,
                ahead: Arc::new(Semaphore::new(
                    settings.ranges_ahead.unwrap_or(AHEAD_OF_ALL),
                )),
            }),
            door: None,
        })
    }

    /// The same connection, which opens one storage account by its own secret.
    pub(crate) fn with_door(&self, door: Door) -> Self {
        Self {
            door: Some(Arc::new(door)),
            ..self.clone()
        }
    }

    /// The same connection as another application.
    pub(crate) fn with_application(&self, application: ClientSecret) -> Self {
        let inner = &self.inner;
        let source = CredentialSource::ClientSecret(application);
        Self {
            inner: Arc::new(Inner {
                cloud: inner.cloud.clone(),
                ahead_of_us: inner.ahead_of_us,
                base: inner.base.clone(),
                trust: inner.trust.clone(),
                tokens: Arc::new(inner.base.tokens(source, &inner.cloud)),
                ahead: inner.ahead.clone(),
            }),
            door: None,
        }
    }

    /// The cloud.
    pub fn cloud(&self) -> &Cloud {
        &self.inner.cloud
    }

    /// How far the cloud's clock was ahead of this machine's when the connection was opened, to the second and less the
    /// way of the answer; `None` where the cloud did not say.
    pub fn cloud_ahead(&self) -> Option<SignedDuration> {
        self.inner.ahead_of_us
    }

    /// What went over the wire since this connection was opened.
    pub fn traffic(&self) -> Traffic {
        self.inner.base.shared.counter.sums()
    }

    /// Which source gave the token, and why those before it did not; `None` before the first token.
    pub fn credential_origin(&self) -> Option<Origin> {
        self.inner.tokens.origin()
    }

    /// The same way to the network for a client that authorises its own requests.
    pub fn channel(&self) -> Channel {
        Channel::new(self.inner.base.clone())
    }

    /// A token for the cloud's storage, kept until shortly before it runs out. Whoever asks answers for where it goes.
    ///
    /// # Errors
    /// [`Error::Credential`] where nobody gives one, [`Error::Unreachable`] where the login service does not answer.
    pub async fn storage_token(&self) -> Result<Secret, Error> {
        self.inner
            .tokens
            .get(&self.inner.cloud.storage_audience)
            .await
    }

    /// A token for Resource Manager.
    pub(crate) async fn arm_token(&self) -> Result<Secret, Error> {
        self.inner.tokens.get(&self.inner.cloud.arm_audience).await
    }

    /// The workspaces that a name with `*` means, sorted.
    pub async fn workspaces(&self, pattern: &WorkspaceName) -> Result<Vec<WorkspaceName>, Error> {
        arm::workspaces(self, pattern).await
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.base.shared.clock
    }

    /// What bounds the ranges that all readers of this connection have under way.
    pub(crate) fn ahead(&self) -> Arc<Semaphore> {
        self.inner.ahead.clone()
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.inner.trust
    }

    /// The options that a client of Microsoft's is made with, so that it runs on this pipeline.
    pub(crate) fn options(&self, service: Service, access: Access) -> ClientOptions {
        let authorization: Option<Arc<dyn Policy>> = match (access, &self.door) {
            (Access::Open, _) => None,
            (Access::Token, Some(door)) => Some(door.clone()),
            (Access::Token, None) => Some(Arc::new(Authorization {
                trust: self.inner.trust.clone(),
                tokens: self.inner.tokens.clone(),
            })),
        };
        self.inner.base.options(service, &[], authorization)
    }

    /// Sends a request and reads its answer, whatever the status.
    pub(crate) async fn exchange(
        &self,
        access: Access,
        ctx: Context<'_>,
        request: Request,
    ) -> Result<Answer, Error> {
        let service = self.inner.trust.service(request.url());
        send(&pipeline(self.options(service, access)), ctx, request).await
    }

    /// The same; an answer that is no success is an error.
    pub(crate) async fn send(
        &self,
        access: Access,
        ctx: Context<'_>,
        request: Request,
    ) -> Result<Answer, Error> {
        success(self.exchange(access, ctx, request).await?)
    }

    /// GETs JSON with a token.
    pub(crate) async fn get(&self, url: Url) -> Result<Answer, Error> {
        let mut request = Request::new(url, Method::Get);
        request.insert_header("accept", "application/json");
        self.send(Access::Token, Context::new(), request).await
    }
}

/// A request with a JSON body.
pub(crate) fn json_request(method: Method, url: Url, body: &Value) -> Request {
    let mut request = Request::new(url, method);
    request.insert_header("accept", "application/json");
    request.insert_header("content-type", "application/json");
    request.set_body(body.to_string());
    request
}

/// An answer that is a success, or the error that it means.
pub(crate) fn success(answer: Answer) -> Result<Answer, Error> {
    if (200..300).contains(&answer.status) {
        Ok(answer)
    } else {
        Err(answer.refusal())
    }
}

pub(super) async fn send(
    pipeline: &Pipeline,
    ctx: Context<'_>,
    mut request: Request,
) -> Result<Answer, Error> {
    let act = act_of(&request);
    let options = PipelineSendOptions {
        skip_checks: true,
        ..PipelineSendOptions::default()
    };
    match pipeline.send(&ctx, &mut request, Some(options)).await {
        Ok(response) => {
            let (status, headers, body) = response.deconstruct();
            Ok(Answer {
                act,
                status: u16::from(status),
                headers,
                body: body.into(),
            })
        }
        Err(error) => Err(from_core(error, &act)),
    }
}
