//! Managed identity: the metadata service of the machine, and the services that stand in for it.
//!
//! An own client, since the official one knows neither another address of the metadata service nor Azure ML compute's
//! `MSI_ENDPOINT`. It speaks plain http, within the machine, and never through a proxy.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::Secret;
use azure_core::http::{Context, Method, Pipeline, PipelineSendOptions, Request};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::{Host, Url};

use super::source::Fresh;
use super::{ManagedIdentity, ManagedIdentityEndpoint};
use crate::Error;
use crate::azure::answer::{from_core, shortened};
use crate::azure::cloud::host_of;
use crate::azure::http::{METADATA_ADDRESS, is_here};
use crate::azure::retry::Shared;
use crate::azure::wire::PlainHttp;
use crate::json;

/// Statuses by which the metadata service says "not yet", besides 429 and 5xx. After a 410 it is back within 70 seconds
/// (Microsoft's page "How to use managed identities on an Azure VM", retry guidance), for which the pipeline's waits suffice.
pub(crate) const NOT_YET: &[u16] = &[404, 410];
/// How long a machine without a metadata service is asked, where other sources are to be tried.
const PROBE: Duration = Duration::from_secs(3);

type PlaceOf<'a> = (
    Url,
    &'static str,
    &'static str,
    Option<(&'static str, &'a SecretString)>,
);

/// A client of one such service.
#[derive(Debug)]
pub(crate) struct MetadataService {
    identity: ManagedIdentity,
    pipeline: Pipeline,
    shared: Arc<Shared>,
    probing: bool,
}

impl MetadataService {
    pub(crate) fn new(identity: ManagedIdentity, pipeline: Pipeline, shared: Arc<Shared>) -> Self {
        Self {
            identity,
            pipeline,
            shared,
            probing: false,
        }
    }

    /// The same, giving up soon where nothing answers.
    pub(crate) fn probing(self) -> Self {
        Self {
            probing: true,
            ..self
        }
    }

    /// Asks for a token.
    pub(crate) async fn token(&self, audience: &str) -> Result<Fresh, Error> {
        if !self.probing {
            return self.ask(audience).await;
        }
        let mut asked = std::pin::pin!(self.ask(audience));
        match tokio::time::timeout(PROBE, &mut asked).await {
            Ok(answer) => answer,
            // It is there and says "not yet".
            Err(_) if self.answers()? => asked.await,
            Err(_) => Err(refused("no metadata service answers on this machine")),
        }
    }

    /// Whether the service answered at all.
    fn answers(&self) -> Result<bool, Error> {
        let (url, ..) = self.place()?;
        Ok(self.shared.knows(&host_of(&url)))
    }

    async fn ask(&self, audience: &str) -> Result<Fresh, Error> {
        let mut request = self.request(audience)?;
        let ctx = Context::new().with_value(PlainHttp);
        let options = PipelineSendOptions {
            skip_checks: true,
            ..PipelineSendOptions::default()
        };
        let answer = self
            .pipeline
            .send(&ctx, &mut request, Some(options))
            .await
            .map_err(|error| from_core(error, "GET the metadata service"))?;
        let status = u16::from(answer.status());
        if status != 200 {
            let body = String::from_utf8_lossy(answer.body()).into_owned();
            return Err(refused(&format!(
                "the metadata service answered {status}: {}",
                shortened(&body, 200)
            )));
        }
        let value = json::parse(answer.body())
            .map_err(|_| refused("the metadata service answered no JSON"))?;
        self.fresh(&value)
            .ok_or_else(|| refused("the metadata service answered no token"))
    }

    fn request(&self, audience: &str) -> Result<Request, Error> {
        let client = self.identity.client_id.as_deref();
        let (url, version, client_key, header) = self.place()?;
        build(
            url,
            version,
            audience,
            client.map(|id| (client_key, id)),
            header,
        )
    }

    /// The address, its api-version, how a client id is named, and the header with the secret.
    fn place(&self) -> Result<PlaceOf<'_>, Error> {
        Ok(match &self.identity.endpoint {
            ManagedIdentityEndpoint::Metadata => {
                let mut url = plain(&format!("http://{METADATA_ADDRESS}/"))?;
                url.set_path("/metadata/identity/oauth2/token");
                (url, "2018-02-01", "client_id", None)
            }
            ManagedIdentityEndpoint::MetadataAt(at) => {
                let mut url = at.clone();
                url.set_path("/metadata/identity/oauth2/token");
                (url, "2018-02-01", "client_id", None)
            }
            ManagedIdentityEndpoint::Identity { endpoint, header } => (
                endpoint.clone(),
                "2019-08-01",
                "client_id",
                Some(("x-identity-header", header)),
            ),
            ManagedIdentityEndpoint::Msi { endpoint, secret } => (
                endpoint.clone(),
                "2017-09-01",
                "clientid",
                Some(("secret", secret)),
            ),
        })
    }

    fn fresh(&self, value: &Value) -> Option<Fresh> {
        let token = value.get("access_token")?.as_str()?.to_owned();
        let seconds = |key: &str| match value.get(key)? {
            Value::String(text) => text.parse::<i64>().ok(),
            number => number.as_i64(),
        };
        let left = seconds("expires_in").or_else(|| {
            let end = seconds("expires_on").or_else(|| date(value.get("expires_on")?))?;
            Some(end - self.shared.clock.now().as_second())
        })?;
        Some(Fresh {
            token: Secret::new(token),
            lifetime: Duration::from_secs(u64::try_from(left).ok()?.clamp(30, 86_400)),
        })
    }
}

fn build(
    mut url: Url,
    version: &str,
    audience: &str,
    client: Option<(&str, &str)>,
    header: Option<(&'static str, &SecretString)>,
) -> Result<Request, Error> {
    let private = |host: &Host<&str>| match host {
        Host::Ipv4(address) => address.is_private() || address.is_link_local(),
        Host::Ipv6(address) => address.is_unique_local(),
        Host::Domain(_) => false,
    };
    let near = url
        .host()
        .is_some_and(|host| is_here(&host) || private(&host));
    if url.scheme() != "https" && !near {
        return Err(refused("its address is plain http and not on this machine"));
    }
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("api-version", version)
            .append_pair("resource", audience);
        if let Some((key, id)) = client {
            query.append_pair(key, id);
        }
    }
    let mut request = Request::new(url, Method::Get);
    request.insert_header("metadata", "true");
    if let Some((name, secret)) = header {
        request.insert_header(name, secret.expose_secret().to_owned());
    }
    Ok(request)
}

/// A date as the first version of App Service's endpoint writes it: `11/23/2026 09:10:18 +00:00`, in places with AM or PM.
fn date(value: &Value) -> Option<i64> {
    let text = value.as_str()?;
    ["%m/%d/%Y %H:%M:%S %:z", "%m/%d/%Y %I:%M:%S %p %:z"]
        .into_iter()
        .find_map(|form| jiff::Timestamp::strptime(form, text).ok())
        .map(jiff::Timestamp::as_second)
}

fn plain(text: &str) -> Result<Url, Error> {
    crate::azure::cloud::parse_url(text)
}

fn refused(reason: &str) -> Error {
    Error::Credential {
        credential: "managed-identity".to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_token_is_read_as_a_date_too() {
        let second = |text: &str| date(&Value::from(text));
        assert_eq!(second("11/23/2026 09:10:18 +00:00"), Some(1_795_425_018));
        assert_eq!(second("11/23/2026 9:10:18 AM +00:00"), Some(1_795_425_018));
        assert_eq!(second("soon"), None);
    }
}
