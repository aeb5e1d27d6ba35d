//! After the loss of an Azure region: the workspaces come back in another one.

use restore::manual::word;
use workspace::Identity;
use workspace::azure::Root;

use super::facts::Workspace;
use super::page::{Page, mlark};
use super::workspaces::{APPLY, PLAN, VERIFY};
use super::{Facts, owner_key};
use crate::place::Place;
use crate::store::Address;

pub(super) fn write(page: &mut Page, facts: &Facts) {
    repository(page, facts);
    page.say("A machine in another region takes the place of this one as section 1 says.");
    let in_azure = |workspace: &&Workspace| {
        matches!(
            workspace.identity,
            Some(Identity::Azure { .. } | Identity::Registry { .. })
        )
    };
    let lost: Vec<&Workspace> = facts.workspaces.iter().filter(in_azure).collect();
    if lost.is_empty() {
        page.say(
            "No snapshot of a workspace in Azure is there, so nothing else is lost with a region.",
        );
        return;
    }
    owner_key(page, facts);
    page.set("REGION", "northeurope", "the region to go to");
    page.set("GROUP", "rescue", "a resource group there");
    page.shell("az group create --name \"$GROUP\" --location \"$REGION\"");
    for workspace in lost {
        page.subheading(&format!("{} elsewhere", workspace.name));
        one(page, facts, workspace);
    }
}

/// Whether the repository survives.
fn repository(page: &mut Page, facts: &Facts) {
    match &facts.address {
        Address::Folder(_) => page.say(
            "**The repository is a folder.** Where it lies in the region that is lost, only a copy elsewhere helps: \
             `mlark copy --to URL`, made before.",
        ),
        Address::Azure { account, .. } => {
            page.say(
                "The repository is read where its storage account is replicated to another region or lies in one. Where the account's \
                 primary region is lost, fail it over:",
            );
            let account = word(account);
            page.shell(&format!(
                "az storage account show --name {account} --query '{{sku:sku.name,primary:primaryLocation,secondary:secondaryLocation}}'\n\
                 az storage account failover --name {account} --yes"
            ));
        }
        _ => page.say("The repository lies outside Azure, and is read as ever."),
    }
}

fn one(page: &mut Page, facts: &Facts, workspace: &Workspace) {
    let (group, region, registry) = match &workspace.identity {
        Some(Identity::Azure {
            resource_group,
            region,
            ..
        }) => (resource_group, region, false),
        Some(Identity::Registry {
            resource_group,
            region,
            ..
        }) => (resource_group, region, true),
        _ => return,
    };
    let name = &workspace.name;
    let mapping = format!("{name}.mapping.toml");
    page.say("Storage account, key vault and what else lies beside a workspace mlark does not make: the plan tells what is missing with \
              the `az` command that makes it; add what was made below `[resources]`, as `\"old id\" = \"new id\"`, and plan again.");
    let text = format!(
        "[region]\n{region:?} = \"$REGION\"\n[resource_group]\n{group:?} = \"$GROUP\"\n[resources]"
    );
    page.file(&mapping, &text, true);
    let rescue = facts.targets.iter().find(|target| {
        matches!(Place::parse(&target.url), Ok(Place::Azure(place)) if (place.root == Root::Registry) == registry)
    });
    let own = workspace.identity.as_ref().and_then(Identity::name);
    let into = match (rescue, own) {
        (Some(target), _) => target.name.clone(),
        (None, Some(own)) => {
            let (subscription, segment) = (
                &own.subscription,
                if registry { "registries" } else { "workspaces" },
            );
            let last = &own.workspace;
            format!(
                "\"azureml://subscriptions/{subscription}/resourceGroups/$GROUP/{segment}/{last}\""
            )
        }
        (None, None) => return,
    };
    let make = if registry { "" } else { " --create-workspace" };
    let (plan, owner) = (format!("{name}.region.plan"), facts.owner_options());
    let line = format!(
        "restore plan latest:{name} --into {into} --mapping {mapping}{make} --save {plan}{owner}"
    );
    page.run(PLAN, &mlark(facts, &line));
    page.run(
        APPLY,
        &mlark(facts, &format!("restore apply --plan {plan} --yes{owner}")),
    );
    let line = format!("restore verify latest:{name} --against {into} --mapping {mapping}{owner}");
    page.run(VERIFY, &mlark(facts, &line));
}
