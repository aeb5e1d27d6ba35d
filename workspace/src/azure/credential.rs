//! Where tokens come from: the configured sources, with their secrets in types that cannot be printed.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

pub(crate) mod certificate;
pub(crate) mod claims;
pub(crate) mod explain;
pub(crate) mod metadata;
pub(crate) mod source;

/// A source of tokens.
#[derive(Clone, Debug, Default)]
pub enum CredentialSource {
    /// Whichever answers first: a client secret or certificate (where tenant and client are given too), workload
    /// identity, managed identity, the `az` command.
    #[default]
    Ambient,
    /// The same, with the values that the environment or the configuration gave.
    Default(Box<DefaultSources>),
    /// An application's secret.
    ClientSecret(ClientSecret),
    /// An application's certificate.
    ClientCertificate(ClientCertificate),
    /// The identity of the VM, App Service or compute instance that this runs on.
    ManagedIdentity(ManagedIdentity),
    /// A federated token in a file (Kubernetes).
    WorkloadIdentity(WorkloadIdentity),
    /// Whoever is logged in to the `az` command.
    AzureCli(AzureCli),
}

/// What the chain of `default` has to try with.
#[derive(Clone, Debug, Default)]
pub struct DefaultSources {
    /// `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`.
    pub client_secret: Option<ClientSecret>,
    /// `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_CERTIFICATE_PATH`.
    pub client_certificate: Option<ClientCertificate>,
    /// `AZURE_FEDERATED_TOKEN_FILE` and its company.
    pub workload_identity: Option<WorkloadIdentity>,
    /// The metadata service.
    pub managed_identity: ManagedIdentity,
    /// The `az` command, which is asked last.
    pub azure_cli: Option<AzureCli>,
}

/// The `az` command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AzureCli {
    /// The tenant for which a token is asked; `None`: the one that is chosen there.
    pub tenant_id: Option<String>,
}

/// An application's secret.
#[derive(Clone, Debug)]
pub struct ClientSecret {
    /// The tenant's id.
    pub tenant_id: String,
    /// The application's id.
    pub client_id: String,
    /// Its secret.
    pub secret: SecretString,
}

/// An application's certificate with its key.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The tenant's id.
    pub tenant_id: String,
    /// The application's id.
    pub client_id: String,
    /// A PEM file with the certificate and its RSA key, read again for every token.
    pub file: PathBuf,
}

/// A managed identity.
#[derive(Clone, Debug, Default)]
pub struct ManagedIdentity {
    /// The client id of a user-assigned identity; `None`: the machine's own.
    pub client_id: Option<String>,
    /// How it is asked.
    pub endpoint: ManagedIdentityEndpoint,
}

/// The services that give managed-identity tokens.
#[derive(Clone, Debug, Default)]
pub enum ManagedIdentityEndpoint {
    /// The instance metadata service (IMDS) at its fixed address.
    #[default]
    Metadata,
    /// The same at another address (`AZURE_POD_IDENTITY_AUTHORITY_HOST`).
    MetadataAt(Url),
    /// `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`: App Service, Container Apps.
    Identity {
        /// The address.
        endpoint: Url,
        /// The header's secret.
        header: SecretString,
    },
    /// `MSI_ENDPOINT` and `MSI_SECRET`: Azure ML compute.
    Msi {
        /// The address.
        endpoint: Url,
        /// The secret.
        secret: SecretString,
    },
}

/// A federated token in a file.
#[derive(Clone, Debug)]
pub struct WorkloadIdentity {
    /// The tenant's id.
    pub tenant_id: String,
    /// The application's id.
    pub client_id: String,
    /// The file, read again for every token.
    pub token_file: PathBuf,
}
