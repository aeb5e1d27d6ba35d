//! What can go wrong with a workspace. A variant names the act that failed; the cause is behind `source()`.

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A path that could leave its place.
    #[error("The path `{path}` is refused: {reason}")]
    Path {
        /// The path.
        path: String,
        /// Why.
        reason: &'static str,
    },
}
