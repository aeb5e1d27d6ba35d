//! After the loss of the machine that backs up: a new one takes its place.

use restore::manual::word;

use super::page::{Page, mlark};
use super::{Facts, owner_key};
use crate::store::Address;

/// Where the unit of the package lets the daemon keep its cache (`StateDirectory`).
const DAEMONS_CACHE: &str = "/var/lib/mlark";

pub(super) fn write(page: &mut Page, facts: &Facts) {
    match &facts.address {
        Address::Folder(path) => page.say(&format!(
            "**The repository lies in the folder `{}` of this machine. Unless that is a disk of its own, it is lost together with \
             the machine:** `mlark copy --to URL` keeps a copy elsewhere.",
            path.display()
        )),
        _ => page.say("No backup is lost with it: they lie in the repository."),
    }
    page.say(
        "On a new machine install mlark, write the configuration, and bring back the files with secrets that the table above names.",
    );
    page.run(&[(0, "the same version or a later one")], "mlark --version");
    page.file(
        &facts.config_file.display().to_string(),
        &facts.configuration,
        false,
    );
    page.run(
        &[(0, "the file is as it was")],
        &mlark(facts, "config check"),
    );
    if facts.uses_azure() {
        page.say("Give the new machine's identity its roles: `mlark doctor --grant` prints the commands, which an administrator types.");
    }
    key(page, facts);
    page.say("Look whether everything is there, back up, and look again:");
    page.run(
        &[
            (0, "all is well"),
            (1, "something is bad, told with what to do"),
            (3, "a permission is missing"),
        ],
        &mlark(facts, "doctor"),
    );
    page.run(
        &[
            (0, "the repository is sound"),
            (4, "damage, each told with what it touches"),
        ],
        &mlark(facts, "check"),
    );
    page.run(
        &[(0, "done"), (3, "done with gaps, each told")],
        &mlark(facts, "backup"),
    );
    page.run(
        &[(0, "the answer is on the screen")],
        &mlark(facts, "status"),
    );
    if facts.scheduled {
        let mut own = vec![facts.key_file.display().to_string()];
        own.push(DAEMONS_CACHE.to_owned());
        if let Address::Folder(path) = &facts.address {
            own.push(path.display().to_string());
        }
        let own: Vec<String> = own.iter().map(|path| word(path)).collect();
        page.say(
            "The daemon runs as the user `mlark`; what was made above belongs to whoever typed it.",
        );
        page.shell(&format!("chown -R mlark: {}", own.join(" ")));
        page.shell("systemctl enable --now mlark");
    }
}

/// A key for the new machine.
fn key(page: &mut Page, facts: &Facts) {
    let file = facts.key_file.display().to_string();
    if !facts.encrypted {
        page.say(&format!(
            "Put the copy of this machine's key back to `{file}`. Without it everything can be restored, but nothing added: then make \
             a new repository and copy this one into it with `mlark copy`."
        ));
        return;
    }
    page.say("Make a key for the new machine; an owner introduces it.");
    owner_key(page, facts);
    page.set("NAME", "new-machine", "a name for the new machine");
    page.run(
        &[(0, "it prints a line that begins with mlark-machine-1")],
        &mlark(
            facts,
            &format!("key generate --machine \"$NAME\" --output {}", word(&file)),
        ),
    );
    page.set(
        "LINE",
        "mlark-machine-1 …",
        "that whole line, in quotation marks",
    );
    let owner = facts.owner_options();
    page.run(
        &[(0, "the new machine is introduced")],
        &mlark(facts, &format!("key add --machine \"$LINE\"{owner}")),
    );
    if let Some(signer) = &facts.signer {
        // As many digits as nobody else's begin with.
        let signer = signer.get(..16).unwrap_or(signer);
        page.say("The lost machine is left out from now on. Where it may be in somebody's hands, take back what it signed since: \
                  `mlark key revoke` in its place, with `--after` and the number of the last log entry that you trust.");
        page.run(
            &[(0, "what it signs from now on counts for nothing")],
            &mlark(facts, &format!("key remove {signer}{owner}")),
        );
    }
}
