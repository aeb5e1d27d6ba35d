//! The table of collections below a workspace: everything that tells one kind of resource from another.
//!
//! A kind that is no row is kept whole, under the rules of `OTHER`. Facts are those of ARM api-version 2025-12-01 (create-only and
//! read-only marks) and of what the official SDK was seen to send (azure-ai-ml 1.35.2).

use std::sync::LazyLock;

/// How a list leaves things out unless it is asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// Everything, always.
    All,
    /// `listViewType=ActiveOnly|ArchivedOnly|All`, `ActiveOnly` by default.
    Archived,
    /// `listViewType=EnabledOnly|DisabledOnly|All`, `EnabledOnly` by default.
    Enabled,
}

/// How a write comes to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// With the answer.
    Now,
    /// By an operation whose status has this route name.
    Later(&'static str),
    /// The same, with nothing but `202` and the place where to look (`Location`).
    Elsewhere(&'static str),
}

/// A member that is written, never shown, and given by a POST.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secret {
    /// Member of `properties` by dotted path.
    pub(crate) member: &'static str,
    /// Name of the POST, compared without regard to case.
    pub(crate) action: &'static str,
}

/// One kind of resource.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Collection {
    /// Collection names from the workspace down, in canonical letter case.
    pub(crate) path: &'static [&'static str],
    /// What lists leave out.
    pub(crate) view: View,
    /// Whether lists begin with the newest.
    pub(crate) newest_first: bool,
    /// Whether items are containers of `versions`.
    pub(crate) versioned: bool,
    /// Whether the parent must exist before (else a PUT makes it).
    pub(crate) needs_parent: bool,
    /// Whether it has `location` and `tags` at the top.
    pub(crate) tracked: bool,
    /// How PUT ends.
    pub(crate) put: Finish,
    /// How DELETE ends.
    pub(crate) delete: Finish,
    /// Members of `properties` that no later PUT may change (dotted paths).
    pub(crate) create_only: &'static [&'static str],
    /// The opposite: only these may change.
    pub(crate) only_mutable: Option<&'static [&'static str]>,
    /// Members of `properties` that the service writes; what a client sends is dropped.
    pub(crate) read_only: &'static [&'static str],
    /// Members that must be there.
    pub(crate) required: &'static [&'static str],
    /// Whether `properties.provisioningState` is shown.
    pub(crate) provisioning: bool,
    /// What only a POST gives.
    pub(crate) secret: Option<Secret>,
    /// Whether only previews of the api have it.
    pub(crate) preview: bool,
    /// Longest and shortest name, and the signs besides letters and digits.
    pub(crate) name: (usize, usize, &'static str),
}

/// The rules for a collection that no row names.
pub(crate) const OTHER: Collection = Collection {
    path: &[],
    view: View::All,
    newest_first: false,
    versioned: false,
    needs_parent: false,
    tracked: false,
    put: Finish::Now,
    delete: Finish::Now,
    create_only: &[],
    only_mutable: None,
    read_only: &["provisioningState"],
    required: &[],
    provisioning: true,
    secret: None,
    preview: false,
    name: (1, 255, "-_."),
};

const MFE: Finish = Finish::Later("mfeOperationsStatus");
const NETWORK: Finish = Finish::Elsewhere("workspaceOperationsStatus");
const COMPUTE: Finish = Finish::Later("computeOperationsStatus");

/// A container of versions.
const CONTAINER: Collection = Collection {
    view: View::Archived,
    versioned: true,
    read_only: &["latestVersion", "nextVersion", "provisioningState"],
    ..OTHER
};

/// A version of an asset.
const VERSION: Collection = Collection {
    view: View::Archived,
    ..OTHER
};

static TABLE: LazyLock<Vec<Collection>> =
    LazyLock::new(|| [assets(), endpoints(), others()].concat());

fn assets() -> Vec<Collection> {
    vec![
        Collection {
            path: &["codes"],
            view: View::All,
            ..CONTAINER
        },
        Collection {
            path: &["codes", "versions"],
            view: View::All,
            create_only: &["codeUri", "isAnonymous"],
            required: &["codeUri"],
            ..VERSION
        },
        Collection {
            path: &["models"],
            ..CONTAINER
        },
        Collection {
            path: &["models", "versions"],
            create_only: &["modelUri", "modelType", "jobName", "isAnonymous"],
            required: &["modelUri"],
            ..VERSION
        },
        Collection {
            path: &["environments"],
            ..CONTAINER
        },
        Collection {
            path: &["environments", "versions"],
            create_only: &[
                "image",
                "build.contextUri",
                "build.dockerfilePath",
                "condaFile",
                "inferenceConfig",
                "osType",
                "autoRebuild",
                "isAnonymous",
            ],
            read_only: &["environmentType", "provisioningState"],
            ..VERSION
        },
        Collection {
            path: &["data"],
            create_only: &["dataType"],
            required: &["dataType"],
            ..CONTAINER
        },
        Collection {
            path: &["data", "versions"],
            create_only: &["dataType", "dataUri", "referencedUris", "isAnonymous"],
            required: &["dataType", "dataUri"],
            ..VERSION
        },
        Collection {
            path: &["components"],
            ..CONTAINER
        },
        Collection {
            path: &["components", "versions"],
            create_only: &["componentSpec", "isAnonymous"],
            required: &["componentSpec"],
            ..VERSION
        },
        Collection {
            path: &["featuresets"],
            put: MFE,
            delete: MFE,
            ..CONTAINER
        },
        Collection {
            path: &["featuresets", "versions"],
            put: MFE,
            delete: MFE,
            ..VERSION
        },
        Collection {
            path: &["featurestoreEntities"],
            put: MFE,
            delete: MFE,
            ..CONTAINER
        },
        Collection {
            path: &["featurestoreEntities", "versions"],
            put: MFE,
            delete: MFE,
            ..VERSION
        },
    ]
}

