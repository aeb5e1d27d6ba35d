"""Forms of kinds that have a YAML for `az ml`, as the service's own documents: each sort of connection and way to sign in,
each signal of a monitor, computes, endpoints and deployments that `kinds` makes in one form alone."""

from kinds import CLIENT, LLAMA, TENANT, beside

# The categories of connections with a type of their own in YAML, and two that have none; and how each of them signs in.
CONNECTIONS = {
    "git": ("Git", "PAT", {"pat": "pat-of-forms"}), "git-none": ("Git", "None", None), "registry": ("ContainerRegistry", "ManagedIdentity", {
        "clientId": CLIENT, "resourceId": "/subscriptions/x/identity"}),
    "registry-user": ("ContainerRegistry", "UsernamePassword", {"username": "robot", "password": "password-of-forms"}),
    "python": ("PythonFeed", "UsernamePassword", {"username": "robot", "password": "password-of-forms"}),
    "s3-key": ("S3", "AccessKey", {"accessKeyId": "id", "secretAccessKey": "access-key-of-forms"}), "snow": ("Snowflake", "UsernamePassword", {
        "username": "robot", "password": "password-of-forms"}),
    "sql-db": ("AzureSqlDb", "ManagedIdentity", {"clientId": CLIENT, "resourceId": "/subscriptions/x/identity"}),
    "synapse": ("AzureSynapseAnalytics", "ServicePrincipal", {"clientId": CLIENT, "clientSecret": "secret-of-forms", "tenantId": TENANT}),
    "mysql": ("AzureMySqlDb", "UsernamePassword", {"username": "robot", "password": "password-of-forms"}),
    "postgres": ("AzurePostgresDb", "AAD", None), "keys": ("CustomKeys", "CustomKeys", {"keys": {"token": "token-of-forms"}}),
    "lake": ("ADLSGen2", "AAD", None), "lake-sp": ("ADLSGen2", "ServicePrincipal", {
        "clientId": CLIENT, "clientSecret": "secret-of-forms", "tenantId": TENANT}),
    "blob-key": ("AzureBlob", "AccountKey", {"key": "key-of-forms"}), "one": ("AzureOneLake", "AAD", None),
    "gpt": ("AzureOpenAI", "AAD", None), "services": ("AIServices", "ApiKey", {"key": "key-of-forms"}),
    "ai-search": ("CognitiveSearch", "ApiKey", {"key": "key-of-forms"}), "safety": ("CognitiveService", "ApiKey", {"key": "key-of-forms"}),
    "speech": ("CognitiveService", "AAD", None), "vision": ("CognitiveService", "ApiKey", {"key": "key-of-forms"}),
    "any-key": ("ApiKey", "ApiKey", {"key": "key-of-forms"}), "open-ai": ("OpenAI", "ApiKey", {"key": "key-of-forms"}),
    "serp": ("Serp", "ApiKey", {"key": "key-of-forms"}), "maas": ("Serverless", "ApiKey", {"key": "key-of-forms"}),
    "redis": ("Redis", "UsernamePassword", {"username": "robot", "password": "password-of-forms"}),
    "pinecone": ("Pinecone", "None", None),
}
METADATA = {
    "AzureBlob": {"AccountName": "stpartner", "ContainerName": "in", "more": "said"}, "AzureOpenAI": {"ApiVersion": "2024-02-01", "ApiType": "Azure"},
    "CognitiveSearch": {"more": "said"},
}
SECRETS = {
    "pat-of-forms", "password-of-forms", "access-key-of-forms", "secret-of-forms", "token-of-forms", "key-of-forms", "admin-of-forms",
}
# What stands in the export's losses as a whole, for want of a YAML: its key is a part of the YAML, or there is no type.
WITHOUT_YAML = {
    "connections/any-key", "connections/open-ai", "connections/serp", "connections/maas", "connections/redis", "connections/pinecone",
    "connections/vision", "computes/bricks", "schedules/calls", "schedules/imports", "labelingJobs/defects", "jobs/labels",
}


