//! A container of Azure Blob Storage, opened by a shared access signature, the account's key, or an identity.

use std::path::Path;
use std::sync::Arc;

use archive_format::storage::ColdStorage;
use archive_format::storage::object::guard::Guarded;
use async_trait::async_trait;
use object_store::azure::{AzureCredential, AzureCredentialProvider, MicrosoftAzureBuilder};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::{CredentialProvider, ObjectStore, RetryConfig, StaticCredentialProvider};
use workspace::azure::{Channel, Connection, Service};

use super::cold::AzureCold;
use super::signature::{self, AccountKey};
use super::wire::Wire;
use super::{endpoint, unfit};
use crate::azure::{read_secret, settings};
use crate::config;
use crate::context::Context;
use crate::failure::Failure;

/// No retries by object_store: the pipeline sends again what may be sent again.
pub(super) fn no_retries() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

/// A container, and what its service does besides keeping files. `prefix` is what names begin with, `place` its name for
/// people.
pub(super) async fn open(
    (account, container, prefix): (&str, &str, &str),
    place: String,
    repository: &config::Repository,
    azure: &config::Azure,
    context: &Context,
) -> Result<(Arc<dyn ObjectStore>, Arc<dyn ColdStorage>), Failure> {
    let of_workspace = |error: workspace::Error| Failure::of_workspace(&error);
    let own_endpoint = endpoint(repository)?;
    let own_credential = credential_of_file(account, repository, context)?;
    let settings = settings(azure, context, None)?;
    let (channel, connection) = match (&own_endpoint, &own_credential) {
        // Everything is said: the cloud is not asked where its storage is.
        (Some(_), Some(_)) => (Channel::open(&settings).await.map_err(of_workspace)?, None),
        _ => {
            let connection = Connection::open(settings).await.map_err(of_workspace)?;
            (connection.channel(), Some(connection))
        }
    };
    let service = match (own_endpoint, &connection) {
        (Some(url), _) => url,
        (None, Some(connection)) => connection
            .cloud()
            .storage_url(account, Service::Blob)
            .map_err(of_workspace)?,
        (None, None) => return Err(Failure::failed("The address of the store is not known")),
    };
    let credentials: AzureCredentialProvider = match (own_credential, connection) {
        (Some(credentials), _) => credentials,
        (None, _) if service.scheme() != "https" => {
            return Err(Failure::usage("The `endpoint` of [repository] is refused")
                .on(&service)
                .why("a token goes to an https address alone")
                .next("write an https address, or name a signature with `sas_file`"));
        }
        (None, Some(connection)) => Arc::new(Tokens(connection)),
        (None, None) => return Err(Failure::failed("No credential for the store is known")),
    };
    let cold = AzureCold {
        channel: channel.clone(),
        credentials: Arc::clone(&credentials),
        service: service.clone(),
        container: container.to_owned(),
        prefix: prefix.to_owned(),
        place,
    };
    let store = MicrosoftAzureBuilder::new()
        .with_account(account)
        .with_container_name(container)
        .with_endpoint(service.as_str().trim_end_matches('/').to_owned())
        .with_credentials(credentials)
        .with_retry(no_retries())
        .with_http_connector(Guarded(Wire(channel)))
        .build()
        .map_err(|error| unfit(&error))?;
    Ok((Arc::new(store), Arc::new(cold)))
}

/// The credential that a file of its own holds.
fn credential_of_file(
    account: &str,
    repository: &config::Repository,
    context: &Context,
) -> Result<Option<AzureCredentialProvider>, Failure> {
    let refused = |file: &Path, why: &'static str| {
        Failure::usage("The credential of the repository's store cannot be used")
            .on(file.display())
            .why(why)
    };
    match (&repository.sas_file, &repository.account_key_file) {
        (Some(_), Some(_)) => Err(Failure::usage(
            "Both `sas_file` and `account_key_file` of [repository] are set",
        )
        .next("keep the signature: it can be limited to one container and runs out")),
        (Some(file), None) => {
            let pairs = signature::parse(&read_secret(file)?).map_err(|why| refused(file, why))?;
            let credential = AzureCredential::SASToken(pairs);
            Ok(Some(Arc::new(StaticCredentialProvider::new(credential))))
        }
        (None, Some(file)) => {
            let key = AccountKey::new(account, &read_secret(file)?, context.clock.clone());
            let key = key.map_err(|why| refused(file, why))?;
            Ok(Some(Arc::new(key)))
        }
        (None, None) => Ok(None),
    }
}

/// Tokens of an identity.
#[derive(Debug)]
struct Tokens(Connection);

#[async_trait]
impl CredentialProvider for Tokens {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        match self.0.storage_token().await {
            Ok(token) => Ok(Arc::new(AzureCredential::BearerToken(
                token.secret().to_owned(),
            ))),
            Err(error) => {
                let refused = matches!(error, workspace::Error::Credential { .. });
                let source = Box::new(HttpError::new(HttpErrorKind::Unknown, error));
                Err(if refused {
                    object_store::Error::Unauthenticated {
                        path: String::new(),
                        source,
                    }
                } else {
                    object_store::Error::Generic {
                        store: "token",
                        source,
                    }
                })
            }
        }
    }
}
