//! What a person must do by hand around a restore, each as a command to paste: said with the plan, and again after it.
//!
//! A command names things and never holds a document or a secret. Where something must be typed in, such as a credential,
//! the command opens an editor for it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use workspace::kind::{ByHand, Command};
use workspace::reference::{Form, Slot, references};
use workspace::{Identity, ItemId, Kind};

use crate::expected::Last;
use crate::export::yaml_of;
use crate::plan::Draft;
use crate::snapshot::Loaded;
use crate::{Action, Loss};

mod shell;
mod source;

pub use shell::{quoted, word};
pub use source::recovering;
pub(crate) use source::recovery;

/// The folder that commands write YAML to.
const FOLDER: &str = "mlark-by-hand";
/// Stands where the target has no container registry yet.
const SOME_REGISTRY: &str = "TARGET-REGISTRY";

/// One thing for a person to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualStep {
    /// The item of the snapshot that it is about.
    pub item: ItemId,
    /// What is to be done.
    pub what: String,
    /// Why mlark does not do it.
    pub why: String,
    /// The command, for a POSIX shell.
    pub command: String,
    /// An item of the target with which there is nothing left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moot_with: Option<ItemId>,
}

/// Something about an item that a rule of this crate leaves to a person.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Chore {
    /// Its credentials must be set.
    Credentials,
    /// A field was written with another value at first; the command of `az ml` that sets it.
    HeldBack(&'static str),
    /// A field that names what is not there.
    Last(Last),
}

/// The words of a command as one line for a POSIX shell.
pub(crate) fn command_line(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|text| word(text)).collect();
    words.join(" ")
}

/// The same of a command whose last word another one tells.
fn told_line(command: &Command) -> String {
    let line = command_line(&command.words);
    match &command.told {
        Some(told) => format!("{line} \"$({})\"", command_line(told)),
        None => line,
    }
}

/// The options by which `az ml` names an item; of what lies below another item both names.
fn named(target: &ItemId) -> String {
    match target.nested() {
        Some((above, _, name)) => format!(
            "--name {} --endpoint-name {}",
            quoted(name),
            quoted(&above.name)
        ),
        None => format!("--name {}", quoted(&target.name)),
    }
}

/// What `az ml … update --set` takes for a field: its path in the YAML, which has `_` where JSON has a capital.
fn set(last: &Last) -> String {
    let path = last.field.pointer.trim_start_matches("/properties/");
    let mut yaml = String::new();
    for sign in path.chars() {
        match sign {
            '/' => yaml.push('.'),
            sign if sign.is_ascii_uppercase() => {
                yaml.push('_');
                yaml.push(sign.to_ascii_lowercase());
            }
            sign => yaml.push(sign),
        }
    }
    let said = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    match &last.value {
        Value::Object(members) => {
            let members = members.iter();
            let said =
                members.map(|(name, value)| quoted(&format!("{yaml}.{name}={}", said(value))));
            said.collect::<Vec<_>>().join(" ")
        }
        other => quoted(&format!("{yaml}={}", said(other))),
    }
}

/// The options by which `az ml` finds a workspace.
fn scope(target: &Identity) -> Option<String> {
    let Identity::Azure {
        subscription,
        resource_group,
        workspace,
        ..
    } = target
    else {
        return None;
    };
    Some(format!(
        "--subscription {} --resource-group {} --workspace-name {}",
        quoted(subscription),
        quoted(resource_group),
        quoted(workspace)
    ))
}

