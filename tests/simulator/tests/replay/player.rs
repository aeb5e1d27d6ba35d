//! Sends recorded requests: with tokens and signatures of the cloud they are sent to, and with the names that it gave.
//!
//! What a recording calls by a name that its server chose (operations, upload places, runs, pages) is known by another name
//! here; the player learns it from the answers, as the recorded client did. It changes nothing else of a request.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};
use serde_json::Value;
use simulator::Caller;
use simulator::Specification;
use simulator::arrivals::OfClient;
use simulator::clock::http_date;
use simulator::reply::Reply;
use simulator::specification::Summary;
use simulator::state::{CLIENT_ID, CLIENT_SECRET, TENANT};

use crate::recording::{Recording, Row};
use crate::scene::Scene;
use crate::twice;

/// One request that was played.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) method: String,
    pub(crate) route: String,
    pub(crate) expected: u16,
    pub(crate) answered: u16,
    /// Where it stands and what came back, for people.
    pub(crate) shown: String,
}

/// All requests once, in order, into an empty cloud.
pub(crate) fn once(recordings: &[Recording]) -> Vec<Played> {
    let mut player = Player::new(recordings);
    let rows = rows(recordings);
    rows.map(|(place, row)| player.play(&place, row, row.status).0)
        .collect()
}

/// All requests once; how often each client called which route.
pub(crate) fn by_client(recordings: &[Recording]) -> BTreeMap<OfClient, u64> {
    let mut player = Player::new(recordings);
    for (place, row) in rows(recordings) {
        player.play(&place, row, row.status);
    }
    player.scene.simulator.state().arrivals.clients().clone()
}

/// All requests once, with every answer held against the published specification.
pub(crate) fn held_against(recordings: &[Recording], specification: Specification) -> Summary {
    let mut player = Player::new(recordings);
    player.scene.simulator.state().specification = Some(specification);
    for (place, row) in rows(recordings) {
        player.play(&place, row, row.status);
    }
    let state = player.scene.simulator.state();
    let specification = state.specification.as_ref().unwrap();
    specification.summary().clone()
}

/// All requests once, and then the very same requests again: the second answers.
pub(crate) fn twice(recordings: &[Recording]) -> Vec<Played> {
    let mut player = Player::new(recordings);
    let sent: Vec<_> = rows(recordings)
        .map(|(place, row)| (place.clone(), row, player.play(&place, row, row.status).1))
        .collect();
    let mut there = twice::There::after(recordings);
    sent.into_iter()
        .map(|(place, row, request)| player.send(&place, request, there.expected(row)).0)
        .collect()
}

fn rows(recordings: &[Recording]) -> impl Iterator<Item = (String, &Row)> {
    recordings.iter().flat_map(|recording| {
        let rows = recording.rows.iter().enumerate();
        rows.map(|(at, row)| (format!("{}:{}", recording.name, at + 1), row))
    })
}

/// What differed, for people: the first few.
pub(crate) fn examples(played: &[Played]) -> String {
    let unlike = played.iter().filter(|one| one.expected != one.answered);
    unlike
        .take(6)
        .map(|one| format!("{}\n", one.shown))
        .collect()
}

type Request = http::Request<Bytes>;

struct Player {
    scene: Scene,
    caller: Caller,
    /// Recorded name to the one of this cloud.
    names: BTreeMap<String, String>,
    /// Ids of operations that no recorded poll has asked for yet.
    operations: VecDeque<String>,
    /// Places for uploads that no recorded request has named yet.
    places: VecDeque<String>,
    runs: VecDeque<String>,
    experiment: String,
    /// Signature by container.
    signatures: BTreeMap<String, String>,
    any_signature: String,
    /// Next page by path.
    pages: BTreeMap<String, String>,
    containers: HashSet<String>,
}

impl Player {
    fn new(recordings: &[Recording]) -> Self {
        let scene = Scene::before(recordings);
        let caller = Caller::new(&scene.simulator);
        let names = scene.named.clone();
        let made = |(_, row): (String, &Row)| {
            let container = row.path().split('/').nth(1)?;
            (row.method == "PUT" && (row.asks("restype=container") || row.asks("restype=share")))
                .then(|| container.to_owned())
        };
        let containers = rows(recordings).filter_map(made);
        let containers = containers
            .chain(["azureml".to_owned()])
            .chain(names.keys().cloned())
            .collect();
        Self {
            scene,
            caller,
            names,
            operations: VecDeque::new(),
            places: VecDeque::new(),
            runs: VecDeque::new(),
            experiment: String::new(),
            signatures: BTreeMap::new(),
            any_signature: String::new(),
            pages: BTreeMap::new(),
            containers,
        }
    }

