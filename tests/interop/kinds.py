"""Fills a workspace with what few workspaces have besides jobs, models and data: by the official azure-ai-ml SDK where
it has the kind, by the service's own documents where it has not. Stands on what `seed` makes."""

import pathlib

from azure.ai.ml import Input, MLClient, automl, command, load_component, spark
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import (
    AadCredentialConfiguration,
    AccessKeyConfiguration,
    AccountKeyConfiguration,
    AlertNotification,
    AmlCompute,
    AzureBlobStoreConnection,
    AzureDataLakeGen1Datastore,
    AzureDataLakeGen2Datastore,
    AzureFileDatastore,
    AzureOpenAIConnection,
    BatchEndpoint,
    BatchRetrySettings,
    CodeConfiguration,
    ComputeInstance,
    DataCollector,
    DataColumn,
    DataDriftMetricThreshold,
    DataDriftSignal,
    DeploymentCollection,
    FeatureSet,
    FeatureSetSpecification,
    FeatureStoreEntity,
    FqdnDestination,
    IdentityConfiguration,
    KubernetesCompute,
    KubernetesOnlineDeployment,
    KubernetesOnlineEndpoint,
    ManagedIdentityConfiguration,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    MarketplaceSubscription,
    MaterializationComputeResource,
    MaterializationSettings,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
    MonitorDefinition,
    MonitoringTarget,
    MonitorSchedule,
    NoneCredentialConfiguration,
    NumericalDriftMetrics,
    OneLakeArtifact,
    OneLakeDatastore,
    OnlineRequestSettings,
    PatTokenConfiguration,
    PipelineComponentBatchDeployment,
    PrivateEndpointDestination,
    ProbeSettings,
    ProductionData,
    RecurrenceTrigger,
    ReferenceData,
    ResourceConfiguration,
    ResourceRequirementsSettings,
    ResourceSettings,
    SasTokenConfiguration,
    ServerlessEndpoint,
    ServerlessSparkCompute,
    ServicePrincipalConfiguration,
    ServiceTagDestination,
    UserIdentityConfiguration,
    UsernamePasswordConfiguration,
    WorkspaceConnection,
)
from azure.ai.ml.finetuning import FineTuningTaskType, create_finetuning_job

# What a person chose: never in a document, an exported folder or a plan.
SECRETS = {
    "key-of-the-model", "token-of-tickets", "sig-of-partner", "password-of-feed", "pat-of-git", "secret-of-lake", "sig-of-files",
    "first-key-of-scoring", "second-key-of-scoring", "access-key-of-s3", "secret-of-graph",
    "a2V5LW9mLXN0b3Jl",
}
# Mentions the workspace that is lost, and refers to nothing.
OWNER = "the team of ws-prod-east"
# What a workspace needs beside itself, below `/subscriptions/…/resourceGroups/…/providers/`.
BESIDE = (
    "Microsoft.ContainerService/managedClusters/edge", "Microsoft.Synapse/workspaces/lakehouse", "Microsoft.Storage/storageAccounts/stpartner",
    "Microsoft.ManagedIdentity/userAssignedIdentities/caller", "Microsoft.CognitiveServices/accounts/ai",
)
# A machine of one person, which no restore makes.
INSTANCE = "desk"
LLAMA = "azureml://registries/azureml-meta/models/Llama-2-7b"
TENANT = "5e5c0a0e-0000-4000-8000-00000000000a"
CLIENT = "5e5c0a0e-0000-4000-8000-00000000000b"


def fill(cloud, place, client: MLClient, folder: pathlib.Path) -> dict:
    """Makes everything; returns the names of what was made, by kind."""
    return {
        "computes": computes(cloud, client, place),
        "datastores": datastores(client),
        "connections": connections(cloud, place, client),
        "features": features(cloud, client, folder),
        "outboundRules": rules(cloud, client, place),
        "serverless": serverless(cloud, client, place),
        "online": online(cloud, client, place, folder),
        "batch": batch(cloud, client, folder),
        "jobs": more_jobs(cloud, client, place, folder),
        "schedules": schedules(cloud, client, place),
        "labelingJobs": labeling(cloud, place),
    }


def mapping(folder: pathlib.Path, source, target) -> pathlib.Path:
    """A mapping file by which the target has its own of the resources beside the workspace."""
    path = folder / f"{target.name}.toml"
    path.write_text("[resources]\n" + "".join(
        f'"{beside(source)}/{resource}" = "{beside(target)}/{resource}"\n' for resource in BESIDE))
    return path


def beside(place) -> str:
    """Where the resources beside a workspace have their ids."""
    return f"/subscriptions/{place.subscription}/resourceGroups/{place.group}/providers"


