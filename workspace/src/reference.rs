//! The grammar of references: every form in which a document of Azure ML names something, as one type.
//!
//! A string is a reference only as a whole. It is kept as the pieces that it was read as, the fixed ones in their own
//! spelling, so that what was not mapped is written back byte by byte. Nothing here searches inside text: commands, conda
//! files and scripts are the caller's to leave alone.

use std::fmt;

use crate::{Identity, ItemId, Kind};

mod lead;
mod map;
mod mapping;
mod parse;
mod registry;
mod rewrite;
mod rewriter;
mod scan;

pub use lead::Lead;
pub use map::Outcome;
pub use mapping::Mapping;
pub use rewrite::{Change, Left, Mention, Rewritten, references, rewrite};
pub use rewriter::{RestoredRun, Rewriter, StoreMove, StoreName};

/// The form that a reference was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// The ARM id of a workspace or of something in it, with or without `azureml:` before it.
    Arm,
    /// The ARM id of something else: a registry, a storage account, a key vault, a subnet.
    ArmOther,
    /// `azureml:NAME:VERSION`, `azureml:NAME@LABEL` or `azureml:NAME`.
    Short,
    /// `azureml://locations/REGION/workspaces/GUID/…`.
    Location,
    /// `azureml://[subscriptions/S/]resourceGroups/G/workspaces/W/…`, the place of an asset or of a job's output.
    Workspace,
    /// `azureml://subscriptions/S/resourceGroups/G/workspaces/W/datastores/D/paths/P`.
    LongDatastore,
    /// `azureml://datastores/D/paths/P`, and the legacy form without `paths`.
    ShortDatastore,
    /// `azureml://jobs/J/outputs/O/paths/P`.
    JobOutput,
    /// `runs:/J/P`.
    Run,
    /// `azureml://artifacts/ORIGIN/CONTAINER/PATH`.
    Artifact,
    /// `azureml://registries/R/…` and `azureml://feeds/R/…`.
    Registry,
    /// `azureml://models/N/versions/V`, as the first version of the SDK wrote it.
    Relative,
    /// `azureml://HOST/mlflow/v…/subscriptions/…`: a tracking URI.
    Tracking,
    /// `https://ACCOUNT.blob.SUFFIX/CONTAINER/PATH`, also `http`, `file`, `dfs`.
    Storage,
    /// `wasb[s]://CONTAINER@ACCOUNT.blob.SUFFIX/PATH`, `abfs[s]://…dfs…`.
    Hadoop,
    /// `adl://STORE.azuredatalakestore.net/PATH`.
    Lake,
    /// `NAME.azurecr.io/…`: an image in a container registry.
    Image,
    /// `https://NAME.vault.azure.net/…`: a key, secret or certificate in a key vault.
    Vault,
    /// A name alone, which is a reference because of the field that it stands in. Never the outcome of parsing.
    Bare,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 19] = [
        Self::Arm,
        Self::ArmOther,
        Self::Short,
        Self::Location,
        Self::Workspace,
        Self::LongDatastore,
        Self::ShortDatastore,
        Self::JobOutput,
        Self::Run,
        Self::Artifact,
        Self::Registry,
        Self::Relative,
        Self::Tracking,
        Self::Storage,
        Self::Hadoop,
        Self::Lake,
        Self::Image,
        Self::Vault,
        Self::Bare,
    ];
}

/// What a piece of a reference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Text that belongs to the form.
    Fixed,
    /// A subscription's id.
    Subscription,
    /// A resource group.
    ResourceGroup,
    /// A workspace's name.
    Workspace,
    /// A workspace's `workspaceId`.
    WorkspaceGuid,
    /// A region.
    Region,
    /// A kind, in ARM's words.
    Kind,
    /// A name of that kind.
    Name,
    /// A version.
    Version,
    /// A label, such as `latest`.
    Label,
    /// What follows in an ARM id: `deployments/blue`.
    Below,
    /// A datastore's name.
    Datastore,
    /// A job's or run's id.
    Run,
    /// A part of a path that is a run's id where one of that name is known: `azureml/RUN/…`.
    MaybeRun,
    /// The name of a job's output.
    Output,
    /// A path, as written (https forms: percent-encoded).
    Path,
    /// A registry's name.
    Registry,
    /// A key vault's name.
    Vault,
    /// The origin of an artifact.
    Origin,
    /// An artifact's container.
    ArtifactContainer,
    /// A storage account.
    Account,
    /// `blob`, `file`, `dfs`, `queue` or `table`.
    Service,
    /// What follows the service in a storage host, with its port: `core.windows.net`.
    Suffix,
    /// A container, share or filesystem.
    Container,
    /// The query of a URL, from its `?`.
    Query,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Part {
    slot: Slot,
    text: String,
}

/// A reference, as the pieces that it was read as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    form: Form,
    parts: Vec<Part>,
    /// The kind that the field's name tells, for forms that state none (`azureml:NAME:VERSION`).
    assumed: Option<&'static str>,
}

impl Reference {
    /// The form that it was written in.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The text of a piece, as written; `None` where the form has none or this one leaves it out.
    pub fn get(&self, slot: Slot) -> Option<&str> {
        self.parts
            .iter()
            .find(|part| part.slot == slot)
            .map(|part| part.text.as_str())
    }

