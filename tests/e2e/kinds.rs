//! Every kind of thing that a workspace can have: kept as the service shows it, and brought back.

mod absent;
mod corpus;
mod restore;
mod unknown;
mod whole;
