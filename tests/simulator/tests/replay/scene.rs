//! The cloud before the first request of a recording: its workspaces and accounts, and nothing in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use simulator::account::Account;
use simulator::arm::WorkspaceSpec;
use simulator::clock::FixedClock;
use simulator::{Settings, Simulator};

use crate::recording::{Recording, Row};

/// An empty cloud, and what the recording calls the things in it that the cloud names by itself.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) simulator: Simulator,
    pub(crate) clock: Arc<FixedClock>,
    /// Recorded name to the cloud's: default container and shares of the workspaces.
    pub(crate) named: BTreeMap<String, String>,
}

/// A workspace as the recording's paths name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    subscription: String,
    group: String,
    name: String,
}

impl Scene {
    /// The cloud that recordings were made in.
    pub(crate) fn before(recordings: &[Recording]) -> Self {
        let rows: Vec<&Row> = recordings.iter().flat_map(|one| &one.rows).collect();
        let clock = Arc::new(FixedClock::at(
            Timestamp::from_second(1_800_000_000).unwrap(),
        ));
        let simulator = Simulator::with_clock(settings(&rows), Arc::clone(&clock) as _);
        let accounts = accounts(&rows);
        let own = accounts
            .iter()
            .find(|(_, stores)| default_store(stores, "code-").is_some());
        let mut named = BTreeMap::new();
        let main = rows.iter().find(|row| row.service == "arm");
        let main = main.and_then(|row| place(row.path()));
        for (place, location) in workspaces(&rows) {
            let account = own.filter(|_| Some(&place) == main.as_ref());
            let key = simulator.create_workspace(&WorkspaceSpec {
                account: account.map(|(name, _)| name.clone()),
                ..WorkspaceSpec::new(&place.subscription, &place.group, &place.name, &location)
            });
            if let Some((_, stores)) = account {
                let state = simulator.state();
                let workspace = state.workspaces.get(&key).unwrap();
                let filestore = format!("azureml-filestore-{}", workspace.guid);
                for (prefix, actual) in [
                    ("azureml-blobstore-", &workspace.blob_container),
                    ("code-", &workspace.notebook_share),
                    ("azureml-filestore-", &filestore),
                ] {
                    if let Some(recorded) = default_store(stores, prefix) {
                        named.insert(recorded, actual.clone());
                    }
                }
            }
        }
        add_accounts(&simulator, accounts.keys());
        Self {
            simulator,
            clock,
            named,
        }
    }
}

fn settings(rows: &[&Row]) -> Settings {
    let arm = rows
        .iter()
        .find(|row| row.host.starts_with("management."))
        .unwrap();
    let (suffix, port) = arm.host["management.".len()..].split_once(':').unwrap();
    Settings {
        suffix: suffix.to_owned(),
        port: port.parse().ok(),
        page: 3,
        ..Settings::default()
    }
}

/// Account to the containers and shares that are asked for there.
fn accounts(rows: &[&Row]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| matches!(row.service.as_str(), "blob" | "file"))
    {
        let store = row.path().split('/').nth(1).unwrap_or_default();
        found
            .entry(row.label().to_owned())
            .or_default()
            .push(store.to_owned());
    }
    found
}

fn default_store(stores: &[String], prefix: &str) -> Option<String> {
    stores
        .iter()
        .find(|store| store.starts_with(prefix))
        .cloned()
}

/// The workspaces that paths name, in their order, with their region.
fn workspaces(rows: &[&Row]) -> Vec<(Place, String)> {
    let mut found: Vec<(Place, String)> = Vec::new();
    for row in rows {
        let Some(place) = place(row.path()) else {
            continue;
        };
        let at = match found.iter().position(|(known, _)| *known == place) {
            Some(at) => at,
            None => {
                found.push((place, "eastus".to_owned()));
                found.len() - 1
            }
        };
        if row.service == "data" {
            found[at].1 = row.label().to_owned();
        } else if let Some(region) = row.body["location"].as_str() {
            found[at].1 = region.to_owned();
        }
    }
    found
}

fn place(path: &str) -> Option<Place> {
    let parts: Vec<&str> = path.split('/').collect();
    let after = |word: &str| {
        let at = parts
            .iter()
            .position(|part| part.eq_ignore_ascii_case(word))?;
        parts.get(at + 1).map(|part| (*part).to_owned())
    };
    Some(Place {
        subscription: after("subscriptions")?,
        group: after("resourceGroups")?,
        name: after("workspaces")?,
    })
}

fn add_accounts<'a>(simulator: &Simulator, names: impl Iterator<Item = &'a String>) {
    let mut random = StdRng::seed_from_u64(7);
    for name in names {
        let mut state = simulator.state();
        if !state.accounts.contains_key(name) {
            let id = format!(
                "/subscriptions/none/resourceGroups/none/providers/Microsoft.Storage/storageAccounts/{name}"
            );
            let account = Account::new(name.clone(), id, &mut random);
            state.accounts.insert(name.clone(), account);
        }
    }
}
