//! What fields are that must lead somewhere, or be one of few words, in documents made of the published models.

use serde_json::{Value, json};

use super::models::Spot;

/// A registered model of a provider, which a subscription to the marketplace is for.
const HOSTED: &str = "azureml://registries/azureml-meta/models/Llama-2-7b";
/// A resource that is nobody's in this cloud.
const OUTSIDE: &str = "/subscriptions/f0000000-0000-4000-8000-00000000000f/resourceGroups/rg-shared/providers/Microsoft.Shared/things/it";

/// Things of the source that fields may lead to.
pub(super) struct Source {
    pub(super) dump: Value,
}

impl Source {
    fn workspace(&self) -> &str {
        self.dump["workspace"]["id"].as_str().unwrap()
    }

    fn id(&self, below: &str) -> Value {
        json!(format!("{}/{below}", self.workspace()))
    }

    /// The first document of a kind that has something at a pointer.
    fn first(&self, kind: &str, pointer: &str) -> Value {
        let documents = self.dump["documents"].as_object().unwrap().iter();
        let of_kind = documents.filter(|(name, _)| name.starts_with(&format!("{kind}/")));
        let mut found = of_kind.filter_map(|(_, document)| document.pointer(pointer));
        found.find(|value| !value.is_null()).unwrap().clone()
    }

    /// The first version of a kind.
    fn version(&self, kind: &str) -> Value {
        let documents = self.dump["documents"].as_object().unwrap().iter();
        let mut of_kind = documents.filter(|(name, _)| {
            name.starts_with(&format!("{kind}/")) && name.contains("/versions/")
        });
        of_kind.next().unwrap().1["id"].clone()
    }

    /// What a field is that must lead somewhere or be one of few words.
    pub(super) fn sample(&self, spot: &Spot<'_>) -> Option<Value> {
        let within = |model: &str| spot.way.iter().any(|above| above == model);
        let place = self.first("data", "/properties/dataUri");
        Some(match (spot.model, spot.field) {
            (_, "location" | "computeLocation") => self.dump["workspace"]["location"].clone(),
            (_, "environmentId") => self.version("environments"),
            (_, "codeId") => self.version("codes"),
            (_, "computeId")
            | ("BatchDeploymentProperties" | "OnlineEndpointProperties", "compute") => {
                self.id("computes/cpu-cluster")
            }
            (_, "componentId") if !within("BatchPipelineComponentDeploymentConfiguration") => {
                self.version("components")
            }
            (_, "preprocessingComponentId") => self.version("components"),
            ("IdAssetReference", "assetId")
                if within("BatchPipelineComponentDeploymentConfiguration") =>
            {
                self.version("components")
            }
            ("IdAssetReference", "assetId") | ("MonitoringTarget", "modelId") => {
                self.version("models")
            }
            ("ManagedOnlineDeployment" | "KubernetesOnlineDeployment", "model") => {
                self.version("models")
            }
            (_, "deploymentId") => self.id("onlineEndpoints/cov0/deployments/cov0"),
            (_, "datastoreId") => self.id("datastores/workspaceblobstore"),
            (_, "dataId") | ("DatasetReference", "id") => self.version("data"),
            (_, "jobId" | "jobName" | "sourceJobId" | "checkpointRunId") => {
                self.first("jobs", "/name")
            }
            ("MarketplaceSubscriptionProperties" | "ModelSettings", "modelId") => json!(HOSTED),
            (_, "uri" | "dataUri") => place,
            (_, "referencedUris") => json!([place]),
            (_, "modelUri") => self.first("models", "/properties/modelUri"),
            (_, "codeUri") => self.first("codes", "/properties/codeUri"),
            (_, "contextUri") => self.first("environments", "/properties/build/contextUri"),
            ("FeaturesetSpecification", "path") => {
                self.first("featuresets", "/properties/specification/path")
            }
            (_, "entities") => json!(["azureml:account:1"]),
            (_, "accountName") => self.first("datastores", "/properties/accountName"),
            (
                "OutboundRule"
                | "FqdnOutboundRule"
                | "PrivateEndpointOutboundRule"
                | "ServiceTagOutboundRule",
                "category",
            ) => {
                json!("UserDefined")
            }
            ("OnlineEndpointProperties" | "BatchEndpointProperties", "authMode") => json!("Key"),
            ("OnlineEndpointProperties", "traffic") => json!({"cov0": 50}),
            ("OnlineEndpointProperties", "mirrorTraffic") => json!({"cov1": 10}),
            (_, "deploymentName") => json!("cov0"),
            (_, "userAssignedIdentities") => json!({OUTSIDE: {}}),
            (_, "resourceId" | "serviceResourceId" | "subnetId" | "loadBalancerSubnet")
            | ("ResourceId" | "VirtualMachineImage", "id") => {
                json!(OUTSIDE)
            }
            (_, "componentSpec") => json!({
                "type": "command", "command": "echo", "code": format!("azureml:{}", self.version("codes").as_str()?),
                "inputs": {"rows": {"type": "uri_file", "default": null}},
            }),
            ("PipelineJob", "jobs") => json!({"step": {
                "type": "command", "componentId": self.version("components"), "computeId": self.id("computes/cpu-cluster"), "limits": null,
            }}),
            (_, "endpointInvocationDefinition") => {
                json!({"endpoint": self.id("batchEndpoints/cov0"), "note": null})
            }
            _ => return None,
        })
    }
}
