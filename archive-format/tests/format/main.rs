//! Behaviour of whole repositories: what goes in comes out, whatever breaks on the way.

#![allow(unreachable_pub, reason = "a test binary has no public interface")]

mod round_trip;
mod world;
