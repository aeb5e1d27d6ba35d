//! Run history: discovery of the data plane, run records, child runs, metrics.
//!
//! `history/v1.0` and `metric/v2.0` as azure-ai-ml 1.35.2 carries them.

use std::collections::HashSet;

use azure_core::http::{Context, Method, Request};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use url::Url;

use super::answer::Answer;
use super::arm::Arm;
use super::connection::{Access, Connection, json_request};
use super::locate;
use super::pager::Names;
use crate::{Document, Error, Form};

pub(crate) const API_VERSION: &str = "v1.0";

/// The data plane of a workspace.
#[derive(Debug)]
pub(crate) struct History {
    connection: Connection,
    discovery: Result<Url, String>,
    arm_id: String,
    base: OnceCell<Url>,
}

/// A metric of a run, as the list of metrics names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetricName {
    pub(crate) name: String,
    pub(crate) namespace: Option<String>,
}

impl History {
    /// Of a workspace whose document is at hand.
    pub(crate) fn new(arm: &Arm, workspace: &Value) -> Self {
        let discovery = workspace
            .pointer("/properties/discoveryUrl")
            .and_then(Value::as_str)
            .and_then(|text| Url::parse(text).ok())
            .filter(|url| url.scheme() == "https")
            .ok_or_else(|| "its document names no discovery address".to_owned());
        Self {
            connection: arm.connection.clone(),
            discovery,
            arm_id: arm.name.arm_id(),
            base: OnceCell::new(),
        }
    }

    /// Where the data plane is; asked for once.
    pub(crate) async fn base(&self) -> Result<&Url, Error> {
        self.base.get_or_try_init(|| self.discover()).await
    }

    /// The address of discovery, as Resource Manager named it.
    pub(crate) fn discovery(&self) -> Result<&Url, Error> {
        self.discovery.as_ref().map_err(|reason| Error::Answer {
            act: format!("GET {}", self.arm_id),
            reason: reason.clone(),
        })
    }

    async fn discover(&self) -> Result<Url, Error> {
        let discovery = self.discovery()?;
        let request = Request::new(discovery.clone(), Method::Get);
        let answer = self
            .connection
            .send(Access::Open, Context::new(), request)
            .await?;
        let document = answer.json()?;
        let named = |key: &str| {
            let text = document.get(key)?.as_str()?;
            let with_scheme = if text.contains("://") {
                text.to_owned()
            } else {
                format!("https://{text}")
            };
            Url::parse(&with_scheme).ok()
        };
        let trust = self.connection.trust();
        for key in document.as_object().into_iter().flat_map(|map| map.keys()) {
            if let Some(url) = named(key) {
                trust.admit(discovery, &url);
            }
        }
        named("history")
            .or_else(|| named("api"))
            .filter(|url| trust.audience(url).is_some())
            .ok_or_else(|| answer.unusable("it names no host of run history that is trusted"))
    }

    /// An address below `/{service}{workspace}`.
    pub(crate) async fn url(&self, service: &str, path: &[&str]) -> Result<Url, Error> {
        let mut url = self.base().await?.clone();
        url.set_query(None);
        url.set_path(&format!("/{service}{}", self.arm_id));
        for part in path {
            if part.contains('/') {
                return Err(Error::Name {
                    text: (*part).to_owned(),
                    what: "a part of an address of run history",
                });
            }
            url = locate::below(&url, part)?;
        }
        Ok(url)
    }

