//! The table of kinds: everything that mlark knows about a sort of resource is one row of it.
//!
//! Capture, restore, selectors, closure, and documentation run from these rows. A special case is a named function or
//! variant that the row points to, never a `match` on a kind's name elsewhere.

/// Where the bytes of an item lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// It has none.
    None,
    /// Everything below the place that the string at this JSON pointer names, in any of the forms of a reference.
    Uri(&'static str),
    /// The run's artifacts (`artifacts/…`), its named outputs (`outputs/NAME/…`) and metric histories (`metrics/…`).
    Run,
    /// The item is itself an entry of the workspace's file share.
    Share,
    /// The item is itself an entry of a folder.
    Folder,
}

/// What restore does with an item of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// A PUT of the rewritten document, after its bytes.
    Put,
    /// Bytes first, through a pending upload, then the PUT of a document that names the place given.
    PendingUpload,
    /// An MLflow run; a PUT of a job would start it.
    Run,
    /// The bytes alone.
    Files,
    /// Listed so that references to it can be checked; never written.
    Never,
}

/// One row of the table of kinds.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// ARM's own name: `models`. Also the word in selectors.
    pub name: &'static str,
    /// One item, for people: `model`.
    pub singular: &'static str,
    /// The path of the collection below the workspace; `None` where ARM has no collection (notebooks, files).
    pub collection: Option<&'static str>,
    /// Whether the collection holds containers with `versions` below them.
    pub versioned: bool,
    /// Query parameters of every list, so that archived and disabled items are in it.
    pub list_query: &'static [(&'static str, &'static str)],
    /// Api-versions to read with, the wished one first.
    pub api_versions: &'static [&'static str],
    /// Where its bytes lie.
    pub content: Content,
    /// JSON pointers (`*` stands for any one part) of free text, in which nothing is a reference: commands, conda files,
    /// descriptions, tags. Every other string that as a whole parses as a reference is one.
    pub free_text: &'static [&'static str],
    /// JSON pointers of fields that only the service writes; left out of a PUT and of comparisons.
    pub read_only: &'static [&'static str],
    /// JSON pointers of fields that change by themselves: stored, but no reason to call an item changed.
    pub volatile: &'static [&'static str],
    /// Whether a POST of `listSecrets` on the item returns its credentials.
    pub has_secrets: bool,
    /// How it is restored.
    pub restore: Restore,
    /// When it is restored: lower first.
    pub order: u8,
    /// Why then.
    pub order_reason: &'static str,
    /// What a restore cannot bring back for any item of the kind: what, reason, substitute.
    pub losses: &'static [(&'static str, &'static str, &'static str)],
}