def fill(cloud, place):
    """Puts all of them, beside what `seed` and `kinds` make."""
    own = place.arm
    for beside_it, version in (("Microsoft.ManagedIdentity/userAssignedIdentities/caller", "2023-01-31"), ("Microsoft.KeyVault/vaults/kv", "2023-07-01")):
        cloud.arm("PUT", f"{beside(place)}/{beside_it}", {"location": place.location}, version=version)
    cloud.arm("PATCH", own, workspace(place))
    for name, (category, way, credentials) in CONNECTIONS.items():
        metadata = dict(METADATA.get(category, {}))
        if category == "CognitiveService":
            metadata["Kind"] = {"safety": "Content Safety", "speech": "speech"}.get(name, "vision")
        if category == "AIServices":
            metadata["ResourceId"] = f"{beside(place)}/Microsoft.CognitiveServices/accounts/ai"
        properties = {"category": category, "authType": way, "target": f"https://{name}.example.net/", "metadata": metadata, "isSharedToAll": False}
        cloud.arm("PUT", f"{own}/connections/{name}", {"properties": {**properties, **({"credentials": credentials} if credentials else {})}})
    for name, action in {**{f"monitor-{sort}": monitor(place, signal) for sort, signal in signals(place).items()},
                         "imports": {"actionType": "ImportData", "dataImportDefinition": {"dataType": "mltable"}}}.items():
        cloud.arm("PUT", f"{own}/schedules/{name}", {"properties": {
            "displayName": name, "isEnabled": True, "tags": {"team": "growth"}, "action": action,
            "trigger": {"triggerType": "Recurrence", "frequency": "Week", "interval": 1, "timeZone": "UTC", "startTime": "2026-01-01T00:00:00",
                        "schedule": {"hours": [3], "minutes": [15], "weekDays": ["Monday", "Friday"]}}}})
    for name, properties in computes(place).items():
        cloud.arm("PUT", f"{own}/computes/{name}", {"location": place.location, "properties": properties})
    endpoints(cloud, place)
    jobs(cloud, place)
    cloud.advance(60)


def workspace(place):
    """Settings of the workspace itself."""
    outside = beside(place)
    identity = f"{outside}/Microsoft.ManagedIdentity/userAssignedIdentities/caller"
    return {"tags": {"team": "growth"}, "identity": {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {identity: {}}}, "properties": {
        "description": "for all", "imageBuildCompute": "cpu-cluster", "primaryUserAssignedIdentity": identity, "v1LegacyMode": False,
        "enableDataIsolation": True, "networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "10.0.0.0/24"}]},
        "serverlessComputeSettings": {"serverlessComputeNoPublicIP": True,
                                      "serverlessComputeCustomSubnet": f"{outside}/Microsoft.Network/virtualNetworks/net/subnets/default"},
        "encryption": {"status": "Enabled", "keyVaultProperties": {
            "keyVaultArmId": f"{outside}/Microsoft.KeyVault/vaults/kv", "keyIdentifier": "https://kv.vault.azure.net/keys/k/1"}},
        "managedNetwork": {"isolationMode": "AllowOnlyApprovedOutbound", "firewallSku": "Basic", "outboundRules": {
            "own-name": {"type": "FQDN", "category": "UserDefined", "destination": "pypi.org"},
            "own-tag": {"type": "ServiceTag", "category": "UserDefined", "destination": {
                "serviceTag": "DataFactory", "protocol": "TCP", "portRanges": "80, 8080-8089"}},
            "own-endpoint": {"type": "PrivateEndpoint", "category": "UserDefined", "destination": {
                "serviceResourceId": f"{outside}/Microsoft.Storage/storageAccounts/stpartner", "subresourceTarget": "blob", "sparkEnabled": False}},
            "its-own": {"type": "FQDN", "category": "Required", "destination": "example.net"}}}}}


