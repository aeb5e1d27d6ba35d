//! After the loss of a workspace: it comes back under its own name.

use restore::manual::{recovering, word};
use workspace::Identity;
use workspace::azure::Root;

use super::facts::Workspace;
use super::page::{Page, mlark};
use super::{Facts, owner_key};
use crate::place::Place;

/// What a plan may end with.
pub(super) const PLAN: &[(u8, &str)] = &[
    (0, "a plan without losses"),
    (3, "a plan with losses, each listed with its reason"),
    (1, "something is to be done first, told with the command"),
];

/// What carrying it out may end with.
pub(super) const APPLY: &[(u8, &str)] = &[
    (0, "done"),
    (3, "done with the losses that the plan listed"),
    (1, "something failed, each told, and the same again goes on"),
];

/// What a comparison may end with.
pub(super) const VERIFY: &[(u8, &str)] = &[
    (
        0,
        "everything is there, byte by byte, but for the losses that were listed",
    ),
    (4, "something differs, each told"),
];

pub(super) fn write(page: &mut Page, facts: &Facts) {
    if facts.workspaces.is_empty() {
        page.say("The configuration names no workspace, and no snapshot has one.");
        return;
    }
    owner_key(page, facts);
    for workspace in &facts.workspaces {
        page.subheading(&workspace.name);
        match Place::parse(&workspace.url) {
            Ok(Place::Azure(name)) if name.root == Root::Registry => {
                registry(page, facts, workspace)
            }
            Ok(Place::Azure(_)) => azure(page, facts, workspace),
            _ => folder(page, facts, workspace),
        }
    }
}

fn azure(page: &mut Page, facts: &Facts, workspace: &Workspace) {
    let identity = workspace.identity.as_ref();
    let name = identity.and_then(Identity::name);
    if let (Some(Identity::Azure { region, .. }), Some(name)) = (identity, name) {
        page.say("Deleted less than 14 days ago it can be recovered, which costs nothing and loses less than any restore; then only \
                  its endpoints and computes are missing, which the plan below brings:");
        page.shell(&recovering(&name, region));
    }
    page.say("The plan changes nothing. It makes the workspace where it is not there, and brings back computes and deployments too, \
              which cost money: leave the option `--include` out where they are not wanted.");
    let include = match workspace.secrets {
        true => "--include compute,deployments,secrets",
        false => "--include compute,deployments",
    };
    steps(
        page,
        facts,
        workspace,
        &format!(" --create-workspace {include}"),
        &format!(" {include}"),
    );
}

fn registry(page: &mut Page, facts: &Facts, workspace: &Workspace) {
    page.say("Where the registry itself is gone make it first, under its own name: `az ml registry create --file registry.yml`. Its \
              document is the item `registries/…` that `mlark ls` lists.");
    steps(page, facts, workspace, "", "");
}

fn folder(page: &mut Page, facts: &Facts, workspace: &Workspace) {
    steps(page, facts, workspace, "", "");
}

/// Plan, apply, verify; `options` are the plan's, `again` those of them that the comparison takes.
fn steps(page: &mut Page, facts: &Facts, workspace: &Workspace, options: &str, again: &str) {
    let (name, owner) = (&workspace.name, facts.owner_options());
    let (url, plan) = (word(&workspace.url), format!("{name}.plan"));
    let line = format!("restore plan latest:{name} --into {url}{options} --save {plan}{owner}");
    page.run(PLAN, &mlark(facts, &line));
    let line = format!("restore apply --plan {plan} --yes{owner}");
    page.run(APPLY, &mlark(facts, &line));
    let line = format!("restore verify latest:{name} --against {url}{again}{owner}");
    page.run(VERIFY, &mlark(facts, &line));
}
