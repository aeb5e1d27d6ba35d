//! Removal: snapshots are forgotten by an entry of the log, packs that no snapshot needs are swept by an entry, and only
//! what a stored sweep names is deleted.
//!
//! Nothing here waits for anybody or rests on a clock. An entry that was created at number n saw all entries before it:
//! a commit names no pack that an earlier sweep names, a sweep names no pack that an earlier live snapshot needs, swept
//! names never come back. So a delete that comes years late hits only what nobody may name. Times, grace periods and
//! holds are politeness: a wrong guess costs a writer one rewrite, never data.

mod forget;
mod garbage;
mod hold;
mod lists;
mod lock;
mod protect;
mod repack;
mod replacements;
mod sweep;

pub use forget::{Forgotten, Held};
pub use garbage::{Garbage, Grace, Spared, Sparing};
pub use lock::{LockPeriod, Locks, LocksSet};
pub use sweep::{SweepEvent, Swept};

pub use repack::{RepackEvent, Repacked, Sparse, SparsePack};

pub(crate) use lists::Lists;
pub(crate) use replacements::Known as KnownReplacements;
