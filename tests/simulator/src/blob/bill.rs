//! What an account is billed for: operations by class and tier, bytes read from each tier, bytes brought back from the archive.
//!
//! From Microsoft's pages "Map each REST operation to a price" (standard general-purpose v2), "Blob rehydration from the archive
//! tier" and "Access tiers for blob data". Every call of a proven identity counts, refused ones too. A price is nobody's
//! business here.

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::record::Blob;
use super::tier::{Priority, Rehydration, Tier};
use crate::call::Call;

/// The classes of operations that have a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Bytes are written; a tier is set that is colder.
    Write,
    /// Bytes are read; a tier is set that is warmer.
    Read,
    /// Lists, and making a container.
    List,
    /// All others.
    Other,
    /// Deleting costs nothing.
    Free,
}

/// What an account owes since it was last asked to forget.
#[derive(Clone, Debug, Default)]
pub struct Bills {
    operations: BTreeMap<(Class, Tier), u64>,
    read: BTreeMap<Tier, u64>,
    written: BTreeMap<Tier, u64>,
    rehydrations: BTreeMap<Priority, u64>,
    rehydrated: BTreeMap<Priority, u64>,
    early: BTreeMap<Tier, u64>,
}

impl Bills {
    /// How many operations of a class there were in a tier.
    pub fn operations(&self, class: Class, tier: Tier) -> u64 {
        self.operations
            .get(&(class, tier))
            .copied()
            .unwrap_or_default()
    }

    /// Bytes that Get Blob read from a tier.
    pub fn read_bytes(&self, tier: Tier) -> u64 {
        self.read.get(&tier).copied().unwrap_or_default()
    }

    /// Bytes that came into a tier.
    pub fn written_bytes(&self, tier: Tier) -> u64 {
        self.written.get(&tier).copied().unwrap_or_default()
    }

    /// Blobs that were brought back from the archive.
    pub fn rehydrations(&self, priority: Priority) -> u64 {
        self.rehydrations
            .get(&priority)
            .copied()
            .unwrap_or_default()
    }

    /// Bytes that were brought back from the archive.
    pub fn rehydrated_bytes(&self, priority: Priority) -> u64 {
        self.rehydrated.get(&priority).copied().unwrap_or_default()
    }

    /// Bytes times days that are paid for though nobody kept them: blobs that left a cold tier before its least time.
    pub fn early_byte_days(&self, tier: Tier) -> u64 {
        self.early.get(&tier).copied().unwrap_or_default()
    }

    /// Everything, for those who read JSON.
    pub fn to_json(&self) -> Value {
        let operations = self.operations.iter();
        let operations = operations
            .map(|((class, tier), count)| json!({"class": class, "tier": tier, "count": count}));
        json!({
            "operations": operations.collect::<Vec<_>>(),
            "read_bytes": by(&self.read), "written_bytes": by(&self.written),
            "rehydrations": by(&self.rehydrations), "rehydrated_bytes": by(&self.rehydrated),
            "early_byte_days": by(&self.early),
        })
    }

    pub(super) fn operation(&mut self, class: Class, tier: Tier) {
        *self.operations.entry((class, tier)).or_default() += 1;
    }

    pub(super) fn reads(&mut self, tier: Tier, bytes: u64) {
        *self.read.entry(tier).or_default() += bytes;
    }

    pub(super) fn writes(&mut self, tier: Tier, bytes: u64) {
        *self.written.entry(tier).or_default() += bytes;
    }

    /// A blob begins its way back, or goes on faster: then it is paid at the higher price alone.
    pub(super) fn rehydrates(&mut self, was: Option<Rehydration>, now: Rehydration, bytes: u64) {
        if let Some(was) = was {
            *self.rehydrations.entry(was.priority).or_default() -= 1;
            *self.rehydrated.entry(was.priority).or_default() -= bytes;
        }
        *self.rehydrations.entry(now.priority).or_default() += 1;
        *self.rehydrated.entry(now.priority).or_default() += bytes;
    }

    pub(super) fn ends_early(&mut self, tier: Tier, byte_days: u64) {
        if byte_days > 0 {
            *self.early.entry(tier).or_default() += byte_days;
        }
    }
}

fn by<K: Serialize>(map: &BTreeMap<K, u64>) -> Value {
    let pairs = map.iter().filter_map(|(key, value)| {
        let name = serde_json::to_value(key).ok()?.as_str()?.to_owned();
        Some((name, json!(value)))
    });
    Value::Object(pairs.collect())
}

/// The class of a call to the blob service. `was` is the tier of the blob before it.
pub(super) fn class(call: &Call, was: Option<Tier>) -> Class {
    let comp = call.query.get("comp").unwrap_or_default();
    let container = call.query.is("restype", "container");
    match (&call.method, comp) {
        (_, "list") => Class::List,
        (&Method::PUT, "") if container => Class::List,
        (&Method::DELETE, "") => Class::Free,
        _ if container => Class::Other,
        (&Method::GET, "") if call.query.get("restype").is_none() => Class::Read,
        (&Method::PUT, "" | "block" | "blocklist") => Class::Write,
        (&Method::PUT, "tier") => match (was, super::tier::asked(call)) {
            (Some(was), Ok(Some(wanted))) if wanted < was => Class::Read,
            _ => Class::Write,
        },
        _ => Class::Other,
    }
}

/// Bytes times days that a blob's tier still wants to be paid for.
pub(super) fn early(blob: &Blob, now: Timestamp) -> u64 {
    let since = blob.tier_changed.unwrap_or(blob.modified);
    let days = now.duration_since(since).as_hours() / 24;
    let left = (blob.tier().days_least() - days).max(0);
    blob.content.size() * u64::try_from(left).unwrap_or_default()
}
