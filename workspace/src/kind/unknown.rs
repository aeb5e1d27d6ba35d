//! Kinds that the table does not have: what a newer service lists is kept whole all the same, and never restored.

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
    /// The name below the workspace: `jobs`.
    pub name: String,
    /// Its api-versions, newest first.
    pub api_versions: Vec<String>,
    /// Whether items are containers of `versions`.
    pub versioned: bool,
}

impl Kind {
    /// A row for a type that the table does not have; `None` where it has it, where the type holds no items, or where
    /// there are too many.
    pub fn unknown(of: &ServiceType) -> Option<&'static Self> {
        let no_items = NO_ITEMS
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&of.name));
        if no_items || Self::find_any_case(&of.name).is_some() || of.api_versions.is_empty() {
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
        let kind: &'static Self = Box::leak(Box::new(row(of)));
        made.push(kind);
        Some(kind)
    }

    /// Whether the table does not have it.
    pub fn is_unknown(&self) -> bool {
        Self::find(self.name).is_none()
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
