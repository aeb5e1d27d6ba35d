//! A cloud as it describes itself: where its services are, and which audiences their tokens are for.
//!
//! `GET {arm}/metadata/endpoints?api-version=2022-09-01` answers without a token, an object or a list of one.

use std::str::FromStr;

use serde_json::Value;
use url::Url;

use super::traffic::Service;
use crate::Error;

/// Which cloud to speak to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CloudName {
    /// Azure.
    #[default]
    Public,
    /// Azure Government.
    UsGovernment,
    /// Azure in China.
    China,
    /// The cloud whose ARM endpoint this is.
    At(Url),
}

impl CloudName {
    /// The address of its ARM.
    pub fn resource_manager(&self) -> Result<Url, Error> {
        let text = match self {
            Self::Public => "https://management.azure.com/",
            Self::UsGovernment => "https://management.usgovcloudapi.net/",
            Self::China => "https://management.chinacloudapi.cn/",
            Self::At(url) => return Ok(url.clone()),
        };
        parse_url(text)
    }

    /// The audience of the data plane (run history, metrics, MLflow) where the cloud does not name one.
    fn data_audience(&self) -> &'static str {
        match self {
            Self::UsGovernment => "https://ml.azure.us",
            Self::China => "https://ml.azure.cn",
            Self::Public | Self::At(_) => "https://ml.azure.com",
        }
    }
}

impl FromStr for CloudName {
    type Err = Error;

    /// Takes `public`, `usgovernment`, `china`, or the https address of an ARM endpoint.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "public" => Ok(Self::Public),
            "usgovernment" => Ok(Self::UsGovernment),
            "china" => Ok(Self::China),
            _ => match Url::parse(text) {
                Ok(url) if url.scheme() == "https" && url.host_str().is_some() => Ok(Self::At(url)),
                _ => Err(Error::Name {
                    text: text.to_owned(),
                    what: "a cloud (public, usgovernment, china, or the https address of its ARM)",
                }),
            },
        }
    }
}

/// Where a cloud's services are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// Its own name for itself.
    pub name: String,
    /// ARM.
    pub resource_manager: Url,
    /// The login endpoint.
    pub login: Url,
    /// What follows `{account}.blob.`; may carry a port.
    pub storage_suffix: String,
    /// The audience of ARM tokens, without a slash at its end.
    pub arm_audience: String,
    /// That of storage tokens.
    pub storage_audience: String,
    /// That of data-plane tokens.
    pub data_audience: String,
}

impl Cloud {
    /// Where a cloud's description of itself is.
    pub fn metadata_url(name: &CloudName) -> Result<Url, Error> {
        let mut url = name.resource_manager()?;
        url.set_path("/metadata/endpoints");
        url.set_query(Some("api-version=2022-09-01"));
        Ok(url)
    }

    /// Reads that description.
    pub(crate) fn from_metadata(name: &CloudName, document: &Value) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::Answer {
            act: "GET /metadata/endpoints".to_owned(),
            reason: reason.to_owned(),
        };
        let asked = name.resource_manager()?;
        let entry = match document {
            Value::Array(entries) => entries
                .iter()
                .find(|entry| {
                    url_at(entry, "/resourceManager").is_some_and(|url| url.host() == asked.host())
                })
                .or(entries.first())
                .ok_or_else(|| wrong("it names no cloud"))?,
            entry => entry,
        };
        let resource_manager = url_at(entry, "/resourceManager").unwrap_or(asked);
        let login = url_at(entry, "/authentication/loginEndpoint")
            .ok_or_else(|| wrong("it names no login endpoint"))?;
        let storage_suffix = entry
            .pointer("/suffixes/storage")
            .and_then(Value::as_str)
            .map(|suffix| suffix.trim_matches(['.', '/']).to_owned())
            .filter(|suffix| is_suffix(suffix))
            .ok_or_else(|| wrong("it names no storage suffix"))?;
        Ok(Self {
            name: entry
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or("unnamed")
                .to_owned(),
            arm_audience: resource_manager.as_str().trim_end_matches('/').to_owned(),
            storage_audience: audience(entry, "storage.")
                .unwrap_or_else(|| "https://storage.azure.com".to_owned()),
            data_audience: audience(entry, "ml.")
                .unwrap_or_else(|| name.data_audience().to_owned()),
            resource_manager,
            login,
            storage_suffix,
        })
    }

    /// The address of an account's blob or file service.
    pub fn storage_url(&self, account: &str, service: Service) -> Result<Url, Error> {
        let service = if service == Service::File {
            "file"
        } else {
            "blob"
        };
        if !is_account(account) {
            return Err(Error::Name {
                text: account.to_owned(),
                what: "the name of a storage account",
            });
        }
        parse_url(&format!(
            "https://{account}.{service}.{}/",
            self.storage_suffix
        ))
    }

    /// The account and service that a host of this cloud's storage names.
    pub fn storage_host(&self, url: &Url) -> Option<(String, Service)> {
        let host = host_of(url);
        let (account, rest) = host.split_once('.')?;
        let (service, suffix) = rest.split_once('.')?;
        let service = match service {
            "blob" | "dfs" => Service::Blob,
            "file" => Service::File,
            _ => return None,
        };
        (url.scheme() == "https" && is_account(account) && suffix == self.storage_suffix)
            .then(|| (account.to_owned(), service))
    }
}