def computes(place):
    """Computes of every type, with what can be set of them."""
    outside = beside(place)
    recurrence = {"frequency": "Day", "interval": 1, "timeZone": "UTC", "startTime": "2026-01-01T00:00:00", "schedule": {"hours": [19], "minutes": [0]}}
    return {
        "bench": {"computeType": "ComputeInstance", "description": "of one person", "properties": {
            "vmSize": "STANDARD_DS3_V2", "applicationSharingPolicy": "Personal", "computeInstanceAuthorizationType": "personal",
            "subnet": {"id": f"{outside}/Microsoft.Network/virtualNetworks/net/subnets/default"}, "enableNodePublicIp": True, "enableSSO": True,
            "idleTimeBeforeShutdown": "PT30M", "sshSettings": {"sshPublicAccess": "Enabled", "adminPublicKey": "ssh-rsa AAAA"},
            "personalComputeInstanceSettings": {"assignedUser": {"objectId": CLIENT, "tenantId": TENANT}},
            "setupScripts": {"scripts": {"startupScript": {"scriptSource": "inline", "scriptData": "ZWNobyBoaQ==", "timeout": "10m"}}},
            "schedules": {"computeStartStop": [
                {"action": "Stop", "status": "Enabled", "triggerType": "Recurrence", "recurrence": recurrence},
                {"action": "Start", "status": "Disabled", "triggerType": "Cron", "cron": {"timeZone": "UTC", "expression": "0 8 * * 1-5"}}]},
            "customServices": [{"name": "rstudio", "image": {"type": "docker", "reference": "example.io/rstudio:1"}, "docker": {"privileged": True},
                                "endpoints": [{"name": "web", "target": 8787, "published": 8787, "protocol": "http"}],
                                "environmentVariables": {"RSP": {"type": "local", "value": "yes"}},
                                "volumes": [{"type": "bind", "source": "/home", "target": "/data"}]}]}},
        "machine": {"computeType": "VirtualMachine", "resourceId": f"{outside}/Microsoft.Compute/virtualMachines/vm", "properties": {
            "address": "10.0.0.4", "sshPort": 22, "administratorAccount": {"username": "admin", "password": "admin-of-forms"}}},
        "netted": {"computeType": "AmlCompute", "properties": {
            "vmSize": "STANDARD_D2", "vmPriority": "Dedicated", "scaleSettings": {
                "minNodeCount": 0, "maxNodeCount": 2, "nodeIdleTimeBeforeScaleDown": "PT5M"}, "remoteLoginPortPublicAccess": "Disabled",
            "subnet": {"id": f"{outside}/Microsoft.Network/virtualNetworks/net/subnets/default"}, "enableNodePublicIp": False}},
        "bricks": {"computeType": "Databricks", "resourceId": f"{outside}/Microsoft.Databricks/workspaces/bricks", "properties": {
            "workspaceUrl": "https://bricks.example.net", "databricksAccessToken": "admin-of-forms"}},
    }


def monitor(place, signal):
    """What a schedule does that watches a deployment, as the older and the newer service write it."""
    spark = {"computeType": "ServerlessSpark", "instanceType": "standard_e4s_v3", "runtimeVersion": "3.4", "computeIdentity": {"computeIdentityType": "AmlToken"}}
    target = {"taskType": "Classification", "modelId": f"{place.arm}/models/churn/versions/1"}
    return {"actionType": "CreateMonitor", "monitorDefinition": {
        "computeConfiguration": spark, "monitoringTarget": target, "signals": {"one": signal},
        "alertNotificationSettings": {"emailNotificationSettings": {"emails": ["ops@example.net"]}}}}


