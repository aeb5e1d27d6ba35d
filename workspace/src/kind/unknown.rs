//! Kinds that the table does not have: what a newer service lists is kept whole all the same, and never restored. So are
//! the items right below items of such a kind; what lies deeper is told.

use std::sync::{Mutex, PoisonError};

use super::{ALL_VIEWS, Container, Kind, Origin, PLAIN, attribute};

/// How many such kinds are kept at most. Each is made once a process and stays as long as it does.
const KINDS_MAX: usize = 64;
/// How many api-versions of one are tried.
const VERSIONS_MAX: usize = 4;

/// Types below a workspace that hold no items of their own: they are shown in other documents, are only acted on, or
/// cannot be listed.
const NO_ITEMS: &[&str] = &[
    "capabilityHosts",
    "eventGridFilters",
    "features",
    "linkedServices",
    "managedNetworks",
    "metadata",
    "operations",
    "privateEndpointConnectionProxies",
    "privateLinkResources",
    "services",
];

static MADE: Mutex<Vec<&'static Kind>> = Mutex::new(Vec::new());

/// What a service says of one of its types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceType {
    /// The name below the workspace: `jobs`, or `onlineEndpoints/deployments` of what lies below items.
    pub name: String,
    /// Its api-versions, newest first.
    pub api_versions: Vec<String>,
    /// Whether items are containers of `versions`.
    pub versioned: bool,
}

impl Kind {
    /// A row for a type right below the workspace that the table does not have; `None` where it has it, where the type holds no
    /// items, or where there are too many.
    pub fn unknown(of: &ServiceType) -> Option<&'static Self> {
        let is_nested = of.name.contains('/');
        if is_nested || has_no_items(&of.name) || Self::find_any_case(&of.name).is_some() {
            return None;
        }
        Self::made(of, || row(of))
    }

    /// A row for a type right below the items of such a kind. The kind is named after both: `quanta.parts` is what lies at
    /// `quanta/NAME/parts`.
    fn unknown_below(
        parent: &'static Self,
        segment: &str,
        of: &ServiceType,
    ) -> Option<&'static Self> {
        let of = ServiceType {
            name: format!("{}.{segment}", parent.name),
            ..of.clone()
        };
        Self::made(&of, || nested(parent, segment, &of))
    }

    fn made(of: &ServiceType, row: impl FnOnce() -> Self) -> Option<&'static Self> {
        if of.api_versions.is_empty() {
            return None;
        }
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = made
            .iter()
            .find(|kind| kind.name.eq_ignore_ascii_case(&of.name))
        {
            return Some(kind);
        }
        if made.len() >= KINDS_MAX {
            return None;
        }
        let kind: &'static Self = Box::leak(Box::new(row()));
        made.push(kind);
        Some(kind)
    }

    /// A row that was made here, by its name.
    pub(super) fn find_made(name: &str) -> Option<&'static Self> {
        let made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().copied().find(|kind| kind.name == name)
    }

    /// Whether the table does not have it.
    pub fn is_unknown(&self) -> bool {
        Self::find(self.name).is_none()
    }
}

/// What the table does not have of a service's types.
#[derive(Clone, Debug, Default)]
pub struct UnknownKinds {
    /// The kinds that are kept, those above others first.
    pub kinds: Vec<&'static Kind>,
    /// The types below items of these kinds that cannot be listed: `quanta/parts/bits`.
    pub unreached: Vec<String>,
}

impl UnknownKinds {
    /// Of everything that a service has below a workspace.
    pub fn of(types: &[ServiceType]) -> Self {
        let mut found = Self {
            kinds: types.iter().filter_map(Kind::unknown).collect(),
            unreached: Vec::new(),
        };
        for of in types {
            let Some((above, below)) = of.name.split_once('/') else {
                continue;
            };
            let mut kinds = found.kinds.iter();
            let parent = kinds.find(|kind| kind.name.eq_ignore_ascii_case(above));
            let Some(parent) = parent.copied() else {
                continue;
            };
            let versions = parent.container.map(|container| container.versions);
            if versions.is_some_and(|versions| versions.eq_ignore_ascii_case(below)) {
                continue;
            }
            if below.split('/').any(has_no_items) {
                continue;
            }
            let is_deeper = below.contains('/');
            let kind = (!is_deeper).then(|| Kind::unknown_below(parent, below, of));
            match kind.flatten() {
                Some(kind) => found.kinds.push(kind),
                None => found.unreached.push(of.name.clone()),
            }
        }
        found.unreached.sort();
        found
    }
}