    fn play(&mut self, place: &str, row: &Row, expected: u16) -> (Played, Request) {
        self.meet(row);
        let request = self.request(row);
        let (played, reply) = self.send(place, request.clone(), expected);
        self.learn(row, &reply);
        (played, request)
    }

    fn send(&mut self, place: &str, request: Request, expected: u16) -> (Played, Reply) {
        self.scene.clock.advance(Duration::from_millis(700));
        let method = request.method().to_string();
        let uri = request.uri().to_string();
        let reply = self.scene.simulator.handle(request);
        let answered = reply.status.as_u16();
        let state = self.scene.simulator.state();
        let log = state.arrivals.log();
        let route = log
            .last()
            .map(|last| last.route.clone())
            .unwrap_or_default();
        let body: String = String::from_utf8_lossy(&reply.body)
            .chars()
            .take(200)
            .collect();
        let shown = format!("{place} {method} {uri}: {answered}, not {expected}: {body}");
        let played = Played {
            method,
            route,
            expected,
            answered,
            shown,
        };
        drop(state);
        (played, reply)
    }

    /// A name that the recorded server chose and that comes for the first time is the oldest one that this cloud chose.
    fn meet(&mut self, row: &Row) {
        let last = row.path().rsplit('/').next().unwrap_or_default().to_owned();
        if row.path().contains("perationsStatus/")
            && !self.names.contains_key(&last)
            && let Some(actual) = self.operations.pop_front()
        {
            self.names.insert(last, actual);
        }
        let container = row.path().split('/').nth(1).unwrap_or_default();
        let known = self.containers.contains(container) || self.names.contains_key(container);
        if row.service == "blob"
            && !known
            && let Some(actual) = self.places.pop_front()
        {
            self.names.insert(container.to_owned(), actual);
        }
        let experiment = row.body["experiment_id"]
            .as_str()
            .or_else(|| member(row.query(), "experiment_id"));
        if let Some(recorded) = experiment.filter(|id| id.len() > 8 && !self.experiment.is_empty())
        {
            self.names
                .insert(recorded.to_owned(), self.experiment.clone());
        }
        let run = row.body["run_id"]
            .as_str()
            .or_else(|| member(row.query(), "run_id"));
        if let Some(run) = run.filter(|run| !self.names.contains_key(*run))
            && let Some(actual) = self.runs.pop_front()
        {
            self.names.insert(run.to_owned(), actual);
        }
    }

    fn request(&self, row: &Row) -> Request {
        let target = self.target(row);
        let uri = format!("https://{}{}", row.host, target.replace(' ', "%20"));
        let mut request = http::Request::builder()
            .method(row.method.as_str())
            .uri(uri);
        let body = self.body(row);
        for (name, value) in &row.headers {
            let value = match name.to_lowercase().as_str() {
                "content-length" => continue,
                "content-md5" => STANDARD.encode(Md5::digest(&body)),
                "x-ms-date" => http_date(self.scene.simulator.now()),
                "x-azureml-token" => self.caller.token("https://ml.azure.com"),
                _ => self.known(value),
            };
            request = request.header(name, value);
        }
        if let Some(audience) = self.audience(row) {
            let token = self.caller.token(&audience);
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.body(body).unwrap()
    }

    fn audience(&self, row: &Row) -> Option<String> {
        match row.service.as_str() {
            "arm" => Some(self.scene.simulator.state().cloud.arm_url()),
            "data" if row.path() != "/discovery" => Some("https://ml.azure.com".to_owned()),
            "blob" | "file" if !row.query().contains("sig=") => {
                Some("https://storage.azure.com".to_owned())
            }
            _ => None,
        }
    }

    fn target(&self, row: &Row) -> String {
        if row.service == "aad" {
            let rest = row.target.splitn(3, '/').nth(2).unwrap_or_default();
            return format!("/{TENANT}/{rest}");
        }
        let path = self.known(row.path());
        let mut pairs: Vec<String> = Vec::new();
        for pair in row.query().split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let next = || self.pages.get(&path).cloned();
            match key {
                "se" | "sp" | "sv" | "sr" | "spr" | "st" | "sig" => {}
                "$skip" | "$skiptoken" | "marker" => pairs.push(format!(
                    "{key}={}",
                    next().unwrap_or_else(|| value.to_owned())
                )),
                "experiment_id" if row.service == "data" => {
                    pairs.push(format!("{key}={}", self.experiment))
                }
                _ => pairs.push(self.known(pair)),
            }
        }
        if row.query().contains("sig=") {
            let container = path.split('/').nth(1).unwrap_or_default();
            let found = self
                .signatures
                .get(&path)
                .or_else(|| self.signatures.get(container));
            let found = found.unwrap_or(&self.any_signature);
            pairs.push(found.clone());
        }
        match pairs.is_empty() {
            true => path,
            false => format!("{path}?{}", pairs.join("&")),
        }
    }

