//! Asks the configured sources for tokens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{Secret, TokenCredential, TokenRequestOptions};
use azure_core::http::{ClientMethodOptions, ClientOptions, Context};
use azure_core::time::OffsetDateTime;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use secrecy::ExposeSecret;
use url::Url;

use super::certificate::Assertion;
use super::claims::Claims;
use super::metadata::MetadataService;
use super::{
    AzureCli, ClientCertificate, ClientSecret, CredentialSource, DefaultSources, WorkloadIdentity,
};
use crate::azure::answer::{from_core, shortened};
use crate::{Clock, Error};

const REASON_CHARS_MAX: usize = 300;
const SHORTEST_LIFE: Duration = Duration::from_secs(30);

/// A token with how long it is good for.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) token: Secret,
    pub(crate) lifetime: Duration,
}

/// One source.
#[derive(Debug)]
enum One {
    ClientSecret(ClientSecret),
    Certificate(ClientCertificate),
    Workload(WorkloadIdentity),
    Managed(MetadataService),
    Cli(AzureCli),
}

/// Which source gives the tokens of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its name, as the configuration writes it: `client-secret`, `managed-identity`, …
    pub source: &'static str,
    /// The sources that were asked before it, each with the reason why it gave none.
    pub passed_over: Vec<(String, String)>,
}

/// The sources in the order in which they are asked.
#[derive(Debug)]
pub(crate) struct Source {
    sources: Vec<One>,
    login: Url,
    options: ClientOptions,
    clock: Clock,
    /// The source that answered, and why those before it did not.
    answered: Mutex<Option<(usize, Origin)>>,
}

impl Source {
    /// `options` carry the login pipeline's policies and transport, `metadata` asks the machine's metadata service.
    pub(crate) fn new(
        source: CredentialSource,
        login: Url,
        options: ClientOptions,
        clock: Clock,
        metadata: impl Fn(super::ManagedIdentity) -> MetadataService,
    ) -> Self {
        let sources = match source {
            CredentialSource::Ambient => chain(
                DefaultSources {
                    azure_cli: Some(AzureCli::default()),
                    ..DefaultSources::default()
                },
                metadata,
            ),
            CredentialSource::Default(sources) => chain(*sources, metadata),
            CredentialSource::ClientSecret(secret) => vec![One::ClientSecret(secret)],
            CredentialSource::ClientCertificate(certificate) => vec![One::Certificate(certificate)],
            CredentialSource::ManagedIdentity(identity) => vec![One::Managed(metadata(identity))],
            CredentialSource::WorkloadIdentity(identity) => vec![One::Workload(identity)],
            CredentialSource::AzureCli(cli) => vec![One::Cli(cli)],
        };
        let mut cloud = CustomConfiguration::default();
        login.as_str().clone_into(&mut cloud.authority_host);
        let options = ClientOptions {
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            ..options
        };
        Self {
            sources,
            login,
            options,
            clock,
            answered: Mutex::default(),
        }
    }

    pub(crate) fn origin(&self) -> Option<Origin> {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.as_ref().map(|(_, origin)| origin.clone())
    }

    /// A token for an audience, of the source that answered before, or else of the first that answers; with the claims
    /// that a service asked for, where one did.
    pub(crate) async fn token(
        &self,
        audience: &str,
        claims: Option<&Claims>,
    ) -> Result<Fresh, Error> {
        let winner = {
            let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
            answered.as_ref().map(|(at, _)| *at)
        };
        if let Some(source) = winner.and_then(|at| self.sources.get(at)) {
            return self.ask(source, audience, claims).await;
        }
        let mut passed_over: Vec<(String, String)> = Vec::new();
        let alone = self.sources.len() == 1;
        for (at, source) in self.sources.iter().enumerate() {
            match self.ask(source, audience, claims).await {
                Ok(fresh) => {
                    let origin = Origin {
                        source: source.name(),
                        passed_over,
                    };
                    let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
                    *answered = Some((at, origin));
                    return Ok(fresh);
                }
                Err(error) if alone => return Err(error),
                Err(Error::Credential { credential, reason }) => {
                    passed_over.push((credential, reason));
                }
                Err(error) => {
                    passed_over.push((source.name().to_owned(), whole_reason(&error)));
                }
            }
        }
        let refusals: Vec<String> = passed_over
            .iter()
            .map(|(source, reason)| format!("{source}: {reason}"))
            .collect();
        Err(Error::Credential {
            credential: "default".to_owned(),
            reason: refusals.join("; "),
        })
    }

