//! The client against the simulator, in one process: no sockets, in virtual time.

mod bench;
mod blobs;
mod credentials;
mod faults;
mod identities;
mod limits;
mod proxies;
mod reading;
mod spy;
mod storage;
mod trust;
mod writing;
