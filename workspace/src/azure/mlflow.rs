//! MLflow on Azure ML: experiments and runs, by which a restore writes the history of jobs.
//!
//! The address comes from the workspace's own `mlFlowTrackingUri`; `/mlflow/v1.0` and `/mlflow/v2.0` are both served (seen
//! from mlflow 3.15.0 with azureml-mlflow 1.62.0).

use std::collections::BTreeMap;

use azure_core::http::{Context, Method};
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::answer::Answer;
use super::connection::{Access, json_request};
use super::pager::Names;
use super::retry::Once;
use super::run::{ExperimentId, NewRun, RunEnd, RunFound, RunId};
use super::workspace::AzureWorkspace;
use crate::Error;

/// The tag by which a restored run is found again.
const SOURCE_RUN: &str = "mlark.source_run";
const PARENT: &str = "mlflow.parentRunId";
/// MLflow's own limit of parameters, and of tags, in one batch.
const PAIRS_MAX: usize = 100;
/// How many experiments one search takes.
const EXPERIMENTS_MAX: usize = 100;
const SEARCH_ROWS: u32 = 1000;

/// The ids of the experiments, once they were listed.
#[derive(Debug, Default)]
pub(crate) struct KnownExperiments(tokio::sync::Mutex<Option<Vec<String>>>);

impl AzureWorkspace {
    /// An address below MLflow's, once discovery has said which hosts are to be trusted.
    async fn mlflow_url(&self, operation: &str) -> Result<Url, Error> {
        let base = self.history().base().await?;
        let tracking = self
            .document()
            .value
            .pointer("/properties/mlFlowTrackingUri")
            .and_then(Value::as_str)
            .and_then(|uri| uri.strip_prefix("azureml://"))
            .and_then(|rest| Url::parse(&format!("https://{rest}")).ok())
            .filter(|url| self.connection().trust().audience(url).is_some());
        let mut url = tracking.unwrap_or_else(|| {
            let mut url = base.clone();
            url.set_path(&format!("/mlflow/v2.0{}", self.arm().name.arm_id()));
            url
        });
        url.set_query(None);
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{path}/api/2.0/mlflow/{operation}"));
        Ok(url)
    }

    /// POSTs to MLflow.
    pub(crate) async fn mlflow(
        &self,
        operation: &str,
        body: &Value,
        ctx: Context<'_>,
    ) -> Result<Answer, Error> {
        let url = self.mlflow_url(operation).await?;
        let request = json_request(Method::Post, url, body);
        self.connection().send(Access::Token, ctx, request).await
    }