def same_code(folder: pathlib.Path):
    """A job with the code that others had."""
    return command(code=folder / "src", command="python train.py", environment="azureml:sklearn:1", compute="cpu-cluster")


def computes(cloud, client: MLClient, place) -> list[str]:
    """A cluster with what can be set of it, somebody's own machine, and computes that are attached by their ids."""
    outside = beside(place)
    made = [
        AmlCompute(name="low", size="Standard_DS2_v2", min_instances=0, max_instances=7, tier="low_priority", idle_time_before_scale_down=600,
                   description="when there is time", tags={"team": "growth"}),
        ComputeInstance(name=INSTANCE, size="Standard_DS3_v2", description="of one person", ssh_public_access_enabled=False,
                        idle_time_before_shutdown_minutes=30, enable_node_public_ip=False),
        KubernetesCompute(name="edge", resource_id=f"{outside}/Microsoft.ContainerService/managedClusters/edge", namespace="ml"),
    ]
    for compute in made:
        client.compute.begin_create_or_update(compute)
    cloud.advance(60)
    # Of a pool that is attached the service says more than its id, and this release of the SDK reads it unasked.
    cloud.arm("PUT", f"{place.arm}/computes/sparks", {"location": place.location, "properties": {
        "computeType": "SynapseSpark", "resourceId": f"{outside}/Microsoft.Synapse/workspaces/lakehouse/bigDataPools/sparks",
        "properties": {"autoScaleProperties": {"enabled": False}, "autoPauseProperties": {"enabled": True, "delayInMinutes": 15},
                       "poolName": "sparks", "workspaceName": "lakehouse", "sparkVersion": "3.4", "nodeCount": 3, "nodeSize": "Small",
                       "nodeSizeFamily": "MemoryOptimized"}}})
    cloud.advance(60)
    return ["low", "edge", "sparks"]


def datastores(client: MLClient) -> list[str]:
    """Stores of every type, opened by a principal, by a signature, by identity alone."""
    principal = ServicePrincipalConfiguration(tenant_id=TENANT, client_id=CLIENT, client_secret="secret-of-lake")
    made = [
        AzureDataLakeGen1Datastore(name="old_lake", store_name="oldlake", credentials=principal),
        AzureDataLakeGen2Datastore(name="new_lake", account_name="stexternal02", filesystem="curated", credentials=principal, tags={"team": "growth"}),
        AzureDataLakeGen2Datastore(name="open_lake", account_name="stexternal02", filesystem="open", description="by identity"),
        AzureFileDatastore(name="signed_files", account_name="stexternal02", file_share_name="inbox",
                           credentials=SasTokenConfiguration(sas_token="sig-of-files")),
        OneLakeDatastore(name="one_lake", artifact=OneLakeArtifact(name="sales.Lakehouse", type="lake_house"), one_lake_workspace_name="sales-team",
                         endpoint="onelake.dfs.fabric.microsoft.com"),
    ]
    for store in made:
        client.datastores.create_or_update(store)
    return [store.name for store in made]


def connections(cloud, place, client: MLClient) -> list[str]:
    """One connection of each way to sign in that the SDK has, and one that it has not."""
    made = [
        AzureOpenAIConnection(name="openai", azure_endpoint="https://ai.example.net/", api_key="key-of-the-model", api_version="2024-02-01",
                              open_ai_resource_id=f"{beside(place)}/Microsoft.CognitiveServices/accounts/ai"),
        WorkspaceConnection(name="search", type="cognitive_search", target="https://search.example.net", credentials=AadCredentialConfiguration()),
        WorkspaceConnection(name="anyone", type="python_feed", target="https://open.example.net/simple", credentials=NoneCredentialConfiguration()),
        WorkspaceConnection(name="feed", type="python_feed", target="https://feed.example.net/simple",
                            credentials=UsernamePasswordConfiguration(username="builder", password="password-of-feed")),
        WorkspaceConnection(name="git", type="git", target="https://git.example.net/team/repo", metadata={"owner": OWNER},
                            credentials=PatTokenConfiguration(pat="pat-of-git")),
        WorkspaceConnection(name="sql", type="azure_sql_db", target="sql.example.net",
                            credentials=ManagedIdentityConfiguration(client_id=CLIENT, resource_id="/subscriptions/x/identity")),
        WorkspaceConnection(name="s3", type="s3", target="https://s3.example.net/bucket",
                            credentials=AccessKeyConfiguration(access_key_id="id", secret_access_key="access-key-of-s3")),
        WorkspaceConnection(name="graph", type="snowflake", target="jdbc:snowflake://graph.example.net",
                            credentials=ServicePrincipalConfiguration(tenant_id=TENANT, client_id=CLIENT, client_secret="secret-of-graph")),
        AzureBlobStoreConnection(name="partner", url="https://stpartner.blob.core.windows.net/in", container_name="in", account_name="stpartner",
                                 credentials=SasTokenConfiguration(sas_token="sig-of-partner")),
        AzureBlobStoreConnection(name="store", url="https://stpartner.blob.core.windows.net/out", container_name="out", account_name="stpartner",
                                 credentials=AccountKeyConfiguration(account_key="a2V5LW9mLXN0b3Jl")),
    ]
    for connection in made:
        client.connections.create_or_update(connection)
    cloud.arm("PUT", f"{place.arm}/connections/tickets", {"properties": {
        "category": "CustomKeys", "authType": "CustomKeys", "target": "https://tickets.example.net", "isSharedToAll": True,
        "credentials": {"keys": {"token": "token-of-tickets", "user/name": "robot"}}, "metadata": {"owner": OWNER}}})
    return [connection.name for connection in made] + ["tickets"]


