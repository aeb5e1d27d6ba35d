//! The daemon in virtual time: over a simulated year, against a model of its own; killed at random moments; stopped at
//! whatever it is at; with several workspaces.

mod almanac;
mod beside;
mod chores;
mod journal;
mod killed;
mod site;
mod stamps;
mod stop;
mod year;