    /// GETs from MLflow.
    pub(crate) async fn mlflow_get(
        &self,
        operation: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, Error> {
        let mut url = self.mlflow_url(operation).await?;
        url.query_pairs_mut().extend_pairs(query);
        self.connection().get(url).await?.json()
    }

    /// The experiment of that name, made if it is not there.
    pub async fn experiment(&self, name: &str) -> Result<ExperimentId, Error> {
        if let Some(id) = self.find_experiment(name).await? {
            return Ok(id);
        }
        let made = self
            .mlflow("experiments/create", &json!({"name": name}), Context::new())
            .await;
        self.known_experiments().0.lock().await.take();
        match made {
            Ok(answer) => text(&answer.json()?, "/experiment_id")
                .map(ExperimentId)
                .ok_or_else(|| answer.unusable("it has no id of an experiment")),
            // Somebody else was quicker, or the first of two tries was.
            Err(error) if exists(&error) => self.find_experiment(name).await?.ok_or(error),
            Err(error) => Err(error),
        }
    }

    async fn find_experiment(&self, name: &str) -> Result<Option<ExperimentId>, Error> {
        let query = [("experiment_name", name)];
        match self.mlflow_get("experiments/get-by-name", &query).await {
            Ok(document) => Ok(text(&document, "/experiment/experiment_id").map(ExperimentId)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The ids of all experiments, archived ones too; asked for again only after one was made here.
    async fn experiments(&self) -> Result<Vec<String>, Error> {
        let mut known = self.known_experiments().0.lock().await;
        if let Some(known) = &*known {
            return Ok(known.clone());
        }
        let found = self.list_experiments().await?;
        *known = Some(found.clone());
        Ok(found)
    }

    async fn list_experiments(&self) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        let mut tokens = Tokens::default();
        loop {
            let body =
                json!({"max_results": SEARCH_ROWS, "view_type": "ALL", "page_token": tokens.next});
            let answer = self
                .mlflow("experiments/search", &without_nulls(body), Context::new())
                .await?;
            let document = answer.json()?;
            let rows = document.get("experiments").and_then(Value::as_array);
            found.extend(
                rows.into_iter()
                    .flatten()
                    .filter_map(|row| text(row, "/experiment_id")),
            );
            if !tokens.follow(&answer, &document)? {
                return Ok(found);
            }
        }
    }

    /// The runs that carry the tag `mlark.source_run` with this value.
    pub async fn find_runs(&self, source_run: &str) -> Result<Vec<RunFound>, Error> {
        if !self.has_runs() {
            return Ok(Vec::new());
        }
        if source_run.contains(['\'', '"', '\\']) {
            return Err(Error::Name {
                text: source_run.to_owned(),
                what: "the id of a run",
            });
        }
        let filter = format!("tags.`{SOURCE_RUN}` = '{source_run}'");
        let experiments = self.experiments().await?;
        let mut found: Vec<RunFound> = Vec::new();
        for some in experiments.chunks(EXPERIMENTS_MAX) {
            let mut tokens = Tokens::default();
            loop {
                let body = json!({
                    "experiment_ids": some, "filter": filter, "run_view_type": "ACTIVE_ONLY",
                    "max_results": SEARCH_ROWS, "page_token": tokens.next,
                });
                let answer = self
                    .mlflow("runs/search", &without_nulls(body), Context::new())
                    .await?;
                let document = answer.json()?;
                let rows = document.get("runs").and_then(Value::as_array);
                for row in rows.into_iter().flatten() {
                    let run = run_of(row).ok_or_else(|| answer.unusable("a run has no id"))?;
                    // What is found must be what was asked for, however the filter was understood.
                    if run
                        .tags
                        .get(SOURCE_RUN)
                        .is_some_and(|tag| tag == source_run)
                    {
                        found.push(run);
                    }
                }
                if !tokens.follow(&answer, &document)? {
                    break;
                }
            }
        }
        found.sort_by(|one, two| one.id.cmp(&two.id));
        found.dedup_by(|one, two| one.id == two.id);
        Ok(found)
    }

    /// One run.
    pub async fn run(&self, run: &RunId) -> Result<Option<RunFound>, Error> {
        if !self.has_runs() {
            return Ok(None);
        }
        match self
            .mlflow_get("runs/get", &[("run_id", run.as_str())])
            .await
        {
            Ok(document) => Ok(document.get("run").and_then(run_of)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a run. Not tried again where it is unclear whether it was made: the caller searches first.
    pub async fn create_run(&self, run: &NewRun) -> Result<RunFound, Error> {
        let mut tags = run.tags.clone();
        if let Some(parent) = &run.parent {
            tags.insert(PARENT.to_owned(), parent.to_string());
        }
        let body = json!({
            "experiment_id": run.experiment.0,
            "run_name": run.name,
            "start_time": run.start.map(Timestamp::as_millisecond),
            "tags": pairs(&tags),
        });
        let answer = self
            .mlflow(
                "runs/create",
                &without_nulls(body),
                Context::new().with_value(Once),
            )
            .await?;
        let document = answer.json()?;
        document
            .get("run")
            .and_then(run_of)
            .ok_or_else(|| answer.unusable("it has no id of a run"))
    }

    /// Logs parameters; those that are there with the same value stay.
    pub async fn log_params(
        &self,
        run: &RunId,
        params: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        self.log_pairs(run, "params", params).await
    }

    /// Sets tags of a run.
    pub async fn set_tags(
        &self,
        run: &RunId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        self.log_pairs(run, "tags", tags).await
    }

    async fn log_pairs(
        &self,
        run: &RunId,
        what: &str,
        all: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let all = pairs(all);
        for some in all.chunks(PAIRS_MAX) {
            let mut body = json!({"run_id": run.as_str()});
            body[what] = json!(some);
            self.mlflow("runs/log-batch", &body, Context::new()).await?;
        }
        Ok(())
    }

    /// Ends a run.
    pub async fn finish_run(
        &self,
        run: &RunId,
        end: RunEnd,
        time: Option<Timestamp>,
    ) -> Result<(), Error> {
        let body = json!({
            "run_id": run.as_str(),
            "status": end.as_str(),
            "end_time": time.map(Timestamp::as_millisecond),
        });
        self.mlflow("runs/update", &without_nulls(body), Context::new())
            .await
            .map(|_| ())
    }

    /// Changes a run record by run history: `{"hidden": true}` archives it.
    pub async fn patch_run(&self, run: &RunId, change: &Value) -> Result<(), Error> {
        let mut url = self
            .history()
            .url("history/v1.0", &["runs", run.as_str()])
            .await?;
        url.set_query(Some("api-version=v1.0"));
        let request = json_request(Method::Patch, url, change);
        self.connection()
            .send(Access::Token, Context::new(), request)
            .await
            .map(|_| ())
    }
}

/// Whether an error says that a thing of that name is there already; MLflow answers 400 then.
fn exists(error: &Error) -> bool {
    error
        .refusal()
        .is_some_and(|refusal| refusal.code == "RESOURCE_ALREADY_EXISTS" || refusal.status == 409)
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn pairs(all: &BTreeMap<String, String>) -> Vec<Value> {
    all.iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect()
}

/// MLflow takes an absent member for what it is, and not always a null.
fn without_nulls(mut body: Value) -> Value {
    if let Value::Object(members) = &mut body {
        members.retain(|_, value| !value.is_null());
    }
    body
}

fn run_of(value: &Value) -> Option<RunFound> {
    let listed = |pointer: &str| -> BTreeMap<String, String> {
        let list = value.pointer(pointer).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(|pair| {
                let key = pair.get("key")?.as_str()?.to_owned();
                let value = pair.get("value").and_then(Value::as_str);
                Some((key, value.unwrap_or_default().to_owned()))
            })
            .collect()
    };
    let id = text(value, "/info/run_id").or_else(|| text(value, "/info/run_uuid"))?;
    Some(RunFound {
        id: RunId::new(id).ok()?,
        experiment: ExperimentId(text(value, "/info/experiment_id").unwrap_or_default()),
        status: text(value, "/info/status").unwrap_or_default(),
        tags: listed("/data/tags"),
        params: listed("/data/params"),
        artifact_uri: text(value, "/info/artifact_uri"),
    })
}

/// Page tokens, which must not come back.
#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) next: Option<String>,
    seen: Names,
}

impl Tokens {
    /// Takes the token of a page; whether there is a next one.
    pub(crate) fn follow(&mut self, answer: &Answer, document: &Value) -> Result<bool, Error> {
        self.next = text(document, "/next_page_token");
        match &self.next {
            None => Ok(false),
            Some(token) if self.seen.is_new(token) => Ok(true),
            Some(_) => Err(answer.unusable("its pages go round in a circle")),
        }
    }
}