/// Host and, where it is not the scheme's own, port.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

pub(crate) fn parse_url(text: &str) -> Result<Url, Error> {
    Url::parse(text).map_err(|_| Error::Name {
        text: text.split(['?', '#']).next().unwrap_or_default().to_owned(),
        what: "an address",
    })
}

fn url_at(entry: &Value, pointer: &str) -> Option<Url> {
    let url = Url::parse(entry.pointer(pointer)?.as_str()?).ok()?;
    (url.scheme() == "https" && url.host_str().is_some()).then_some(url)
}

/// The audience among those that the cloud names whose host begins with the given label.
fn audience(entry: &Value, label: &str) -> Option<String> {
    entry
        .pointer("/authentication/audiences")?
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .find(|audience| {
            audience
                .strip_prefix("https://")
                .is_some_and(|host| host.starts_with(label))
        })
        .map(|audience| audience.trim_end_matches('/').to_owned())
}

fn is_account(account: &str) -> bool {
    (1..=63).contains(&account.len())
        && account
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_suffix(suffix: &str) -> bool {
    let (host, port) = suffix.split_once(':').unwrap_or((suffix, "443"));
    !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
        && port.parse::<u16>().is_ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    fn described(arm: &str, audiences: Value) -> Value {
        json!({
            "name": "x", "resourceManager": format!("https://{arm}/"), "suffixes": {"storage": "core.x.localhost:8443"},
            "authentication": {"loginEndpoint": "https://login.x/", "audiences": audiences},
        })
    }

    #[test]
    fn audiences_are_those_that_the_cloud_names_or_else_the_public_ones() {
        let at = CloudName::At(Url::parse("https://management.x:8443").unwrap());
        let of = |name: &CloudName, document: &Value| {
            let cloud = Cloud::from_metadata(name, document).unwrap();
            [
                cloud.arm_audience,
                cloud.storage_audience,
                cloud.data_audience,
            ]
        };
        let named = json!([
            "https://management.core.x/",
            "https://management.x:8443/",
            "https://storage.x/",
            "https://ml.x/"
        ]);
        assert_eq!(
            of(&at, &described("management.x:8443", named)),
            [
                "https://management.x:8443",
                "https://storage.x",
                "https://ml.x"
            ]
        );
        let public = [
            "https://management.x:8443",
            "https://storage.azure.com",
            "https://ml.azure.com",
        ];
        for silent in [
            json!(["https://management.x:8443/"]),
            json!([]),
            Value::Null,
        ] {
            assert_eq!(of(&at, &described("management.x:8443", silent)), public);
        }
        let gov = described("management.usgovcloudapi.net", json!([]));
        assert_eq!(of(&CloudName::UsGovernment, &gov)[2], "https://ml.azure.us");
    }

    #[test]
    fn of_a_list_of_clouds_the_one_that_was_asked_counts() {
        let at = CloudName::At(Url::parse("https://management.b").unwrap());
        let list = json!([
            described("management.a", Value::Null),
            described("management.b", Value::Null)
        ]);
        let cloud = Cloud::from_metadata(&at, &list).unwrap();
        assert_eq!(cloud.resource_manager.as_str(), "https://management.b/");
        for broken in [
            json!([]),
            json!({}),
            json!({"resourceManager": "https://management.b"}),
        ] {
            assert!(Cloud::from_metadata(&at, &broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn the_hosts_of_storage_are_those_of_the_clouds_own_suffix() {
        let at = CloudName::At(Url::parse("https://management.x").unwrap());
        let document = described("management.x", Value::Null);
        let cloud = Cloud::from_metadata(&at, &document).unwrap();
        let url = cloud.storage_url("acct", Service::File).unwrap();
        assert_eq!(url.as_str(), "https://acct.file.core.x.localhost:8443/");
        assert_eq!(
            cloud.storage_host(&url),
            Some(("acct".to_owned(), Service::File))
        );
        assert!(cloud.storage_url("a.b", Service::Blob).is_err());
    }
}
