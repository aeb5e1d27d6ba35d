//! After the loss of one notebook: it comes back alone.

use workspace::azure::Root;

use super::facts::Workspace;
use super::page::{Page, mlark};
use super::workspaces::APPLY;
use super::{Facts, owner_key};
use crate::place::Place;

pub(super) fn write(page: &mut Page, facts: &Facts) {
    let has_notebooks = |workspace: &&Workspace| matches!(Place::parse(&workspace.url), Ok(Place::Azure(name)) if name.root == Root::Workspace);
    let mut known = facts.workspaces.iter().filter(has_notebooks).peekable();
    if known.peek().is_none() {
        page.say("Nothing that is backed up here has notebooks. One file of a folder comes back the same way, as `files/PATH`.");
        return;
    }
    page.say("Which snapshots have it, by its name or a part of it with `*`:");
    page.set("NAME", "report.ipynb", "the notebook's name");
    page.run(
        &[(0, "each place where it occurs, or none")],
        &mlark(facts, "find \"$NAME\""),
    );
    page.say("Its path, as that prints it behind `notebooks/`:");
    page.set("NOTEBOOK", "Users/somebody/report.ipynb", "the path");
    owner_key(page, facts);
    let owner = facts.owner_options();
    for workspace in known {
        let name = &workspace.name;
        page.subheading(&format!("A notebook of {name}"));
        page.say("Where it was deleted, the newest snapshot that has it brings it back:");
        let line = format!("undelete \"notebooks/$NOTEBOOK\" --workspace {name} --yes{owner}");
        page.run(APPLY, &mlark(facts, &line));
        page.say(
            "Where it is there and spoiled, as it was at a time before that; it is written over:",
        );
        page.set(
            "BEFORE",
            "2026-01-31T06:00Z",
            "a time when it was still good",
        );
        let line = format!(
            "restore apply \"{name}@$BEFORE\" \"notebooks/$NOTEBOOK\" --into {name} --on-conflict overwrite-files --yes{owner}"
        );
        page.run(APPLY, &mlark(facts, &line));
    }
}
