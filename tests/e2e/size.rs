//! Size: a file of many gigabytes and a workspace of many items, within the memory limit. Each in processes of their own,
//! so that what is measured is mlark's.

pub(crate) mod blob;
mod export;
mod workspace;

/// What a process may take: the limit that the configuration has by default.
pub(crate) const LIMIT_KIB: u64 = 256 << 10;
