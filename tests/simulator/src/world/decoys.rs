//! Text that mentions the workspace, or looks like a reference, where nothing is one: it must come back byte for byte.

use serde_json::json;

use super::builder::Builder;
use crate::error::Error;

/// A place in a document whose text must never be rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoy {
    /// The item, as `KIND/NAME` or `KIND/NAME:VERSION`.
    pub item: &'static str,
    /// JSON pointer into its document.
    pub pointer: &'static str,
    /// Whether the whole text reads as a reference; else it only mentions one.
    pub looks_whole: bool,
}

/// All decoys of every world.
pub const DECOYS: [Decoy; 6] = [
    Decoy {
        item: "jobs/decoy_mention",
        pointer: "/properties/command",
        looks_whole: false,
    },
    Decoy {
        item: "jobs/decoy_mention",
        pointer: "/properties/description",
        looks_whole: false,
    },
    Decoy {
        item: "jobs/decoy_mention",
        pointer: "/properties/tags/origin",
        looks_whole: false,
    },
    Decoy {
        item: "jobs/decoy_whole",
        pointer: "/properties/command",
        looks_whole: true,
    },
    Decoy {
        item: "environments/decoy-conda:1",
        pointer: "/properties/condaFile",
        looks_whole: false,
    },
    Decoy {
        item: "environments/decoy-conda:2",
        pointer: "/properties/condaFile",
        looks_whole: true,
    },
];

/// A command that mentions the account, the workspace, and an ARM id in the middle of it.
pub(super) fn command(builder: &Builder<'_>) -> String {
    format!(
        "az storage blob list --account-name {} && python train.py --model azureml:{} # from {}",
        builder.account,
        builder.id("models/churn-classifier/versions/1"),
        builder.name
    )
}

/// A command that as a whole reads as an address of the workspace.
pub(super) fn whole_command(builder: &Builder<'_>) -> String {
    builder.long_uri("workspaceblobstore", "LocalUpload/run-me.sh")
}

/// A description with an ARM id in a sentence.
pub(super) fn description(builder: &Builder<'_>) -> String {
    format!(
        "Repeats {} of workspace {} with more data, see {} for the place.",
        builder.id("jobs/churn_0000"),
        builder.name,
        builder.blob_url("LocalUpload/notes.txt")
    )
}

/// A tag's value with a name and an ARM id in it.
pub(super) fn tag(builder: &Builder<'_>) -> String {
    let compute = builder.id("computes/cpu-cluster");
    format!("copied from {} ({compute})", builder.name)
}

/// An environment whose conda file mentions the workspace, and one whose conda file as a whole looks like a reference.
pub(super) fn environment(builder: &Builder<'_>) -> Result<(), Error> {
    let whole = builder.id("environments/sklearn-train/versions/1");
    let mention = format!(
        "# Built for {} after {whole}\nname: decoy\nchannels:\n- conda-forge\ndependencies:\n- python=3.10\n- pip:\n  - --extra-index-url {}\n  - internal-tools==1.0\n",
        builder.name,
        builder.blob_url("wheels/simple")
    );
    for (version, conda) in [("1", mention), ("2", whole)] {
        let properties = json!({
            "image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest", "condaFile": conda,
            "description": "Free text that nobody may rewrite", "isAnonymous": false,
        });
        let path = format!("environments/decoy-conda/versions/{version}");
        builder.put(&path, properties, builder.ago(24 * 90))?;
    }
    Ok(())
}
