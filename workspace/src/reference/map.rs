//! Mapping one reference, form by form.

use std::collections::BTreeMap;

use super::rewriter::mapped_text;
use super::{Form, Reference, Rewriter, Slot, StoreName, is_binding};
use crate::{Identity, ItemId};

const RUN_UNKNOWN: &str = "the job was not restored";

/// A mapped reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What to write.
    pub text: String,
    /// Why it still leads to the source, where it does.
    pub left: Option<&'static str>,
}

impl Rewriter {
    /// Maps one reference; what it does not know stays byte by byte.
    pub fn map(&self, reference: &Reference) -> Outcome {
        if let Some(text) = self.mapped_resource(reference) {
            return Outcome { text, left: None };
        }
        if let Some(outcome) = self.map_across(reference) {
            return outcome;
        }
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
            Form::Vault => {
                let mut mapped = reference.clone();
                if let Some(to) = reference
                    .get(Slot::Vault)
                    .and_then(|vault| self.mapping.vault(vault))
                {
                    mapped.set(Slot::Vault, to);
                }
                Outcome::good(&mapped)
            }
            _ if reference.is_in(&self.source) => self.map_own(reference),
            _ => self.map_foreign(reference),
        }
    }

    /// What the mapping file says of a whole ARM id, also behind `azureml:`.
    fn mapped_resource(&self, reference: &Reference) -> Option<String> {
        if self.mapping.resources.is_empty() {
            return None;
        }
        let text = reference.to_string();
        let at = text.find('/')?;
        let (scheme, id) = text.split_at_checked(at)?;
        Some(format!("{scheme}{}", self.mapping.resource(id)?))
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
        if let Some((above, _, name)) = to.nested() {
            mapped.set_nested(&above.name, name);
        } else if to != *id && reference.get(Slot::Below).is_none() {
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
    pub(super) fn mapped_environment(&self, id: &ItemId) -> Option<String> {
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
}

impl Outcome {
    fn good(reference: &Reference) -> Self {
        Self {
            text: reference.to_string(),
            left: None,
        }
    }
}
