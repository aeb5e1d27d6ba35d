//! What tests talk to: a JSON interface at `control.SUFFIX` to seed, change, look at and break the simulated cloud.
//!
//! No credential is asked for; it listens on loopback alone. Every answer is JSON. Workspaces are named
//! `SUBSCRIPTION/GROUP/NAME` in paths.
//!
//! | call | does |
//! |---|---|
//! | `GET /workspaces` | lists all, the deleted ones too |
//! | `POST /workspaces` `{subscription, group, name, location[, account, guid]}` | makes one |
//! | `GET /workspaces/S/G/W` | its whole content, with SHA-256 of every blob and file |
//! | `DELETE /workspaces/S/G/W[?purge=true][&account=true]` | deletes it; with `account` its storage account too |
//! | `GET /registries/S/G/R` | the same of a registry, which ARM makes and deletes |
//! | `POST /workspaces/S/G/W/runs/RUN` `{status, tags, properties, metrics: [{name, value, step}]}` | changes a job or run; a status set here stays |
//! | `POST /workspaces/S/G/W/searches` `{lag_seconds, lag_searches}` | how late a search finds a run that MLflow made |
//! | `GET /requests`, `DELETE /requests` | counts by route and by client, and calls that were tried again; forgets them |
//! | `GET /arrivals` | every call in its order, and those that came too early |
//! | `GET /faults`, `PUT /faults` `{seed, rules}`, `POST /faults` (one rule), `DELETE /faults` | what goes wrong |
//! | `POST /operations` `{failing: n}` | lets the next n long-running operations fail |
//! | `POST /recording` `{file}` | records every request from now on, without secrets |
//! | `GET /clock`, `POST /clock` `{advance_seconds}` | the simulator's time |
//! | `GET /principals`, `PUT /principals/CLIENT_ID` `{secret, denied: […], subject, managed}` | who may ask, and what they may not do |
//! | `POST /principals/CLIENT_ID/certificates` | makes a certificate for a principal: `{pem}`, with its key |
//! | `GET /bills/ACCOUNT`, `DELETE /bills/ACCOUNT` | what an account's blob service is billed for; forgets it |
//! | `PUT\|GET\|DELETE /blobs/ACCOUNT/CONTAINER/PATH` | a blob's bytes; `DELETE` with `?prefix=true` all below |
//! | `PUT\|GET\|DELETE /files/ACCOUNT/SHARE/PATH` | the same of a share |
//! | `POST /unreadable/blobs\|files/ACCOUNT/CONTAINER/PATH` `{status}` | every read fails with it; `null` mends |

mod bytes;
mod run;

use std::path::PathBuf;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::arm::{WorkspaceSpec, recovery};
use crate::call::Call;
use crate::certificate::Certificate;
use crate::directory::Principal;
use crate::dump;
use crate::faults::Rule;
use crate::mlflow::Lag;
use crate::recorder::Recorder;
use crate::reply::{Answer, Refusal, Reply};
use crate::simulator::Simulator;
use crate::workspace::WorkspaceKey;

/// Answers a call to `control.SUFFIX`.
pub(crate) fn handle(simulator: &Simulator, call: &Call) -> Answer {
    let parts = call.parts();
    match (&call.method, parts.as_slice()) {
        (&Method::GET, ["workspaces"]) => Ok(list(simulator)),
        (&Method::POST, ["workspaces"]) => create(simulator, call),
        (&Method::GET, ["workspaces", s, g, w]) => show(simulator, &WorkspaceKey::new(s, g, w)),
        (&Method::DELETE, ["workspaces", s, g, w]) => {
            delete(simulator, call, &WorkspaceKey::new(s, g, w))
        }
        (&Method::GET, ["registries", s, g, r]) => {
            show(simulator, &WorkspaceKey::of_registry(s, g, r))
        }
        (&Method::POST, ["workspaces", s, g, w, "runs", run]) => {
            run::change(simulator, call, &WorkspaceKey::new(s, g, w), run)
        }
        (&Method::POST, ["workspaces", s, g, w, "searches"]) => {
            searches(simulator, call, &WorkspaceKey::new(s, g, w))
        }
        (_, ["requests" | "arrivals"]) => requests(simulator, call),
        (&Method::POST, ["recording"]) => recording(simulator, call),
        (_, ["faults"]) => faults(simulator, call),
        (&Method::POST, ["operations"]) => {
            let asked: Failing = body(call)?;
            simulator.state().failing_operations = asked.failing;
            done()
        }
        (_, ["clock"]) => clock(simulator, call),
        (&Method::GET, ["principals"]) => Ok(principals(simulator)),
        (&Method::POST, ["principals", client_id, "certificates"]) => {
            certificate(simulator, client_id)
        }
        (&Method::PUT, ["principals", client_id]) => principal(simulator, call, client_id),
        (&Method::GET | &Method::DELETE, ["bills", account]) => {
            bytes::bills(simulator, call, account)
        }
        (_, ["blobs", account, container, ..]) => bytes::blob(simulator, call, account, container),
        (_, ["files", account, share, ..]) => bytes::file(simulator, call, account, share),
        (&Method::POST, ["unreadable", kind, account, container, ..]) => {
            bytes::unreadable(simulator, call, (kind, account, container))
        }
        _ => Err(refuse(
            StatusCode::NOT_FOUND,
            format!("There is no {} {} here", call.method, call.raw_path),
        )),
    }
}

