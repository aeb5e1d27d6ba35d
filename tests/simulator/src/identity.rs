//! Who asks: the outcome of authentication, which the router proves before a handler sees the call.

use jiff::Timestamp;

/// What a bearer token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `aud`: the service that the token is for.
    pub audience: String,
    /// `appid`: client id of the principal.
    pub client_id: String,
    /// `oid`: object id of the principal.
    pub object_id: String,
    /// `tid`: tenant.
    pub tenant: String,
    /// `iat`.
    pub issued: Timestamp,
    /// `exp`.
    pub expires: Timestamp,
}

/// What a shared access signature allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sas {
    /// Letters of `sp`: `r` read, `a` add, `c` create, `w` write, `d` delete, `l` list.
    pub permissions: String,
    /// The container or share it is for; `None` for the whole account.
    pub container: Option<String>,
    /// The blob or file it is for; `None` for all of the container.
    pub path: Option<String>,
    /// `se`.
    pub expires: Timestamp,
}

/// The proven sender of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Nobody: no credential came with the call.
    Anonymous,
    /// A principal of the directory, by bearer token.
    Bearer(Claims),
    /// A shared access signature of the account in the host.
    Sas(Sas),
    /// One of the account's own keys.
    SharedKey,
}

impl Identity {
    /// Whether the credential allows one of the permission letters (`r`, `a`, `c`, `w`, `d`, `l`). A bearer token's rights are
    /// the principal's (`Directory::allows`), so it passes here.
    pub fn permits(&self, letters: &str) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Bearer(_) | Self::SharedKey => true,
            Self::Sas(sas) => letters
                .chars()
                .any(|letter| sas.permissions.contains(letter)),
        }
    }

    /// The claims of a bearer token.
    pub fn claims(&self) -> Option<&Claims> {
        match self {
            Self::Bearer(claims) => Some(claims),
            _ => None,
        }
    }
}
