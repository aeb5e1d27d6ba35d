//! References to and from the assets of a registry: a registry has its own names for them, and a workspace others.

use super::map::Outcome;
use super::{Form, Reference, Rewriter, Slot};
use crate::{Identity, ItemId, Kind};

impl Reference {
    /// The asset of a registry that it names, by `azureml://registries/…` or by the registry's ARM id, and what stands
    /// behind its name: `/versions/3`, `/labels/latest`, or nothing.
    pub(super) fn asset_of(&self, registry: &str) -> Option<(ItemId, String)> {
        if !matches!(self.form(), Form::Registry | Form::ArmOther)
            || !self.get(Slot::Registry)?.eq_ignore_ascii_case(registry)
        {
            return None;
        }
        let below = self.get(Slot::Below)?.trim_start_matches('/');
        let parts: Vec<&str> = below.split('/').collect();
        let kind = |name: &str| Kind::find_any_case(name).filter(|kind| kind.registry.is_some());
        let [name, asset, behind @ ..] = parts.as_slice() else {
            return None;
        };
        let kind = kind(name)?.name;
        match behind {
            [] => Some((ItemId::new(kind, *asset), String::new())),
            [word, version] if word.eq_ignore_ascii_case("versions") => Some((
                ItemId::versioned(kind, *asset, *version),
                format!("/versions/{version}"),
            )),
            [word, label] if word.eq_ignore_ascii_case("labels") => {
                Some((ItemId::new(kind, *asset), format!("/labels/{label}")))
            }
            _ => None,
        }
    }

    /// What stands behind the name of the item of the source that it names.
    fn behind_name(&self, source: &Identity) -> String {
        if let Identity::Registry { registry, .. } = source {
            return self
                .asset_of(registry)
                .map(|(_, it)| it)
                .unwrap_or_default();
        }
        match (self.get(Slot::Version), self.get(Slot::Label)) {
            (Some(version), _) => format!("/versions/{version}"),
            (None, Some(label)) => format!("/labels/{label}"),
            (None, None) => String::new(),
        }
    }
}

impl Rewriter {
    /// A reference to an item of the source, where source or target is a registry: it is written in the target's own
    /// form. `None` where it names no such item, or both are workspaces.
    pub(super) fn map_across(&self, reference: &Reference) -> Option<Outcome> {
        let is_registry = |identity| matches!(identity, &Identity::Registry { .. });
        if !is_registry(&self.source) && !is_registry(&self.target) {
            return None;
        }
        let named = reference.get(Slot::Registry);
        if named.is_some_and(|name| self.mapped_registry(name).is_some()) {
            // The mapping file goes first.
            return None;
        }
        let from = reference.item_in(&self.source)?;
        let to = self.map_item(&from);
        let behind = match &to.version {
            Some(version) if to != from => format!("/versions/{version}"),
            _ => reference.behind_name(&self.source),
        };
        let below = format!("{}/{}{behind}", to.kind, to.name);
        let kept = |reason| Outcome {
            text: reference.to_string(),
            left: Some(reason),
        };
        Some(match &self.target {
            Identity::Registry { registry, .. } => {
                match Kind::find(&to.kind).and_then(|kind| kind.registry) {
                    Some(_) => Outcome {
                        text: format!("azureml://registries/{registry}/{below}"),
                        left: None,
                    },
                    None => kept("a registry has nothing of its kind"),
                }
            }
            Identity::Azure { .. } => match self.target.arm_id() {
                Some(own) => Outcome {
                    text: format!("azureml:{own}/{below}"),
                    left: None,
                },
                None => kept("the target has no address"),
            },
            Identity::Folder(_) => kept("a folder has no assets"),
        })
    }
}
