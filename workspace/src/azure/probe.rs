//! Whether this identity may do what a backup does: for each action of [`Role::backup`] one request that needs it and
//! changes nothing, and likewise for the roles that the configuration may ask for besides.
//!
//! A refusal by permission comes before any other answer, so "not found" means that the action is there: what would change
//! something is asked of a blob and of a share that nobody has.

use std::collections::BTreeSet;

use azure_core::http::{Context, Method, Request};
use url::Url;

use super::arm::{Arm, WORKSPACE_VERSIONS};
use super::connection::{Access, Connection};
use super::datastore::{ARTIFACT_STORE, NOTEBOOK_STORE};
use super::history::History;
use super::name::{Root, WorkspaceName};
use super::place::{Place, Store};
use super::settings::ReadOptions;
use super::share;
use super::types;
use super::workspace::AzureWorkspace;
use crate::kind::{KINDS, Origin};
use crate::permission::Action;
use crate::{Error, Kind, Role};

/// A name that nothing has.
const NOBODY: &str = "mlark-doctor";

/// What the service answered.
#[derive(Debug)]
pub enum Verdict {
    /// The action is there: the answer's status.
    Allowed(u16),
    /// It is not, as this answer says.
    Missing(Error),
    /// It could not be asked, or the answer says nothing of permissions.
    Unknown(String),
}

/// One thing asked.
#[derive(Debug)]
pub struct Probe {
    /// The actions that the request needs, all of them.
    pub actions: Vec<Action>,
    /// What was asked: method and address without its query; empty where nothing was.
    pub act: String,
    /// What came of it.
    pub verdict: Verdict,
}

impl Connection {
    /// Asks what a backup of a workspace would ask, once for each action that it needs. The answers stand in the order of
    /// the actions' names; an action that guards several storage accounts comes once for each.
    pub async fn probe(&self, name: &WorkspaceName) -> Vec<Probe> {
        let arm = Arm::new(self.clone(), name.clone());
        if name.root == Root::Registry {
            return of_registry(&arm).await;
        }
        let mut probes = Vec::new();
        let workspace = Action::of_workspace("", "read");
        let document = arm.workspace().await;
        probes.push(match &document {
            Ok(document) => match arm.url([], &[], &document.api_version) {
                Ok(url) => asked(vec![workspace], &url, Ok(200)),
                Err(error) => unasked(vec![workspace], error),
            },
            Err(_) => ask_arm(&arm, vec![workspace], &[], WORKSPACE_VERSIONS).await,
        });
        for kind in KINDS.iter().copied() {
            probes.extend(of_kind(&arm, kind).await);
        }
        if let Ok(document) = &document {
            probes.push(of_runs(&History::new(&arm, &document.value), self).await);
        }
        match AzureWorkspace::open(self, name, ReadOptions::default()).await {
            Ok(workspace) => probes.extend(of_storage(&workspace).await),
            Err(error) => tracing::debug!(%error, "storage is not probed"),
        }
        complete(&mut probes);
        probes.sort_by(|one, other| (&one.actions, &one.act).cmp(&(&other.actions, &other.act)));
        probes
    }

    /// Asks what [`Role::discovery`] allows.
    pub async fn probe_discovery(&self, name: &WorkspaceName) -> Probe {
        let arm = Arm::new(self.clone(), name.clone());
        let actions = Role::discovery().actions.into_iter().collect();
        match types::address(&arm) {
            Ok(url) => {
                let answer = self.get(url.clone()).await;
                asked(actions, &url, answer.map(|answer| answer.status))
            }
            Err(error) => unasked(actions, error),
        }
    }

    /// Asks what [`Role::rehydration`] and [`Role::share_snapshot`] allow, as far as they are among these. Nothing changes,
    /// since what is asked about is not there.
    pub async fn probe_changes(&self, name: &WorkspaceName, roles: &[Role]) -> Vec<Probe> {
        let roles: Vec<&Role> = roles.iter().filter(|role| role.changes_storage()).collect();
        if roles.is_empty() {
            return Vec::new();
        }
        let opened = AzureWorkspace::open(self, name, ReadOptions::default()).await;
        let workspace = match opened {
            Ok(workspace) => workspace,
            Err(error) => {
                let reason = super::answer::reason(&error);
                let actions = roles.iter().flat_map(|role| &role.actions);
                return actions
                    .map(|action| unknown(vec![action.clone()], reason.clone()))
                    .collect();
            }
        };
        let mut probes = Vec::new();
        for change in CHANGES {
            let action = (change.action)();
            if roles.iter().any(|role| role.actions.contains(&action)) {
                probes.push(change.ask(&workspace, action).await);
            }
        }
        probes
    }
}

