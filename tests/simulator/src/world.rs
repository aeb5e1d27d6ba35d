//! Worlds: workspaces filled with what a team leaves behind, for demos and tests.

use crate::arm::WorkspaceSpec;
use crate::error::Error;
use crate::simulator::Simulator;

/// Subscription of the workspace that is lost.
pub const SOURCE_SUBSCRIPTION: &str = "a0000000-0000-4000-8000-00000000000a";
/// Subscription of the workspace that everything comes back in.
pub const TARGET_SUBSCRIPTION: &str = "b0000000-0000-4000-8000-00000000000b";

/// A workspace in use, and an empty one in another subscription and region.
pub fn demo(simulator: &Simulator) -> Result<(), Error> {
    simulator.create_workspace(&WorkspaceSpec::new(
        SOURCE_SUBSCRIPTION,
        "rg-prod",
        "ws-prod",
        "westeurope",
    ));
    simulator.create_workspace(&WorkspaceSpec::new(
        TARGET_SUBSCRIPTION,
        "rg-recovery",
        "ws-recovery",
        "northeurope",
    ));
    Ok(())
}
