//! What a workspace in Azure answers: its cloud, the time there, who mlark is, and each permission that a backup needs.

use serde_json::{Value, json};
use workspace::Role;
use workspace::azure::{Connection, Probe, Root, Verdict, WhoAmI, WorkspaceName};

use super::{Check, Findings, NEXT_GRANT, State, more_roles};
use crate::config;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::place::{Place, Source};
use crate::session::Session;

/// Azure gives and takes tokens and signatures of machines whose clock is wrong by at most this much.
const WRONG_SECONDS_MAX: u64 = 5 * 60;

/// Looks at one workspace of the configuration.
pub(super) async fn workspace(session: &Session, entry: &config::Workspace, found: &mut Findings) {
    let from = found.checks.len();
    match Place::parse(&entry.url) {
        Ok(Place::Folder(path)) => folder(session, entry, &path.display().to_string(), found).await,
        Ok(Place::Azure(name)) => of_azure(session, entry, &name, found).await,
        Err(failure) => found
            .checks
            .push(Check::failed("configuration", "url", &failure)),
    }
    found.are_on(&entry.name, from);
}

async fn folder(session: &Session, entry: &config::Workspace, path: &str, found: &mut Findings) {
    let check = match Source::open(session, entry, None).await {
        Ok(_) => Check::good("permissions", path, "the folder can be read"),
        Err(failure) => Check::failed("permissions", path, &failure),
    };
    found.checks.push(check);
}

/// The connection of a workspace, as a backup makes it.
pub(super) async fn connect(
    session: &Session,
    azure: &config::Azure,
) -> Result<Connection, Failure> {
    let settings = crate::azure::settings(azure, &session.context, None)?;
    let opened = Connection::open(settings).await;
    opened.map_err(|error| Failure::of_workspace(&error))
}

