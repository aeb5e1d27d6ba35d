//! Worlds: workspaces filled with what a team leaves behind, for demos and tests.