def features(cloud, client: MLClient, folder: pathlib.Path) -> dict:
    """Entities, and a set of features in two versions."""
    for name in ("account", "customer"):
        client.feature_store_entities.begin_create_or_update(FeatureStoreEntity(
            name=name, version="1", index_columns=[DataColumn(name=f"{name}ID", type="string")], description=f"one {name}",
            tags={"domain": "sales"}))
    spec = folder / "spec"
    (spec / "code").mkdir(parents=True)
    (spec / "code/transform.py").write_text("def transform(frame):\n    return frame\n")
    for version in ("1", "2"):
        (spec / "FeatureSetSpec.yaml").write_text(
            "$schema: http://azureml/sdk-2-0/FeatureSetSpec.json\nsource:\n  type: parquet\n"
            f"  path: abfss://curated@stexternal02.dfs.core.windows.net/{version}\n  timestamp_column:\n    name: at\n"
            "features:\n  - name: sum_of_week\n    type: float\nindex_columns:\n  - name: accountID\n    type: string\n")
        client.feature_sets.begin_create_or_update(FeatureSet(
            name="transactions", version=version, entities=["azureml:account:1", "azureml:customer:1"], description="sums over a week",
            specification=FeatureSetSpecification(path=str(spec)), tags={"domain": "sales"},
            materialization_settings=MaterializationSettings(
                resource=MaterializationComputeResource(instance_type="Standard_E8S_V3"), offline_enabled=True,
                spark_configuration={"spark.driver.cores": "4"},
                schedule=RecurrenceTrigger(frequency="day", interval=1))))
        cloud.advance(60)
    return {"entities": ["account", "customer"], "sets": [("transactions", "1"), ("transactions", "2")]}


def rules(cloud, client: MLClient, place) -> list[str]:
    """Rules of each type by which the workspace's network lets traffic out."""
    account = f"{beside(place)}/Microsoft.Storage/storageAccounts/stpartner"
    made = [
        FqdnDestination(name="pypi", destination="pypi.org"),
        ServiceTagDestination(name="factory", service_tag="DataFactory", protocol="TCP", port_ranges="80, 8080-8089"),
        PrivateEndpointDestination(name="partner", service_resource_id=account, subresource_target="blob", spark_enabled=False),
    ]
    for rule in made:
        client.workspace_outbound_rules.begin_create(place.name, rule)
        cloud.advance(60)
    return [rule.name for rule in made]


def serverless(cloud, client: MLClient, place) -> dict:
    """A model that others host, with the subscription to it."""
    client.marketplace_subscriptions.begin_create_or_update(MarketplaceSubscription(name="llama", model_id=LLAMA))
    cloud.advance(60)
    client.serverless_endpoints.begin_create_or_update(ServerlessEndpoint(name="llama", model_id=LLAMA, location=place.location, tags={"team": "nlp"}))
    cloud.advance(60)
    return {"endpoints": ["llama"], "subscriptions": ["llama"]}


