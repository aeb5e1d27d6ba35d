//! The crates know each other as the design draws it, and no more.
//!
//! `archive-format` and `workspace` are leaves, `restore` stands on both, the program on all three; the simulator
//! depends on none of ours, so that it cannot share a mistake with the client.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The edges that are drawn: who may depend on whom when shipped.
const DRAWN: &[(&str, &[&str])] = &[
    ("archive-format", &[]),
    ("workspace", &[]),
    ("restore", &["archive-format", "workspace"]),
    ("mlark", &["archive-format", "restore", "workspace"]),
    ("simulator", &[]),
    ("mlark-tests", &[]),
];

/// The further edges that tests alone may have.
const FOR_TESTS: &[(&str, &[&str])] = &[
    ("archive-format", &["mlark-tests"]),
    ("workspace", &["simulator"]),
    ("restore", &["simulator"]),
    ("mlark", &["mlark-tests", "simulator"]),
    ("simulator", &[]),
    (
        "mlark-tests",
        &[
            "archive-format",
            "mlark",
            "restore",
            "simulator",
            "workspace",
        ],
    ),
];

type Edges = BTreeMap<String, BTreeSet<String>>;

fn edges(of_tests: bool) -> Edges {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo metadata answers");
    let members: BTreeSet<String> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    metadata
        .packages
        .iter()
        .map(|package| {
            let ours = package
                .dependencies
                .iter()
                .filter(|edge| {
                    (edge.kind == DependencyKind::Development) == of_tests
                        && members.contains(&edge.name)
                        // A crate that asks for a feature of its own for its tests.
                        && edge.name != package.name.as_str()
                })
                .map(|edge| edge.name.clone());
            (package.name.to_string(), ours.collect())
        })
        .collect()
}

fn allowed(table: &[(&str, &[&str])]) -> Edges {
    table
        .iter()
        .map(|(name, edges)| {
            (
                name.to_string(),
                edges.iter().map(ToString::to_string).collect(),
            )
        })
        .collect()
}

fn refuse_undrawn(found: &Edges, allowed: &Edges) {
    for (package, edges) in found {
        let drawn = allowed
            .get(package)
            .unwrap_or_else(|| panic!("the package {package} is not drawn"));
        let undrawn: Vec<_> = edges.difference(drawn).collect();
        assert!(
            undrawn.is_empty(),
            "{package} must not depend on {undrawn:?}"
        );
    }
}

#[test]
fn crates_depend_only_as_drawn() {
    let found = edges(false);
    assert_eq!(
        found.len(),
        DRAWN.len(),
        "every package is drawn, and every drawn package exists"
    );
    refuse_undrawn(&found, &allowed(DRAWN));
}

#[test]
fn tests_add_only_the_edges_that_are_allowed_to_tests() {
    refuse_undrawn(&edges(true), &allowed(FOR_TESTS));
}
