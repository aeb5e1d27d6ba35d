//! Everything that the cloud knows, behind one lock.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use serde_json::Value;

use crate::account::Account;
use crate::arm::{Operation, recovery};
use crate::arrivals::Arrivals;
use crate::call::Call;
use crate::cloud::Cloud;
use crate::directory::{Directory, Principal};
use crate::faults::Faults;
use crate::history::outcome;
use crate::limits::Limits;
use crate::recorder::Recorder;
use crate::reply::Reply;
use crate::specification::Specification;
use crate::workspace::{Workspace, WorkspaceKey};

/// How a simulator is made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Suffix of all host names.
    pub suffix: String,
    /// Port in all URLs; `None` for 443, as in-process.
    pub port: Option<u16>,
    /// Rows of a page of a list. Small, so that paging is always exercised.
    pub page: usize,
    /// Whether each page begins with the last row of the page before, as where a list moves while it is read.
    pub repeats: bool,
    /// Seed of everything random: guids, keys, faults.
    pub seed: u64,
    /// Time between the states of a run: Starting, Running, Completed.
    pub pace: Duration,
    /// How long an operation takes, unless it is polled three times before.
    pub operation: Duration,
    /// Whether `/metadata/endpoints` answers with an object in place of a list of one: Azure does both, by api-version.
    pub metadata_object: bool,
    /// Whether Resource Manager counts requests of each principal and refuses what is too much.
    pub limited: bool,
    /// Api-versions newer than this are not known here, by type below the provider (`workspaces`, `workspaces/jobs`).
    pub newest: BTreeMap<String, String>,
    /// Whether discovery names a registry's front in another domain than its own, as in the public cloud.
    pub front_elsewhere: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            suffix: "sim.localhost".to_owned(),
            port: None,
            page: 7,
            repeats: false,
            seed: 1,
            pace: Duration::from_secs(20),
            operation: Duration::from_secs(1),
            metadata_object: false,
            limited: false,
            newest: BTreeMap::new(),
            front_elsewhere: false,
        }
    }
}

/// The whole state of the simulated cloud.
#[derive(Debug)]
pub struct State {
    /// Names and URLs.
    pub cloud: Cloud,
    /// How it was made.
    pub settings: Settings,
    /// Tenant, principals, tokens.
    pub directory: Directory,
    /// Resource groups by lower-case `subscription/group`.
    pub groups: BTreeMap<String, ResourceGroup>,
    /// Workspaces, the softly deleted ones too.
    pub workspaces: BTreeMap<WorkspaceKey, Workspace>,
    /// Storage accounts by name.
    pub accounts: BTreeMap<String, Account>,
    /// Resources of other providers that workspaces name, by their ids in lower case.
    pub beside: BTreeMap<String, Value>,
    /// Long-running operations by id.
    pub operations: BTreeMap<String, Operation>,
    /// How many of the next operations are to fail.
    pub failing_operations: u32,
    /// What goes wrong.
    pub faults: Faults,
    /// What arrived.
    pub arrivals: Arrivals,
    /// What Resource Manager still allows.
    pub limits: Limits,
    /// Where requests are recorded, if they are.
    pub recorder: Option<Recorder>,
    /// What everything is held against, if it is.
    pub specification: Option<Specification>,
    /// Seeded randomness.
    pub random: StdRng,
}

/// A resource group.
#[derive(Debug, Clone)]
pub struct ResourceGroup {
    /// Subscription id.
    pub subscription: String,
    /// Name, in the letter case it was made with.
    pub name: String,
    /// Region.
    pub location: String,
}

/// Tenant of every simulator.
pub const TENANT: &str = "7d1f4c1e-51a4-4a3b-9b0e-6b1c0e5d0001";
/// Client id of the principal that every simulator knows.
pub const CLIENT_ID: &str = "5b9c6d2e-7a31-4c58-8a44-0c4f3f6d0001";
/// Its client secret.
pub const CLIENT_SECRET: &str = "simulated~secret.of-nobody";

impl State {
    /// Notes a request where requests are recorded, and holds it against the specification where one is at hand.
    pub(crate) fn record(&mut self, call: &Call, reply: &Reply) {
        if let Some(specification) = &mut self.specification {
            specification.note(call, reply);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.note(call, &self.cloud, reply);
        }
    }

    /// A cloud with one principal and nothing else.
    pub fn new(settings: Settings) -> Self {
        let mut random = StdRng::seed_from_u64(settings.seed);
        let mut key = [0u8; 32];
        random.fill_bytes(&mut key);
        let mut directory = Directory::new(TENANT, key);
        let object_id = guid(&mut random);
        directory
            .principals
            .push(Principal::with_secret(CLIENT_ID, object_id, CLIENT_SECRET));
        Self {
            cloud: Cloud::new(settings.suffix.clone(), settings.port),
            settings,
            directory,
            groups: BTreeMap::new(),
            workspaces: BTreeMap::new(),
            accounts: BTreeMap::new(),
            beside: BTreeMap::new(),
            operations: BTreeMap::new(),
            failing_operations: 0,
            faults: Faults::default(),
            arrivals: Arrivals::default(),
            limits: Limits::default(),
            recorder: None,
            specification: None,
            random,
        }
    }

    /// A fresh guid (version 4 in form, from the seed).
    pub fn guid(&mut self) -> String {
        guid(&mut self.random)
    }

    /// A resource group; letter case does not matter.
    pub fn group(&self, subscription: &str, name: &str) -> Option<&ResourceGroup> {
        self.groups.get(&group_key(subscription, name))
    }

    /// Puts a resource group in.
    pub fn add_group(&mut self, group: ResourceGroup) {
        self.groups
            .insert(group_key(&group.subscription, &group.name), group);
    }

    /// Takes a resource group out.
    pub fn remove_group(&mut self, subscription: &str, name: &str) {
        self.groups.remove(&group_key(subscription, name));
    }

    /// Lets happen what is due by `now`.
    pub fn advance(&mut self, now: Timestamp) {
        recovery::purge(self, now);
        for account in self.accounts.values_mut() {
            account.blobs.advance(now);
        }
        for workspace in self.workspaces.values_mut() {
            for (run_id, at) in workspace.history.advance(now) {
                if let Some(account) = self.accounts.get_mut(&workspace.account) {
                    outcome::leave(workspace, account, &run_id, at);
                }
            }
        }
    }

    /// A workspace that is not deleted.
    pub fn workspace(&self, key: &WorkspaceKey) -> Option<&Workspace> {
        self.workspaces
            .get(key)
            .filter(|found| found.deleted.is_none())
    }

    /// The same, to change it.
    pub fn workspace_mut(&mut self, key: &WorkspaceKey) -> Option<&mut Workspace> {
        self.workspaces
            .get_mut(key)
            .filter(|found| found.deleted.is_none())
    }
}

fn group_key(subscription: &str, name: &str) -> String {
    format!("{subscription}/{name}").to_lowercase()
}

fn guid(random: &mut impl RngCore) -> String {
    let mut b = [0u8; 16];
    random.fill_bytes(&mut b);
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let text = hex::encode(b);
    format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..]
    )
}