def online(cloud, client: MLClient, place, folder: pathlib.Path) -> dict:
    """An endpoint that keys open, with two deployments and shared traffic, and one that tokens open."""
    keyed = ManagedOnlineEndpoint(name="scoring", auth_mode="key", description="answers within a second", tags={"owner": OWNER},
                                  properties={"tier": "gold"})
    client.online_endpoints.begin_create_or_update(keyed)
    client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(
        name="by-token", auth_mode="aad_token", identity=IdentityConfiguration(type="user_assigned", user_assigned_identities=[
            ManagedIdentityConfiguration(resource_id=f"{beside(place)}/Microsoft.ManagedIdentity/userAssignedIdentities/caller")])))
    cloud.advance(60)
    for colour, model in (("blue", "azureml:churn:1"), ("green", "azureml:single:1")):
        client.online_deployments.begin_create_or_update(ManagedOnlineDeployment(
            name=colour, endpoint_name="scoring", model=model, environment="azureml:sklearn:1", instance_type="Standard_DS3_v2", instance_count=2,
            code_configuration=CodeConfiguration(code=str(folder / "src"), scoring_script="train.py"), tags={"colour": colour},
            environment_variables={"MODE": colour, "FROM": OWNER}, app_insights_enabled=True,
            request_settings=OnlineRequestSettings(max_concurrent_requests_per_instance=2, request_timeout_ms=60_000),
            liveness_probe=ProbeSettings(failure_threshold=30, period=10, timeout=2, initial_delay=10),
            data_collector=DataCollector(sampling_rate=0.5, collections={
                side: DeploymentCollection(enabled="true") for side in ("model_inputs", "model_outputs")})))
        cloud.advance(60)
    keyed.traffic = {"blue": 90, "green": 10}
    client.online_endpoints.begin_create_or_update(keyed)
    cloud.advance(60)
    client.online_endpoints.begin_create_or_update(KubernetesOnlineEndpoint(
        name="on-edge", compute="edge", auth_mode="aml_token", description="beside the machines", tags={"team": "growth"}))
    cloud.advance(60)
    client.online_deployments.begin_create_or_update(KubernetesOnlineDeployment(
        name="grey", endpoint_name="on-edge", model="azureml:churn:1", environment="azureml:sklearn:1", instance_count=1, instance_type="gpu",
        code_configuration=CodeConfiguration(code=str(folder / "src"), scoring_script="train.py"),
        request_settings=OnlineRequestSettings(max_concurrent_requests_per_instance=2, request_timeout_ms=5_000),
        resources=ResourceRequirementsSettings(requests=ResourceSettings(cpu="500m", memory="1Gi"), limits=ResourceSettings(cpu="1", memory="2Gi", gpu="1"))))
    cloud.advance(60)
    return {"endpoints": ["scoring", "by-token", "on-edge"], "deployments": [("scoring", "blue"), ("scoring", "green"), ("on-edge", "grey")]}


def batch(cloud, client: MLClient, folder: pathlib.Path) -> dict:
    """An endpoint with a deployment of a model and one of a pipeline component."""
    client.batch_endpoints.begin_create_or_update(BatchEndpoint(name="nightly", description="every night", tags={"team": "growth"}))
    cloud.advance(60)
    client.batch_deployments.begin_create_or_update(ModelBatchDeployment(
        name="by-model", endpoint_name="nightly", model="azureml:churn:1", environment="azureml:sklearn:1", compute="cpu-cluster",
        code_configuration=CodeConfiguration(code=str(folder / "src"), scoring_script="train.py"), resources=ResourceConfiguration(instance_count=2),
        settings=ModelBatchDeploymentSettings(mini_batch_size=10, output_action="append_row", output_file_name="predictions.csv",
                                              retry_settings=BatchRetrySettings(max_retries=3, timeout=30))))
    client.batch_deployments.begin_create_or_update(PipelineComponentBatchDeployment(
        name="by-steps", endpoint_name="nightly", component=pipeline_component(client, folder),
        settings={"default_compute": "cpu-cluster", "continue_on_step_failure": False}))
    cloud.advance(60)
    nightly = client.batch_endpoints.get("nightly")
    nightly.defaults = {"deployment_name": "by-model"}
    client.batch_endpoints.begin_create_or_update(nightly)
    cloud.advance(60)
    return {"endpoints": ["nightly"], "deployments": [("nightly", "by-model"), ("nightly", "by-steps")]}


def pipeline_component(client: MLClient, folder: pathlib.Path):
    """A registered component of two steps."""
    path = folder / "steps.yml"
    path.write_text(
        "$schema: https://azuremlschemas.azureedge.net/latest/pipelineComponent.schema.json\n"
        "name: steps\nversion: '1'\ntype: pipeline\ndisplay_name: steps\ninputs:\n  rows: {type: uri_file}\n"
        "outputs:\n  prepared: {type: uri_file}\njobs:\n  first:\n    type: command\n    component: azureml:prepare:1\n"
        "    inputs:\n      rows: ${{parent.inputs.rows}}\n    outputs:\n      prepared: ${{parent.outputs.prepared}}\n")
    client.components.create_or_update(load_component(path))
    return client.components.get("steps", "1")


