//! Worlds: workspaces filled with what a team leaves behind, for demos and tests.
//!
//! A world is a function of its parameters: same seed, same clock, same content. Documents go through the routes that
//! everybody uses, so that they are as valid as any; bytes, runs and times past are put into the state directly.

mod access;
mod assets;
mod builder;
mod census;
mod components;
mod connections;
mod data;
mod decoys;
mod endpoints;
mod features;
mod jobs;
mod large;
mod models;
mod notebooks;
mod registry;
mod runs;
mod schedules;
mod words;

use crate::arm::WorkspaceSpec;
use crate::error::Error;
use crate::simulator::Simulator;
use crate::workspace::WorkspaceKey;

pub use census::{Census, storage_pages};
pub use decoys::{DECOYS, Decoy};
pub use large::Large;
pub use registry::{empty_registry, registry};

/// Subscription of the workspace that is lost.
pub const SOURCE_SUBSCRIPTION: &str = "3c9e41d7-5b0a-4f62-8e1d-7a20c6f9b10a";
/// Its resource group.
pub const SOURCE_GROUP: &str = "rg-live";
/// Its name.
pub const SOURCE_WORKSPACE: &str = "ws-prod";
/// Subscription of the workspace that everything comes back in.
pub const TARGET_SUBSCRIPTION: &str = "b0000000-0000-4000-8000-00000000000b";

/// What a world is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// The workspace that is filled; made where it is not there.
    pub spec: WorkspaceSpec,
    /// Seed of everything that varies.
    pub seed: u64,
    /// Top-level jobs, child runs not counted; at least 12, so that each sort is there.
    pub jobs: usize,
    /// Models, some with several versions; at least 3, and 7 to have each form of address.
    pub models: usize,
    /// Notebooks, besides the other files of the share; at least 4.
    pub notebooks: usize,
    /// Bytes of the largest file of a model.
    pub model_bytes: u64,
    /// Whether it has what few workspaces have besides: endpoints and their deployments, connections, a
    /// feature store, rules of its network, assignments of roles.
    pub everything: bool,
}

impl World {
    /// 200 jobs, 12 models, 9 environments, 60 notebooks and all that belongs to them; some tens of megabytes.
    pub fn demo() -> Self {
        Self {
            spec: WorkspaceSpec::new(
                SOURCE_SUBSCRIPTION,
                SOURCE_GROUP,
                SOURCE_WORKSPACE,
                "westeurope",
            ),
            seed: 7,
            jobs: 200,
            models: 12,
            notebooks: 60,
            model_bytes: 3 << 20,
            everything: false,
        }
    }

    /// Twelve jobs, three models, four notebooks; some hundred kilobytes.
    pub fn small(seed: u64) -> Self {
        Self {
            seed,
            jobs: 12,
            models: 3,
            notebooks: 4,
            model_bytes: 48 << 10,
            ..Self::demo()
        }
    }

    /// A small one with every kind of thing.
    pub fn everything(seed: u64) -> Self {
        Self {
            everything: true,
            ..Self::small(seed)
        }
    }

    /// Fills the workspace.
    pub fn build(&self, simulator: &Simulator) -> Result<WorkspaceKey, Error> {
        let builder = builder::Builder::new(simulator, self)?;
        assets::computes(&builder)?;
        data::external_datastores(&builder)?;
        let codes = assets::codes(&builder)?;
        assets::environments(&builder)?;
        data::assets(&builder)?;
        components::all(&builder, &codes)?;
        let jobs = jobs::all(&builder, &codes)?;
        models::all(&builder, &jobs)?;
        schedules::all(&builder)?;
        notebooks::all(&builder)?;
        if self.everything {
            connections::all(&builder)?;
            features::all(&builder)?;
            features::labeling(&builder)?;
            endpoints::online(&builder, &codes)?;
            endpoints::batch(&builder, &codes)?;
            endpoints::serverless(&builder)?;
            access::network(&builder)?;
            access::roles(&builder);
        }
        Ok(builder.key)
    }
}

/// An empty workspace to restore into, with computes of the names that a world's jobs and schedules use.
pub fn target(simulator: &Simulator, spec: &WorkspaceSpec) -> Result<WorkspaceKey, Error> {
    let world = World {
        spec: spec.clone(),
        ..World::small(0)
    };
    let builder = builder::Builder::new(simulator, &world)?;
    assets::computes(&builder)?;
    Ok(builder.key)
}

/// A workspace in use, and an empty one in another subscription and region.
pub fn pair(simulator: &Simulator, world: &World) -> Result<(), Error> {
    world.build(simulator)?;
    target(
        simulator,
        &WorkspaceSpec::new(
            TARGET_SUBSCRIPTION,
            "rg-recovery",
            "ws-recovery",
            "northeurope",
        ),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
