//! The runbook: what to type after a loss, written for this very installation. Pure: the same installation gives the same
//! text at any time, so that the copy in the repository is written again only when something changed. Each command stands
//! below the exit codes that it may end with; a test types them. No secret is in it.

mod configuration;
mod facts;
mod machine;
mod notebook;
mod page;
mod region;
mod workspaces;

pub use facts::Facts;

use archive_format::log::Note;

use page::{Page, mlark};

/// What a copy's title in the log begins with; the name of the machine follows.
pub const TITLE: &str = "runbook ";

/// The copy of it that the repository keeps.
pub fn note(facts: &Facts) -> Note {
    Note {
        title: format!("{TITLE}{}", facts.machine),
        text: text(facts),
    }
}

/// The runbook, in Markdown.
pub fn text(facts: &Facts) -> String {
    let mut page = Page::new(&format!("Runbook of the backups of {}", facts.machine));
    introduce(&mut page, facts);
    page.heading("What lies where");
    places(&mut page, facts);
    page.heading("1. The machine is lost");
    machine::write(&mut page, facts);
    page.heading("2. A workspace is lost");
    workspaces::write(&mut page, facts);
    page.heading("3. The region is lost");
    region::write(&mut page, facts);
    page.heading("4. One notebook is lost");
    notebook::write(&mut page, facts);
    page.into_text()
}

fn introduce(page: &mut Page, facts: &Facts) {
    page.say(&format!(
        "Written by `mlark runbook` ({}). Above each command stand the exit codes that it may end with; any other one is told with \
         what to do next. A command that was cut off is typed again: it goes on where it was.",
        facts.program
    ));
    page.say("To read the newest copy of this page on any machine, with mlark, the address of the repository and a key:");
    owner_key(page, facts);
    let stored = format!(
        "runbook --stored --repository {}{}",
        restore::manual::word(&facts.place),
        facts.owner_options()
    );
    page.run(&[(0, "here it is")], &format!("mlark {stored}"));
    if facts.needs_own_azure() {
        page.say("The repository is reached in a way of its own: write the configuration of section 1 first, and add it with `--config`.");
    }
}

/// Where the reader says where his key lies.
fn owner_key(page: &mut Page, facts: &Facts) {
    if facts.has_key_owner() {
        let usual = facts.identity_file.as_deref();
        let usual = usual.map_or_else(|| "owner.key".into(), |file| file.display().to_string());
        page.set(
            "OWNER_KEY",
            &usual,
            "where the owner's key lies, brought from its safe place",
        );
    }
}

fn places(page: &mut Page, facts: &Facts) {
    let mut rows = vec![
        ("repository", format!("`{}`, id {}", facts.place, facts.id)),
        (
            "encrypted",
            if facts.encrypted {
                "yes"
            } else {
                "no: whoever reads the repository reads the backups"
            }
            .to_owned(),
        ),
        (
            "configuration",
            format!(
                "`{}`; its text stands in section 1",
                facts.config_file.display()
            ),
        ),
        (
            "this machine's key",
            format!(
                "`{}`: it adds backups and reads names, no contents",
                facts.key_file.display()
            ),
        ),
    ];
    if let Some(file) = &facts.identity_file {
        rows.push((
            "an owner's key",
            format!(
                "`{}` on this machine: **a copy must lie elsewhere**",
                file.display()
            ),
        ));
    }
    if let Some(file) = &facts.passphrase_file {
        rows.push((
            "an owner's passphrase",
            format!(
                "`{}` on this machine: **it must be known elsewhere too**",
                file.display()
            ),
        ));
    }
    for (what, file) in &facts.secret_files {
        rows.push((what, format!("`{}` on this machine", file.display())));
    }
    page.rows(
        ["what", "where"],
        rows.into_iter()
            .map(|(what, place)| [what.to_owned(), place]),
    );
    if facts.encrypted {
        page.say("**Without the key or passphrase of one of these owners no backup can be read, by anyone:**");
        page.rows(
            ["owner", "public key"],
            facts
                .owners
                .iter()
                .map(|owner| [owner.label.clone(), owner.shown()]),
        );
    }
    page.say("Machines that add backups:");
    page.rows(
        ["machine", "signer"],
        facts
            .machines
            .iter()
            .map(|machine| [machine.label.clone(), machine.signer.clone()]),
    );
    if !facts.workspaces.is_empty() {
        page.say("What is backed up:");
        page.rows(
            ["workspace", "address", "schedule"],
            facts.workspaces.iter().map(|workspace| {
                let schedule = workspace
                    .schedule
                    .clone()
                    .unwrap_or_else(|| "none".to_owned());
                [
                    workspace.name.clone(),
                    format!("`{}`", workspace.url),
                    schedule,
                ]
            }),
        );
    }
    if !facts.targets.is_empty() {
        page.say("Places to restore into:");
        page.rows(
            ["target", "address"],
            facts
                .targets
                .iter()
                .map(|target| [target.name.clone(), format!("`{}`", target.url)]),
        );
    }
    page.say("How everything stands, on a machine that still works:");
    page.run(
        &[(0, "the answer is on the screen")],
        &mlark(facts, "status"),
    );
}

#[cfg(test)]
mod tests;