fn endpoints() -> Vec<Collection> {
    let endpoint = Collection {
        tracked: true,
        put: MFE,
        delete: MFE,
        create_only: &["authMode"],
        read_only: &["scoringUri", "swaggerUri", "provisioningState"],
        required: &["authMode"],
        name: (3, 32, "-"),
        ..OTHER
    };
    let deployment = Collection {
        needs_parent: true,
        read_only: &["provisioningState"],
        create_only: &[],
        required: &[],
        name: (1, 32, "-"),
        ..endpoint
    };
    let keys = |action| {
        Some(Secret {
            member: "keys",
            action,
        })
    };
    vec![
        Collection {
            path: &["onlineEndpoints"],
            secret: keys("listKeys"),
            ..endpoint
        },
        Collection {
            path: &["onlineEndpoints", "deployments"],
            create_only: &["endpointComputeType", "codeConfiguration"],
            required: &["endpointComputeType"],
            ..deployment
        },
        Collection {
            path: &["batchEndpoints"],
            secret: keys("listKeys"),
            ..endpoint
        },
        Collection {
            path: &["batchEndpoints", "deployments"],
            ..deployment
        },
        Collection {
            path: &["serverlessEndpoints"],
            secret: keys("listKeys"),
            // The SDK sends no `authMode`.
            required: &[],
            create_only: &["modelSettings"],
            read_only: &[
                "provisioningState",
                "endpointState",
                "inferenceEndpoint",
                "marketplaceSubscriptionId",
            ],
            ..endpoint
        },
        Collection {
            path: &["marketplaceSubscriptions"],
            put: MFE,
            delete: MFE,
            create_only: &["modelId"],
            read_only: &[
                "provisioningState",
                "marketplacePlan",
                "marketplaceSubscriptionStatus",
            ],
            required: &["modelId"],
            ..OTHER
        },
    ]
}

fn others() -> Vec<Collection> {
    vec![
        Collection {
            path: &["jobs"],
            view: View::Archived,
            newest_first: true,
            delete: MFE,
            only_mutable: Some(&[
                "description",
                "tags",
                "properties",
                "isArchived",
                "notificationSetting",
                "services",
                "status",
            ]),
            read_only: &["status", "parameters"],
            required: &["jobType"],
            provisioning: false,
            ..OTHER
        },
        Collection {
            path: &["labelingJobs"],
            read_only: &[
                "createdDateTime",
                "progressMetrics",
                "projectId",
                "provisioningState",
                "status",
                "statusMessages",
            ],
            preview: true,
            ..OTHER
        },
        Collection {
            path: &["datastores"],
            create_only: &[
                "datastoreType",
                "accountName",
                "containerName",
                "fileShareName",
                "filesystem",
                "storeName",
                "endpoint",
                "protocol",
            ],
            read_only: &["isDefault"],
            required: &["datastoreType", "credentials"],
            provisioning: false,
            secret: Some(Secret {
                member: "credentials.secrets",
                action: "listSecrets",
            }),
            name: (1, 255, "_"),
            ..OTHER
        },
        Collection {
            path: &["schedules"],
            view: View::Enabled,
            put: MFE,
            delete: MFE,
            create_only: &["displayName"],
            required: &["action", "trigger"],
            ..OTHER
        },
        Collection {
            path: &["computes"],
            tracked: true,
            put: COMPUTE,
            delete: COMPUTE,
            create_only: &[
                "computeType",
                "properties.vmSize",
                "properties.vmPriority",
                "disableLocalAuth",
            ],
            read_only: &[
                "provisioningState",
                "provisioningErrors",
                "createdOn",
                "modifiedOn",
                "isAttachedCompute",
            ],
            required: &["computeType"],
            name: (2, 32, "-"),
            ..OTHER
        },
        Collection {
            path: &["outboundRules"],
            put: NETWORK,
            delete: NETWORK,
            read_only: &["status", "errorInformation", "parentRuleNames"],
            required: &["type", "destination"],
            provisioning: false,
            ..OTHER
        },
        Collection {
            path: &["privateEndpointConnections"],
            ..OTHER
        },
        Collection {
            path: &["connections"],
            read_only: &["createdByWorkspaceArmId", "group"],
            required: &["category"],
            provisioning: false,
            secret: Some(Secret {
                member: "credentials",
                action: "listsecrets",
            }),
            ..OTHER
        },
    ]
}

/// The row of a collection path, or the rules for others.
pub(crate) fn row(path: &[&str]) -> &'static Collection {
    TABLE.iter().find(|row| row.path == path).unwrap_or(&OTHER)
}

/// Canonical letter case of a collection name below `above`; unknown names stay as they came.
pub(crate) fn canonical(above: &[&str], name: &str) -> String {
    let known = TABLE.iter().find_map(|row| match row.path.split_last() {
        Some((last, head)) if head == above && last.eq_ignore_ascii_case(name) => Some(*last),
        _ => None,
    });
    known.unwrap_or(name).to_owned()
}

/// All rows: collections that exist in every workspace.
pub(crate) fn rows() -> &'static [Collection] {
    &TABLE
}

impl Collection {
    /// Whether `name` may be given to an item.
    pub(crate) fn accepts_name(&self, name: &str) -> bool {
        let (least, most, signs) = self.name;
        let first = name
            .chars()
            .next()
            .is_some_and(|c| c.is_ascii_alphanumeric() || signs.contains('_') && c == '_');
        first
            && (least..=most).contains(&name.len())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
    }
}
