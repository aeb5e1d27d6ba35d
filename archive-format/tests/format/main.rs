//! Behaviour of whole repositories: what goes in comes out, whatever breaks on the way.

#![allow(unreachable_pub, reason = "a test binary has no public interface")]

mod by_hand;
mod catalogue;
mod checkpoints;
mod conformance;
mod copy;
mod crash;
mod damage;
mod difference;
mod document;
mod examples;
mod faulty;
mod forgery;
mod interleaving;
mod keys;
mod life;
mod limits;
mod lived;
mod meanwhile;
mod memory;
mod millions;
mod mistakes;
mod objects;
mod old_archives;
mod page;
mod patches;
mod properties;
mod race;
mod rekey;
mod removal;
mod repack;
mod repair;
mod round_trip;
mod seekable;
mod staging;
mod stock;
mod stores;
mod told;
mod trust;
mod world;