def signals(place):
    """Each sort of signal."""
    table = f"{place.arm}/data/table/versions/1"
    fixed = {"inputDataType": "Fixed", "jobInputType": "mltable", "uri": table, "dataContext": "training", "columns": {"target_column": "b"}}
    rolling = {"inputDataType": "Rolling", "jobInputType": "mltable", "uri": table, "dataContext": "model_inputs", "windowSize": "P7D", "windowOffset": "P0D",
               "preprocessingComponentId": f"{place.arm}/components/prepare/versions/1"}
    static = {"inputDataType": "Static", "jobInputType": "mltable", "uri": table, "dataContext": "ground_truth",
              "windowStart": "2026-01-01T00:00:00.000Z", "windowEnd": "2026-01-31T00:00:00.000Z"}
    said = {"inputDataType": "Rolling", "jobInputType": "mltable", "uri": table, "dataContext": "model_outputs", "windowSize": "P7D", "windowOffset": "P0D",
            "columns": {"prompt": "question", "completion": "answer"}}

    def threshold(metric, value, **more):
        return {"metric": metric, "threshold": {"value": value}, **more}

    return {
        "drift": {"signalType": "DataDrift", "mode": "Enabled", "productionData": rolling, "referenceData": static,
                  "features": {"filterType": "TopNByAttribution", "top": 5}, "featureDataTypeOverride": {"a": "Categorical"},
                  "dataSegment": {"feature": "a", "values": ["1", "2"]}, "metricThresholds": [
                      threshold("NormalizedWassersteinDistance", 0.25, dataType="Numerical"),
                      threshold("PearsonsChiSquaredTest", 0.75, dataType="Categorical")]},
        "quality": {"signalType": "DataQuality", "notificationTypes": ["AmlNotification"], "productionData": rolling, "referenceData": fixed,
                    "features": {"filterType": "FeatureSubset", "features": ["a", "b"]}, "metricThresholds": [
                        threshold("NullValueRate", 0.125, dataType="Numerical"), threshold("OutOfBoundsRate", 0.0625, dataType="Numerical"),
                        threshold("DataTypeErrorRate", 0.5, dataType="Categorical")]},
        "every-feature": {"signalType": "DataQuality", "productionData": rolling, "referenceData": fixed, "features": {"filterType": "AllFeatures"},
                          "properties": {"more": "said"}, "metricThresholds": [threshold("NullValueRate", 0.125, dataType="Numerical")]},
        "prediction": {"signalType": "PredictionDrift", "mode": "Disabled", "productionData": rolling, "referenceData": fixed, "metricThresholds": [
            threshold("JensenShannonDistance", 0.375, dataType="Categorical")]},
        "attribution": {"signalType": "FeatureAttributionDrift", "mode": "Enabled", "productionData": [rolling, {**rolling, "dataContext": "model_outputs"}],
                        "referenceData": fixed, "metricThreshold": threshold("NormalizedDiscountedCumulativeGain", 0.875)},
        "performance": {"signalType": "ModelPerformance", "mode": "Enabled", "productionData": [rolling], "referenceData": static,
                        "metricThreshold": threshold("Recall", 0.625, modelType="Classification")},
        "own": {"signalType": "Custom", "mode": "Enabled", "componentId": f"{place.arm}/components/prepare/versions/1",
                "inputAssets": {"rows": fixed}, "inputs": {"table": {"jobInputType": "mltable", "uri": table, "mode": "Direct"}},
                "workspaceConnection": {"environmentVariables": {"A": "b"}}, "metricThresholds": [threshold("mine", 0.3125)]},
        "safety": {"signalType": "GenerationSafetyQuality", "mode": "Enabled", "productionData": [said], "samplingRate": 0.25,
                   "workspaceConnectionId": f"{place.arm}/connections/gpt", "metricThresholds": [
                       threshold("AcceptableGroundednessScorePerInstance", 3.5), threshold("AggregatedGroundednessPassRate", 0.6875),
                       threshold("AggregatedFluencyPassRate", 0.5625)]},
        "tokens": {"signalType": "GenerationTokenStatistics", "mode": "Enabled", "productionData": said, "samplingRate": 0.25, "metricThresholds": [
            threshold("TotalTokenCount", 1000.5), threshold("TotalTokenCountPerGroup", 100.5)]},
    }


