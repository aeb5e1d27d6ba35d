//! The operations of the files, and which of them a call is.

use serde_json::Value;

use super::documents::{At, Documents};
use crate::call::{Call, Service};

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) file: String,
    /// JSON pointer of the path's entry, which may have parameters of its own.
    pub(super) path_pointer: String,
    pub(super) method: String,
    parts: Vec<String>,
    /// `comp=list`, or a bare word such as `acquire`, which a header says.
    query: Vec<String>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Operations(Vec<Operation>);

impl Operation {
    /// The folder of its file: the family of versions.
    pub(super) fn family(&self) -> &str {
        let end = self.file.rfind('/').unwrap_or_default();
        self.file.get(..end).unwrap_or_default()
    }

    fn is_for(&self, call: &Call) -> bool {
        let file = self.file.as_str();
        match call.service {
            Service::Arm => {
                let preview = call
                    .query
                    .get("api-version")
                    .is_some_and(|version| version.contains("preview"));
                file.starts_with(if preview { "preview-" } else { "stable-" })
            }
            Service::Data => file.starts_with("dataplane-"),
            Service::Blob => file.starts_with("storage/blob"),
            Service::File => file.starts_with("storage/file"),
            Service::Dfs | Service::Login | Service::Control | Service::Imds => false,
        }
    }

    fn fits(&self, call: &Call) -> bool {
        if !self.method.eq_ignore_ascii_case(call.method.as_str()) || !self.is_for(call) {
            return false;
        }
        let storage = matches!(call.service, Service::Blob | Service::File);
        let sent: Vec<&str> = call
            .segments
            .iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        // The root of a share is a directory with an empty name.
        let named = self.parts.iter().filter(|part| *part != "{directory}");
        let least = named.count();
        let long_enough = if storage && self.parts.len() > 1 {
            sent.len() >= least
        } else {
            sent.len() == least
        };
        let parts = self.parts.iter().zip(&sent);
        long_enough
            && parts
                .into_iter()
                .all(|(part, sent)| is_open(part) || part.eq_ignore_ascii_case(sent))
            && (!storage || self.fits_query(call))
    }

    fn fits_query(&self, call: &Call) -> bool {
        let says = |word: &str| {
            let mut headers = call.headers.iter();
            headers.any(|(name, value)| {
                let named = matches!(
                    name.as_str(),
                    "x-ms-lease-action" | "x-ms-blob-type" | "x-ms-write"
                );
                named
                    && value
                        .to_str()
                        .is_ok_and(|value| value.eq_ignore_ascii_case(word))
            })
        };
        let asked = self.query.iter().all(|pair| match pair.split_once('=') {
            Some((name, value)) => call.query.is(name, value),
            None if pair == "flat" => call.query.get("delimiter").is_none(),
            None if pair == "hierarchy" => call.query.get("delimiter").is_some(),
            None => says(pair),
        });
        let named = ["comp", "restype"].into_iter().all(|name| {
            let sent = call.query.get(name).filter(|value| !value.is_empty());
            sent.is_none_or(|value| {
                let pair = format!("{name}={value}");
                self.query.iter().any(|own| own.eq_ignore_ascii_case(&pair))
            })
        });
        asked && named
    }

    fn closeness(&self) -> usize {
        let fixed = self.parts.iter().filter(|part| !is_open(part)).count();
        fixed * 10 + self.query.len()
    }

    /// The operation itself, and the entry of its path.
    pub(super) fn in_file<'a>(&'a self, documents: &'a Documents) -> Option<(At<'a>, At<'a>)> {
        let whole = documents.iter().find(|at| at.file == self.file)?;
        let path = whole.value.pointer(&self.path_pointer)?;
        let own = path.get(self.method.to_lowercase())?;
        let at = |value| At {
            file: whole.file,
            value,
        };
        Some((at(own), at(path)))
    }
}

impl Operations {
    pub(super) fn of(documents: &Documents) -> Self {
        let mut found = Vec::new();
        for at in documents.iter() {
            for list in ["paths", "x-ms-paths"] {
                let paths = at.value.get(list).and_then(Value::as_object);
                for (path, entry) in paths.into_iter().flatten() {
                    found.extend(of_path(at.file, list, path, entry));
                }
            }
        }
        Self(found)
    }

    /// The operation that a call is, the closest one first.
    pub(super) fn find(&self, call: &Call) -> Option<&Operation> {
        let fitting = self.0.iter().filter(|operation| operation.fits(call));
        fitting.max_by_key(|operation| operation.closeness())
    }
}

fn of_path(file: &str, list: &str, path: &str, entry: &Value) -> Vec<Operation> {
    let (route, query) = path.split_once('?').unwrap_or((path, ""));
    let split = |text: &str, at: char| -> Vec<String> {
        let parts = text.split(at).filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    };
    let escaped = path.replace('~', "~0").replace('/', "~1");
    let methods = ["get", "put", "post", "patch", "delete", "head"];
    let there = methods
        .into_iter()
        .filter_map(|method| Some((method, entry.get(method)?)));
    there
        .map(|(method, operation)| Operation {
            id: operation
                .get("operationId")
                .and_then(Value::as_str)
                .unwrap_or(path)
                .to_owned(),
            file: file.to_owned(),
            path_pointer: format!("/{list}/{escaped}"),
            method: method.to_owned(),
            parts: split(route, '/'),
            query: split(query, '&'),
        })
        .collect()
}

fn is_open(part: &str) -> bool {
    part.starts_with('{') && part.ends_with('}')
}
