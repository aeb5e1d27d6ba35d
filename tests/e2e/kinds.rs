//! Every kind of thing that a workspace can have: kept as the service shows it, and brought back.

mod absent;
mod corpus;
mod coverage;
mod fields;
mod itself;
mod models;
mod restore;
mod samples;
mod unknown;
mod whole;
