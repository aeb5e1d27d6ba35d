//! The one place that builds HTTP clients: trusted roots, `.localhost`, proxies, no redirects.
//!
//! Names below `.localhost` are the loopback address (RFC 6761, 6.3) and are never asked of a resolver nor sent to a
//! proxy; nor is the metadata service of a machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, NoProxy, Proxy};
use url::Host;

use super::settings::Settings;
use crate::Error;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const READ_TIMEOUT: Duration = Duration::from_secs(90);
/// The address of the machine's metadata service.
pub(crate) const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// The ways to the network.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    /// To everybody: by the proxy, where there is one, but for names that are this machine.
    pub(crate) outside: Arc<dyn HttpClient>,
    /// To the service that gives the machine's identity, wherever it is: never by a proxy, and over plain http too.
    pub(crate) direct: Arc<dyn HttpClient>,
}

impl Clients {
    /// The clients of these settings, or the transport that they hand in.
    pub(crate) async fn new(settings: &Settings) -> Result<Self, Error> {
        if let Some(transport) = &settings.transport {
            return Ok(Self {
                outside: transport.clone(),
                direct: transport.clone(),
            });
        }
        let roots = match &settings.ca_file {
            Some(path) => roots(path).await?,
            None => Vec::new(),
        };
        // What the environment says of proxies is the program's to read.
        let mut outside = builder(&roots).no_proxy();
        if let Some(chosen) = &settings.proxy {
            let proxy = Proxy::all(chosen.address.as_str())
                .map_err(|source| local("the proxy", source.without_url()))?;
            let without = chosen.without.as_deref().and_then(NoProxy::from_string);
            outside = outside.proxy(proxy.no_proxy(without));
        }
        let build = |builder: ClientBuilder| {
            builder
                .build()
                .map_err(|source| local("the HTTP client", source.without_url()))
        };
        let direct = build(builder(&roots).no_proxy())?;
        let outside = Outside {
            proxied: build(outside.https_only(true))?,
            direct: direct.clone(),
        };
        Ok(Self {
            outside: Arc::new(outside),
            direct: Arc::new(direct),
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one builder of HTTP clients"
)]
fn builder(roots: &[Certificate]) -> ClientBuilder {
    Client::builder()
        .tls_certs_merge(roots.iter().cloned())
        .dns_resolver(Arc::new(Resolver))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .user_agent(concat!("mlark/", env!("CARGO_PKG_VERSION")))
}

async fn roots(path: &Path) -> Result<Vec<Certificate>, Error> {
    let what = || format!("the root certificates in {}", path.display());
    let pem = tokio::fs::read(path)
        .await
        .map_err(|source| local(&what(), source))?;
    let roots = Certificate::from_pem_bundle(&pem).map_err(|source| local(&what(), source))?;
    if roots.is_empty() {
        return Err(local(&what(), "there are none in it"));
    }
    Ok(roots)
}

fn local(what: &str, source: impl Into<crate::error::Cause>) -> Error {
    Error::Local {
        what: what.to_owned(),
        source: source.into(),
    }
}

/// One client for the world outside, and one that never uses a proxy for what is here.
#[derive(Debug)]
struct Outside {
    proxied: Client,
    direct: Client,
}

#[async_trait]
impl HttpClient for Outside {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let client = match request.url().host() {
            Some(host) if is_here(&host) => &self.direct,
            _ => &self.proxied,
        };
        client.execute_request(request).await
    }
}

/// Whether a host is this machine or its metadata service.
pub(crate) fn is_here<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => is_localhost(name.as_ref()),
        Host::Ipv4(address) => address.is_loopback() || *address == METADATA_ADDRESS,
        Host::Ipv6(address) => address.is_loopback(),
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

/// The system's resolver, but for names below `.localhost`.
#[derive(Debug)]
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str();
            let found: Vec<SocketAddr> = if is_localhost(name) {
                vec![
                    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
                    SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 0),
                ]
            } else {
                tokio::net::lookup_host((name, 0)).await?.collect()
            };
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_localhost_are_this_machine_and_others_are_not() {
        for name in ["localhost", "a.b.localhost", "A.LocalHost", "a.localhost."] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["notlocalhost", "localhost.example.com", "a.localhost.com"] {
            assert!(!is_localhost(name), "{name}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_leads_nowhere() -> Result<(), Box<dyn std::error::Error>> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let elsewhere = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let there = elsewhere.local_addr()?;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let here = listener.local_addr()?;
        let answered = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await?;
            let answer = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{there}/\r\ncontent-length: 0\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await
        });
        let clients = Clients::new(&Settings::default()).await?;
        let mut request = Request::new(
            format!("http://{here}/").parse()?,
            azure_core::http::Method::Get,
        );
        request.insert_header("authorization", "Bearer s3cret");
        let answer = clients.outside.execute_request(&request).await?;
        answered.await??;
        assert_eq!(u16::from(answer.status()), 307);
        let mut follower = Box::pin(elsewhere.accept());
        assert!(futures::poll!(&mut follower).is_pending(), "somebody came");
        Ok(())
    }

    #[tokio::test]
    async fn a_file_without_certificates_is_refused_by_name() -> Result<(), std::io::Error> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("empty.pem");
        tokio::fs::write(&path, "").await?;
        let settings = Settings {
            ca_file: Some(path.clone()),
            ..Settings::default()
        };
        let error = Clients::new(&settings)
            .await
            .err()
            .map(|error| error.to_string());
        assert_eq!(
            error,
            Some(format!(
                "Cannot use the root certificates in {}",
                path.display()
            ))
        );
        Ok(())
    }
}
