//! Behaviour of whole repositories: what goes in comes out, whatever breaks on the way.

#![allow(unreachable_pub, reason = "a test binary has no public interface")]

mod catalogue;
mod conformance;
mod copy;
mod crash;
mod damage;
mod document;
mod faulty;
mod objects;
mod properties;
mod race;
mod round_trip;
mod staging;
mod stock;
mod stores;
mod trust;
mod world;