    /// The kind that it states, in the table's spelling where the table has it, or that its field tells.
    pub fn kind(&self) -> Option<&str> {
        if let Some(kind) = self.get(Slot::Kind) {
            return Some(Kind::find_any_case(kind).map_or(kind, |row| row.name));
        }
        if self.get(Slot::Name).is_some() {
            return self.assumed;
        }
        None
    }

    /// Replaces the text of every piece of a sort. The caller gives text that the form takes at that place.
    pub(crate) fn set(&mut self, slot: Slot, text: &str) {
        for part in &mut self.parts {
            if part.slot == slot {
                text.clone_into(&mut part.text);
            }
        }
    }

    /// Whether it names something in this workspace: it states its names, or is relative to whichever it stands in.
    /// Registries, storage and other services' resources are in none.
    pub fn is_in(&self, identity: &Identity) -> bool {
        if let Identity::Registry { registry, .. } = identity {
            return self.asset_of(registry).is_some();
        }
        let Identity::Azure {
            subscription,
            resource_group,
            workspace,
            workspace_guid,
            ..
        } = identity
        else {
            return false;
        };
        let states = |slot, own: &str| {
            self.get(slot)
                .is_none_or(|text| text.eq_ignore_ascii_case(own))
        };
        match self.form {
            Form::ArmOther
            | Form::Registry
            | Form::Storage
            | Form::Hadoop
            | Form::Lake
            | Form::Vault
            | Form::Image => false,
            _ => {
                states(Slot::Subscription, subscription)
                    && states(Slot::ResourceGroup, resource_group)
                    && states(Slot::Workspace, workspace)
                    && states(Slot::WorkspaceGuid, workspace_guid)
            }
        }
    }

    /// The item of this workspace that it names. A label (`@latest`) or a name without version gives the item without a
    /// version: any of them will do. A place in a datastore gives the datastore, one in a run the job.
    pub fn item_in(&self, identity: &Identity) -> Option<ItemId> {
        if let Identity::Registry { registry, .. } = identity {
            return self.asset_of(registry).map(|(id, _)| id);
        }
        if !self.is_in(identity) {
            return None;
        }
        if let Some(name) = self.get(Slot::Name) {
            let kind = self.kind()?;
            if let Some((below, nested)) = self.nested() {
                let id = ItemId::new(kind, name).with_below(below, nested);
                return (!is_binding(&id.name)).then_some(id);
            }
            let name = match self.get(Slot::Below) {
                Some(below) => format!("{name}/{below}"),
                None => name.to_owned(),
            };
            if is_binding(&name) {
                return None;
            }
            return Some(match self.get(Slot::Version) {
                Some(version) => ItemId::versioned(kind, name, version),
                None => ItemId::new(kind, name),
            });
        }
        let of = |slot, kind: &str| {
            self.get(slot)
                .filter(|name| !is_binding(name))
                .map(|name| ItemId::new(kind, name))
        };
        of(Slot::Datastore, "datastores").or_else(|| of(Slot::Run, "jobs"))
    }

    /// What it names below the item that it names: the kind, and the name there.
    fn nested(&self) -> Option<(&'static Kind, &str)> {
        let (segment, name) = self.get(Slot::Below)?.split_once('/')?;
        let kind = Kind::find(self.kind()?)?.below_by(segment)?;
        (!name.is_empty() && !name.contains('/')).then_some((kind, name))
    }

    /// Names another item below another item; the path part between them keeps its spelling.
    pub(crate) fn set_nested(&mut self, above: &str, name: &str) {
        let segment = self
            .get(Slot::Below)
            .and_then(|below| below.split_once('/'));
        let Some(below) = segment.map(|(segment, _)| format!("{segment}/{name}")) else {
            return;
        };
        self.set(Slot::Name, above);
        self.set(Slot::Below, &below);
    }

    /// Whether two references name the same thing: fixed pieces, groups, subscriptions, workspaces, regions, accounts and
    /// kinds in any letter case, everything else as written. Services return ids in another case than they were given.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.form == other.form
            && self.parts.len() == other.parts.len()
            && self.parts.iter().zip(&other.parts).all(|(one, two)| {
                one.slot == two.slot
                    && if one.slot.ignores_case() {
                        one.text.eq_ignore_ascii_case(&two.text)
                    } else {
                        one.text == two.text
                    }
            })
    }
}

impl Slot {
    fn ignores_case(self) -> bool {
        matches!(
            self,
            Self::Fixed
                | Self::Subscription
                | Self::ResourceGroup
                | Self::Workspace
                | Self::Registry
                | Self::WorkspaceGuid
                | Self::Region
                | Self::Kind
                | Self::Account
                | Self::Vault
                | Self::Service
                | Self::Suffix
        )
    }
}

/// A piece that a pipeline fills in when it runs; never a name.
fn is_binding(text: &str) -> bool {
    text.contains("${{")
}

/// Writes the reference as it was read, byte by byte where nothing was mapped.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts
            .iter()
            .try_for_each(|part| f.write_str(&part.text))
    }
}

#[cfg(test)]
mod tests;
