//! What the runbook is written of: the configuration, where keys and files lie, and what the repository itself says of its
//! owners, machines and workspaces.

use std::collections::BTreeMap;
use std::path::PathBuf;

use archive_format::log::HolderSort;
use archive_format::{KeySet, Repository, SnapshotRecord};
use workspace::Identity;

use super::configuration;
use crate::config::read::SYSTEM_FILE;
use crate::failure::{Failure, without_queries};
use crate::place::Place;
use crate::session::Session;
use crate::session::keys::read_machine_key;
use crate::session::patterns::pattern;
use crate::session::repository::{PROGRAM, absolute, machine_label};
use crate::store::Address;

/// An installation.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The name of this machine.
    pub machine: String,
    /// The version that writes.
    pub program: String,
    /// Where the repository lies, as it is typed.
    pub place: String,
    /// The same, understood.
    pub address: Address,
    /// The repository's id.
    pub id: String,
    /// Whether contents are encrypted.
    pub encrypted: bool,
    /// The text of the configuration, without secrets.
    pub configuration: String,
    /// Where it lies.
    pub config_file: PathBuf,
    /// Where this machine's key lies.
    pub key_file: PathBuf,
    /// The signer of that key, where it is there.
    pub signer: Option<String>,
    /// An owner's key on this machine.
    pub identity_file: Option<PathBuf>,
    /// An owner's passphrase on this machine.
    pub passphrase_file: Option<PathBuf>,
    /// Further files with secrets that the configuration names: what each is, and where it lies.
    pub secret_files: Vec<(&'static str, PathBuf)>,
    /// Who opens the backups.
    pub owners: Vec<Owner>,
    /// Who adds to them.
    pub machines: Vec<Machine>,
    /// What is backed up, one by one also where the configuration has a pattern.
    pub workspaces: Vec<Workspace>,
    /// Places to restore into.
    pub targets: Vec<Target>,
    /// Whether a daemon has anything to do here.
    pub scheduled: bool,
    /// Whether the repository is reached otherwise than a machine without a configuration would.
    pub own_way: bool,
}

/// One who opens the backups.
#[derive(Clone, Debug)]
pub struct Owner {
    /// A name for people.
    pub label: String,
    /// The age or SSH recipient; none of one with a passphrase.
    pub recipient: Option<String>,
}

/// One who adds to them.
#[derive(Clone, Debug)]
pub struct Machine {
    /// A name for people.
    pub label: String,
    /// The public signing key.
    pub signer: String,
}

/// A workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Its name in snapshots.
    pub name: String,
    /// Its address.
    pub url: String,
    /// The schedule of its entry in the configuration.
    pub schedule: Option<String>,
    /// What the newest snapshot says of it.
    pub identity: Option<Identity>,
    /// Whether its credentials are kept.
    pub secrets: bool,
}

/// A place to restore into.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name in the configuration.
    pub name: String,
    /// Its address.
    pub url: String,
}

impl Facts {
    /// Gathers them.
    pub async fn gather(session: &Session, repository: &Repository) -> Result<Self, Failure> {
        let archive = |error| Failure::of_archive(&error);
        let keys = repository.keys().await.map_err(archive)?;
        let history = repository.history().await.map_err(archive)?;
        let (config, id) = (&session.config, repository.id().to_string());
        let address = session.repository_address()?;
        let key = read_machine_key(&session.key_file(&id)?)?;
        // Not where systemd shows a credential, which is another place at each start.
        let key_file = absolute(&session.key_file_to_write(&id)?);
        let config_file = match &session.config_file {
            Some(file) => absolute(file),
            None => PathBuf::from(SYSTEM_FILE),
        };
        Ok(Self {
            machine: machine_label(),
            program: PROGRAM.to_owned(),
            place: match &address {
                Address::Folder(path) => absolute(path).display().to_string(),
                other => other.to_string(),
            },
            id,
            encrypted: repository.record().encryption.is_some(),
            configuration: configuration::text(config, &address)?,
            config_file,
            signer: key.map(|key| key.signer().to_string()),
            key_file,
            identity_file: session.identity_file().map(|file| absolute(&file)),
            passphrase_file: config.repository.passphrase_file.as_deref().map(absolute),
            secret_files: configuration::secret_files(config),
            owners: owners(&keys),
            machines: machines(&keys),
            workspaces: workspaces(session, &history),
            targets: targets(session),
            scheduled: config
                .workspace
                .iter()
                .any(|entry| entry.schedule.is_some()),
            own_way: configuration::is_reached_its_own_way(config),
            address,
        })
    }

