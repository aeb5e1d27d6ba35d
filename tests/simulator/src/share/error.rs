//! Why the file service refuses: what its entries alone can be refused for.

use crate::blob::StorageError;

/// No such share.
pub(super) fn share_not_found() -> StorageError {
    StorageError::new(404, "ShareNotFound", "The specified share does not exist.")
}

/// No such file or directory.
pub(super) fn not_found() -> StorageError {
    StorageError::new(
        404,
        "ResourceNotFound",
        "The specified resource does not exist.",
    )
}

/// Something of that name is there.
pub(super) fn already_exists() -> StorageError {
    StorageError::new(
        409,
        "ResourceAlreadyExists",
        "The specified resource already exists.",
    )
}

/// A file where a directory is wanted, or the other way round.
pub(super) fn type_mismatch() -> StorageError {
    StorageError::new(
        409,
        "ResourceTypeMismatch",
        "The specified resource type does not match the type of the existing resource.",
    )
}
