//! What can go wrong with a workspace. A variant names the act that failed; the cause is behind `source()`.
//!
//! No text here ever holds a secret: addresses lose their query, tokens and keys have types that cannot be printed.

use std::fmt;

use crate::permission::{self, Action};

/// An answer by which a service refused a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The request: method and address, without its query.
    pub act: String,
    /// The HTTP status.
    pub status: u16,
    /// The service's error code, such as `AuthorizationFailed`; empty where it gave none.
    pub code: String,
    /// The service's message, shortened.
    pub message: String,
    /// The service's id of the request, for its support.
    pub request_id: Option<String>,
}

impl Refusal {
    /// Where a permission is missing: the actions that the request needs, as far as they are known.
    pub fn actions(&self) -> Vec<Action> {
        match (self.status, self.act.split_once(' ')) {
            (403, Some((method, address))) => permission::needed(method, address),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.act, self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        let actions = self.actions();
        let names = actions.iter().map(Action::name);
        let needs: Vec<&str> = names.filter(|name| !self.message.contains(name)).collect();
        if !needs.is_empty() {
            write!(f, " (it needs {})", needs.join(" and "))?;
        }
        match &self.request_id {
            Some(id) => write!(f, "{REQUEST}{id})"),
            None => Ok(()),
        }
    }
}

/// What stands before the id of a request in the text of an error.
const REQUEST: &str = " (request ";

/// The service's id of the request that the text of an error names, where it names one: of several the last.
pub fn request_id_in(text: &str) -> Option<&str> {
    let (_, rest) = text.rsplit_once(REQUEST)?;
    let (id, _) = rest.split_once(')')?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (!id.is_empty() && id.chars().all(fits)).then_some(id)
}

/// Whatever caused an error further down.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

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

    /// A name or address that does not have the form of what it should be.
    #[error("`{text}` is not {what}")]
    Name {
        /// What was given.
        text: String,
        /// What was expected.
        what: &'static str,
    },

    /// A host that does not answer.
    #[error("Cannot reach {host}")]
    Unreachable {
        /// Its name and port.
        host: String,
        /// What the connection said.
        source: Cause,
    },

    /// A request whose connection broke as often as it was tried.
    #[error("The connection broke during {act}, {tries} times")]
    Broken {
        /// The request.
        act: String,
        /// How often it was sent.
        tries: u32,
        /// What the last connection said.
        source: Cause,
    },

    /// Nobody would give a token: a refused credential.
    #[error("The credential {credential} was refused: {reason}")]
    Credential {
        /// Which: `client-secret`, `managed-identity`, …
        credential: String,
        /// What the service that gives tokens said (AADSTS…), or what is missing.
        reason: String,
    },

    /// A host that gets no token: nothing that is trusted names it.
    #[error("No token is sent to {host}: neither the cloud nor the workspace names this host")]
    Untrusted {
        /// Its name and port.
        host: String,
    },

    /// A missing permission (403), or a token that the service does not take (401).
    #[error("Not allowed: {0}")]
    Forbidden(Refusal),

    /// Something that is not there (404).
    #[error("Not found: {0}")]
    NotFound(Refusal),

    /// Something else is there already (409, 412).
    #[error("In conflict: {0}")]
    Conflict(Refusal),

    /// A reference in a document leads nowhere in that workspace.
    #[error("A reference leads nowhere: {0}")]
    MissingReference(Refusal),

    /// A document that the service does not take (400, 422).
    #[error("Not valid: {0}")]
    Invalid(Refusal),

    /// Any other answer that is no success, after all tries.
    #[error("Refused: {0}")]
    Refused(Refusal),

    /// An answer that is longer than anything that the service may say.
    #[error("The answer to {act} is longer than {limit_bytes} bytes")]
    TooLong {
        /// The request.
        act: String,
        /// The limit.
        limit_bytes: u64,
    },

    /// An answer that makes no sense.
    #[error("The answer to {act} cannot be used: {reason}")]
    Answer {
        /// The request.
        act: String,
        /// What is wrong with it.
        reason: String,
    },

    /// A long operation that ended in failure.
    #[error("{act} ended as {status}: {reason}")]
    Operation {
        /// What was asked for.
        act: String,
        /// `Failed` or `Canceled`.
        status: String,
        /// The service's code and message.
        reason: String,
    },

    /// A file that changed while it was read; reading it again may work.
    #[error("`{path}` changed while it was read")]
    Changed {
        /// The file.
        path: String,
    },

    /// Bytes that are not what the service stated.
    #[error("`{path}` is damaged: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// Which statement does not hold.
        reason: String,
    },

    /// A blob in the archive tier, which nobody can read now.
    #[error("`{path}` is archived (BlobArchived): {reason}")]
    Archived {
        /// The file.
        path: String,
        /// What is done about it, or would have to be.
        reason: String,
    },

    /// A place of bytes that this workspace cannot read or write.
    #[error("`{uri}` cannot be located: {reason}")]
    Place {
        /// The place as the document names it, without a query.
        uri: String,
        /// Why not.
        reason: String,
    },

    /// Another restore holds the target.
    #[error("The workspace is held by another restore: {owner}")]
    Locked {
        /// Who, as the mark in the target says.
        owner: String,
    },

    /// An operation that this kind or this sort of workspace does not have.
    #[error("{what} is not possible here")]
    Unsupported {
        /// What was asked for.
        what: String,
    },

    /// A file of this machine: a token file, a certificate, the temporary list of files.
    #[error("Cannot use {what}")]
    Local {
        /// What.
        what: String,
        /// Why.
        source: Cause,
    },

    /// A kind that the table does not have.
    #[error("`{name}` is no kind{}", nearest_text(.nearest))]
    UnknownKind {
        /// What was written.
        name: String,
        /// The nearest one.
        nearest: Option<&'static str>,
    },

    /// An attribute that no selector has.
    #[error("`{name}` is no attribute{}", nearest_text(.nearest))]
    UnknownAttribute {
        /// What was written.
        name: String,
        /// The nearest one.
        nearest: Option<&'static str>,
    },

    /// A selector or an item's name that cannot be read.
    #[error("The selector `{text}` cannot be read: {reason}")]
    Selector {
        /// What was written.
        text: String,
        /// Why.
        reason: &'static str,
    },

    /// A mapping file that cannot be read.
    #[error("The mapping file cannot be read")]
    Mapping {
        /// What the reader says, with line and column.
        source: Cause,
    },

    /// An entry of a folder with which something could not be done.
    #[error("{act} `{path}` failed")]
    Folder {
        /// What was tried: `Reading`, `Listing`.
        act: &'static str,
        /// The path.
        path: std::path::PathBuf,
        /// What the system says.
        source: std::io::Error,
    },

    /// Something else stands where an entry of a folder was to be written.
    #[error("`{path}` is there already")]
    Exists {
        /// The path.
        path: std::path::PathBuf,
    },
}

impl Error {
    /// Whether the thing asked for is simply not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Whether a permission is missing.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Forbidden(_))
    }

    /// The answer by which a service refused, where that was it.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Forbidden(refusal)
            | Self::NotFound(refusal)
            | Self::Conflict(refusal)
            | Self::MissingReference(refusal)
            | Self::Invalid(refusal)
            | Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

fn nearest_text(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |nearest| {
        format!("; the nearest one is `{nearest}`")
    })
}
