//! The `az` commands that give mlark's identity what it needs: the roles, and where they are assigned. Printed for somebody
//! who may assign roles; nothing is run.

use std::collections::BTreeSet;

use restore::manual::quoted;
use serde_json::json;
use workspace::Role;
use workspace::azure::{AzureWorkspace, Connection, ReadOptions, Root, WorkspaceName};

use super::azure::connect;
use super::{Args, more_roles};
use crate::config;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::place::Place;
use crate::session::Session;

/// Stands where nobody could say who mlark is.
const NOBODY: &str = "OBJECT-ID-OF-MLARK";

/// One role on one workspace.
struct Wanted {
    role: Role,
    name: WorkspaceName,
    azure: config::Azure,
}

/// Prints them.
pub(super) async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let wanted = wanted(args, session).await?;
    let mut lines: Vec<String> = Vec::new();
    for role in [
        Role::backup(),
        Role::secrets(),
        Role::rehydration(),
        Role::share_snapshot(),
        Role::restore(),
        Role::registry_backup(),
        Role::registry_restore(),
        Role::creation(),
        Role::resubmission(),
        Role::discovery(),
    ] {
        let scopes: BTreeSet<String> = wanted
            .iter()
            .filter(|one| one.role == role)
            .map(|one| match role.is_for_subscriptions() {
                true => subscription(&one.name),
                false => group(&one.name),
            })
            .collect();
        if scopes.is_empty() {
            continue;
        }
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let definition = role.definition(&scopes).to_string();
        lines.push(format!(
            "az role definition create --role-definition {}",
            quoted(&definition)
        ));
    }
    for one in &wanted {
        for line in assignments(session, one).await {
            // Workspaces of one subscription share what is assigned there.
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    if args.workspaces.is_empty() {
        lines.extend(keeping(session).await);
    }
    if session.ui.json() {
        session.ui.document(&json!({ "grant": lines }));
    } else if lines.is_empty() {
        session.ui.note("No workspace in Azure is named");
    }
    if !session.ui.json() {
        for line in &lines {
            session.ui.line(line);
        }
    }
    Ok(ExitStatus::Done)
}

/// The role that keeps files, and its assignment on each account whose files the configuration keeps.
async fn keeping(session: &Session) -> Vec<String> {
    let scopes = super::keeping::scopes(session).await;
    if scopes.is_empty() {
        return Vec::new();
    }
    let role = Role::keeping();
    let mut groups: Vec<&str> = scopes
        .iter()
        .map(|scope| {
            scope
                .split_once("/providers/")
                .map_or(scope.as_str(), |it| it.0)
        })
        .collect();
    groups.dedup();
    let definition = role.definition(&groups).to_string();
    let mut lines = vec![format!(
        "az role definition create --role-definition {}",
        quoted(&definition)
    )];
    let connection = connect(session, &session.config.azure).await.ok();
    let assignee = assignee(connection.as_ref()).await;
    lines.extend(
        scopes
            .iter()
            .map(|scope| assignment(&assignee, &role, scope)),
    );
    lines
}

async fn wanted(args: &Args, session: &Session) -> Result<Vec<Wanted>, Failure> {
    let named = &args.workspaces;
    let mut wanted = Vec::new();
    let mut add = |role: Role, url: &str, azure: config::Azure| -> Result<(), Failure> {
        if let Place::Azure(name) = Place::parse(url)? {
            let role = match name.root {
                Root::Workspace => role,
                Root::Registry if role == Role::restore() => Role::registry_restore(),
                Root::Registry if role == Role::backup() => Role::registry_backup(),
                // Neither secrets nor storage of its owner's belong to a registry.
                Root::Registry => return Ok(()),
            };
            wanted.push(Wanted { role, name, azure });
        }
        Ok(())
    };
    for entry in session.workspaces(named).await? {
        let azure = entry.azure.over(&session.config.azure);
        add(Role::backup(), &entry.url, azure.clone())?;
        for role in more_roles(&entry) {
            add(role, &entry.url, azure.clone())?;
        }
        add(Role::discovery(), &entry.url, azure)?;
    }
    if named.is_empty() {
        for target in &session.config.target {
            let azure = target.azure.over(&session.config.azure);
            add(Role::restore(), &target.url, azure.clone())?;
            if args.create_workspace {
                add(Role::creation(), &target.url, azure.clone())?;
            }
            if args.resubmit {
                add(Role::resubmission(), &target.url, azure)?;
            }
        }
    }
    Ok(wanted)
}

fn subscription(name: &WorkspaceName) -> String {
    format!("/subscriptions/{}", name.subscription)
}

fn group(name: &WorkspaceName) -> String {
    let id = name.arm_id();
    let end = id.find("/providers/").unwrap_or(id.len());
    id.get(..end).unwrap_or(&id).to_owned()
}

/// On the workspace, and on its storage account, or on the subscription; on its resource group where that account is not known, or the workspace
/// itself may not be there.
async fn assignments(session: &Session, one: &Wanted) -> Vec<String> {
    let connection = connect(session, &one.azure).await.ok();
    let assignee = assignee(connection.as_ref()).await;
    let account = match &connection {
        Some(connection) => account(connection, &one.name).await,
        None => None,
    };
    let role = &one.role;
    let workspace = role.is_for_workspaces().then(|| one.name.arm_id());
    let storage = || account.unwrap_or_else(|| group(&one.name));
    let storage = role.is_for_storage().then(storage);
    let scopes: Vec<String> = match role.is_for_groups() {
        _ if role.is_for_subscriptions() => vec![subscription(&one.name)],
        true => vec![group(&one.name)],
        false => workspace.into_iter().chain(storage).collect(),
    };
    scopes
        .into_iter()
        .map(|scope| assignment(&assignee, role, &scope))
        .collect()
}

/// Whom a role is given to: the object's id, and its sort.
type Assignee = (String, &'static str);

async fn assignee(connection: Option<&Connection>) -> Assignee {
    if let Some(connection) = connection
        && let Ok(who) = connection.who_am_i().await
        && let Some(object) = who.object
    {
        let sort = if who.user.is_some() {
            "User"
        } else {
            "ServicePrincipal"
        };
        return (object, sort);
    }
    (NOBODY.to_owned(), "ServicePrincipal")
}

fn assignment(assignee: &Assignee, role: &Role, scope: &str) -> String {
    format!(
        "az role assignment create --assignee-object-id {} --assignee-principal-type {} --role {} --scope {}",
        quoted(&assignee.0),
        assignee.1,
        quoted(role.name),
        quoted(scope)
    )
}

/// The storage account of a workspace, as its document names it.
pub(super) async fn account(connection: &Connection, name: &WorkspaceName) -> Option<String> {
    let opened = AzureWorkspace::open(connection, name, ReadOptions::default()).await;
    let document = opened.ok()?;
    let account = document
        .document()
        .value
        .pointer("/properties/storageAccount")?;
    account.as_str().map(str::to_owned)
}
