//! How the program ends: the exit codes that scripts rely on, and which of several wins.

use std::process::ExitCode;

/// What a run of the program came to. The numbers are a contract (INTERFACE.md section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// Done.
    Done,
    /// Something failed: a host out of reach, a refused credential, nothing readable.
    Failed,
    /// Wrong usage or configuration, an unknown selector, snapshot or workspace.
    Usage,
    /// Done with gaps or losses, or a suspect snapshot.
    Gaps,
    /// Check or verify found damage, a difference or a forgery.
    Damage,
    /// No repository there.
    NoRepository,
    /// Another run holds it.
    Busy,
    /// No key that opens it.
    NoKey,
    /// Interrupted.
    Interrupted,
}

impl ExitStatus {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Gaps => 3,
            Self::Damage => 4,
            Self::NoRepository => 10,
            Self::Busy => 11,
            Self::NoKey => 12,
            Self::Interrupted => 130,
        }
    }

    /// Of two results of one run, the one to report: 0, 3, 4, 1, 130 in rising order. Codes that stop a run before it
    /// does anything stand between 4 and 1, since nothing was done where they occur.
    pub fn and(self, other: Self) -> Self {
        if other.rank() > self.rank() {
            other
        } else {
            self
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Gaps => 1,
            Self::Damage => 2,
            Self::Busy => 3,
            Self::NoRepository => 4,
            Self::NoKey => 5,
            Self::Usage => 6,
            Self::Failed => 7,
            Self::Interrupted => 8,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

#[cfg(test)]
mod tests {
    use super::ExitStatus::{Damage, Done, Failed, Gaps, Interrupted};

    #[test]
    fn of_several_results_the_latest_in_the_documented_order_is_given() {
        let order = [Done, Gaps, Damage, Failed, Interrupted];
        for (place, earlier) in order.iter().enumerate() {
            for later in &order[place..] {
                assert_eq!(earlier.and(*later), *later);
                assert_eq!(later.and(*earlier), *later);
            }
        }
        assert_eq!(order.map(|status| status.code()), [0, 3, 4, 1, 130]);
    }
}
