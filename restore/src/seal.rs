//! The seal of an export: who signed it, and when it was there.
//!
//! A signature is an OpenSSF Model Signing 1.0 bundle (`oms`), made with a key or a certificate that outlive this program
//! (`key`, `certificate`); a time stamp is RFC 3161 (`stamp`). Everything here is pure: bytes in, bytes or a judgement out.
//! Reading key files, asking an authority and knowing the time belong to the program.

mod algorithm;
pub mod certificate;
mod fault;
pub mod key;
pub mod oms;
pub mod stamp;

pub use certificate::{Certificate, Usage};
pub use fault::Fault;
pub use key::{PublicKey, SigningKey};
pub use oms::{Bundle, Resource, Signatory, Signer, Statement, Trust};
pub use stamp::{Authority, Query, Stamp};