fn has_no_items(name: &str) -> bool {
    NO_ITEMS.iter().any(|no| no.eq_ignore_ascii_case(name))
}

fn nested(parent: &'static Kind, segment: &str, of: &ServiceType) -> Kind {
    let segment: &'static str = Box::leak(segment.to_owned().into_boxed_str());
    Kind {
        origin: Origin::Nested {
            parent: parent.name,
            segment,
        },
        versioned: false,
        container: None,
        ..row(of)
    }
}

fn row(of: &ServiceType) -> Kind {
    let name: &'static str = Box::leak(of.name.clone().into_boxed_str());
    let versions = of.api_versions.iter().take(VERSIONS_MAX);
    let versions = versions.map(|version| &*Box::leak(version.clone().into_boxed_str()));
    Kind {
        name,
        singular: name,
        origin: Origin::Collection(name),
        versioned: of.versioned,
        container: of.versioned.then_some(Container {
            versions: "versions",
            list_query: ALL_VIEWS,
            read_only: attribute::CONTAINER_READ_ONLY,
            order: u8::MAX,
        }),
        list_query: ALL_VIEWS,
        api_versions: Vec::leak(versions.collect()),
        optional: true,
        read_only: attribute::VERSION_READ_ONLY,
        hides: true,
        order: u8::MAX,
        order_reason: "nobody knows what it needs",
        losses: &[(
            "the item",
            "this version of mlark does not know its kind",
            "its document is kept whole",
        )],
        ..PLAIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, versions: &[&str]) -> ServiceType {
        ServiceType {
            name: name.to_owned(),
            api_versions: versions
                .iter()
                .map(|version| (*version).to_owned())
                .collect(),
            versioned: false,
        }
    }

    #[test]
    fn a_type_that_nobody_knows_is_one_kind_however_often_it_is_told() {
        let first = Kind::unknown(&of("quantumJobs", &["2030-01-01"]));
        let again = Kind::unknown(&of("QUANTUMJOBS", &["2031-01-01"]));
        assert_eq!(first.map(|kind| kind.name), Some("quantumJobs"));
        assert!(
            first
                .zip(again)
                .is_some_and(|(one, two)| std::ptr::eq(one, two))
        );
        assert!(first.is_some_and(Kind::is_unknown));
    }

    #[test]
    fn what_lies_right_below_an_unknown_kind_is_one_too_and_what_lies_deeper_is_told() {
        let types = [
            of("atoms/cores/spins", &["2030-01-01"]),
            of("atoms/versions", &["2030-01-01"]),
            of("atoms/cores", &["2030-01-01"]),
            of("atoms/operations", &[]),
            of("models/newThings", &["2030-01-01"]),
            ServiceType {
                versioned: true,
                ..of("atoms", &["2030-01-01"])
            },
        ];
        let found = UnknownKinds::of(&types);
        let names: Vec<&str> = found.kinds.iter().map(|kind| kind.name).collect();
        assert_eq!(names, ["atoms", "atoms.cores"]);
        assert_eq!(found.unreached, ["atoms/cores/spins"]);
        let above = found.kinds.last().and_then(|kind| kind.above());
        assert_eq!(
            above.map(|(kind, segment)| (kind.name, segment)),
            Some(("atoms", "cores"))
        );
        let again = UnknownKinds::of(&types).kinds;
        assert!(
            found
                .kinds
                .iter()
                .zip(again)
                .all(|(one, two)| std::ptr::eq(*one, two))
        );
    }

    #[test]
    fn known_types_and_those_without_items_are_none() {
        for name in ["jobs", "Models", "capabilityHosts", "privateLinkResources"] {
            assert!(
                Kind::unknown(&of(name, &["2025-12-01"])).is_none(),
                "{name}"
            );
        }
        assert!(Kind::unknown(&of("withoutVersions", &[])).is_none());
    }
}
