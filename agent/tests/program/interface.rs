//! INTERFACE.md says what the program has, no more and no less.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, Command, CommandFactory};
use mlark::cli::Cli;
use mlark::config::keys::KEYS;

const PAGE: &str = include_str!("../../INTERFACE.md");

/// What the page's tables name, by the heading that they stand below.
fn page() -> BTreeMap<String, BTreeSet<String>> {
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in PAGE.lines() {
        if let Some(heading) = line
            .strip_prefix("## ")
            .or_else(|| line.strip_prefix("### "))
        {
            section = heading.trim_matches('`').to_owned();
            sections.entry(section.clone()).or_default();
        } else if let Some(cell) = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split(" | ").next())
        {
            let names = cell.split("`, `").map(|name| name.trim_end_matches('`'));
            let names = names.map(|name| name.split(' ').next().unwrap_or(name).to_owned());
            sections.entry(section.clone()).or_default().extend(names);
        }
    }
    sections
}

/// Every command that does something, by what is typed.
fn commands(command: &Command, path: &str, found: &mut BTreeMap<String, Command>) {
    for below in command.get_subcommands() {
        let path = format!("{path} {}", below.get_name());
        commands(below, &path, found);
        if !below.is_subcommand_required_set() {
            found.insert(path, below.clone());
        }
    }
}

fn all_commands() -> BTreeMap<String, Command> {
    let mut found = BTreeMap::new();
    commands(&Cli::command(), "mlark", &mut found);
    found
}

fn names(argument: &Arg) -> Vec<String> {
    if argument.is_positional() {
        let names = argument.get_value_names().unwrap_or_default();
        return names.iter().map(ToString::to_string).collect();
    }
    let long = argument.get_long().map(|long| format!("--{long}"));
    let short = argument.get_short().map(|short| format!("-{short}"));
    long.into_iter().chain(short).collect()
}

fn options<'a>(arguments: impl Iterator<Item = &'a Arg>) -> BTreeSet<String> {
    arguments
        .filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version"))
        .flat_map(names)
        .collect()
}

#[test]
fn the_page_has_every_command_with_every_option_and_no_other() {
    let page = page();
    let commands = all_commands();
    for (path, command) in &commands {
        let written = page
            .get(path)
            .unwrap_or_else(|| panic!("INTERFACE.md has no `{path}`"));
        let own = options(
            command
                .get_arguments()
                .filter(|argument| !argument.is_global_set()),
        );
        assert_eq!(*written, own, "{path}");
    }
    let extra: Vec<&String> = page
        .keys()
        .filter(|heading| heading.starts_with("mlark ") && !commands.contains_key(*heading))
        .collect();
    assert!(
        extra.is_empty(),
        "INTERFACE.md has commands that are not there: {extra:?}"
    );
    let global = Cli::command();
    let global = options(
        global
            .get_arguments()
            .filter(|argument| argument.is_global_set()),
    );
    assert_eq!(page["Global options"], global);
}

#[test]
fn the_page_has_every_key_and_no_other_and_what_it_says() {
    let page = page();
    let known: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(page["5. Configuration"], known);
    for key in KEYS {
        let row = PAGE
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", key.path)));
        assert!(
            row.is_some_and(|row| row.contains(key.says)),
            "{}: {}",
            key.path,
            key.says
        );
    }
}

#[test]
fn the_help_of_every_command_shows_an_example() {
    for (path, mut command) in all_commands() {
        let help = command.render_long_help().to_string();
        assert!(help.contains("Example"), "{path} --help has no example");
        let example = help.split("Example").nth(1).unwrap_or_default();
        assert!(
            example.contains(&path),
            "the examples of {path} do not show it"
        );
    }
}