    /// Whether one of the owners has a key in a file.
    pub(super) fn has_key_owner(&self) -> bool {
        self.owners.iter().any(|owner| owner.recipient.is_some())
    }

    /// What commands that open contents take along.
    pub(super) fn owner_options(&self) -> &'static str {
        match (self.encrypted, self.has_key_owner()) {
            (false, _) => "",
            (true, true) => " --identity-file \"$OWNER_KEY\"",
            (true, false) => " --passphrase-file -",
        }
    }

    /// Whether the configuration is needed to reach the repository at all.
    pub(super) fn needs_own_azure(&self) -> bool {
        self.own_way && !matches!(self.address, Address::Folder(_))
    }

    /// Whether anything lies in Azure.
    pub(super) fn uses_azure(&self) -> bool {
        let in_azure = |url: &str| matches!(Place::parse(url), Ok(Place::Azure(_)));
        matches!(self.address, Address::Azure { .. })
            || self
                .workspaces
                .iter()
                .any(|workspace| in_azure(&workspace.url))
    }
}

impl Owner {
    pub(super) fn shown(&self) -> String {
        match &self.recipient {
            Some(recipient) => format!("`{recipient}`"),
            None => "a passphrase".to_owned(),
        }
    }
}

fn owners(keys: &KeySet) -> Vec<Owner> {
    let held = keys.holders.iter().map(|held| &held.holder);
    held.filter(|holder| holder.sort == HolderSort::Owner)
        .map(|holder| Owner {
            label: holder.label.clone(),
            recipient: holder.recipient.clone(),
        })
        .collect()
}

fn machines(keys: &KeySet) -> Vec<Machine> {
    let held = keys.holders.iter().map(|held| &held.holder);
    held.filter_map(|holder| {
        Some(Machine {
            label: holder.label.clone(),
            signer: holder.signer?.to_string(),
        })
    })
    .collect()
}

/// The workspaces of the configuration, and of each pattern those that have snapshots.
fn workspaces(session: &Session, history: &[SnapshotRecord]) -> Vec<Workspace> {
    let mut newest: BTreeMap<&str, &SnapshotRecord> = BTreeMap::new();
    for record in history {
        newest.insert(&record.workspace, record);
    }
    let mut found = Vec::new();
    for entry in &session.config.workspace {
        if pattern(&entry.url).is_none() {
            let identity = newest
                .get(entry.name.as_str())
                .and_then(|record| identity(record));
            found.push(Workspace {
                name: entry.name.clone(),
                url: url_of(&entry.url),
                schedule: entry.schedule.clone(),
                identity,
                secrets: entry.secrets,
            });
            continue;
        }
        for (name, record) in &newest {
            let of_it = session
                .entry_of(name)
                .is_some_and(|of| of.name == entry.name);
            if let (true, Some(identity)) = (of_it, identity(record))
                && let Some(url) = identity.name()
            {
                found.push(Workspace {
                    name: (*name).to_owned(),
                    url: url.to_string(),
                    schedule: entry.schedule.clone(),
                    identity: Some(identity),
                    secrets: entry.secrets,
                });
            }
        }
    }
    found
}

fn identity(record: &SnapshotRecord) -> Option<Identity> {
    serde_json::from_value(record.identity.clone()).ok()
}

fn targets(session: &Session) -> Vec<Target> {
    let targets = session.config.target.iter();
    targets
        .map(|target| Target {
            name: target.name.clone(),
            url: url_of(&target.url),
        })
        .collect()
}

/// An address as it is typed anywhere: a folder by its whole path.
fn url_of(url: &str) -> String {
    match Place::parse(url) {
        Ok(Place::Folder(path)) => absolute(&path).display().to_string(),
        Ok(Place::Azure(name)) => name.to_string(),
        Err(_) => without_queries(url),
    }
}
