//! What an object store's errors mean here.
//!
//! Behind [`super::guard::Guarded`] a refusal says its status and the service's own word for it; other stores are known
//! by the variants of object_store alone. Nothing that is quoted names an address with its query.

use std::error::Error as StdError;

use object_store::Error;
use object_store::client::HttpError;

use super::guard::Refused;
use super::upload;
use crate::storage::StorageFault;

type Cause = Box<dyn StdError + Send + Sync>;

/// A failure with what it means.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) fault: StorageFault,
    pub(super) source: Cause,
    /// The status with which a service refused, where it is known.
    status: Option<u16>,
}

/// What became of a create that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A file of that name is there, perhaps our own.
    Exists,
    /// It may have taken place, or may do so yet; it may be sent again.
    Unclear,
    /// It did not take place and would not.
    Failed,
}

impl Failed {
    pub(super) fn new(fault: StorageFault, source: Cause) -> Self {
        Self {
            fault,
            source,
            status: None,
        }
    }

    pub(super) fn other(source: Cause) -> Self {
        Self::new(StorageFault::Other, source)
    }

    pub(super) fn unclear(source: Cause) -> Self {
        Self::new(StorageFault::Unclear, source)
    }

    /// Whether it may be an answer to a range that the file does not have.
    pub(super) fn may_be_range(&self) -> bool {
        self.fault == StorageFault::Other && self.status.is_none_or(|status| status == 416)
    }

    /// The failure of a read, a listing or a delete.
    pub(super) fn reading(error: &Error) -> Self {
        if let Some(refused) = below::<Refused>(error) {
            return Self {
                fault: refused.fault(),
                source: Box::new(refused.clone()),
                status: Some(refused.status),
            };
        }
        let text = said(error);
        let fault = match error {
            Error::NotFound { .. } => StorageFault::NotFound,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => StorageFault::Denied,
            // How object_store gives out the 409 that Azure answers a read of an archived blob with.
            Error::AlreadyExists { .. } => StorageFault::Archived,
            // A delete in a batch says its status in words alone.
            Error::Generic { .. } if text.contains("(code: 403)") => StorageFault::Denied,
            _ => StorageFault::Other,
        };
        Self::new(fault, text.into())
    }

    /// The failure of a create that did not take place.
    pub(super) fn creating(error: upload::Error) -> Self {
        match error {
            upload::Error::Store(error) => match Self::reading(&error) {
                // Only the container can be missing where something is created.
                failed if failed.fault == StorageFault::NotFound => Self {
                    fault: StorageFault::NoStore,
                    ..failed
                },
                failed => failed,
            },
            error => Self::other(error.into()),
        }
    }
}

impl Refused {
    /// What the refusal of a read, a listing, a delete or a change of how a file is kept means.
    pub fn fault(&self) -> StorageFault {
        match (self.status, self.code.as_str()) {
            (404, "ContainerNotFound" | "NoSuchBucket" | "ContainerBeingDeleted") => {
                StorageFault::NoStore
            }
            (404, _) => StorageFault::NotFound,
            (403, "InvalidObjectState") => StorageFault::Archived,
            (409, "BlobArchived" | "BlobBeingRehydrated") => StorageFault::Archived,
            (409, "BlobImmutableDueToPolicy" | "BlobImmutableDueToLegalHold") => StorageFault::Kept,
            (409, "BlobOperationNotSupported" | "FeatureNotSupported") => StorageFault::Unsupported,
            (401 | 403, _) => StorageFault::Denied,
            _ => StorageFault::Other,
        }
    }
}

impl Verdict {
    pub(super) fn of(error: &upload::Error) -> Self {
        let error = match error {
            upload::Error::Exists => return Self::Exists,
            upload::Error::Local(_) | upload::Error::Worker => return Self::Failed,
            upload::Error::Store(error) => error,
        };
        if let Some(refused) = below::<Refused>(error) {
            return match (refused.status, refused.code.as_str()) {
                // S3: two creates of one name at once, and neither is decided.
                (409, "ConditionalRequestConflict" | "OperationAborted") => Self::Unclear,
                (409, "ContainerBeingDeleted" | "ContainerDisabled" | "AccountBeingCreated") => {
                    Self::Failed
                }
                (409 | 412, _) => Self::Exists,
                (408 | 429 | 500.., _) => Self::Unclear,
                _ => Self::Failed,
            };
        }
        match error {
            Error::AlreadyExists { .. } | Error::Precondition { .. } => Self::Exists,
            Error::Generic { .. } | Error::JoinError { .. } => Self::Unclear,
            _ => Self::Failed,
        }
    }
}

/// An error of this type among the causes.
fn below<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// What an error says, from the connection's own words on where there are any, without the query of an address.
pub(super) fn said(error: &Error) -> String {
    let top: &(dyn StdError + 'static) = match below::<HttpError>(error) {
        Some(http) => http.source().unwrap_or(http),
        None => error,
    };
    let mut text = top.to_string();
    let mut next = top.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    without_queries(&text)
}

/// Takes everything from `?` to the next space off each word that is an address.
fn without_queries(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.split_once('?') {
        Some((place, _)) if word.contains("://") => format!("{place}?…"),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str) -> Error {
        let refused = Refused {
            status,
            code: code.to_owned(),
            message: String::new(),
        };
        Error::Generic {
            store: "test",
            source: Box::new(HttpError::new(
                object_store::client::HttpErrorKind::Unknown,
                refused,
            )),
        }
    }

    #[test]
    fn sas_token_never_appears_in_errors() {
        let error = Error::Generic {
            store: "test",
            source: "GET https://a.blob.core.windows.net/c/b?sv=1&sig=SECRET failed".into(),
        };
        let failed = Failed::reading(&error);
        let text = failed.source.to_string();
        assert!(
            text.contains("/c/b?…") && !text.contains("SECRET"),
            "{text}"
        );
        assert!(!format!("{failed:?}").contains("SECRET"));
    }

    #[test]
    fn each_refusal_has_its_fault_and_its_verdict() {
        let cases = [
            (404, "BlobNotFound", StorageFault::NotFound, Verdict::Failed),
            (
                404,
                "ContainerNotFound",
                StorageFault::NoStore,
                Verdict::Failed,
            ),
            (
                403,
                "AuthorizationFailure",
                StorageFault::Denied,
                Verdict::Failed,
            ),
            (409, "BlobArchived", StorageFault::Archived, Verdict::Exists),
            (
                403,
                "InvalidObjectState",
                StorageFault::Archived,
                Verdict::Failed,
            ),
            (
                409,
                "BlobAlreadyExists",
                StorageFault::Other,
                Verdict::Exists,
            ),
            (412, "ConditionNotMet", StorageFault::Other, Verdict::Exists),
            (
                409,
                "ConditionalRequestConflict",
                StorageFault::Other,
                Verdict::Unclear,
            ),
            (503, "ServerBusy", StorageFault::Other, Verdict::Unclear),
            (
                400,
                "InvalidHeaderValue",
                StorageFault::Other,
                Verdict::Failed,
            ),
        ];
        for (status, code, fault, verdict) in cases {
            assert_eq!(
                Failed::reading(&refused(status, code)).fault,
                fault,
                "{status} {code}"
            );
            assert_eq!(
                Verdict::of(&upload::Error::Store(refused(status, code))),
                verdict,
                "{status} {code}"
            );
        }
        let archived = Error::AlreadyExists {
            path: "x".to_owned(),
            source: "409".into(),
        };
        assert_eq!(Failed::reading(&archived).fault, StorageFault::Archived);
    }
}
