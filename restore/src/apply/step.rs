//! How a step can end other than well.

use crate::Error;

/// Why a step did not succeed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Somebody asked to stop; what was done stays, and the step runs again later.
    Stopped,
    /// It failed; the reason, for people.
    Failed(String),
    /// The journal cannot be written: nothing goes on.
    Journal(Error),
}

impl Trouble {
    /// A reason of our own.
    pub(super) fn because(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into())
    }
}

impl From<workspace::Error> for Trouble {
    fn from(error: workspace::Error) -> Self {
        Self::Failed(chain(&error))
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            error @ Error::Journal { .. } => Self::Journal(error),
            error => Self::Failed(chain(&error)),
        }
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
