//! What a restore knows about where things went: it maps one reference at a time.

use std::collections::BTreeMap;

use super::{Form, Mapping, Reference, Slot, is_binding};
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

/// A mapped reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What to write.
    pub text: String,
    /// Why it still leads to the source, where it does.
    pub left: Option<&'static str>,
}

/// Maps references of one workspace to another.
#[derive(Clone, Debug)]
pub struct Rewriter {
    pub(super) source: Identity,
    pub(super) target: Identity,
    mapping: Mapping,
    stores: Vec<StoreMove>,
    suffix: Option<(String, String)>,
    runs: BTreeMap<String, RestoredRun>,
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

    /// The name of an item in the target: as it is, unless the mapping file or an earlier step says otherwise.
    pub fn map_item(&self, id: &ItemId) -> ItemId {
        let nameless = ItemId::new(id.kind.clone(), id.name.clone());
        if let Some(to) = self.named(id) {
            return to;
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

    /// Maps one reference; what it does not know stays byte by byte.
    pub fn map(&self, reference: &Reference) -> Outcome {
        match reference.form() {
            Form::Storage | Form::Hadoop => self.map_storage(reference),
            Form::Registry | Form::Image => {
                let mut mapped = reference.clone();
                Self::swap(&mut mapped, Slot::Registry, &self.mapping.registries);
                Outcome::good(&mapped)
            }
            Form::Lake => {
                let mut mapped = reference.clone();
                Self::swap(&mut mapped, Slot::Account, &self.mapping.storage_accounts);
                Outcome::good(&mapped)
            }
            _ if reference.is_in(&self.source) => self.map_own(reference),
            _ => self.map_foreign(reference),
        }
    }

    /// Something in the source workspace.
    fn map_own(&self, reference: &Reference) -> Outcome {
        let mut mapped = reference.clone();
        self.move_workspace(&mut mapped);
        if let Some(id) = reference.item_in(&self.source)
            && reference.get(Slot::Name).is_some()
        {
            return self.map_named(reference, mapped, &id);
        }
        if let Some(name) = reference
            .get(Slot::Datastore)
            .filter(|name| !is_binding(name))
        {
            mapped.set(
                Slot::Datastore,
                &self.map_item(&ItemId::new("datastores", name)).name,
            );
            self.map_path_runs(&mut mapped);
            return Outcome::good(&mapped);
        }
        match reference.get(Slot::Run).filter(|run| !is_binding(run)) {
            Some(run) => self.map_run(reference, mapped, run),
            None => Outcome::good(&mapped),
        }
    }

    fn map_named(&self, reference: &Reference, mut mapped: Reference, id: &ItemId) -> Outcome {
        if id.kind == "environments"
            && let Some(whole) = self.mapped_environment(id)
        {
            return Outcome {
                text: whole,
                left: None,
            };
        }
        let to = self.map_item(id);
        if to != *id && reference.get(Slot::Below).is_none() {
            mapped.set(Slot::Name, &to.name);
            if let Some(version) = &to.version {
                mapped.set(Slot::Version, version);
            }
        }
        let lost = id.kind == "jobs" && !self.stays() && !self.runs.contains_key(&id.name);
        Outcome {
            text: mapped.to_string(),
            left: lost.then_some(RUN_UNKNOWN),
        }
    }

    /// An environment that the mapping file replaces by a whole reference, such as one of a registry.
    fn mapped_environment(&self, id: &ItemId) -> Option<String> {
        let exact = id.version.as_ref().and_then(|version| {
            let key = format!("{}:{version}", id.name);
            self.mapping.environments.get(&key)
        });
        let to = exact.or_else(|| self.mapping.environments.get(&id.name))?;
        (to.contains('/') && Reference::parse(to).is_some()).then(|| to.clone())
    }

    /// A place among a job's artifacts or outputs becomes the place of the restored bytes.
    fn map_run(&self, reference: &Reference, mut mapped: Reference, run: &str) -> Outcome {
        let Some(restored) = self.runs.get(run) else {
            return Outcome {
                text: mapped.to_string(),
                left: (!self.stays()).then_some(RUN_UNKNOWN),
            };
        };
        mapped.set(Slot::Run, &restored.run);
        let (folder, path) = match reference.get(Slot::Output) {
            Some("artifacts") => (
                restored.artifacts.as_ref(),
                reference.path_after(Slot::Output),
            ),
            Some(output) => (
                restored.outputs.get(output),
                reference.path_after(Slot::Output),
            ),
            None => (restored.artifacts.as_ref(), reference.path_after(Slot::Run)),
        };
        let names_job_alone =
            matches!(reference.form(), Form::JobOutput) && reference.get(Slot::Output).is_none();
        match folder {
            Some(folder) if !names_job_alone => Outcome {
                text: format!("{}/{path}", folder.trim_end_matches('/')),
                left: None,
            },
            None if reference.get(Slot::Output).is_some() => Outcome {
                text: mapped.to_string(),
                left: Some("the output was not restored"),
            },
            _ => Outcome::good(&mapped),
        }
    }

    /// Something in another workspace, or a resource of another service: only the mapping file knows.
    fn map_foreign(&self, reference: &Reference) -> Outcome {
        let mut mapped = reference.clone();
        let mapping = &self.mapping;
        Self::swap(&mut mapped, Slot::Subscription, &mapping.subscription);
        Self::swap(&mut mapped, Slot::ResourceGroup, &mapping.resource_group);
        Self::swap(&mut mapped, Slot::Workspace, &mapping.workspace);
        Self::swap(&mut mapped, Slot::Region, &mapping.region);
        Self::swap(&mut mapped, Slot::Registry, &mapping.registries);
        Self::swap(&mut mapped, Slot::Account, &mapping.storage_accounts);
        let text = mapped.to_string();
        let left = (reference.form() == Form::ArmOther
            && !self.stays()
            && text == reference.to_string()
            && self.in_source_group(reference))
        .then_some(
            "it names a resource beside the source workspace; the mapping file says no other",
        );
        Outcome { text, left }
    }

    fn map_storage(&self, reference: &Reference) -> Outcome {
        let mut mapped = reference.clone();
        let Some(account) = reference.get(Slot::Account) else {
            return Outcome::good(&mapped);
        };
        let own = match (&self.source, &self.target) {
            (
                Identity::Azure {
                    storage_account: from,
                    ..
                },
                Identity::Azure {
                    storage_account: to,
                    ..
                },
            ) => account.eq_ignore_ascii_case(from).then_some(to.as_str()),
            _ => None,
        };
        let to = match reference.get(Slot::Container) {
            Some(container) => self.map_store(&StoreName {
                account: account.to_owned(),
                container: container.to_owned(),
            }),
            None => own.map(|account| StoreName {
                account: account.to_owned(),
                container: String::new(),
            }),
        };
        let Some(to) = to else {
            return Outcome {
                text: mapped.to_string(),
                left: (own.is_some() && !self.stays())
                    .then_some("its container has no counterpart in the target"),
            };
        };
        mapped.set(Slot::Account, &to.account);
        mapped.set(Slot::Container, &to.container);
        if let (Some((from, to)), Some(suffix)) = (&self.suffix, reference.get(Slot::Suffix))
            && suffix.eq_ignore_ascii_case(from)
        {
            mapped.set(Slot::Suffix, to);
        }
        self.map_path_runs(&mut mapped);
        Outcome::good(&mapped)
    }

    /// The ids of restored runs in the path of a store.
    fn map_path_runs(&self, mapped: &mut Reference) {
        for slot in [Slot::Run, Slot::MaybeRun] {
            if let Some(restored) = mapped.get(slot).and_then(|run| self.runs.get(run)) {
                mapped.set(slot, &restored.run);
            }
        }
    }

    fn move_workspace(&self, mapped: &mut Reference) {
        let Identity::Azure {
            subscription,
            resource_group,
            workspace,
            region,
            workspace_guid,
            ..
        } = &self.target
        else {
            return;
        };
        let kept = |slot: Slot, from: &str| {
            // The spelling of a name that does not change stays what it was.
            mapped_text(&self.source, slot).is_some_and(|own| own.eq_ignore_ascii_case(from))
        };
        for (slot, to) in [
            (Slot::Subscription, subscription),
            (Slot::ResourceGroup, resource_group),
            (Slot::Workspace, workspace),
            (Slot::Region, region),
            (Slot::WorkspaceGuid, workspace_guid),
        ] {
            if !kept(slot, to) {
                mapped.set(slot, to);
            }
        }
    }

    fn in_source_group(&self, reference: &Reference) -> bool {
        let same = |slot| match (reference.get(slot), mapped_text(&self.source, slot)) {
            (Some(text), Some(own)) => text.eq_ignore_ascii_case(own),
            _ => false,
        };
        same(Slot::Subscription) && same(Slot::ResourceGroup)
    }

    fn swap(mapped: &mut Reference, slot: Slot, names: &BTreeMap<String, String>) {
        let to = mapped.get(slot).and_then(|text| {
            names.get(text).or_else(|| {
                names
                    .iter()
                    .find(|(from, _)| from.eq_ignore_ascii_case(text))
                    .map(|(_, to)| to)
            })
        });
        if let Some(to) = to.cloned() {
            mapped.set(slot, &to);
        }
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

const RUN_UNKNOWN: &str = "the job was not restored";

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

impl Outcome {
    fn good(reference: &Reference) -> Self {
        Self {
            text: reference.to_string(),
            left: None,
        }
    }
}
