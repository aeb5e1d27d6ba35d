//! What must be there before a workspace: its resource group, and the resources that it names beside itself.

use serde_json::Value;
use workspace::azure::AzureWorkspace;
use workspace::kind::{ASSOCIATED, Associated, Site};
use workspace::reference::Mapping;
use workspace::{Identity, ItemId};

use super::{Absent, no_document};
use crate::Error;
use crate::manual::{ManualStep, command_line};

/// The api-version by which a resource group is looked for.
const GROUPS_VERSION: &str = "2021-04-01";

/// Something that must be there before the workspace, and is not.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) what: String,
    pub(super) reason: String,
    pub(super) substitute: String,
    pub(super) step: ManualStep,
}

/// A resource beside the source, and the one that takes its place.
pub(super) type Moved = (&'static Associated, String, String);

/// Looks at what must be there before the workspace.
pub(super) struct Beside<'a> {
    pub(super) absent: &'a Absent,
    pub(super) mapping: &'a Mapping,
    pub(super) source: &'a Identity,
    pub(super) item: &'a ItemId,
    pub(super) region: String,
    pub(super) missing: Vec<Missing>,
}

impl Beside<'_> {
    async fn look(&self, id: &str, api_version: &str) -> Result<Option<Value>, Error> {
        let found = AzureWorkspace::resource(&self.absent.connection, id, api_version).await;
        found.map_err(|error| Error::target(id, error))
    }

    /// The region: what the mapping file says for the source's, else that of the target's resource group.
    pub(super) async fn region(&mut self) -> Result<String, Error> {
        let Identity::Azure { region, .. } = self.source else {
            return Err(no_document());
        };
        let plain = |text: &str| text.replace(' ', "").to_ascii_lowercase();
        let mut regions = self.mapping.region.iter();
        let mapped = regions.find(|(from, _)| plain(from) == plain(region));
        let name = &self.absent.name;
        let id = format!(
            "/subscriptions/{}/resourceGroups/{}",
            name.subscription, name.resource_group
        );
        let group = self.look(&id, GROUPS_VERSION).await?;
        let at = |group: &Value| Some(group.get("location")?.as_str()?.to_owned());
        let own = group.as_ref().and_then(at);
        let region = match mapped {
            Some((_, to)) => to.clone(),
            None => own.unwrap_or_else(|| region.clone()),
        };
        if group.is_none() {
            let words = [
                "az",
                "group",
                "create",
                "--subscription",
                &name.subscription,
                "--name",
                &name.resource_group,
                "--location",
                &region,
            ];
            self.lacks(
                "the resource group",
                "it is not there".to_owned(),
                String::new(),
                &words.map(str::to_owned),
            );
        }
        Ok(region)
    }

    /// What takes the place of each resource that the source's document names; notes those that are not there.
    pub(super) async fn beside(&mut self, document: &Value) -> Result<Vec<Moved>, Error> {
        let mut moved = Vec::new();
        for resource in ASSOCIATED {
            for id in resource.ids_in(document) {
                if let Some(to) = self.one(resource, &id).await? {
                    moved.push((resource, id, to));
                }
            }
        }
        Ok(moved)
    }

    async fn one(
        &mut self,
        resource: &'static Associated,
        id: &str,
    ) -> Result<Option<String>, Error> {
        let name = &self.absent.name;
        let stays = self.source.arm_id();
        let stays = stays.is_some_and(|own| own.eq_ignore_ascii_case(&name.arm_id()));
        let to = self.mapping.resource(id);
        let Some(to) = to.or_else(|| stays.then(|| id.to_owned())) else {
            let proposed = resource.proposed(Site {
                subscription: &name.subscription,
                resource_group: &name.resource_group,
                name: &name.workspace,
            });
            let substitute =
                format!("name it in the mapping file: [resources] \"{id}\" = \"{proposed}\"");
            self.lacks_resource(
                resource,
                &proposed,
                "the mapping file names none for the source's",
                substitute,
            );
            return Ok(None);
        };
        if self.look(&to, resource.api_version).await?.is_none() {
            self.lacks_resource(resource, &to, "it is not there", format!("make {to}"));
        }
        Ok(Some(to))
    }

    fn lacks_resource(
        &mut self,
        resource: &Associated,
        id: &str,
        reason: &str,
        substitute: String,
    ) {
        let words = match resource.command(id, &self.region) {
            Some(command) => command.words,
            None => {
                return self.lacks(
                    resource.singular,
                    format!("`{id}` is no ARM id of one"),
                    substitute,
                    &[],
                );
            }
        };
        self.lacks(
            &format!("the {}", resource.singular),
            reason.to_owned(),
            substitute,
            &words,
        );
    }

    fn lacks(&mut self, what: &str, reason: String, substitute: String, words: &[String]) {
        let mut told = format!("make {what} of {}", self.absent.name.workspace);
        if !substitute.is_empty() {
            told = format!("{told}, and {substitute}");
        }
        self.missing.push(Missing {
            what: what.to_owned(),
            reason,
            substitute,
            step: ManualStep {
                item: self.item.clone(),
                what: told,
                why: "a workspace needs it before it is made, and mlark makes nothing beside a workspace".to_owned(),
                command: command_line(words),
                moot_with: None,
            },
        });
    }

    /// What will name the workspace.
    pub(super) fn identity(&self, document: &Value, moved: &[Moved]) -> Identity {
        let account = ASSOCIATED.first().map(|first| first.at);
        let of = |at| moved.iter().find(|(resource, ..)| resource.at == at);
        let to = account.and_then(of).map(|(_, _, to)| to.as_str());
        let own = account.and_then(|at| document.pointer(at)?.as_str());
        let account = to.or(own).unwrap_or_default();
        Identity::Azure {
            subscription: self.absent.name.subscription.clone(),
            resource_group: self.absent.name.resource_group.clone(),
            workspace: self.absent.name.workspace.clone(),
            region: self.region.clone(),
            workspace_guid: String::new(),
            storage_account: account.rsplit('/').next().unwrap_or_default().to_owned(),
        }
    }
}
