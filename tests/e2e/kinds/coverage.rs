//! Which of the published fields the documents set, and why the others are never set.

use std::collections::{BTreeMap, BTreeSet};

use super::models::{FieldName, Models};
use crate::specification::say;

/// Why fields are never set, and the models that they lie in or below.
const EXPLAINED: &[(&str, &[&str])] = &[
    (
        "of a model that no document of this api-version holds",
        &["NetworkAcls"],
    ),
    (
        "of what the service or somebody else makes",
        &[
            "PrivateEndpointConnection",
            "PrivateLinkResource",
            "CapabilityHost",
            "Feature",
            "NotebookResourceInfo",
            "SystemData",
        ],
    ),
    ("of a registry, which is no workspace", &["Registry"]),
    (
        "of a change to what is there, which is never asked for",
        &[
            "ClusterUpdateParameters",
            "PartialBatchDeploymentPartialMinimalTrackedResourceWithProperties",
            "PartialMinimalTrackedResourceWithIdentity",
            "PartialMinimalTrackedResourceWithSku",
            "PartialMinimalTrackedResourceWithSkuAndIdentity",
            "PartialRegistryPartialTrackedResource",
            "QuotaUpdateParameters",
            "UpdateWorkspaceQuotas",
            "WorkspaceConnectionUpdateParameter",
            "WorkspaceUpdateParameters",
        ],
    ),
    (
        "of what a service answers about an instance that one person has",
        &[
            "ComputeInstanceApplication",
            "ComputeInstanceContainer",
            "ComputeInstanceDataDisk",
            "ComputeInstanceDataMount",
            "ComputeInstanceLastOperation",
            "ComputeInstanceVersion",
            "ImageMetadata",
            "OsPatchingStatus",
        ],
    ),
    (
        "of the question or answer of an operation",
        &[
            "AksComputeSecrets",
            "AmlUserFeature",
            "AnonymousAccessCredential",
            "DatabricksComputeSecrets",
            "DeploymentLogs",
            "DeploymentLogsRequest",
            "DestinationAsset",
            "DiagnoseResponseResult",
            "DiagnoseWorkspaceParameters",
            "DockerCredential",
            "EndpointAuthToken",
            "ExternalFQDNResponse",
            "FeaturesetVersionBackfillRequest",
            "FeaturesetVersionBackfillResponse",
            "GetBlobReferenceSASRequestDto",
            "GetBlobReferenceSASResponseDto",
            "ListWorkspaceKeysResult",
            "ManagedIdentityCredential",
            "ManagedNetworkProvisionOptions",
            "Operation",
            "PendingUploadRequestDto",
            "PendingUploadResponseDto",
            "RegenerateEndpointKeysRequest",
            "SASCredential",
            "SASCredentialDto",
            "SecretExpiry",
            "SkuResource",
            "VirtualMachineSecrets",
            "VirtualMachineSizeListResult",
        ],
    ),
];

/// Prints what was never set, and refuses what nobody explains.
pub(super) fn judge(models: &Models, roots: &[&str], set: &BTreeSet<FieldName>) {
    let (ours, all) = (models.below(roots), models.all());
    say(&format!(
        "{} of the {} fields that a client writes are set; {} lie in documents of kinds that are restored",
        set.len(),
        all.len(),
        ours.len()
    ));
    let left: Vec<&FieldName> = ours.difference(set).collect();
    assert!(left.is_empty(), "never set: {left:#?}");
    let explained: Vec<(&str, BTreeSet<FieldName>)> = EXPLAINED
        .iter()
        .map(|(reason, roots)| (*reason, models.below(roots)))
        .collect();
    let mut by_reason: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    let mut unexplained = Vec::new();
    for name in all.difference(set) {
        let Some((reason, _)) = explained.iter().find(|(_, below)| below.contains(name)) else {
            unexplained.push(name);
            continue;
        };
        let models = by_reason.entry(reason).or_default();
        models.entry(&name.0).or_default().push(&name.1);
    }
    for (reason, models) in &by_reason {
        say(&format!("never set, since they are {reason}:"));
        for (model, fields) in models {
            say(&format!("  {model}: {}", fields.join(", ")));
        }
    }
    assert!(unexplained.is_empty(), "never set: {unexplained:#?}");
    let needless: Vec<&str> = EXPLAINED
        .iter()
        .map(|(reason, _)| *reason)
        .filter(|reason| !by_reason.contains_key(reason))
        .collect();
    assert!(needless.is_empty(), "{needless:?}");
}
