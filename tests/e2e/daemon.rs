//! The daemon over a simulated year, against a model of its own.

mod almanac;
mod year;