fn done() -> Answer {
    Ok(Reply::json(StatusCode::OK, &json!({})))
}

fn refuse(status: StatusCode, text: impl Into<String>) -> Refusal {
    Refusal::from(Reply::json(status, &json!({"error": text.into()})))
}

fn no_workspace(key: &WorkspaceKey) -> Refusal {
    refuse(
        StatusCode::NOT_FOUND,
        format!("There is no workspace {key}"),
    )
}

fn body<T: for<'a> Deserialize<'a>>(call: &Call) -> Result<T, Refusal> {
    let bytes = if call.body.is_empty() {
        b"{}".as_slice()
    } else {
        &call.body
    };
    serde_json::from_slice(bytes).map_err(|error| {
        refuse(
            StatusCode::BAD_REQUEST,
            format!("The body is not what is expected: {error}"),
        )
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failing {
    failing: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewWorkspace {
    subscription: String,
    group: String,
    name: String,
    location: String,
    #[serde(default)]
    account: Option<String>,
    #[serde(default)]
    guid: Option<String>,
}

fn list(simulator: &Simulator) -> Reply {
    let state = simulator.state();
    let rows: Vec<Value> = state
        .workspaces
        .values()
        .map(|found| {
            json!({
                "subscription": found.subscription, "group": found.group, "name": found.name, "location": found.location,
                "id": found.arm_id(), "account": found.account, "deleted": found.deleted.map(|at| at.to_string()),
            })
        })
        .collect();
    Reply::json(StatusCode::OK, &json!({"workspaces": rows}))
}

fn create(simulator: &Simulator, call: &Call) -> Answer {
    let new: NewWorkspace = body(call)?;
    let spec = WorkspaceSpec {
        account: new.account,
        guid: new.guid,
        ..WorkspaceSpec::new(&new.subscription, &new.group, &new.name, &new.location)
    };
    let key = WorkspaceKey::new(&new.subscription, &new.group, &new.name);
    if simulator.state().workspaces.contains_key(&key) {
        return Err(refuse(
            StatusCode::CONFLICT,
            format!("There is a workspace {key} already"),
        ));
    }
    show(simulator, &simulator.create_workspace(&spec))
}

fn show(simulator: &Simulator, key: &WorkspaceKey) -> Answer {
    let dump = simulator.dump(key).ok_or_else(|| no_workspace(key))?;
    Ok(Reply::json(StatusCode::OK, &dump))
}

fn delete(simulator: &Simulator, call: &Call, key: &WorkspaceKey) -> Answer {
    let now = simulator.now();
    let mut state = simulator.state();
    let found = state
        .workspaces
        .get_mut(key)
        .ok_or_else(|| no_workspace(key))?;
    let account = found.account.clone();
    if found.deleted.is_none() {
        recovery::delete(found, now);
    }
    if call.query.is("purge", "true") {
        state.workspaces.remove(key);
    }
    if call.query.is("account", "true") {
        state.accounts.remove(&account);
    }
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Late {
    #[serde(default)]
    lag_seconds: u64,
    #[serde(default)]
    lag_searches: u32,
}

/// `POST /workspaces/S/G/W/searches`: how late a search of runs finds what is made from now on.
fn searches(simulator: &Simulator, call: &Call, key: &WorkspaceKey) -> Answer {
    let late: Late = body(call)?;
    let mut state = simulator.state();
    let workspace = state.workspace_mut(key).ok_or_else(|| no_workspace(key))?;
    workspace.mlflow.lag = Lag {
        searches: late.lag_searches,
        time: std::time::Duration::from_secs(late.lag_seconds),
    };
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRecording {
    file: PathBuf,
}

/// `POST /recording {"file"}`: every request from now on is written there.
fn recording(simulator: &Simulator, call: &Call) -> Answer {
    let asked: NewRecording = body(call)?;
    let recorder = Recorder::create(&asked.file).map_err(|error| {
        let text = format!("{} cannot be written: {error}", asked.file.display());
        refuse(StatusCode::BAD_REQUEST, text)
    })?;
    simulator.record(recorder);
    done()
}

fn requests(simulator: &Simulator, call: &Call) -> Answer {
    let mut state = simulator.state();
    let arrivals = &mut state.arrivals;
    let body = match (&call.method, call.segment(0)) {
        (&Method::DELETE, _) => {
            arrivals.reset();
            json!({})
        }
        (&Method::GET, "arrivals") => {
            json!({"arrivals": arrivals.log(), "early": arrivals.early()})
        }
        (&Method::GET, _) => {
            let counts = arrivals.counts().iter();
            let rows = counts.map(|(of, n)| json!({"service": of.service, "method": of.method, "route": of.route, "status": of.status, "count": n}));
            let total: u64 = arrivals.counts().values().sum();
            let clients = arrivals.clients().iter();
            let clients = clients.map(|(of, n)| json!({"client": of.client, "service": of.service, "method": of.method, "route": of.route, "count": n}));
            json!({"requests": rows.collect::<Vec<_>>(), "total": total, "early": arrivals.early(),
                "clients": clients.collect::<Vec<_>>(), "retried": arrivals.retried()})
        }
        _ => {
            return Err(refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                "Ask with GET or DELETE",
            ));
        }
    };
    Ok(Reply::json(StatusCode::OK, &body))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    #[serde(default)]
    seed: Option<u64>,
    rules: Vec<Rule>,
}

fn faults(simulator: &Simulator, call: &Call) -> Answer {
    match call.method {
        Method::PUT => {
            let asked: Rules = body(call)?;
            let mut state = simulator.state();
            let seed = asked.seed.unwrap_or(state.settings.seed);
            state.faults.set(seed, asked.rules);
        }
        Method::POST => {
            let rule: Rule = body(call)?;
            simulator.state().faults.add(rule);
        }
        Method::DELETE => simulator.state().faults.set(0, Vec::new()),
        _ => {}
    }
    let state = simulator.state();
    let rules: Vec<Value> = state
        .faults
        .rules()
        .map(|(rule, struck)| json!({"rule": rule, "struck": struck}))
        .collect();
    Ok(Reply::json(StatusCode::OK, &json!({"rules": rules})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    #[serde(default)]
    advance_seconds: u64,
}

fn clock(simulator: &Simulator, call: &Call) -> Answer {
    if call.method == Method::POST {
        let asked: Advance = body(call)?;
        simulator.advance(std::time::Duration::from_secs(asked.advance_seconds));
    }
    Ok(Reply::json(
        StatusCode::OK,
        &json!({"now": simulator.now().to_string()}),
    ))
}

fn principals(simulator: &Simulator) -> Reply {
    let state = simulator.state();
    let rows: Vec<Value> = state
        .directory
        .principals
        .iter()
        .map(|known| json!({"client_id": known.client_id, "object_id": known.object_id, "denied": known.denied, "managed": known.managed}))
        .collect();
    Reply::json(StatusCode::OK, &json!({"principals": rows}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    secret: Option<String>,
    denied: Option<Vec<String>>,
    subject: Option<String>,
    managed: Option<bool>,
}

/// Makes a principal, or changes what is said of it.
fn principal(simulator: &Simulator, call: &Call, client_id: &str) -> Answer {
    let asked: Known = body(call)?;
    let mut state = simulator.state();
    if state.directory.principal(client_id).is_none() {
        let mut new = Principal::with_secret(client_id, state.guid(), "");
        (new.secret, new.managed) = (None, false);
        state.directory.principals.push(new);
    }
    if let Some(known) = state.directory.principal_mut(client_id) {
        known.secret = asked.secret.or(known.secret.take());
        known.denied = asked.denied.unwrap_or(std::mem::take(&mut known.denied));
        known.subject = asked.subject.or(known.subject.take());
        known.managed = asked.managed.unwrap_or(known.managed);
    }
    done()
}

/// Makes a certificate for a principal; the answer has it with its key, as PEM.
fn certificate(simulator: &Simulator, client_id: &str) -> Answer {
    let failed = |error: crate::Error| refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let (made, pem) = Certificate::generate(client_id).map_err(failed)?;
    let mut state = simulator.state();
    let known = state.directory.principal_mut(client_id).ok_or_else(|| {
        refuse(
            StatusCode::NOT_FOUND,
            format!("There is no principal {client_id}"),
        )
    })?;
    known.certificates.push(made);
    Ok(Reply::json(StatusCode::OK, &json!({"pem": pem})))
}

impl Simulator {
    /// Everything that a workspace holds, as JSON. `None` where there is none of that name.
    pub fn dump(&self, key: &WorkspaceKey) -> Option<Value> {
        let now = self.now();
        let mut state = self.state();
        state.advance(now);
        dump::workspace(&state, key, now)
    }
}

#[cfg(test)]
mod tests;
