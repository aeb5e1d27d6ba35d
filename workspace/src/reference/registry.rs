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
        if from.kind == "environments"
            && let Some(text) = self.mapped_environment(&from)
        {
            return Some(Outcome { text, left: None });
        }
        let to = self.map_item(&from);
        if self.stays() && to == from {
            return Some(Outcome {
                text: reference.to_string(),
                left: None,
            });
        }
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::reference::Mapping;

    fn registry(name: &str) -> Identity {
        Identity::Registry {
            subscription: "s".into(),
            resource_group: "g".into(),
            registry: name.into(),
            region: "westeurope".into(),
        }
    }

    fn workspace() -> Identity {
        Identity::Azure {
            subscription: "s2".into(),
            resource_group: "g2".into(),
            workspace: "w".into(),
            region: "westeurope".into(),
            workspace_guid: "guid".into(),
            storage_account: "st".into(),
        }
    }

    fn mapped(rewriter: &Rewriter, text: &str) -> String {
        rewriter.map(&Reference::parse(text).unwrap()).text
    }

    const OWN: &str = "/subscriptions/s2/resourceGroups/g2/providers/Microsoft.MachineLearningServices/workspaces/w";

    #[test]
    fn references_of_a_registry_lead_to_the_other_one_in_its_own_form() {
        let rewriter = Rewriter::new(registry("one"), registry("two"));
        for (from, to) in [
            (
                "azureml://registries/one/environments/e/versions/3",
                "azureml://registries/two/environments/e/versions/3",
            ),
            (
                "azureml://registries/ONE/models/m/labels/latest",
                "azureml://registries/two/models/m/labels/latest",
            ),
            (
                "azureml://registries/one/codes/c",
                "azureml://registries/two/codes/c",
            ),
            (
                "azureml://registries/other/codes/c/versions/1",
                "azureml://registries/other/codes/c/versions/1",
            ),
        ] {
            assert_eq!(mapped(&rewriter, from), to);
        }
    }

    #[test]
    fn the_mapping_file_goes_before_what_the_two_registries_say() {
        let mapping = Mapping::parse("[registries]\n\"one\" = \"third\"\n").unwrap();
        let rewriter = Rewriter::new(registry("one"), registry("two")).with_mapping(mapping);
        assert_eq!(
            mapped(&rewriter, "azureml://registries/one/models/m/versions/1"),
            "azureml://registries/third/models/m/versions/1"
        );
    }

    #[test]
    fn an_environment_that_the_mapping_file_replaces_by_a_whole_reference_is_that_one() {
        let whole = "azureml://registries/azureml/environments/train/versions/9";
        let mapping = format!("[environments]\n\"e:3\" = \"{whole}\"\n");
        let mapping = Mapping::parse(&mapping).unwrap();
        let rewriter = Rewriter::new(workspace(), registry("two")).with_mapping(mapping);
        let of = |version| {
            mapped(
                &rewriter,
                &format!("azureml:{OWN}/environments/e/versions/{version}"),
            )
        };
        assert_eq!(of(3), whole);
        assert_eq!(of(4), "azureml://registries/two/environments/e/versions/4");
    }

    #[test]
    fn in_the_same_registry_a_reference_stays_as_it_is_spelled() {
        let rewriter = Rewriter::new(registry("Shared"), registry("Shared"));
        let spelled = "azureml://registries/shared/environments/e/versions/3";
        assert_eq!(mapped(&rewriter, spelled), spelled);
    }

    #[test]
    fn between_a_registry_and_a_workspace_a_reference_gets_the_targets_form() {
        let rewriter = Rewriter::new(registry("one"), workspace());
        assert_eq!(
            mapped(
                &rewriter,
                "azureml://registries/one/environments/e/versions/3"
            ),
            format!("azureml:{OWN}/environments/e/versions/3")
        );
        let rewriter = Rewriter::new(workspace(), registry("two"));
        for from in [
            format!("azureml:{OWN}/environments/e/versions/3"),
            format!("{OWN}/environments/e/versions/3"),
        ] {
            assert_eq!(
                mapped(&rewriter, &from),
                "azureml://registries/two/environments/e/versions/3"
            );
        }
        let compute = format!("{OWN}/computes/cpu");
        let outcome = rewriter.map(&Reference::parse(&compute).unwrap());
        assert_eq!(outcome.text, compute);
        assert!(outcome.left.is_some());
    }

    #[test]
    fn a_renamed_version_of_a_registry_is_followed() {
        let mut rewriter = Rewriter::new(registry("one"), registry("two"));
        let from = ItemId::versioned("models", "m", "1");
        rewriter.renamed(from, ItemId::versioned("models", "m", "9"));
        assert_eq!(
            mapped(&rewriter, "azureml://registries/one/models/m/versions/1"),
            "azureml://registries/two/models/m/versions/9"
        );
    }
}
