//! `mlark doctor`: everything that a backup leans on, looked at one by one, each with what to do about it. It changes
//! nothing; nothing that it shows is secret.

mod azure;
mod grant;
mod here;
mod keeping;
mod target;

use serde::Serialize;
use serde_json::{Value, json};
use workspace::Role;

use crate::config;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::{Table, Tone};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark doctor
  mlark doctor prod --json
  mlark doctor --grant > grant.sh
  mlark doctor --grant --create-workspace --resubmit > grant.sh")]
pub struct Args {
    /// Names of the configuration, workspace URLs or folders [default: all of the configuration]
    #[arg(value_name = "WORKSPACE")]
    workspaces: Vec<String>,
    /// Prints the az commands that give mlark's identity the roles that it needs; runs nothing
    #[arg(long)]
    grant: bool,
    /// With --grant: the role that makes workspaces, for every target
    #[arg(long, requires = "grant", conflicts_with = "workspaces")]
    create_workspace: bool,
    /// With --grant: the role that submits jobs again, for every target
    #[arg(long, requires = "grant", conflicts_with = "workspaces")]
    resubmit: bool,
}

/// What to do about a missing permission.
const NEXT_GRANT: &str = "`mlark doctor --grant` prints the az commands that give what is missing; a new role may take an hour to count";

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Nobody could tell.
    Unknown,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Check {
    /// `configuration`, `clock`, `identity`, `permissions`, `endpoints`, `storage`, `keys`.
    area: &'static str,
    /// Whose: the name of a workspace or target, or nothing.
    on: Option<String>,
    /// What: an action, an address, a file.
    what: String,
    state: State,
    says: String,
    next: Option<String>,
    #[serde(skip)]
    status: ExitStatus,
}

impl Check {
    fn good(area: &'static str, what: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            area,
            on: None,
            what: what.into(),
            state: State::Good,
            says: says.into(),
            next: None,
            status: ExitStatus::Done,
        }
    }

    fn failed(area: &'static str, what: impl Into<String>, failure: &Failure) -> Self {
        Self {
            state: State::Bad,
            next: failure.next.clone(),
            status: failure.status,
            ..Self::good(area, what, failure.sentence())
        }
    }

    fn unknown(area: &'static str, what: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            state: State::Unknown,
            ..Self::good(area, what, says)
        }
    }

    fn on(mut self, on: &str) -> Self {
        self.on = Some(on.to_owned());
        self
    }

    fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

/// All that was found.
#[derive(Debug, Default)]
struct Findings {
    checks: Vec<Check>,
    identities: Vec<Value>,
    permissions: Vec<Value>,
}

impl Findings {
    /// Says what the checks from a place on are about.
    fn are_on(&mut self, name: &str, from: usize) {
        let own = self.checks.split_off(from);
        let named = own.into_iter().map(|check| check.on(name));
        self.checks.extend(named);
    }
}

/// Looks.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    if args.grant {
        return grant::run(args, session).await;
    }
    let mut found = Findings::default();
    here::configuration(session, &mut found);
    let entries = if args.workspaces.is_empty() && session.config.workspace.is_empty() {
        Vec::new()
    } else {
        session.workspaces(&args.workspaces).await?
    };
    for entry in &entries {
        azure::workspace(session, entry, &mut found).await;
    }
    if args.workspaces.is_empty() {
        for entry in &session.config.target {
            target::target(session, entry, &mut found).await;
        }
    }
    here::repository(session, &mut found).await;
    keeping::checks(session, &mut found).await;
    show(session, &found);
    let checks = found.checks.iter();
    Ok(checks.fold(ExitStatus::Done, |status, check| status.and(check.status)))
}

/// The roles that a workspace's own configuration asks for besides the one for backups.
fn more_roles(entry: &config::Workspace) -> Vec<Role> {
    let by_datastore = entry.datastore_access == config::DatastoreAccess::Datastore;
    let wanted = [
        (entry.secrets || by_datastore, Role::secrets()),
        (entry.archived != config::Archived::Gap, Role::rehydration()),
        (entry.share_snapshot, Role::share_snapshot()),
    ];
    let roles = wanted.into_iter();
    roles
        .filter_map(|(wanted, role)| wanted.then_some(role))
        .collect()
}

fn show(session: &Session, found: &Findings) {
    let ui = &session.ui;
    if ui.json() {
        let healthy = found.checks.iter().all(|check| check.state != State::Bad);
        ui.document(&json!({
            "healthy": healthy,
            "checks": found.checks,
            "identities": found.identities,
            "permissions": found.permissions,
        }));
        return;
    }
    let mut table = Table::new(&["area", "workspace", "state", "what", "says"]);
    for check in &found.checks {
        table.row([
            check.area,
            check.on.as_deref().unwrap_or_default(),
            check.state.as_str(),
            &check.what,
            &check.says,
        ]);
    }
    ui.table(&table);
    let mut told: Vec<&str> = Vec::new();
    for next in found
        .checks
        .iter()
        .filter_map(|check| check.next.as_deref())
    {
        if !told.contains(&next) {
            told.push(next);
            ui.toned(&[(Some(Tone::Strong), "next: "), (None, next)]);
        }
    }
}