    fn body(&self, row: &Row) -> Bytes {
        match &row.body {
            Value::Null => Bytes::new(),
            Value::String(form) if row.service == "aad" => Bytes::from(credentials(form)),
            Value::String(text) => Bytes::from(self.known(text)),
            body => match body["bytes"].as_u64() {
                Some(length) if body["sha256"].is_string() => content(length),
                _ => {
                    let mut body = body.clone();
                    self.name_experiment(&mut body);
                    Bytes::from(self.known(&body.to_string()))
                }
            },
        }
    }

    fn name_experiment(&self, body: &mut Value) {
        if self.experiment.is_empty() {
            return;
        }
        if let Some(id) = body.get_mut("experiment_id") {
            *id = Value::from(self.experiment.clone());
        }
        if let Some(ids) = body.get_mut("experiment_ids") {
            *ids = Value::from(vec![self.experiment.clone()]);
        }
    }

    /// A text with all names that are known by another one here.
    fn known(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (recorded, actual) in self.names.iter().rev() {
            if text.contains(recorded.as_str()) {
                text = text.replace(recorded.as_str(), actual);
            }
        }
        text
    }

    fn learn(&mut self, row: &Row, reply: &Reply) {
        let operation = reply
            .header("azure-asyncoperation")
            .or_else(|| reply.header("location"));
        if let Some(url) = operation.filter(|_| row.service == "arm") {
            let path = url.split('?').next().unwrap_or_default();
            self.operations
                .extend(path.rsplit('/').next().map(str::to_owned));
        }
        if let Some(marker) = between(&reply.body, "<NextMarker>", "</NextMarker>") {
            let path = self.known(row.path());
            self.pages.insert(
                path,
                url::form_urlencoded::byte_serialize(marker.as_bytes()).collect(),
            );
        }
        let Ok(answer) = serde_json::from_slice::<Value>(&reply.body) else {
            return;
        };
        if let Some(next) = answer["nextLink"].as_str() {
            let token = member(next, "$skip").or_else(|| member(next, "%24skip"));
            let token = token.or_else(|| member(next, "$skiptoken"));
            let path = self.known(row.path());
            self.pages
                .insert(path, token.unwrap_or_default().to_owned());
        }
        if let Some(token) = answer["sasToken"].as_str() {
            self.any_signature = token.trim_start_matches('?').to_owned();
        }
        if let Some(uri) = answer["blobReferenceForConsumption"]["credential"]["sasUri"].as_str() {
            let (place, signature) = uri.split_once('?').unwrap_or((uri, ""));
            let container = place.rsplit('/').next().unwrap_or_default().to_owned();
            self.signatures
                .insert(container.clone(), signature.to_owned());
            self.places.push_back(container);
        }
        self.learn_addresses(&answer);
        if row.path().ends_with("runs/create") {
            self.runs
                .extend(answer["run"]["info"]["run_id"].as_str().map(str::to_owned));
        }
        let experiment = answer["experiment_id"]
            .as_str()
            .or_else(|| answer["experiment"]["experiment_id"].as_str());
        if let Some(id) = experiment {
            self.experiment = id.to_owned();
        }
    }
}

impl Player {
    /// Signed addresses of single blobs, wherever they stand in an answer.
    fn learn_addresses(&mut self, answer: &Value) {
        match answer {
            Value::String(text) => {
                let path = text
                    .split_once(".blob.")
                    .and_then(|(_, rest)| rest.split_once('/'));
                if let Some((path, signature)) = path.and_then(|(_, rest)| rest.split_once('?')) {
                    self.signatures
                        .insert(format!("/{path}"), signature.to_owned());
                }
            }
            Value::Array(rows) => rows.iter().for_each(|row| self.learn_addresses(row)),
            Value::Object(members) => members.values().for_each(|row| self.learn_addresses(row)),
            _ => {}
        }
    }
}

fn credentials(form: &str) -> String {
    let pairs = url::form_urlencoded::parse(form.as_bytes());
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in pairs {
        match key.as_ref() {
            "client_id" => out.append_pair(&key, CLIENT_ID),
            "client_secret" => out.append_pair(&key, CLIENT_SECRET),
            _ => out.append_pair(&key, &value),
        };
    }
    out.finish()
}

/// Bytes of the recorded length; the recording does not hold them.
fn content(length: u64) -> Bytes {
    (0..length)
        .map(|at| (at % 251) as u8)
        .collect::<Vec<_>>()
        .into()
}

fn member<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split(['?', '&']);
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn between(body: &Bytes, from: &str, to: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(from)?;
    let (found, _) = rest.split_once(to)?;
    (!found.is_empty()).then(|| found.to_owned())
}
