//! A test mode: every request and every answer is held against the published specification (OpenAPI 2.0), where it has the
//! operation and a version of the same family.
//!
//! It refuses nothing. What a specification does not have is listed as outside of it; what contradicts it is a mismatch; a
//! property that it does not know must be kept. The published files are read from a folder and are no part of this program.

mod body;
mod documents;
mod operation;
mod schema;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use crate::call::{Call, Service};
use crate::reply::Reply;
use crate::route;
use documents::Documents;
use operation::Operations;

/// What real clients do against the published page, and the service takes: the end of a mismatch, and why it is none.
const EXPLAINED: &[(&str, &str)] = &[
    (
        "/properties/properties/hash_version is a number, not string",
        "seen from azure-ai-ml 1.35.2: a number in a map of strings",
    ),
    (
        "the parameter x-ms-file-attributes is required and not there",
        "seen from azure-storage-file-share 12.27.1: left to the service",
    ),
];

/// The published files of one folder, and what was seen so far.
#[derive(Debug)]
pub struct Specification {
    documents: Documents,
    operations: Operations,
    summary: Summary,
}

/// What was seen, with how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Operations of the specification, by the folder of their version and their id.
    pub seen: BTreeMap<String, usize>,
    /// Routes that are in none of the files.
    pub outside: BTreeMap<String, usize>,
    /// What contradicts the specification: operation, side, place and what is wrong.
    pub mismatches: BTreeMap<String, usize>,
    /// What would be a mismatch if it were not known that the service takes it, with the reason.
    pub explained: BTreeMap<String, usize>,
    /// Properties that the specification does not know and that were kept, by operation and place.
    pub unknown: BTreeMap<String, usize>,
}

impl Specification {
    /// Reads a folder of published files: one folder below it for each family of versions.
    pub fn load(folder: &Path) -> io::Result<Self> {
        let documents = Documents::load(folder)?;
        let operations = Operations::of(&documents);
        Ok(Self {
            documents,
            operations,
            summary: Summary::default(),
        })
    }

    /// Holds one request and its answer against it.
    pub(crate) fn note(&mut self, call: &Call, reply: &Reply) {
        if matches!(
            call.service,
            Service::Control | Service::Login | Service::Imds
        ) {
            return;
        }
        let Some(found) = self.operations.find(call) else {
            let name = format!(
                "{:?} {} {}",
                call.service,
                call.method,
                route::template(call)
            );
            *self.summary.outside.entry(name).or_default() += 1;
            return;
        };
        let name = format!("{} {}", found.family(), found.id);
        *self.summary.seen.entry(name.clone()).or_default() += 1;
        let findings = body::check(&self.documents, found, call, reply);
        for wrong in findings.wrong {
            let line = format!("{name}: {wrong}");
            let known = EXPLAINED.iter().find(|(end, _)| line.ends_with(end));
            let (list, line) = match known {
                Some((_, why)) => (&mut self.summary.explained, format!("{line} ({why})")),
                None => (&mut self.summary.mismatches, line),
            };
            *list.entry(line).or_default() += 1;
        }
        for unknown in findings.unknown {
            let line = format!("{name}: {unknown}");
            *self.summary.unknown.entry(line).or_default() += 1;
        }
    }

    /// What was seen so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: usize = self.seen.values().sum();
        let outside: usize = self.outside.values().sum();
        let wrong: usize = self.mismatches.values().sum();
        writeln!(
            f,
            "specification: {calls} calls of {} operations, {outside} calls of {} routes outside of it, {wrong} mismatches of {} sorts, {} unknown properties kept",
            self.seen.len(),
            self.outside.len(),
            self.mismatches.len(),
            self.unknown.len(),
        )?;
        for (name, count) in &self.outside {
            writeln!(f, "  outside: {name} ×{count}")?;
        }
        for (name, count) in &self.explained {
            writeln!(f, "  explained: {name} ×{count}")?;
        }
        for (name, count) in &self.mismatches {
            writeln!(f, "  mismatch: {name} ×{count}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
