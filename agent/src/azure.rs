//! How Azure is reached, made of configuration and environment variables. The names of the variables are those of the
//! Azure SDKs; what the configuration says wins over them.

use std::fs;
use std::path::Path;

use secrecy::SecretString;
use url::Url;
use workspace::azure::credential::{
    AzureCli, ClientCertificate, ClientSecret, DefaultSources, ManagedIdentity,
    ManagedIdentityEndpoint, WorkloadIdentity,
};
use workspace::azure::{CloudName, CredentialSource, Observer, Proxy, Settings};

use crate::config::environment::Environment;
use crate::config::read::proxy_address;
use crate::config::{Azure, CredentialKind, Hosts, Network};
use crate::context::Context;
use crate::failure::Failure;

/// The largest file with a secret that is taken, in bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// What a connection is made from.
pub fn settings(
    azure: &Azure,
    context: &Context,
    observer: Option<Observer>,
) -> Result<Settings, Failure> {
    Ok(Settings {
        cloud: cloud(azure, &context.environment)?,
        credential: credential(azure, &context.environment)?,
        authority: authority(&context.environment)?,
        ca_file: azure.ca_file.clone(),
        proxy: proxy(&context.network, &context.environment)?,
        transport: context.transport.clone(),
        observer,
        clock: context.clock.clone(),
        quota: context.quota.clone(),
        concurrency: context.limits.concurrency.most(),
        bandwidth: context.bandwidth.clone(),
        ranges_ahead: Some(context.limits.ranges_ahead()),
    })
}

/// The proxy of `[network]`, or else that of the variables which curl and the Azure SDKs read; so for the hosts that are
/// reached without it.
fn proxy(network: &Network, environment: &Environment) -> Result<Option<Proxy>, Failure> {
    let of = |names: [&'static str; 2]| {
        names
            .into_iter()
            .find_map(|name| Some((name, environment.get(name)?)))
    };
    let variable = || of(["HTTPS_PROXY", "https_proxy"]).or_else(|| of(["ALL_PROXY", "all_proxy"]));
    let (name, text) = match (&network.proxy, variable()) {
        (Some(text), _) => ("network.proxy", text.as_str()),
        (None, Some((name, text))) => (name, text),
        (None, None) => return Ok(None),
    };
    // A variable may name host and port alone.
    let address = match text.contains("://") {
        true => proxy_address(text),
        false => proxy_address(&format!("http://{text}")),
    };
    // The address is not repeated: it may hold a password.
    let address = address.ok_or_else(|| {
        Failure::usage("The proxy is refused")
            .on(name)
            .why("it is no http:// or https:// address")
            .next("write it like http://proxy.example:3128, or leave it out")
    })?;
    let without = network.no_proxy.as_ref().map(Hosts::line);
    let variable = || of(["NO_PROXY", "no_proxy"]).map(|(_, text)| text.to_owned());
    Ok(Some(Proxy {
        address,
        without: without.or_else(variable),
    }))
}

fn cloud(azure: &Azure, environment: &Environment) -> Result<CloudName, Failure> {
    if let Some(name) = &azure.cloud {
        return name.parse().map_err(|error| {
            Failure::usage("The cloud is refused")
                .on(format!("`{name}`"))
                .because(&error)
        });
    }
    let Some(address) = environment.get("ARM_CLOUD_METADATA_URL") else {
        return Ok(CloudName::default());
    };
    // The variable names the description itself; the cloud is the host that serves it.
    let url = Url::parse(address)
        .ok()
        .filter(|url| url.scheme() == "https" && url.host_str().is_some());
    match url {
        Some(mut url) => {
            url.set_path("/");
            url.set_query(None);
            Ok(CloudName::At(url))
        }
        None => Err(Failure::usage("The cloud is refused")
            .on("ARM_CLOUD_METADATA_URL")
            .why("it is no https address")
            .next("write it like https://management.azure.com/metadata/endpoints?api-version=2022-09-01")),
    }
}

