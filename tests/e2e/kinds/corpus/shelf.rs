//! Where the documents of the published examples belong, and which files hold none of a workspace, each with the reason.

/// The folder of an example's file, and the kind of the documents in it.
pub(super) const KNOWN: &[(&str, &str)] = &[
    ("/Compute/", "computes"),
    ("/Datastore/", "datastores"),
    ("/LabelingJob/", "labelingJobs"),
    ("/Job/", "jobs"),
    ("/OnlineDeployment/", "onlineDeployments"),
    ("/OnlineEndpoint/", "onlineEndpoints"),
    ("/BatchDeployment/", "batchDeployments"),
    ("/BatchEndpoint/", "batchEndpoints"),
    ("/ServerlessEndpoint/", "serverlessEndpoints"),
    ("/MarketplaceSubscription/", "marketplaceSubscriptions"),
    ("/ManagedNetwork/", "outboundRules"),
    ("/PrivateEndpointConnection/", "privateEndpointConnections"),
    ("/Schedule/", "schedules"),
    ("/CodeContainer/", "codes"),
    ("/CodeVersion/", "codes"),
    ("/ComponentContainer/", "components"),
    ("/ComponentVersion/", "components"),
    ("/DataContainer/", "data"),
    ("/DataVersionBase/", "data"),
    ("/EnvironmentContainer/", "environments"),
    ("/EnvironmentVersion/", "environments"),
    ("/ModelContainer/", "models"),
    ("/ModelVersion/", "models"),
    ("/FeaturesetContainer/", "featuresets"),
    ("/FeaturesetVersion/", "featuresets"),
    ("/FeaturestoreEntityContainer/", "featurestoreEntities"),
    ("/FeaturestoreEntityVersion/", "featurestoreEntities"),
    ("/WorkspaceConnection/", "connections"),
];

/// The folder of an example's file, and a type below a workspace that the table of kinds does not have. Of such a type
/// only versions are looked for further below, so each stands right below the workspace here.
pub(super) const UNKNOWN: &[(&str, &str)] = &[
    ("/InferencePool/", "inferencePools"),
    ("/InferenceGroup/", "inferenceGroups"),
    ("/InferenceEndpoint/", "inferenceEndpoints"),
    ("/Endpoint/Deployment/", "endpointDeployments"),
    ("/Endpoint/RaiPolicy/", "raiPolicies"),
    ("/Endpoint/", "endpoints"),
];

/// What holds no document of a workspace: a part of the file's name, and why.
pub(super) const ASIDE: &[(&str, &str)] = &[
    ("/Registries/", "a registry itself: tests/e2e/registry.rs"),
    (
        "/Workspace/listBy",
        "a workspace itself: tests/e2e/restore/create.rs",
    ),
    (
        "/CapacityReservationGroup/",
        "a resource of a resource group, in no workspace",
    ),
    ("/Quota/", "numbers of a subscription"),
    ("/Usage/", "numbers of a subscription"),
    ("/ExternalFQDN/", "what the service tells of its own hosts"),
    (
        "/PrivateLinkResource/",
        "what the service tells of itself: to what a private endpoint may lead",
    ),
    (
        "/Feature/",
        "what the service computes of a feature set's specification",
    ),
    (
        "/2024-05-01-preview/",
        "assets of a service beside Resource Manager, which no backup asks",
    ),
    (
        "/2019-09-30/",
        "questions and answers of run history, and no record of a run",
    ),
];

/// Operations whose questions and answers hold no document, by the names of their files.
pub(super) const OPERATIONS: &[&str] = &[
    "createOrGetStartPendingUpload",
    "delete",
    "deleteRule",
    "exportLabels",
    "getAllowedVMSizesForResize",
    "getModels",
    "getStatus",
    "listConnectionModels",
    "listKeys",
    "listNotebookAccessToken",
    "listSkus",
    "operationsList",
    "package",
    "provision",
    "publish",
    "regenerateKeys",
    "resize",
    "restart",
    "resyncKeys",
    "stop",
    "trigger",
    "update",
    "updateCustomServices",
];

/// Which kind of reference stays as it is, and why; the others lead to the target afterwards.
pub(super) const STAYS: &[(workspace::reference::Form, &str)] = {
    use workspace::reference::Form;
    &[
        (Form::ArmOther, "a resource of another service, which stays"),
        (Form::Registry, "a registry serves any workspace"),
        (
            Form::ShortDatastore,
            "a datastore of whichever workspace it stands in",
        ),
        (Form::Storage, "a storage account that is not the source's"),
    ]
};

/// Strings that name the workspace or look like a reference and are none: the end of the file's name, the pointer, and
/// why.
pub(super) const EXCEPTIONS: &[(&str, &str, &str)] = &[];
