//! Why a key, a certificate, a signature or a time stamp is not accepted. Nothing of a secret is ever part of it.

/// A judgement against what was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Something that cannot be read.
    #[error("The {what} cannot be read: {why}")]
    Unread {
        /// `signing key`, `certificate`, `bundle`, `time stamp`, …
        what: &'static str,
        /// Where it fails.
        why: String,
    },

    /// Something well-formed that nothing here can judge.
    #[error("The {what} is of a sort that mlark does not know: {found}")]
    Unknown {
        /// What it is.
        what: &'static str,
        /// The sort that was found.
        found: String,
    },

    /// The first certificate is of another key than the one that signs.
    #[error("The first certificate of the chain is not the signing key's")]
    OtherKey,

    /// A signature that is not one over these bytes by this key.
    #[error("The signature does not fit {what}")]
    Signature {
        /// What it should be over.
        what: &'static str,
    },

    /// Well signed, but by nobody who is trusted here.
    #[error("It is not signed by a trusted {sort}: {why}")]
    Untrusted {
        /// `key` or `certificate`.
        sort: &'static str,
        /// Whose it is, and what is wrong with it.
        why: String,
    },

    /// Well signed, by a certificate that was good once: nothing says that it was signed by then.
    #[error(
        "The certificate of `{subject}` was good until {until}, and nothing proves that it signed before that"
    )]
    Expired {
        /// Whose it is.
        subject: String,
        /// When it, or what it leads over, was good last.
        until: jiff::Timestamp,
    },

    /// A bundle or statement that breaks a rule of OMS 1.0.
    #[error("The {what} breaks a rule of OpenSSF Model Signing 1.0: {rule}")]
    Rule {
        /// `bundle` or `statement`.
        what: &'static str,
        /// The rule.
        rule: String,
    },

    /// The time-stamp authority said no.
    #[error("The time-stamp authority refused: {said}")]
    Refused {
        /// Its words.
        said: String,
    },

    /// The time stamp is not the answer to what was asked.
    #[error("The time stamp has another {what} than was asked for")]
    OtherStamp {
        /// `digest`, `nonce`, …
        what: &'static str,
    },
}

impl Fault {
    pub(crate) fn unread(what: &'static str, why: impl ToString) -> Self {
        Self::Unread {
            what,
            why: why.to_string(),
        }
    }

    pub(crate) fn unknown(what: &'static str, found: impl ToString) -> Self {
        Self::Unknown {
            what,
            found: found.to_string(),
        }
    }
}
