//! What Azure answers to a request that comes a second time, word for word, after all of its recording was played.

use std::collections::BTreeSet;

use crate::recording::{Recording, Row};

/// What is there at a moment, by account and path, told from the requests alone.
#[derive(Debug, Default)]
pub(crate) struct There(BTreeSet<String>);

impl There {
    /// What all requests together left behind.
    pub(crate) fn after(recordings: &[Recording]) -> Self {
        let mut there = Self::default();
        for row in recordings.iter().flat_map(|recording| &recording.rows) {
            there.apply(row, row.status);
        }
        there
    }

    fn apply(&mut self, row: &Row, status: u16) {
        if !(200..300).contains(&status) {
            return;
        }
        let key = key(row);
        let whole = !row.query().contains("comp=") || row.asks("comp=blocklist");
        match row.method.as_str() {
            "PUT" if whole => {
                self.0.insert(key);
            }
            "DELETE" if whole => {
                let below = format!("{key}/");
                self.0
                    .retain(|known| *known != key && !known.starts_with(&below));
            }
            _ if row.path().ends_with("experiments/create") => {
                let name = row.body["name"].as_str().unwrap_or_default();
                self.0.insert(format!("experiment {name}"));
            }
            _ => {}
        }
    }

    /// The status of the second time.
    ///
    /// Assets, jobs and endpoints that are there answer 200 to their own definition (Azure's RPC: PUT is 201 for new and 200
    /// for existing). A blob with `If-None-Match: *`, a container and a directory that are there answer 409 (Blob and File
    /// service REST API); a second experiment of one name 400 `RESOURCE_ALREADY_EXISTS` (MLflow REST API). What was not there
    /// when it was asked for is found if the recording made it.
    pub(crate) fn expected(&mut self, row: &Row) -> u16 {
        let restype = row.query().contains("restype=") && !row.query().contains("comp=");
        let there = self.0.contains(&key(row));
        let status = match (row.service.as_str(), row.method.as_str(), row.status) {
            (_, "GET" | "HEAD", 404) if self.found(row) => 200,
            ("arm", "PUT", 201) if there => 200,
            ("blob" | "file", "PUT", 201) if restype && there => 409,
            ("blob", "PUT", 201) if there && row.header("If-None-Match") == Some("*") => 409,
            ("data", "POST", 200) if row.path().ends_with("experiments/create") => 400,
            (_, _, status) => status,
        };
        self.apply(row, status);
        status
    }

    /// Whether something, or something below it, is there.
    fn found(&self, row: &Row) -> bool {
        if let Some((_, name)) = row.target.split_once("get-by-name?experiment_name=") {
            return self.0.contains(&format!("experiment {name}"));
        }
        let key = key(row);
        let below = format!("{key}/");
        let fits = |known: &String| *known == key || known.starts_with(&below);
        self.0.iter().any(fits)
    }
}

fn key(row: &Row) -> String {
    format!("{}{}", row.host, row.path().replace("%2F", "/"))
}