/// Whose connection it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose<'a> {
    /// A workspace's, by its name.
    Workspace(&'a str),
    /// A target's, by its name.
    Target(&'a str),
    /// The repository's, by its address.
    Repository(&'a str),
}

impl<'a> Whose<'a> {
    /// As a member of the report.
    fn member(self) -> (&'static str, &'a str) {
        match self {
            Self::Workspace(name) => ("workspace", name),
            Self::Target(name) => ("target", name),
            Self::Repository(address) => ("repository", address),
        }
    }
}

/// A connection, with what it tells of the cloud, of the time there and of who mlark is; none where it tells nothing.
pub(super) async fn known(
    session: &Session,
    azure: &config::Azure,
    whose: Whose<'_>,
    found: &mut Findings,
) -> Option<Connection> {
    let connection = match connect(session, azure).await {
        Ok(connection) => connection,
        Err(failure) => {
            let check = Check::failed("endpoints", "Resource Manager", &failure);
            found.checks.push(check);
            return None;
        }
    };
    let cloud = connection.cloud();
    found.checks.push(Check::good(
        "endpoints",
        cloud.resource_manager.as_str(),
        format!("cloud {}, storage *.{}", cloud.name, cloud.storage_suffix),
    ));
    found.checks.push(clock(&connection));
    match connection.who_am_i().await {
        Ok(who) => identity(whose, &who, found),
        Err(error) => {
            let failure = Failure::of_workspace(&error);
            found
                .checks
                .push(Check::failed("identity", "token", &failure));
            return None;
        }
    }
    Some(connection)
}

async fn of_azure(
    session: &Session,
    entry: &config::Workspace,
    name: &WorkspaceName,
    found: &mut Findings,
) {
    let azure = entry.azure.over(&session.config.azure);
    let whose = Whose::Workspace(&entry.name);
    let Some(connection) = known(session, &azure, whose, found).await else {
        return;
    };
    for probe in connection.probe(name).await {
        permission(&entry.name, &probe, found);
    }
    if name.root == Root::Registry {
        // Neither secrets nor storage of its owner's belong to a registry.
        return;
    }
    found
        .checks
        .push(discovery(&connection.probe_discovery(name).await));
    let more = more_roles(entry);
    for probe in connection.probe_changes(name, &more).await {
        permission(&entry.name, &probe, found);
    }
    found.checks.extend(not_asked(&more));
}

/// Whether kinds that this version does not know can be looked for. A backup is good without, as far as anybody knows.
fn discovery(probe: &Probe) -> Check {
    let actions: Vec<&str> = probe.actions.iter().map(workspace::Action::name).collect();
    let what = actions.join(" and ");
    let why = match &probe.verdict {
        Verdict::Allowed(status) => {
            return Check::good("permissions", what, format!("{status} {}", probe.act));
        }
        Verdict::Missing(error) => error.to_string(),
        Verdict::Unknown(reason) => reason.clone(),
    };
    let says = format!(
        "kinds that this version does not know cannot be looked for: {why}; the role `{}` on the subscription has it",
        Role::discovery().name
    );
    Check::unknown("permissions", what, says).next(NEXT_GRANT)
}

/// The actions of roles that were not asked about, with the reason: those that the configuration does not need, and those
/// that would tell a secret.
fn not_asked(wanted: &[Role]) -> Vec<Check> {
    let mut checks = Vec::new();
    for (role, key) in [
        (Role::rehydration(), "archived"),
        (Role::share_snapshot(), "share_snapshot"),
    ] {
        if !wanted.contains(&role) {
            let says = format!("not needed, since `{key}` does not ask for it");
            checks.push(Check::good(
                "permissions",
                format!("role `{}`", role.name),
                says,
            ));
        }
    }
    let unasked = wanted.iter().filter(|role| !role.changes_storage());
    for role in unasked {
        let says = format!(
            "not asked, since it would tell a secret; the role `{}` has it",
            role.name
        );
        let actions = role.actions.iter();
        checks.extend(
            actions.map(|action| Check::unknown("permissions", action.name(), says.clone())),
        );
    }
    checks
}

fn clock(connection: &Connection) -> Check {
    let Some(ahead) = connection.cloud_ahead() else {
        return Check::unknown("clock", "the cloud's", "its answer names no time");
    };
    let seconds = ahead.as_secs().unsigned_abs();
    if seconds <= WRONG_SECONDS_MAX {
        return Check::good("clock", "the cloud's", format!("differs by {seconds} s"));
    }
    let failure = Failure::failed(format!("This machine's clock differs by {seconds} s"))
        .next("set the clock, and keep it with NTP: Azure refuses tokens and signatures from another time");
    Check::failed("clock", "the cloud's", &failure)
}

fn identity(whose: Whose<'_>, who: &WhoAmI, found: &mut Findings) {
    let source = who
        .origin
        .as_ref()
        .map_or("unknown", |origin| origin.source);
    let passed_over = who.origin.iter().flat_map(|origin| &origin.passed_over);
    let names = [
        ("tenant", &who.tenant),
        ("client", &who.client),
        ("object", &who.object),
        ("user", &who.user),
    ];
    let says: Vec<String> = names
        .iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)))
        .collect();
    let says = match says.is_empty() {
        true => "its token does not say whose it is".to_owned(),
        false => says.join(", "),
    };
    found.checks.push(Check::good("identity", source, says));
    for (credential, reason) in passed_over.clone() {
        found.checks.push(Check::unknown(
            "identity",
            credential,
            format!("passed over: {reason}"),
        ));
    }
    let passed_over: Vec<Value> = passed_over
        .map(|(credential, reason)| json!({"credential": credential, "reason": reason}))
        .collect();
    let (member, name) = whose.member();
    found.identities.push(json!({
        member: name, "credential": source, "passed_over": passed_over,
        "tenant": who.tenant, "client": who.client, "object": who.object, "user": who.user,
    }));
}

fn permission(workspace: &str, probe: &Probe, found: &mut Findings) {
    let actions: Vec<&str> = probe.actions.iter().map(workspace::Action::name).collect();
    let what = actions.join(" and ");
    let (answer, status, code, check) = match &probe.verdict {
        Verdict::Allowed(status) => (
            "allowed",
            Some(*status),
            None,
            Check::good("permissions", what, format!("{status} {}", probe.act)),
        ),
        Verdict::Missing(error) => {
            let refusal = error.refusal();
            let says = error.to_string();
            let whole = actions.iter().any(|action| ends_in_whole(action));
            let check = Check {
                state: State::Bad,
                // Without the workspace itself nothing can be read.
                status: if whole {
                    ExitStatus::Failed
                } else {
                    ExitStatus::Gaps
                },
                ..Check::good("permissions", what, says)
            };
            (
                "missing",
                refusal.map(|refusal| refusal.status),
                refusal.map(|refusal| refusal.code.clone()),
                check.next(NEXT_GRANT),
            )
        }
        Verdict::Unknown(reason) => (
            "unknown",
            None,
            None,
            Check::unknown("permissions", what, reason.clone()),
        ),
    };
    let asked = Some(&probe.act).filter(|act| !act.is_empty());
    found.permissions.push(json!({
        "workspace": workspace, "actions": actions, "asked": asked, "answer": answer,
        "status": status, "code": code, "says": check.says,
    }));
    found.checks.push(check);
}

fn ends_in_whole(action: &str) -> bool {
    action.ends_with("/workspaces/read") || action.ends_with("/registries/read")
}