/// A request of storage that would change something if what it is about were there.
struct Change {
    action: fn() -> Action,
    /// The datastore in whose account it is asked; `None` is the default one.
    store: Option<&'static str>,
    method: Method,
    /// The path below the account, or below the datastore's container.
    path: fn(&Place) -> String,
    query: &'static str,
}

/// One for each action of the two roles. `sharesnapshot` is a time at which there was no service.
const CHANGES: [Change; 4] = [
    Change {
        action: || Action::of_blobs("write"),
        store: None,
        method: Method::Put,
        path: |place| format!("/{}/{NOBODY}", place.container),
        query: "comp=tier",
    },
    Change {
        action: || Action::of_shares("read"),
        store: Some(NOTEBOOK_STORE),
        method: Method::Get,
        path: |_| "/".to_owned(),
        query: "comp=list&maxresults=1",
    },
    Change {
        action: || Action::of_shares("write"),
        store: Some(NOTEBOOK_STORE),
        method: Method::Put,
        path: |_| format!("/{NOBODY}"),
        query: "restype=share&comp=snapshot",
    },
    Change {
        action: || Action::of_shares("delete"),
        store: Some(NOTEBOOK_STORE),
        method: Method::Delete,
        path: |_| format!("/{NOBODY}"),
        query: "restype=share&sharesnapshot=2001-01-01T00:00:00.0000000Z",
    },
];

impl Change {
    async fn ask(&self, workspace: &AzureWorkspace, action: Action) -> Probe {
        let actions = vec![action];
        let place = match workspace.datastore_place(self.store, "").await {
            Ok(place) => place,
            Err(error) => return unasked(actions, error),
        };
        let connection = match workspace.way_to(&place).await {
            Ok(connection) => connection,
            Err(error) => return unasked(actions, error),
        };
        let mut url = place.url.clone();
        url.set_path(&(self.path)(&place));
        url.set_query(Some(self.query));
        let mut request = share::request(&connection, self.method, url.clone());
        if self.method == Method::Put && place.store != Store::Share {
            request.insert_header("x-ms-access-tier", "Hot");
        }
        let answer = connection
            .send(Access::Token, Context::new(), request)
            .await;
        let answer = answer.map(|answer| answer.status);
        asked_by(self.method, actions, &url, answer)
    }
}

fn unknown(actions: Vec<Action>, reason: String) -> Probe {
    Probe {
        actions,
        act: String::new(),
        verdict: Verdict::Unknown(reason),
    }
}

/// What no request could be made for is told too.
fn complete(probes: &mut Vec<Probe>) {
    let told: BTreeSet<Action> = probes.iter().flat_map(|it| it.actions.clone()).collect();
    let rest = Role::backup().actions.into_iter();
    let rest = rest.filter(|action| !told.contains(action));
    probes.extend(rest.map(|action| Probe {
        actions: vec![action],
        act: String::new(),
        verdict: Verdict::Unknown(
            "it cannot be asked before the workspace and its datastores can be read".to_owned(),
        ),
    }));
}

/// What a backup of a registry asks: the registry, and an asset that nobody has.
async fn of_registry(arm: &Arm) -> Vec<Probe> {
    let own = vec![Action::of_registry("read")];
    let mut probes = vec![ask_arm(arm, own, &[], WORKSPACE_VERSIONS).await];
    let mut kinds = KINDS.iter().filter(|kind| kind.registry.is_some());
    if let Some(kind) = kinds.find(|kind| kind.collection().is_some()) {
        let assets = vec![Action::of_registry("assets/read")];
        let parts: Vec<&str> = kind.collection().into_iter().chain([NOBODY]).collect();
        probes.push(ask_arm(arm, assets, &parts, kind.api_versions).await);
    }
    probes
}

async fn of_kind(arm: &Arm, kind: &'static Kind) -> Vec<Probe> {
    let versions = kind.api_versions;
    let (collection, parts) = match kind.origin {
        Origin::Collection(path) => (path.to_owned(), path.split('/').collect()),
        Origin::Nested { parent, segment } => {
            (format!("{parent}/{segment}"), vec![parent, NOBODY, segment])
        }
        Origin::Authorization => {
            let parts = super::arm::assignments();
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let action = Action::of_assignments("read");
            return vec![ask_arm(arm, vec![action], &parts, versions).await];
        }
        Origin::Workspace | Origin::Entries => return Vec::new(),
    };
    let action = Action::of_workspace(&collection, "read");
    let mut probes = vec![ask_arm(arm, vec![action], &parts, versions).await];
    if let Some(container) = kind.container {
        let below = format!("{collection}/{}", container.versions);
        let parts: Vec<&str> = parts
            .into_iter()
            .chain([NOBODY, container.versions])
            .collect();
        let action = Action::of_workspace(&below, "read");
        probes.push(ask_arm(arm, vec![action], &parts, versions).await);
    }
    probes
}