/// `AZURE_AUTHORITY_HOST`: an https address, or a bare host name as the SDKs take it.
fn authority(environment: &Environment) -> Result<Option<Url>, Failure> {
    let Some(text) = environment.get("AZURE_AUTHORITY_HOST") else {
        return Ok(None);
    };
    let address = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let url = Url::parse(&address)
        .ok()
        .filter(|url| url.scheme() == "https" && url.host_str().is_some());
    url.map(Some).ok_or_else(|| {
        Failure::usage("The login endpoint is refused")
            .on("AZURE_AUTHORITY_HOST")
            .why("it is no https address")
            .next("write it like https://login.microsoftonline.com, or unset it: the cloud names its own")
    })
}

fn credential(azure: &Azure, environment: &Environment) -> Result<CredentialSource, Failure> {
    match azure.credential.unwrap_or(CredentialKind::Default) {
        CredentialKind::Default => Ok(CredentialSource::Default(Box::new(DefaultSources {
            client_secret: client_secret(azure, environment)?,
            client_certificate: client_certificate(azure, environment),
            workload_identity: workload_identity(azure, environment),
            managed_identity: managed_identity(azure, environment)?,
            azure_cli: Some(azure_cli(azure)),
        }))),
        CredentialKind::ClientSecret => match client_secret(azure, environment)? {
            Some(secret) => Ok(CredentialSource::ClientSecret(secret)),
            None => Err(lacks(
                "client-secret",
                "tenant_id, client_id and client_secret_file (or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET)",
            )),
        },
        CredentialKind::WorkloadIdentity => match workload_identity(azure, environment) {
            Some(identity) => Ok(CredentialSource::WorkloadIdentity(identity)),
            None => Err(lacks(
                "workload-identity",
                "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE",
            )),
        },
        CredentialKind::ManagedIdentity => {
            managed_identity(azure, environment).map(CredentialSource::ManagedIdentity)
        }
        CredentialKind::AzureCli => Ok(CredentialSource::AzureCli(azure_cli(azure))),
        CredentialKind::ClientCertificate => match client_certificate(azure, environment) {
            Some(certificate) => Ok(CredentialSource::ClientCertificate(certificate)),
            None => Err(lacks(
                "client-certificate",
                "tenant_id, client_id and client_certificate_file (or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_CERTIFICATE_PATH)",
            )),
        },
    }
}

fn lacks(credential: &str, needs: &str) -> Failure {
    Failure::usage(format!("The credential `{credential}` is not complete"))
        .why(format!("it needs {needs}"))
        .next("set them under [azure] or in the environment")
}

fn setting(own: Option<&String>, environment: &Environment, variable: &str) -> Option<String> {
    own.cloned()
        .or_else(|| environment.get(variable).map(str::to_owned))
}

fn client_secret(
    azure: &Azure,
    environment: &Environment,
) -> Result<Option<ClientSecret>, Failure> {
    let secret = match &azure.client_secret_file {
        Some(file) => Some(read_secret(file)?),
        None => environment
            .get("AZURE_CLIENT_SECRET")
            .map(SecretString::from),
    };
    let tenant_id = setting(azure.tenant_id.as_ref(), environment, "AZURE_TENANT_ID");
    let client_id = setting(azure.client_id.as_ref(), environment, "AZURE_CLIENT_ID");
    Ok(match (tenant_id, client_id, secret) {
        (Some(tenant_id), Some(client_id), Some(secret)) => Some(ClientSecret {
            tenant_id,
            client_id,
            secret,
        }),
        _ => None,
    })
}

/// The text of a file with a secret in it, without the line end.
pub(crate) fn read_secret(file: &Path) -> Result<SecretString, Failure> {
    let refused = |error: &dyn std::fmt::Display| {
        Failure::usage("A file with a secret cannot be read")
            .on(file.display())
            .why(error)
    };
    let size = fs::metadata(file).map_err(|error| refused(&error))?.len();
    if size > SECRET_BYTES_MAX {
        return Err(refused(&"it is larger than 64 KiB"));
    }
    let text = fs::read_to_string(file).map_err(|error| refused(&error))?;
    Ok(text.trim_end_matches(['\r', '\n']).into())
}

fn client_certificate(azure: &Azure, environment: &Environment) -> Option<ClientCertificate> {
    Some(ClientCertificate {
        tenant_id: setting(azure.tenant_id.as_ref(), environment, "AZURE_TENANT_ID")?,
        client_id: setting(azure.client_id.as_ref(), environment, "AZURE_CLIENT_ID")?,
        file: azure
            .client_certificate_file
            .clone()
            .or_else(|| environment.path("AZURE_CLIENT_CERTIFICATE_PATH"))?,
    })
}