impl Draft<'_> {
    /// Notes that an item that the target does not have can be made of its YAML.
    pub(crate) fn make_by_hand(&mut self, kind: &Kind, id: &ItemId, target: &ItemId) {
        let (Some(azml), Some(scope), Some(file)) = (
            kind.azml,
            scope(self.world.rewriter().target()),
            yaml_of(kind, id),
        ) else {
            return;
        };
        let file = quoted(&format!("{FOLDER}/{file}"));
        let command = format!(
            "mlark export folder {} {} --to {FOLDER} && ${{EDITOR:-vi}} {file} && az ml {} create --file {file} {} {scope}",
            quoted(&self.world.source.id()),
            quoted(&id.to_string()),
            azml.noun,
            named(target),
        );
        self.manual.push(ManualStep {
            item: id.clone(),
            what: format!("make {target}"),
            why: "mlark makes none unless it is asked to; look at region, size and network first"
                .to_owned(),
            command,
            moot_with: Some(target.clone()),
        });
    }

    /// Notes what a rule left to a person.
    pub(crate) fn left_by_hand(
        &mut self,
        kind: &Kind,
        id: &ItemId,
        target: &ItemId,
        left: &[Chore],
    ) {
        let (Some(azml), Some(scope)) = (kind.azml, scope(self.world.rewriter().target())) else {
            return;
        };
        let noun = azml.noun;
        let name = named(target);
        for left in left {
            let (what, why, command) = match left {
                Chore::Credentials => {
                    let file = quoted(&format!("{FOLDER}-{}", azml.file));
                    (
                        format!("set the credentials of {target}"),
                        "no document holds them, and they were not written",
                        format!(
                            "az ml {noun} show {name} {scope} --output yaml > {file} && ${{EDITOR:-vi}} {file} && az ml {noun} create --file {file} {scope}; rm -f {file}"
                        ),
                    )
                }
                Chore::HeldBack(verb) => (
                    format!("{verb} {target}"),
                    "it is held back until the target is ready",
                    format!("az ml {noun} {verb} {name} {scope}"),
                ),
                Chore::Last(last) => (
                    format!("set {} of {target}", last.field.pointer),
                    "it names what the target does not have yet",
                    format!(
                        "az ml {noun} {} {name} {scope} --set {}",
                        last.field.by_hand,
                        set(last)
                    ),
                ),
            };
            self.manual.push(ManualStep {
                item: id.clone(),
                what,
                why: why.to_owned(),
                command,
                moot_with: None,
            });
        }
    }

    /// Notes the machines that an item asks for.
    pub(crate) fn count_machines(&mut self, kind: &Kind, loaded: &Loaded) {
        let (Some(machines), Some(arm)) = (kind.machines, &loaded.arm) else {
            return;
        };
        if let Some((size, count)) = machines.of(&arm.value) {
            let held = self.machines.entry(size.to_ascii_lowercase());
            held.or_insert_with(|| (0, loaded.id.clone())).0 += count;
        }
    }

    /// A command that shows whether the target's quota allows the machines.
    pub(crate) fn quota_by_hand(&mut self) {
        let target = self.world.rewriter().target().clone();
        let Identity::Azure { region, .. } = &target else {
            return;
        };
        let (Some(scope), Some((_, item))) = (scope(&target), self.machines.values().next()) else {
            return;
        };
        let wanted: Vec<String> = self
            .machines
            .iter()
            .map(|(size, (count, _))| format!("{count} {size}"))
            .collect();
        self.manual.push(ManualStep {
            item: item.clone(),
            what: format!("look at the quota of {region}"),
            why: format!(
                "computes and deployments ask for up to {}, and no restore raises a quota",
                wanted.join(", ")
            ),
            command: format!(
                "az ml compute list-usage --location {} {scope} --output table",
                quoted(region)
            ),
            moot_with: None,
        });
    }

    /// The commands that an item's row says, by what the target has of it and what is written there. Where nothing is
    /// written into the source itself nothing is left to do.
    pub(crate) fn settle_by_hand(
        &mut self,
        kind: &Kind,
        loaded: &Loaded,
        actual: Option<&Value>,
        written: Option<&Value>,
    ) {
        let is_due = written.is_some() || !self.world.stays();
        let Some(arm) = loaded.arm.as_ref().filter(|_| is_due) else {
            return;
        };
        let target = self.world.rewriter().target().clone();
        let commands = (kind.by_hand)(&ByHand {
            id: &loaded.id,
            document: &arm.value,
            actual,
            written,
            target: &target,
        });
        self.manual
            .extend(commands.into_iter().map(|command| ManualStep {
                item: loaded.id.clone(),
                command: told_line(&command),
                what: command.what,
                why: command.why.to_owned(),
                moot_with: None,
            }));
    }

    /// Rows and commands for images in the container registries of the source's side: no restore copies an image.
    pub(crate) fn images(&mut self, kind: &Kind, loaded: &Loaded) {
        let Some(arm) = loaded.arm.as_ref().filter(|_| !self.world.stays()) else {
            return;
        };
        for (pointer, from) in references(kind, &arm.value) {
            if from.form() != Form::Image {
                continue;
            }
            let (Some(registry), Some(image)) = (from.get(Slot::Registry), from.get(Slot::Below))
            else {
                continue;
            };
            let to = self.world.rewriter().mapped_registry(registry);
            let substitute = match &to {
                Some(to) => format!("import it into `{to}`, which the mapping file names"),
                None => "import it, and name the registry in [registries] of a mapping file, or let the target pull it from there".to_owned(),
            };
            self.losses.push(Loss::new(
                &loaded.id,
                Action::Manual,
                format!("image {pointer}"),
                format!("it lies in the container registry `{registry}`, which no restore copies"),
                substitute,
            ));
            let own = self.world.container_registry();
            let named = to.map(|host| registry_of(&host).to_owned());
            let into = named.or(own).unwrap_or_else(|| SOME_REGISTRY.to_owned());
            let command = format!(
                "az acr import --name {} --source {} --image {}",
                quoted(&into),
                quoted(&from.to_string()),
                quoted(image)
            );
            // Many items may use one image.
            if self.manual.iter().all(|step| step.command != command) {
                self.manual.push(ManualStep {
                    item: loaded.id.clone(),
                    what: format!("import the image {from}"),
                    why: "no restore copies an image from one container registry into another"
                        .to_owned(),
                    command,
                    moot_with: None,
                });
            }
        }
    }
}

/// The name of a container registry by the first part of its host, which the mapping file names. With a domain name label
/// that is `NAME-HASH`; a name itself has no hyphen, and `az acr` asks for the name.
fn registry_of(host: &str) -> &str {
    host.split_once('-').map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_with_a_domain_name_label_is_asked_for_by_its_name() {
        assert_eq!(registry_of("acr2-e7c8hqb9d2f4bpas"), "acr2");
        assert_eq!(registry_of("acr2"), "acr2");
    }
}