/// Asks Resource Manager with the first of several api-versions that it knows.
async fn ask_arm(arm: &Arm, actions: Vec<Action>, parts: &[&str], versions: &[&str]) -> Probe {
    let mut last = None;
    for version in versions {
        let url = match arm.url(parts.iter().copied(), &[], version) {
            Ok(url) => url,
            Err(error) => return unasked(actions, error),
        };
        let answer = arm.connection.get(url.clone()).await;
        let answer = answer.map(|answer| answer.status);
        let unknown = answer.as_ref().is_err_and(super::arm::unknown_version);
        last = Some(asked(actions.clone(), &url, answer));
        if !unknown {
            break;
        }
    }
    last.unwrap_or_else(|| Probe {
        actions,
        act: String::new(),
        verdict: Verdict::Unknown("no api-version is known".to_owned()),
    })
}

async fn of_runs(history: &History, connection: &Connection) -> Probe {
    let actions = vec![Action::of_workspace("experiments/runs", "read")];
    match history.url("history/v1.0", &["runs", NOBODY]).await {
        Ok(mut url) => {
            url.set_query(Some("api-version=v1.0"));
            let answer = connection.get(url.clone()).await;
            asked(actions, &url, answer.map(|answer| answer.status))
        }
        Err(error) => unasked(actions, error),
    }
}

/// The accounts behind the default datastore, the artifacts of runs and the notebooks.
async fn of_storage(workspace: &AzureWorkspace) -> Vec<Probe> {
    let mut places = Vec::new();
    let mut probes = Vec::new();
    for name in [None, Some(ARTIFACT_STORE), Some(NOTEBOOK_STORE)] {
        match workspace.datastore_place(name, "").await {
            Ok(place) => places.push(place),
            Err(error) => {
                let shares = name == Some(NOTEBOOK_STORE);
                probes.push(unasked(actions_of(shares), error));
            }
        }
    }
    for place in places {
        probes.push(ask_storage(workspace, &place).await);
    }
    probes
}

fn actions_of(share: bool) -> Vec<Action> {
    if share {
        Action::of_files("read")
    } else {
        vec![Action::of_blobs("read")]
    }
}

async fn ask_storage(workspace: &AzureWorkspace, place: &Place) -> Probe {
    let share = place.store == Store::Share;
    let actions = actions_of(share);
    let mut url = place.url.clone();
    let restype = if share { "directory" } else { "container" };
    url.query_pairs_mut()
        .append_pair("restype", restype)
        .append_pair("comp", "list")
        .append_pair("maxresults", "1");
    let connection = match workspace.way_to(place).await {
        Ok(connection) => connection,
        Err(error) => return unasked(actions, error),
    };
    let request: Request = share::request(&connection, Method::Get, url.clone());
    let answer = connection
        .send(Access::Token, Context::new(), request)
        .await;
    asked(actions, &url, answer.map(|answer| answer.status))
}

fn asked(actions: Vec<Action>, url: &Url, answer: Result<u16, Error>) -> Probe {
    asked_by(Method::Get, actions, url, answer)
}

fn asked_by(method: Method, actions: Vec<Action>, url: &Url, answer: Result<u16, Error>) -> Probe {
    let verdict = match answer {
        Ok(status) => Verdict::Allowed(status),
        Err(error @ Error::Forbidden(_)) => Verdict::Missing(error),
        Err(Error::NotFound(refusal)) => Verdict::Allowed(refusal.status),
        Err(error) => Verdict::Unknown(super::answer::reason(&error)),
    };
    Probe {
        actions,
        act: super::answer::act(method, url),
        verdict,
    }
}

fn unasked(actions: Vec<Action>, error: Error) -> Probe {
    let verdict = match error {
        error @ Error::Forbidden(_) => Verdict::Unknown(format!(
            "it was not asked: {}",
            super::answer::reason(&error)
        )),
        error => Verdict::Unknown(super::answer::reason(&error)),
    };
    Probe {
        actions,
        act: String::new(),
        verdict,
    }
}