def more_jobs(cloud, client: MLClient, place, folder: pathlib.Path) -> dict:
    """Jobs of the types that `seed` has none of."""
    rows = Input(type=AssetTypes.URI_FILE, path="azureml:rows:1", mode="direct")
    crushed = spark(
        display_name="crush", code=str(folder / "src"), entry={"file": "train.py"}, identity=UserIdentityConfiguration(),
        driver_cores=1, driver_memory="2g", executor_cores=2, executor_memory="2g", executor_instances=2,
        resources={"instance_type": "standard_e4s_v3", "runtime_version": "3.4"}, inputs={"rows": rows}, args="--rows ${{inputs.rows}}",
        py_files=[f"azureml://subscriptions/{place.subscription}/resourcegroups/{place.group}/workspaces/{place.name}/datastores/workspaceblobstore/paths/lib.zip"])
    table = Input(type=AssetTypes.MLTABLE, path="azureml:table:1")
    chosen = automl.classification(training_data=table, target_column_name="b", compute="cpu-cluster", primary_metric="AUC_weighted",
                                   n_cross_validations=3, experiment_name="chosen", tags={"team": "growth"})
    chosen.set_limits(timeout_minutes=60, max_trials=5, max_concurrent_trials=2)
    seen = automl.image_classification(training_data=table, target_column_name="b", compute="gpu-cluster", experiment_name="seen")
    foretold = automl.forecasting(training_data=table, target_column_name="b", compute="cpu-cluster", experiment_name="foretold")
    foretold.set_forecast_settings(time_column_name="a", forecast_horizon=12)
    tuned = create_finetuning_job(
        model="azureml:churn:1", task=FineTuningTaskType.TEXT_COMPLETION, training_data="azureml:rows:1", validation_data="azureml:rows:1",
        hyperparameters={"epochs": "2"}, output_model_name_prefix="tuned", name="tuned", experiment_name="tuning")
    made = {"spark": crushed, "automl": chosen, "vision": seen, "forecast": foretold, "finetuning": tuned}
    return {sort: client.jobs.create_or_update(job).name for sort, job in made.items()}


def schedules(cloud, client: MLClient, place) -> list[str]:
    """A schedule that watches a deployment, one that calls an endpoint, one that starts a Spark job."""
    watch = MonitorSchedule(
        name="watch", trigger=RecurrenceTrigger(frequency="day", interval=1), description="looks at what comes in",
        create_monitor=MonitorDefinition(
            compute=ServerlessSparkCompute(instance_type="standard_e4s_v3", runtime_version="3.4"),
            monitoring_target=MonitoringTarget(ml_task="classification", endpoint_deployment_id="azureml:scoring:blue"),
            monitoring_signals={"drift": DataDriftSignal(
                production_data=ProductionData(input_data=Input(type="mltable", path="azureml:table:1"), data_context="model_inputs"),
                reference_data=ReferenceData(input_data=Input(type="mltable", path="azureml:table:1"), data_context="training"),
                metric_thresholds=DataDriftMetricThreshold(numerical=NumericalDriftMetrics(jensen_shannon_distance=0.1)))},
            alert_notification=AlertNotification(emails=["ops@example.net"])))
    client.schedules.begin_create_or_update(watch)
    cloud.advance(60)
    cloud.arm("PUT", f"{place.arm}/schedules/calls", {"properties": {
        "displayName": "calls", "isEnabled": True, "trigger": {"triggerType": "Cron", "expression": "0 3 * * *", "timeZone": "UTC"},
        "action": {"actionType": "InvokeBatchEndpoint", "endpointInvocationDefinition": {
            "endpoint": f"{place.arm}/batchEndpoints/nightly", "input": {"uri": f"{place.arm}/data/rows/versions/1", "note": None}}}}})
    return ["watch", "calls"]


def labeling(cloud, place) -> list[str]:
    """A labeling project, which only previews of the api have."""
    cloud.arm("PUT", f"{place.arm}/labelingJobs/defects", {"properties": {
        "jobType": "Labeling", "displayName": "defects", "labelingJobMediaProperties": {"mediaType": "Image", "annotationType": "BoundingBox"},
        "dataConfiguration": {"dataId": f"{place.arm}/data/folder/versions/1", "incrementalDataRefresh": "Disabled"},
        "labelCategories": {"defect": {"displayName": "defect", "classes": {"scratch": {"displayName": "scratch", "subclasses": {}}}}}}},
        version="2024-04-01-preview")
    return ["defects"]
