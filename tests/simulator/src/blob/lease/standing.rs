//! How it stands with a lease at a moment, and how answers say it.

use crate::reply::Reply;

/// How it stands with a lease, as properties and lists show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::blob) enum Standing {
    Available,
    Leased { fixed: bool },
    Expired,
    Breaking,
    Broken,
}

impl Standing {
    /// `x-ms-lease-status`.
    pub(in crate::blob) fn status(self) -> &'static str {
        match self {
            Self::Leased { .. } | Self::Breaking => "locked",
            Self::Available | Self::Expired | Self::Broken => "unlocked",
        }
    }

    /// `x-ms-lease-state`.
    pub(in crate::blob) fn state(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Leased { .. } => "leased",
            Self::Expired => "expired",
            Self::Breaking => "breaking",
            Self::Broken => "broken",
        }
    }

    /// `x-ms-lease-duration`, where there is one.
    pub(in crate::blob) fn duration(self) -> Option<&'static str> {
        match self {
            Self::Leased { fixed: true } => Some("fixed"),
            Self::Leased { fixed: false } => Some("infinite"),
            _ => None,
        }
    }

    pub(super) fn locks(self) -> bool {
        self.status() == "locked"
    }
}

/// An answer that says how it stands with a lease.
pub(in crate::blob) fn shown(reply: Reply, standing: Standing) -> Reply {
    let reply = reply
        .with("x-ms-lease-status", standing.status())
        .with("x-ms-lease-state", standing.state());
    match standing.duration() {
        Some(duration) => reply.with("x-ms-lease-duration", duration),
        None => reply,
    }
}