    /// One run record; `None` where there is none.
    pub(crate) async fn run(&self, run: &str) -> Result<Option<Document>, Error> {
        let mut url = self.url("history/v1.0", &["runs", run]).await?;
        url.set_query(Some("api-version=v1.0"));
        match self.connection.get(url).await {
            Ok(answer) => {
                let value = answer.json()?;
                if value.is_object() {
                    Ok(Some(self.document(value)))
                } else {
                    Err(answer.unusable("it is no JSON object"))
                }
            }
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn document(&self, value: Value) -> Document {
        Document {
            form: Form::RunHistory,
            api_version: API_VERSION.to_owned(),
            read: self.connection.clock().now(),
            value,
        }
    }

    /// The records of the runs right below a run.
    pub(crate) async fn children(&self, run: &str) -> Result<Vec<Document>, Error> {
        let base = self.url("history/v1.0", &["runs", run, "children"]).await?;
        let mut found = Vec::new();
        let mut known = HashSet::new();
        let mut tokens = Tokens::default();
        loop {
            let mut url = base.clone();
            url.query_pairs_mut()
                .append_pair("api-version", API_VERSION);
            if let Some(token) = &tokens.next {
                url.query_pairs_mut()
                    .append_pair("$continuationtoken", token);
            }
            let answer = self.connection.get(url).await?;
            let (page, document) = page_of(&answer)?;
            // A list that moves while it is read may show one again.
            let new = page.into_iter().filter(|value| {
                let id = value.get("runId").and_then(Value::as_str);
                id.is_none_or(|id| known.insert(id.to_owned()))
            });
            found.extend(new.map(|value| self.document(value)));
            if !tokens.follow(&answer, &document)? {
                return Ok(found);
            }
        }
    }

    /// The names of a run's metrics.
    pub(crate) async fn metrics(&self, run: &str) -> Result<Vec<MetricName>, Error> {
        let url = self.metric_url(run, "list").await?;
        let mut found: Vec<MetricName> = Vec::new();
        let mut tokens = Tokens::default();
        loop {
            let body = json!({"continuationToken": tokens.next});
            let answer = self.ask(&url, &body).await?;
            let (page, document) = page_of(&answer)?;
            for value in page {
                let text = |pointer| value.pointer(pointer).and_then(Value::as_str);
                let name = text("/metricKey/name").or_else(|| text("/name"));
                let metric = MetricName {
                    name: name
                        .ok_or_else(|| answer.unusable("a metric has no name"))?
                        .to_owned(),
                    namespace: text("/metricKey/namespace")
                        .filter(|namespace| !namespace.is_empty())
                        .map(str::to_owned),
                };
                if !found.contains(&metric) {
                    found.push(metric);
                }
            }
            if !tokens.follow(&answer, &document)? {
                return Ok(found);
            }
        }
    }

    /// All pages of a metric's full history, each as its document.
    pub(crate) fn metric_pages(
        &self,
        run: String,
        metric: MetricName,
    ) -> BoxStream<'static, Result<Value, Error>> {
        let start = async move |history: Self| {
            let url = history.metric_url(&run, "full").await?;
            Ok::<_, Error>((history, url))
        };
        let history = self.clone_for_stream();
        stream::once(async move {
            let (history, url) = start(history).await?;
            let state = Some((history, url, metric, Tokens::default()));
            Ok::<_, Error>(stream::try_unfold(state, async |state| {
                let Some((history, url, metric, mut tokens)) = state else {
                    return Ok(None);
                };
                let mut body = json!({"metricName": metric.name, "continuationToken": tokens.next});
                if let Some(namespace) = &metric.namespace {
                    body["metricNamespace"] = json!(namespace);
                }
                let answer = history.ask(&url, &body).await?;
                let document = answer.json()?;
                let more = tokens.follow(&answer, &document)?;
                let next = more.then_some((history, url, metric, tokens));
                Ok(Some((document, next)))
            }))
        })
        .map(|pages| match pages {
            Ok(pages) => pages.boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        })
        .flatten()
        .boxed()
    }

    pub(crate) fn clone_for_stream(&self) -> Self {
        let base = OnceCell::new();
        if let Some(known) = self.base.get() {
            // A new cell is empty.
            let _ = base.set(known.clone());
        }
        Self {
            connection: self.connection.clone(),
            discovery: self.discovery.clone(),
            arm_id: self.arm_id.clone(),
            base,
        }
    }

    async fn metric_url(&self, run: &str, operation: &str) -> Result<Url, Error> {
        let mut url = self.url("metric/v2.0", &["runs", run, operation]).await?;
        url.set_query(Some("api-version=v1.0"));
        Ok(url)
    }

    /// A POST that only reads, and so may be repeated.
    pub(crate) async fn ask(&self, url: &Url, body: &Value) -> Result<Answer, Error> {
        let request = json_request(Method::Post, url.clone(), body);
        self.connection
            .send(Access::Token, Context::new(), request)
            .await
    }
}

/// A list's items, and the whole answer for its continuation token.
pub(crate) fn page_of(answer: &Answer) -> Result<(Vec<Value>, Value), Error> {
    let mut document = answer.json()?;
    match document.get_mut("value").map(Value::take) {
        Some(Value::Array(values)) => Ok((values, document)),
        Some(Value::Null) => Ok((Vec::new(), document)),
        _ => Err(answer.unusable("it has no list named `value`")),
    }
}

/// Continuation tokens, which must not come back.
#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) next: Option<String>,
    seen: Names,
}

impl Tokens {
    /// Takes the token of a page; whether there is a next one.
    pub(crate) fn follow(&mut self, answer: &Answer, document: &Value) -> Result<bool, Error> {
        self.next = document
            .get("continuationToken")
            .and_then(Value::as_str)
            .filter(|token| !token.is_empty())
            .map(str::to_owned);
        match &self.next {
            None => Ok(false),
            Some(token) if self.seen.is_new(token) => Ok(true),
            Some(_) => Err(answer.unusable("its pages go round in a circle")),
        }
    }
}