def endpoints(cloud, place):
    """An endpoint on an attached cluster, and deployments of the rarer forms."""
    identity = f"{beside(place)}/Microsoft.ManagedIdentity/userAssignedIdentities/caller"
    probe = {"failureThreshold": 3, "initialDelay": "PT10S", "period": "PT10S", "successThreshold": 1, "timeout": "PT2S"}
    puts = {
        "onlineEndpoints/by-edge": {"identity": {"type": "SystemAssigned"}, "properties": {
            "authMode": "AMLToken", "compute": f"{place.arm}/computes/edge", "description": "beside the machines", "publicNetworkAccess": "Enabled"}},
        "onlineEndpoints/called": {"identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}, "properties": {
            "authMode": "AADToken", "publicNetworkAccess": "Disabled"}},
        "onlineEndpoints/both": {"identity": {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {identity: {}}}, "properties": {
            "authMode": "Key"}},
        "onlineEndpoints/by-edge/deployments/grey": {"sku": {"name": "Default", "capacity": 1}, "properties": {
            "endpointComputeType": "Kubernetes", "model": f"{place.arm}/models/churn/versions/1", "environmentId": f"{place.arm}/environments/sklearn/versions/1",
            "instanceType": "gpu", "livenessProbe": probe, "readinessProbe": probe, "scaleSettings": {
                "scaleType": "TargetUtilization", "minInstances": 1, "maxInstances": 3, "pollingInterval": "PT10S", "targetUtilizationPercentage": 70},
            "requestSettings": {"requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1, "maxQueueWait": "PT0.5S"},
            "containerResourceRequirements": {"containerResourceLimits": {"cpu": "1", "memory": "2Gi", "gpu": "1"},
                                              "containerResourceRequests": {"cpu": "500m", "memory": "1Gi"}}}},
        "onlineEndpoints/called/deployments/white": {"sku": {"name": "Default", "capacity": 1}, "properties": {
            "endpointComputeType": "Managed", "model": f"{place.arm}/models/churn/versions/1", "environmentId": f"{place.arm}/environments/sklearn/versions/1",
            "instanceType": "Standard_DS3_v2", "egressPublicNetworkAccess": "Disabled", "scaleSettings": {"scaleType": "Default"}, "modelMountPath": "/var/model",
            "dataCollector": {"rollingRate": "Hour", "requestLogging": {"captureHeaders": ["x-caller"]}, "collections": {
                "model_inputs": {"dataCollectionMode": "Enabled", "samplingRate": 0.25, "dataId": f"{place.arm}/data/table/versions/1"},
                "model_outputs": {"dataCollectionMode": "Disabled", "samplingRate": 0.5}}}}},
        "batchEndpoints/nightly/deployments/spoken": {"properties": {
            "compute": f"{place.arm}/computes/cpu-cluster", "model": {"referenceType": "Id", "assetId": f"{place.arm}/models/churn/versions/1"},
            "loggingLevel": "Info", "outputAction": "SummaryOnly", "errorThreshold": -1, "maxConcurrencyPerInstance": 2, "miniBatchSize": 5,
            "retrySettings": {"maxRetries": 2, "timeout": "PT1M"}, "environmentVariables": {"A": "b"}, "resources": {"instanceCount": 2}}},
    }
    for path, body in puts.items():
        cloud.arm("PUT", f"{place.arm}/{path}", {"location": place.location, **body})
        cloud.advance(60)


def jobs(cloud, place):
    """Jobs of types that `kinds` has none of."""
    ids = {"computeId": f"{place.arm}/computes/cpu-cluster", "environmentId": f"{place.arm}/environments/sklearn/versions/1"}
    rows = {"jobInputType": "uri_file", "uri": f"{place.arm}/data/rows/versions/1"}
    for name, properties in {
        "spread": {"jobType": "Command", "command": "python train.py", **ids, "identity": {"identityType": "Managed", "clientId": CLIENT},
                   "distribution": {"distributionType": "TensorFlow", "workerCount": 2, "parameterServerCount": 1},
                   "resources": {"instanceCount": 2, "shmSize": "4g", "dockerArgs": "--ipc=host"}, "limits": {"jobLimitsType": "Command", "timeout": "PT1H"},
                   "queueSettings": {"jobTier": "Standard"}},
        "bought": {"jobType": "FineTuning", "fineTuningDetails": {
            "modelProvider": "AzureOpenAI", "taskType": "ChatCompletion", "trainingData": rows, "model": {
                "jobInputType": "mlflow_model", "uri": "azureml://registries/azure-openai/models/gpt-4/versions/1"},
            "hyperParameters": {"nEpochs": 2, "learningRateMultiplier": 0.5, "batchSize": 4}}, "outputs": {"registered": {
                "jobOutputType": "mlflow_model"}}},
        "labels": {"jobType": "Labeling", "labelingJobMediaProperties": {"mediaType": "Image", "annotationType": "Classification"}},
    }.items():
        cloud.arm("PUT", f"{place.arm}/jobs/{name}", {"properties": {"displayName": name, "experimentName": "forms", **properties}},
                  version="2024-04-01-preview" if properties["jobType"] == "Labeling" else "2024-04-01")
    assert LLAMA
