//! Every run of a workspace, by experiment. ARM's list of jobs shows those that were submitted as jobs; run history also
//! those that notebooks and scripts logged with MLflow, those nested below others, and those that a restore made.
//!
//! Run history lists runs of one experiment at a time. What changed is asked for by a filter; a service that does not
//! understand one may answer with nothing instead of refusing it, so the filter is tried where something must come
//! before it is trusted.

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use jiff::{Timestamp, Unit};
use serde_json::{Value, json};
use url::Url;

use super::history::{API_VERSION, History, Tokens, page_of};
use crate::{Document, Error};

/// Records of one page; a service may give fewer.
const PAGE_ROWS: u32 = 500;
/// Experiments that are asked at once.
const AT_ONCE: usize = 4;
/// Statuses of a service that has no such list.
const NO_SUCH_LIST: [u16; 3] = [404, 405, 501];
/// Before there was any run.
const EVER: Timestamp = Timestamp::UNIX_EPOCH;

/// Records of runs.
pub(crate) struct Records {
    /// Whether they are only those that changed.
    pub(crate) changes: bool,
    /// The records, each with the name of its experiment. An error is about one experiment, or ends the list of
    /// experiments.
    pub(crate) records: BoxStream<'static, Result<Record, Error>>,
}

/// The record of a run, and the name of its experiment.
type Record = (Document, Option<String>);

/// The records of all runs, or of those changed since a time where the service can tell; `None` where it has no list of
/// experiments.
pub(crate) async fn runs(
    history: &History,
    since: Option<Timestamp>,
) -> Result<Option<Records>, Error> {
    let mut experiments = Query::new(history, &["experiments:query"], None, PAGE_ROWS);
    let (first, more) = match experiments.page().await {
        Ok(page) => page,
        Err(error) if has_no_list(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let filter = match since {
        Some(since) if understands(history, &first).await? => Some(changed_since(since)),
        _ => None,
    };
    let changes = filter.is_some();
    let rest = match more {
        true => rows(experiments).boxed(),
        false => stream::empty().boxed(),
    };
    let history = history.clone_for_stream();
    let records = stream::iter(first)
        .map(Ok)
        .chain(rest)
        .map(move |experiment| match experiment {
            Ok(experiment) => records_of(&history, &experiment, filter.clone()),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        })
        .flatten_unordered(AT_ONCE)
        .boxed();
    Ok(Some(Records { changes, records }))
}

fn has_no_list(error: &Error) -> bool {
    let status = error.refusal().map(|refusal| refusal.status);
    status.is_some_and(|status| NO_SUCH_LIST.contains(&status))
}

fn changed_since(time: Timestamp) -> String {
    let time = time.round(Unit::Second).unwrap_or(time);
    format!("LastModifiedUtc ge {time}")
}

/// Whether the service tells runs by the time of their last change: of an experiment with runs, some changed since ever.
async fn understands(history: &History, experiments: &[Value]) -> Result<bool, Error> {
    for experiment in experiments {
        for filter in [Some(changed_since(EVER)), None] {
            let tried = filter.is_some();
            let mut one = of_experiment(history, experiment, filter, 1)?;
            match one.page().await {
                Ok((rows, _)) if !rows.is_empty() => return Ok(tried),
                Ok(_) | Err(Error::NotFound(_)) => {}
                Err(Error::Invalid(_)) if tried => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(false)
}

/// The records of an experiment's runs; none of one that is gone meanwhile.
fn records_of(
    history: &History,
    experiment: &Value,
    filter: Option<String>,
) -> BoxStream<'static, Result<Record, Error>> {
    let query = match of_experiment(history, experiment, filter, PAGE_ROWS) {
        Ok(query) => query,
        Err(error) => return stream::once(async { Err(error) }).boxed(),
    };
    let history = history.clone_for_stream();
    let name = text_of(experiment, "name").map(str::to_owned);
    let records = rows(query).filter_map(move |row| {
        let record = match row {
            Ok(row) => Some(Ok((history.document(row), name.clone()))),
            Err(Error::NotFound(_)) => None,
            Err(error) => Some(Err(error)),
        };
        async move { record }
    });
    records.boxed()
}

/// A list of an experiment's runs. A name that no address can hold is said by its id.
fn of_experiment(
    history: &History,
    experiment: &Value,
    filter: Option<String>,
    top: u32,
) -> Result<Query, Error> {
    let name = text_of(experiment, "name");
    let id = text_of(experiment, "experimentId");
    let path = match (name.filter(|name| !name.contains('/')), id) {
        (Some(name), _) => ["experiments", name, "runs:query"],
        (None, Some(id)) => ["experimentids", id, "runs:query"],
        (None, None) => {
            return Err(Error::Answer {
                act: "a list of experiments".to_owned(),
                reason: "an experiment has no name".to_owned(),
            });
        }
    };
    Ok(Query::new(history, &path, filter, top))
}

/// A list that is asked for by POST, page by page.
struct Query {
    history: History,
    path: Vec<String>,
    filter: Option<String>,
    top: u32,
    tokens: Tokens,
}

impl Query {
    fn new(history: &History, path: &[&str], filter: Option<String>, top: u32) -> Self {
        Self {
            history: history.clone_for_stream(),
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            filter,
            top,
            tokens: Tokens::default(),
        }
    }

    async fn url(&self) -> Result<Url, Error> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let mut url = self.history.url("history/v1.0", &path).await?;
        url.query_pairs_mut()
            .append_pair("api-version", API_VERSION);
        Ok(url)
    }

    /// One page, and whether there is another.
    async fn page(&mut self) -> Result<(Vec<Value>, bool), Error> {
        let mut body = json!({"top": self.top});
        if let Some(filter) = &self.filter {
            body["filter"] = json!(filter);
        }
        if let Some(token) = &self.tokens.next {
            body["continuationToken"] = json!(token);
        }
        let answer = self.history.ask(&self.url().await?, &body).await?;
        let (page, document) = page_of(&answer)?;
        let more = self.tokens.follow(&answer, &document)?;
        Ok((page, more))
    }
}

/// What a list has from its next page on.
fn rows(query: Query) -> impl Stream<Item = Result<Value, Error>> + Send {
    use futures::TryStreamExt;
    let pages = stream::try_unfold(Some(query), async |query| {
        let Some(mut query) = query else {
            return Ok(None);
        };
        let (rows, more) = query.page().await?;
        let rows = stream::iter(rows).map(Ok);
        Ok::<_, Error>(Some((rows, more.then_some(query))))
    });
    pages.try_flatten()
}

fn text_of<'v>(value: &'v Value, member: &str) -> Option<&'v str> {
    let text = value.get(member).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
}

/// The uppermost run above the one that a record is of.
pub(crate) fn root(record: &Value) -> Option<&str> {
    let text = |member: &str| text_of(record, member);
    let own = text("runId");
    text("parentRunId")?;
    text("rootRunId")
        .filter(|root| Some(*root) != own)
        .or_else(|| text("parentRunId"))
        .filter(|root| Some(*root) != own)
}
