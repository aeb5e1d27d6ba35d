//! What a place to restore into answers: who mlark is there, and each action that a restore needs, by what Resource Manager
//! lists as held. Nothing has to be tried for it, since trying would change something.

use serde_json::json;
use workspace::Role;
use workspace::azure::{AzureWorkspace, Connection, Root, WorkspaceName};
use workspace::permission::Action;

use super::azure::{Whose, known};
use super::grant::account;
use super::{Check, Findings, NEXT_GRANT, State};
use crate::config;
use crate::exit::ExitStatus;
use crate::place::Place;
use crate::session::Session;

/// Looks at one target of the configuration.
pub(super) async fn target(session: &Session, entry: &config::Target, found: &mut Findings) {
    let from = found.checks.len();
    match Place::parse(&entry.url) {
        // It is made where it is not there.
        Ok(Place::Folder(_)) => {}
        Ok(Place::Azure(name)) => of_azure(session, entry, &name, found).await,
        Err(failure) => found
            .checks
            .push(Check::failed("configuration", "url", &failure)),
    }
    found.are_on(&entry.name, from);
}

async fn of_azure(
    session: &Session,
    entry: &config::Target,
    name: &WorkspaceName,
    found: &mut Findings,
) {
    let azure = entry.azure.over(&session.config.azure);
    let whose = Whose::Target(&entry.name);
    let Some(connection) = known(session, &azure, whose, found).await else {
        return;
    };
    let role = match name.root {
        Root::Workspace => Role::restore(),
        Root::Registry => Role::registry_restore(),
    };
    match AzureWorkspace::is_there(&connection, name).await {
        Ok(false) => {
            let says = "it is not there, so nothing is held on it yet";
            let check = Check::unknown("permissions", name.arm_id(), says);
            return found.checks.push(check);
        }
        Err(error) if error.is_forbidden() => return unseen(entry, &error, found),
        // Whether it is there or not, what is held can be asked for.
        Ok(true) | Err(_) => {}
    }
    let (storage, own): (Vec<&Action>, Vec<&Action>) =
        (role.actions.iter()).partition(|action| action.is_of_storage());
    let asks = Asks {
        connection: &connection,
        target: &entry.name,
        role: &role,
    };
    asks.at(&name.arm_id(), &own, found).await;
    if storage.is_empty() {
        return;
    }
    match account(&connection, name).await {
        Some(account) => asks.at(&account, &storage, found).await,
        None => asks.unknown(&storage, "its storage account is not known", found),
    }
}

/// A target that may not even be looked at: what it lacks first, as the refusal says.
fn unseen(entry: &config::Target, error: &workspace::Error, found: &mut Findings) {
    let refusal = error.refusal();
    let actions = refusal.map(workspace::error::Refusal::actions);
    let actions = actions.unwrap_or_default();
    let actions: Vec<&str> = actions.iter().map(Action::name).collect();
    let says = error.to_string();
    found.permissions.push(json!({
        "target": entry.name, "actions": actions, "asked": refusal.map(|refusal| &refusal.act),
        "answer": "missing", "status": refusal.map(|refusal| refusal.status),
        "code": refusal.map(|refusal| &refusal.code), "says": says,
    }));
    let check = Check {
        state: State::Bad,
        status: ExitStatus::Gaps,
        ..Check::good("permissions", actions.join(" and "), says)
    };
    found.checks.push(check.next(NEXT_GRANT));
}

/// What is asked about one target.
struct Asks<'a> {
    connection: &'a Connection,
    target: &'a str,
    role: &'a Role,
}

impl Asks<'_> {
    /// Compares what is held at a resource with the actions that are needed there.
    async fn at(&self, scope: &str, actions: &[&Action], found: &mut Findings) {
        let held = match self.connection.held(scope).await {
            Ok(held) => held,
            Err(error) => return self.unknown(actions, &error.to_string(), found),
        };
        let asked = format!("GET {scope}/providers/Microsoft.Authorization/permissions");
        let mut missing = 0;
        for action in actions {
            let (answer, says) = match held.allows(action) {
                true => ("allowed", format!("held on {scope}")),
                false => ("missing", format!("not among what is held on {scope}")),
            };
            found.permissions.push(json!({
                "target": self.target, "actions": [action.name()], "asked": asked,
                "answer": answer, "status": null, "code": null, "says": says,
            }));
            if answer == "missing" {
                missing += 1;
                let check = Check {
                    state: State::Bad,
                    status: ExitStatus::Gaps,
                    ..Check::good("permissions", action.name(), says)
                };
                found.checks.push(check.next(NEXT_GRANT));
            }
        }
        if missing == 0 {
            let what = format!("role `{}`", self.role.name);
            let says = format!("all of its {} actions are held on {scope}", actions.len());
            found.checks.push(Check::good("permissions", what, says));
        }
    }

    fn unknown(&self, actions: &[&Action], reason: &str, found: &mut Findings) {
        for action in actions {
            found.permissions.push(json!({
                "target": self.target, "actions": [action.name()], "asked": null,
                "answer": "unknown", "status": null, "code": null, "says": reason,
            }));
        }
        let what = format!("{} actions of the role `{}`", actions.len(), self.role.name);
        found
            .checks
            .push(Check::unknown("permissions", what, reason));
    }
}
