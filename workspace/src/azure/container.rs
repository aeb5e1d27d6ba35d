//! What keeps the blobs of a whole container as they are, by Resource Manager: its time-based policy and its legal hold
//! (Microsoft.Storage 2023-01-01, "Blob Containers").
//!
//! For containers without version-level immutability. A policy counts from the creation of each blob; once it is locked it can
//! be made longer, five times at most, and nothing else.

use azure_core::http::{Context, Method};
use futures::TryStreamExt;
use serde_json::{Value, json};
use url::Url;

use super::answer::Answer;
use super::connection::{Access, Connection, json_request, success};
use super::pager;
use crate::Error;

const API_VERSION: &str = "2023-01-01";
const DAYS: &str = "immutabilityPeriodSinceCreationInDays";

/// A container as Resource Manager knows it.
#[derive(Clone, Debug)]
pub struct KeptContainer {
    connection: Connection,
    /// Its ARM id.
    id: String,
}

/// The policy of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPolicy {
    /// Days from the creation of each blob.
    pub days: i64,
    /// Whether it can no longer be shortened or taken away.
    pub locked: bool,
    /// Its entity tag.
    etag: String,
}

impl KeptContainer {
    /// A container of the account with this ARM id.
    pub fn of_account(connection: &Connection, account_id: &str, container: &str) -> Self {
        let account = account_id.trim_end_matches('/');
        Self {
            connection: connection.clone(),
            id: format!("{account}/blobServices/default/containers/{container}"),
        }
    }

    /// A container of the account of that name in one of these subscriptions; none where no such account is shown.
    pub async fn find(
        connection: &Connection,
        subscriptions: &[String],
        account: &str,
        container: &str,
    ) -> Result<Option<Self>, Error> {
        for subscription in subscriptions {
            let path = format!(
                "/subscriptions/{subscription}/providers/Microsoft.Storage/storageAccounts"
            );
            let mut pages = std::pin::pin!(pager::pages(connection, url(connection, &path)));
            while let Some(page) = pages.try_next().await? {
                let found = page.values.iter().find(|row| {
                    let name = row.get("name").and_then(Value::as_str);
                    name.is_some_and(|name| name.eq_ignore_ascii_case(account))
                });
                if let Some(id) = found.and_then(|row| row.get("id")?.as_str()) {
                    return Ok(Some(Self::of_account(connection, id, container)));
                }
            }
        }
        Ok(None)
    }

    /// Its ARM id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The policy that it has.
    pub async fn policy(&self) -> Result<Option<ContainerPolicy>, Error> {
        let answer = self
            .connection
            .get(self.url("/immutabilityPolicies/default"));
        match answer.await {
            Ok(answer) => policy_of(&answer),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives it a policy of so many days, or changes the one that is not locked.
    pub async fn put_policy(&self, days: i64) -> Result<ContainerPolicy, Error> {
        let below = "/immutabilityPolicies/default";
        self.change(Method::Put, below, None, Some(days)).await
    }

    /// Locks the policy as it was read.
    pub async fn lock(&self, policy: &ContainerPolicy) -> Result<ContainerPolicy, Error> {
        let below = "/immutabilityPolicies/default/lock";
        let etag = Some(policy.etag.as_str());
        self.change(Method::Post, below, etag, None).await
    }

    /// Makes the locked policy longer.
    pub async fn extend(
        &self,
        policy: &ContainerPolicy,
        days: i64,
    ) -> Result<ContainerPolicy, Error> {
        let below = "/immutabilityPolicies/default/extend";
        let etag = Some(policy.etag.as_str());
        self.change(Method::Post, below, etag, Some(days)).await
    }

    /// Sets or takes away a tag of its legal hold: 3 to 23 letters and digits. Others' tags stay.
    pub async fn hold(&self, tag: &str, held: bool) -> Result<(), Error> {
        let below = if held {
            "/setLegalHold"
        } else {
            "/clearLegalHold"
        };
        let request = json_request(Method::Post, self.url(below), &json!({"tags": [tag]}));
        let sent = self.connection.send(Access::Token, Context::new(), request);
        sent.await.map(drop)
    }

    /// The tags of its legal hold.
    pub async fn holds(&self) -> Result<Vec<String>, Error> {
        let document = self.connection.get(self.url("")).await?.json()?;
        let tags = document.pointer("/properties/legalHold/tags");
        let tags = tags.and_then(Value::as_array).into_iter().flatten();
        Ok(tags
            .filter_map(|tag| Some(tag.get("tag")?.as_str()?.to_owned()))
            .collect())
    }

    async fn change(
        &self,
        method: Method,
        below: &str,
        etag: Option<&str>,
        days: Option<i64>,
    ) -> Result<ContainerPolicy, Error> {
        let body = days.map_or(json!({}), |days| json!({"properties": {DAYS: days}}));
        let mut request = json_request(method, self.url(below), &body);
        if let Some(etag) = etag {
            request.insert_header("if-match", etag.to_owned());
        }
        let sent = self
            .connection
            .exchange(Access::Token, Context::new(), request);
        let answer = success(sent.await?)?;
        policy_of(&answer)?.ok_or_else(|| answer.unusable("it shows no policy"))
    }

    fn url(&self, below: &str) -> Url {
        url(&self.connection, &format!("{}{below}", self.id))
    }
}

fn url(connection: &Connection, path: &str) -> Url {
    let mut url = connection.cloud().resource_manager.clone();
    url.set_path(path);
    url.query_pairs_mut()
        .append_pair("api-version", API_VERSION);
    url
}

/// The policy of an answer. A container without one shows zero days.
fn policy_of(answer: &Answer) -> Result<Option<ContainerPolicy>, Error> {
    let document = answer.json()?;
    let days = document.pointer(&format!("/properties/{DAYS}"));
    let Some(days) = days.and_then(Value::as_i64).filter(|days| *days > 0) else {
        return Ok(None);
    };
    let etag = document.get("etag").and_then(Value::as_str);
    let state = document.pointer("/properties/state");
    Ok(Some(ContainerPolicy {
        days,
        locked: state.and_then(Value::as_str) == Some("Locked"),
        etag: etag
            .or_else(|| answer.header("etag"))
            .unwrap_or("*")
            .to_owned(),
    }))
}