/// The tenant of the configuration alone: the variable is about applications, and `az` has a tenant of its own.
fn azure_cli(azure: &Azure) -> AzureCli {
    AzureCli {
        tenant_id: azure.tenant_id.clone(),
    }
}

fn workload_identity(azure: &Azure, environment: &Environment) -> Option<WorkloadIdentity> {
    Some(WorkloadIdentity {
        tenant_id: setting(azure.tenant_id.as_ref(), environment, "AZURE_TENANT_ID")?,
        client_id: setting(azure.client_id.as_ref(), environment, "AZURE_CLIENT_ID")?,
        token_file: environment.path("AZURE_FEDERATED_TOKEN_FILE")?,
    })
}

fn managed_identity(azure: &Azure, environment: &Environment) -> Result<ManagedIdentity, Failure> {
    let address = |variable: &str, text: &str| {
        Url::parse(text).map_err(|error| {
            Failure::usage("The address of the identity service is refused")
                .on(variable)
                .because(&error)
        })
    };
    let pair = |endpoint: &str, secret: &str| {
        Some((
            environment.get(endpoint)?,
            SecretString::from(environment.get(secret)?),
        ))
    };
    let endpoint = if let Some((text, header)) = pair("IDENTITY_ENDPOINT", "IDENTITY_HEADER") {
        let endpoint = address("IDENTITY_ENDPOINT", text)?;
        ManagedIdentityEndpoint::Identity { endpoint, header }
    } else if let Some((text, secret)) = pair("MSI_ENDPOINT", "MSI_SECRET") {
        let endpoint = address("MSI_ENDPOINT", text)?;
        ManagedIdentityEndpoint::Msi { endpoint, secret }
    } else if let Some(text) = environment.get("AZURE_POD_IDENTITY_AUTHORITY_HOST") {
        ManagedIdentityEndpoint::MetadataAt(address("AZURE_POD_IDENTITY_AUTHORITY_HOST", text)?)
    } else {
        ManagedIdentityEndpoint::Metadata
    };
    Ok(ManagedIdentity {
        client_id: setting(azure.client_id.as_ref(), environment, "AZURE_CLIENT_ID"),
        endpoint,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_configuration_wins_over_the_variables_of_the_sdks() {
        let variables = environment(&[
            ("AZURE_TENANT_ID", "t1"),
            ("AZURE_CLIENT_ID", "c1"),
            ("AZURE_CLIENT_SECRET", "hunter2"),
        ]);
        let azure = Azure {
            credential: Some(CredentialKind::ClientSecret),
            client_id: Some("c2".to_owned()),
            ..Azure::default()
        };
        let CredentialSource::ClientSecret(secret) = credential(&azure, &variables).unwrap() else {
            panic!("a client secret was configured");
        };
        assert_eq!(
            (secret.tenant_id.as_str(), secret.client_id.as_str()),
            ("t1", "c2")
        );
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[test]
    fn a_credential_that_lacks_a_part_is_refused_with_what_it_needs() {
        let azure = Azure {
            credential: Some(CredentialKind::ClientSecret),
            ..Azure::default()
        };
        let lines = credential(&azure, &Environment::default())
            .unwrap_err()
            .lines();
        assert!(
            lines.contains("client_secret_file") && lines.contains("AZURE_CLIENT_SECRET"),
            "{lines}"
        );
    }

    #[test]
    fn a_certificate_is_found_by_configuration_or_variable() {
        let azure = Azure {
            credential: Some(CredentialKind::ClientCertificate),
            tenant_id: Some("t".to_owned()),
            client_id: Some("c".to_owned()),
            ..Azure::default()
        };
        let file = |azure: &Azure, variables: &[(&str, &str)]| match credential(
            azure,
            &environment(variables),
        ) {
            Ok(CredentialSource::ClientCertificate(found)) => found.file.display().to_string(),
            other => format!("{other:?}"),
        };
        let variables = [("AZURE_CLIENT_CERTIFICATE_PATH", "/a.pem")];
        assert_eq!(file(&azure, &variables), "/a.pem");
        let own = Azure {
            client_certificate_file: Some("/b.pem".into()),
            ..azure.clone()
        };
        assert_eq!(file(&own, &variables), "/b.pem");
        assert!(file(&azure, &[]).contains("client_certificate_file"));
    }

    #[test]
    fn the_login_endpoint_of_the_variable_is_https() {
        let found = |text| {
            let environment = environment(&[("AZURE_AUTHORITY_HOST", text)]);
            authority(&environment)
                .ok()
                .flatten()
                .map(|url| url.to_string())
        };
        let login = Some("https://login.x/".to_owned());
        assert_eq!(found("https://login.x"), login);
        assert_eq!(found("login.x"), login);
        assert_eq!(found("http://login.x"), None);
        assert!(authority(&environment(&[("AZURE_AUTHORITY_HOST", "http://x")])).is_err());
    }

    #[test]
    fn the_proxy_is_that_of_the_configuration_or_else_of_the_variables() {
        let found = |proxy: Option<&str>, no_proxy: Option<&str>, variables: &[(&str, &str)]| {
            let network = Network {
                proxy: proxy.map(str::to_owned),
                no_proxy: no_proxy.map(|line| Hosts::Line(line.to_owned())),
            };
            let found = super::proxy(&network, &environment(variables)).unwrap();
            found.map(|proxy| (proxy.address.to_string(), proxy.without))
        };
        let variables = [("HTTPS_PROXY", "env:3128"), ("NO_PROXY", "a,b")];
        let of = |address: &str, without: Option<&str>| {
            Some((address.to_owned(), without.map(str::to_owned)))
        };
        assert_eq!(found(None, None, &[]), None);
        assert_eq!(found(None, Some("c"), &[]), None);
        assert_eq!(
            found(None, None, &variables),
            of("http://env:3128/", Some("a,b"))
        );
        assert_eq!(
            found(None, Some("c"), &variables),
            of("http://env:3128/", Some("c"))
        );
        assert_eq!(
            found(Some("https://own:1"), None, &variables),
            of("https://own:1/", Some("a,b"))
        );
        let small = [("all_proxy", "http://env"), ("no_proxy", "d")];
        assert_eq!(found(None, None, &small), of("http://env/", Some("d")));
    }

    #[test]
    fn the_password_of_a_proxy_never_appears() {
        let network = Network::default();
        let good = environment(&[("HTTPS_PROXY", "http://me:hunter2@proxy:3128")]);
        let shown = format!("{:?}", super::proxy(&network, &good).unwrap());
        assert!(shown.contains("proxy:3128") && !shown.contains("hunter2"));
        let bad = environment(&[("HTTPS_PROXY", "ftp://me:hunter2@proxy")]);
        let lines = super::proxy(&network, &bad).unwrap_err().lines();
        assert!(lines.contains("HTTPS_PROXY") && !lines.contains("hunter2"));
    }

    #[test]
    fn the_identity_service_is_found_by_the_variables_of_its_platform() {
        let azure = Azure::default();
        let endpoint = |variables: &[(&str, &str)]| {
            managed_identity(&azure, &environment(variables))
                .unwrap()
                .endpoint
        };
        assert!(matches!(endpoint(&[]), ManagedIdentityEndpoint::Metadata));
        assert!(matches!(
            endpoint(&[
                ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/x"),
                ("IDENTITY_HEADER", "h")
            ]),
            ManagedIdentityEndpoint::Identity { .. }
        ));
        assert!(matches!(
            endpoint(&[
                ("MSI_ENDPOINT", "http://127.0.0.1:1/x"),
                ("MSI_SECRET", "h")
            ]),
            ManagedIdentityEndpoint::Msi { .. }
        ));
        assert!(matches!(
            endpoint(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")]),
            ManagedIdentityEndpoint::MetadataAt(_)
        ));
    }

    #[test]
    fn the_cloud_is_the_host_that_describes_it() {
        let variables = environment(&[(
            "ARM_CLOUD_METADATA_URL",
            "https://arm.localhost:8443/metadata/endpoints?api-version=2022-09-01",
        )]);
        let name = cloud(&Azure::default(), &variables).unwrap();
        assert_eq!(
            name,
            CloudName::At("https://arm.localhost:8443/".parse().unwrap())
        );
    }
}
