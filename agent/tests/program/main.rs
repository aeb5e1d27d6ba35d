//! The program as people and scripts meet it: its binary for errors and exit codes, its library in-process for the rest.

mod auditor;
mod daemon;
mod damage;
mod errors;
mod export;
mod interface;
mod journey;
mod keys;
mod package;
mod program;
mod removal;
mod stores;
mod verify;
