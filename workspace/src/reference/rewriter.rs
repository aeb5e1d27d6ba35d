//! What a restore knows about where things went.

use std::collections::BTreeMap;

use super::{Mapping, Slot};
use crate::{Identity, ItemId};

/// A container, share or filesystem of a storage account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreName {
    /// The account's name.
    pub account: String,
    /// The container, share or filesystem.
    pub container: String,
}

/// A store of the source and the one that takes its place, such as the default containers of two workspaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreMove {
    /// In the source.
    pub from: StoreName,
    /// In the target.
    pub to: StoreName,
}

/// What became of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoredRun {
    /// The id of the run in the target.
    pub run: String,
    /// A reference to the folder of its artifacts in the target; without it, references to artifacts keep their form.
    pub artifacts: Option<String>,
    /// References to the folders of its named outputs.
    pub outputs: BTreeMap<String, String>,
}

/// Maps references of one workspace to another.
#[derive(Clone, Debug)]
pub struct Rewriter {
    pub(super) source: Identity,
    pub(super) target: Identity,
    pub(super) mapping: Mapping,
    pub(super) stores: Vec<StoreMove>,
    pub(super) suffix: Option<(String, String)>,
    pub(super) runs: BTreeMap<String, RestoredRun>,
    items: BTreeMap<ItemId, ItemId>,
}

impl Rewriter {
    /// Knows the two workspaces and nothing else yet.
    pub fn new(source: Identity, target: Identity) -> Self {
        Self {
            source,
            target,
            mapping: Mapping::default(),
            stores: Vec::new(),
            suffix: None,
            runs: BTreeMap::new(),
            items: BTreeMap::new(),
        }
    }

    /// Takes what a mapping file says; it goes before everything that was found out.
    #[must_use]
    pub fn with_mapping(mut self, mapping: Mapping) -> Self {
        self.mapping = mapping;
        self
    }

    /// The storage suffixes of the two clouds, such as `core.windows.net`, where they differ.
    #[must_use]
    pub fn with_storage_suffix(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.suffix = Some((from.into(), to.into()));
        self
    }

    /// The workspace that references are mapped from.
    pub fn source(&self) -> &Identity {
        &self.source
    }

    /// The workspace that references are mapped to.
    pub fn target(&self) -> &Identity {
        &self.target
    }

    /// Whether source and target are the same workspace.
    pub fn stays(&self) -> bool {
        self.source == self.target
    }

    /// From now on one store takes another's place.
    pub fn move_store(&mut self, from: StoreName, to: StoreName) {
        self.stores.retain(|moved| moved.from != from);
        self.stores.push(StoreMove { from, to });
    }

    /// From now on a job is this run.
    pub fn restored_run(&mut self, job: impl Into<String>, run: RestoredRun) {
        self.runs.insert(job.into(), run);
    }

    /// What became of a job, if it is known.
    pub fn run_of(&self, job: &str) -> Option<&RestoredRun> {
        self.runs.get(job)
    }

    /// From now on an item has another name or version. An item without a version renames all of its versions.
    pub fn renamed(&mut self, from: ItemId, to: ItemId) {
        self.items.insert(from, to);
    }

    /// The store that takes a store's place. Account names in any letter case.
    pub fn map_store(&self, store: &StoreName) -> Option<StoreName> {
        let moved = self.stores.iter().find(|moved| {
            moved.from.account.eq_ignore_ascii_case(&store.account)
                && moved.from.container == store.container
        });
        moved.map(|moved| moved.to.clone()).or_else(|| {
            let account = self.mapping.storage_accounts.get(&store.account)?;
            Some(StoreName {
                account: account.clone(),
                container: store.container.clone(),
            })
        })
    }

    /// The region that takes a region's place: by the mapping file, or else the target's own where it is the source's. A
    /// region is written as `westeurope` or `West Europe`.
    pub fn map_region(&self, region: &str) -> Option<String> {
        let plain = |text: &str| text.replace(' ', "").to_ascii_lowercase();
        let own = plain(region);
        let mut names = self.mapping.region.iter();
        if let Some((_, to)) = names.find(|(from, _)| plain(from) == own) {
            return Some(to.clone());
        }
        let from = mapped_text(&self.source, Slot::Region)?;
        let to = mapped_text(&self.target, Slot::Region)?;
        (plain(from) == own && plain(to) != own).then(|| to.to_owned())
    }

    /// The registry that takes a registry's place, by the mapping file. Names in any letter case.
    pub fn mapped_registry(&self, registry: &str) -> Option<String> {
        let mut names = self.mapping.registries.iter();
        let found = names.find(|(from, _)| from.eq_ignore_ascii_case(registry));
        found.map(|(_, to)| to.clone())
    }

    /// The name of an item in the target: as it is, unless the mapping file or an earlier step says otherwise. What lies
    /// below another item follows it.
    pub fn map_item(&self, id: &ItemId) -> ItemId {
        let nameless = ItemId::new(id.kind.clone(), id.name.clone());
        if let Some(to) = self.named(id) {
            return to;
        }
        if let Some((above, _, name)) = id.nested() {
            let to = self.map_item(&above);
            return ItemId::new(id.kind.clone(), format!("{}/{name}", to.name));
        }
        match self.named(&nameless) {
            Some(to) if id.version.is_some() && to.version.is_none() => ItemId {
                version: id.version.clone(),
                ..to
            },
            Some(to) => to,
            None => id.clone(),
        }
    }

    /// What is said about exactly this item.
    fn named(&self, id: &ItemId) -> Option<ItemId> {
        if let Some(to) = self.mapping.names.get(&id.to_string()) {
            return to.parse().ok();
        }
        let short = id.to_string();
        let short = short.split_once('/').map(|(_, name)| name)?;
        let topic = match id.kind.as_str() {
            "datastores" => Some(&self.mapping.datastores),
            "computes" => Some(&self.mapping.computes),
            "environments" => Some(&self.mapping.environments),
            _ => None,
        };
        if let Some(to) = topic.and_then(|names| names.get(short)) {
            return format!("{}/{to}", id.kind).parse().ok();
        }
        if id.kind == "jobs" {
            let run = self.runs.get(&id.name)?;
            return Some(ItemId::new("jobs", run.run.clone()));
        }
        self.items.get(id).cloned()
    }

    /// What the mapping file says about a bare subscription or resource group.
    pub(super) fn mapped_scope(&self, slot: Slot, text: &str) -> Option<String> {
        let names = match slot {
            Slot::Subscription => &self.mapping.subscription,
            Slot::ResourceGroup => &self.mapping.resource_group,
            _ => return None,
        };
        names.get(text).cloned()
    }
}

/// The workspace's own text for a slot.
pub(super) fn mapped_text(identity: &Identity, slot: Slot) -> Option<&str> {
    let Identity::Azure {
        subscription,
        resource_group,
        workspace,
        region,
        workspace_guid,
        storage_account,
    } = identity
    else {
        return None;
    };
    Some(match slot {
        Slot::Subscription => subscription,
        Slot::ResourceGroup => resource_group,
        Slot::Workspace => workspace,
        Slot::Region => region,
        Slot::WorkspaceGuid => workspace_guid,
        Slot::Account => storage_account,
        _ => return None,
    })
}