    async fn ask(
        &self,
        source: &One,
        audience: &str,
        claims: Option<&Claims>,
    ) -> Result<Fresh, Error> {
        let credential: Arc<dyn TokenCredential> = match source {
            One::ClientSecret(secret) => self.client_secret(secret)?,
            One::Certificate(certificate) => self.certificate(certificate)?,
            One::Workload(identity) => self.workload(identity).await?,
            One::Cli(cli) => AzureCliCredential::new(Some(AzureCliCredentialOptions {
                tenant_id: cli.tenant_id.clone(),
                ..AzureCliCredentialOptions::default()
            }))
            .map_err(|error| self.refused(source, error))?,
            One::Managed(service) => return service.token(audience).await,
        };
        let scope = format!("{audience}/.default");
        let context = match claims {
            Some(claims) => Context::new().with_value(claims.clone()),
            None => Context::new(),
        };
        let options = TokenRequestOptions {
            method_options: ClientMethodOptions { context },
        };
        let token = credential
            .get_token(&[&scope], Some(options))
            .await
            .map_err(|error| self.refused(source, error))?;
        let left = token.expires_on - OffsetDateTime::now_utc();
        Ok(Fresh {
            token: token.token,
            lifetime: Duration::try_from(left)
                .unwrap_or_default()
                .max(SHORTEST_LIFE),
        })
    }

    // A new one for every token: azure_identity's own would keep tokens by the wall clock, and hand a refused one out
    // again.
    fn client_secret(&self, secret: &ClientSecret) -> Result<Arc<dyn TokenCredential>, Error> {
        let made: Arc<dyn TokenCredential> = ClientSecretCredential::new(
            &secret.tenant_id,
            secret.client_id.clone(),
            Secret::new(secret.secret.expose_secret().to_owned()),
            Some(ClientSecretCredentialOptions {
                client_options: self.options.clone(),
            }),
        )
        .map_err(|error| refusal("client-secret", error))?;
        Ok(made)
    }

    fn certificate(
        &self,
        certificate: &ClientCertificate,
    ) -> Result<Arc<dyn TokenCredential>, Error> {
        let mut audience = self.login.clone();
        audience.set_path(&format!("/{}/oauth2/v2.0/token", certificate.tenant_id));
        let assertion = Assertion {
            file: certificate.file.clone(),
            client_id: certificate.client_id.clone(),
            audience,
            clock: self.clock.clone(),
        };
        let made: Arc<dyn TokenCredential> = ClientAssertionCredential::new(
            certificate.tenant_id.clone(),
            certificate.client_id.clone(),
            assertion,
            Some(ClientAssertionCredentialOptions {
                client_options: self.options.clone(),
            }),
        )
        .map_err(|error| refusal("client-certificate", error))?;
        Ok(made)
    }

    async fn workload(
        &self,
        identity: &WorkloadIdentity,
    ) -> Result<Arc<dyn TokenCredential>, Error> {
        let options = WorkloadIdentityCredentialOptions {
            credential_options: ClientAssertionCredentialOptions {
                client_options: self.options.clone(),
            },
            client_id: Some(identity.client_id.clone()),
            tenant_id: Some(identity.tenant_id.clone()),
            token_file_path: Some(identity.token_file.clone()),
        };
        // It reads the token file when it is made.
        let made =
            tokio::task::spawn_blocking(move || WorkloadIdentityCredential::new(Some(options)))
                .await
                .map_err(|source| Error::Local {
                    what: "the federated token file".to_owned(),
                    source: Box::new(source),
                })?;
        Ok(made.map_err(|error| refusal("workload-identity", error))?)
    }

    fn refused(&self, source: &One, error: azure_core::Error) -> Error {
        let act = format!("POST {}", self.login.host_str().unwrap_or_default());
        match from_core(error, &act) {
            Error::Answer { reason, .. } => Error::Credential {
                credential: source.name().to_owned(),
                reason: said(&reason),
            },
            Error::Credential { reason, .. } => Error::Credential {
                credential: source.name().to_owned(),
                reason: said(&reason),
            },
            error => match error.refusal() {
                Some(refusal) => Error::Credential {
                    credential: source.name().to_owned(),
                    reason: said(&format!("{} {}", refusal.status, refusal.message)),
                },
                None => error,
            },
        }
    }
}

fn chain(
    sources: DefaultSources,
    metadata: impl Fn(super::ManagedIdentity) -> MetadataService,
) -> Vec<One> {
    let managed = metadata(sources.managed_identity).probing();
    sources
        .client_secret
        .map(One::ClientSecret)
        .into_iter()
        .chain(sources.client_certificate.map(One::Certificate))
        .chain(sources.workload_identity.map(One::Workload))
        .chain([One::Managed(managed)])
        .chain(sources.azure_cli.map(One::Cli))
        .collect()
}

impl One {
    fn name(&self) -> &'static str {
        match self {
            Self::ClientSecret(_) => "client-secret",
            Self::Certificate(_) => "client-certificate",
            Self::Workload(_) => "workload-identity",
            Self::Managed(_) => "managed-identity",
            Self::Cli(_) => "azure-cli",
        }
    }
}

fn refusal(credential: &str, error: azure_core::Error) -> Error {
    Error::Credential {
        credential: credential.to_owned(),
        reason: said(&error.to_string()),
    }
}

/// An error with what caused it, in one line.
fn whole_reason(error: &Error) -> String {
    said(&crate::azure::answer::reason(error))
}

/// The AADSTS text where there is one, else the first line.
fn said(reason: &str) -> String {
    let from = reason.find("AADSTS").unwrap_or_default();
    let text = reason.get(from..).unwrap_or(reason);
    shortened(
        text.split("\\r\\n").next().unwrap_or(text),
        REASON_CHARS_MAX,
    )
}
