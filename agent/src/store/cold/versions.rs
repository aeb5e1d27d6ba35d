//! The earlier versions of a file that was deleted, and what soft delete keeps of it: List Blobs and Delete Blob with a version
//! (REST reference, 2023-11-03). An account with versions makes one of whatever is deleted, so that who wants a file gone deletes
//! those too. What is under soft delete cannot be deleted sooner than its time.

use archive_format::FileName;
use archive_format::storage::{Remains, StorageError, StorageFault};
use azure_core::http::Method;

use super::{Act, AzureCold, BODY_BYTES_MAX, PAGE_BYTES_MAX, element, unescaped};

/// What is listed of a file besides itself.
#[derive(Debug, PartialEq, Eq)]
enum Past {
    /// A version, by its id.
    Version(String),
    /// One that is deleted, and kept for some days.
    SoftDeleted,
}

impl AzureCold {
    pub(super) async fn purge(&self, name: &FileName) -> Result<Remains, StorageError> {
        let past = match self.past(name).await {
            Ok(past) => past,
            Err(error) if error.fault == StorageFault::Denied => {
                let why = format!(
                    "the store does not list versions to this identity: {}",
                    error.source
                );
                return Ok(Remains::Unknown { why });
            }
            Err(error) => return Err(error),
        };
        let mut refused = None;
        for version in past {
            let Past::Version(id) = version else { continue };
            match self.delete_version(name, &id).await {
                Ok(()) => {}
                Err(error) => refused = Some(error),
            }
        }
        // What a delete left, a soft-deleted version or a refused one, is in the list again.
        let left = self.past(name).await?;
        Ok(match (left.len() as u64, refused) {
            (0, _) => Remains::Nothing,
            (count, Some(error)) => Remains::Versions {
                count,
                why: error.source.to_string(),
            },
            (count, None) => Remains::Versions {
                count,
                why: "the account keeps what is deleted for some days (soft delete)".to_owned(),
            },
        })
    }

    async fn delete_version(&self, name: &FileName, id: &str) -> Result<(), StorageError> {
        let act = Act {
            does: "delete",
            name: name.as_str(),
        };
        let request = self.request(Method::Delete, Some(name), &[("versionid", id)]);
        let request = request.map_err(|error| self.other(act, error))?;
        match self.send(act, request, BODY_BYTES_MAX).await {
            Err(error) if error.fault == StorageFault::NotFound => Ok(()),
            done => done.map(drop),
        }
    }

    /// Everything past of a file.
    async fn past(&self, name: &FileName) -> Result<Vec<Past>, StorageError> {
        let act = Act {
            does: "list",
            name: name.as_str(),
        };
        let whole = match self.prefix.as_str() {
            "" => name.to_string(),
            own => format!("{own}/{name}"),
        };
        let (mut found, mut marker) = (Vec::new(), String::new());
        loop {
            let mut queries = vec![
                ("restype", "container"),
                ("comp", "list"),
                ("prefix", whole.as_str()),
                ("include", "deleted,versions"),
            ];
            if !marker.is_empty() {
                queries.push(("marker", marker.as_str()));
            }
            let request = self.request(Method::Get, None, &queries);
            let request = request.map_err(|error| self.other(act, error))?;
            let reply = self.send(act, request, PAGE_BYTES_MAX).await?;
            let page = std::str::from_utf8(&reply.body).map_err(|error| self.other(act, error))?;
            found.extend(past_of(page, &whole));
            match element(page, "NextMarker").filter(|marker| !marker.is_empty()) {
                Some(next) => marker = unescaped(next),
                None => return Ok(found),
            }
        }
    }
}

/// What a page lists of a file that is past.
fn past_of(page: &str, name: &str) -> Vec<Past> {
    let entries = page.split("<Blob>").skip(1);
    let named =
        entries.filter(|entry| element(entry, "Name").map(unescaped).as_deref() == Some(name));
    let past = named.filter_map(|entry| {
        if element(entry, "Deleted") == Some("true") {
            return Some(Past::SoftDeleted);
        }
        let current = element(entry, "IsCurrentVersion") == Some("true");
        let id = element(entry, "VersionId").filter(|_| !current)?;
        Some(Past::Version(unescaped(id)))
    });
    past.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_what_is_soft_deleted_are_past_and_what_is_current_is_not() {
        let blob = |name: &str, more: &str| {
            format!("<Blob><Name>{name}</Name>{more}<Properties></Properties></Blob>")
        };
        let page = [
            blob("k/a", "<VersionId>1</VersionId>"),
            blob("k/a", "<Deleted>true</Deleted><VersionId>2</VersionId>"),
            blob(
                "k/a",
                "<VersionId>3</VersionId><IsCurrentVersion>true</IsCurrentVersion>",
            ),
            blob("k/a.b", "<VersionId>4</VersionId>"),
            blob("k/a", ""),
        ];
        let found = past_of(&page.concat(), "k/a");
        assert_eq!(found, [Past::Version("1".to_owned()), Past::SoftDeleted]);
    }
}
