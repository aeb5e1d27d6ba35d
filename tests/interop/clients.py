"""What the official clients of identity and MLflow do against the simulated cloud; those of storage and of Azure ML have files
of their own. Real work, every answer looked at. No client is changed.
"""

import contextlib
import os
import pathlib
import time

from cloud import Cloud, Place

WORKSPACE = Place("5d0c7a52-3b1e-4f7a-9c55-2f6f0e8b1c01", "team-orchard", "pomology", "westeurope")


@contextlib.contextmanager
def environment(**values):
    """Variables of the environment for a while; `None` takes one away."""
    before = {key: os.environ.get(key) for key in values}
    try:
        for key, value in values.items():
            os.environ.pop(key, None) if value is None else os.environ.__setitem__(key, str(value))
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key, None) if value is None else os.environ.__setitem__(key, value)


# --- azure-identity -----------------------------------------------------------------------------------------------


def identity(cloud: Cloud, _place: Place):
    """A token by each way that the official package knows and this cloud serves, each used once."""
    from azure.identity import ClientSecretCredential, ManagedIdentityCredential, WorkloadIdentityCredential

    about, login = cloud.about, cloud.urls["login"]
    scope = cloud.urls["management"] + "/.default"
    common = {"authority": login, "disable_instance_discovery": True}
    cloud.use_token(ClientSecretCredential(about["tenant_id"], about["client_id"], about["client_secret"], **common).get_token(scope).token)

    wrong = ClientSecretCredential(about["tenant_id"], about["client_id"], "not~the.secret", **common)
    try:
        wrong.get_token(scope)
    except Exception as refusal:  # the package has a class of its own for it
        assert "AADSTS7000215" in str(refusal), refusal
    else:
        raise AssertionError("a wrong secret was taken")

    assertion = cloud.folder / "assertion"
    assertion.write_text(unsigned_assertion(about, f"{login}/{about['tenant_id']}/v2.0"))
    federated = WorkloadIdentityCredential(tenant_id=about["tenant_id"], client_id=about["client_id"], token_file_path=str(assertion), **common)
    cloud.use_token(federated.get_token(scope).token)

    with environment(AZURE_POD_IDENTITY_AUTHORITY_HOST=cloud.urls["imds"], IDENTITY_ENDPOINT=None, MSI_ENDPOINT=None):
        cloud.use_token(ManagedIdentityCredential().get_token(scope).token)
    with environment(IDENTITY_ENDPOINT=cloud.urls["imds"] + "/msi/token", IDENTITY_HEADER="simulated-identity-header"):
        cloud.use_token(ManagedIdentityCredential().get_token(scope).token)
    with environment(MSI_ENDPOINT=cloud.urls["imds"] + "/msi/token", MSI_SECRET="simulated-identity-header", IDENTITY_ENDPOINT=None):
        cloud.use_token(ManagedIdentityCredential().get_token(scope).token)


def unsigned_assertion(about, audience):
    """An assertion as a cluster mounts one. The simulated directory looks at subject, audience and time."""
    import jwt

    now = int(time.time())
    claims = {"iss": "https://cluster.invalid", "sub": about["client_id"], "aud": "api://AzureADTokenExchange", "iat": now, "nbf": now, "exp": now + 3600}
    return jwt.encode(claims, "a key that nobody checks, of thirty-two bytes", algorithm="HS256")


# --- mlflow with azureml-mlflow -----------------------------------------------------------------------------------


def mlflow(cloud: Cloud, place: Place):
    """A parent run with children: parameters, tags, metrics with steps, artifacts; searched, changed, deleted, restored."""
    import mlflow as flow
    from mlflow.entities import Metric, Param, RunTag, ViewType

    workspace = cloud.arm("GET", place.arm)
    tracking = workspace["properties"]["mlFlowTrackingUri"]
    token = cloud.token(cloud.urls["management"] + "/.default")
    with environment(**mlflow_environment(tracking, token)):
        client = flow.MlflowClient(tracking_uri=tracking)
        experiment = client.create_experiment("ripening")
        assert client.get_experiment_by_name("ripening").experiment_id == experiment
        assert client.get_experiment(experiment).name == "ripening"
        parent = client.create_run(experiment, tags={"mlflow.runName": "week 40", "orchard": "north"})
        run_id = parent.info.run_id
        now = int(time.time() * 1000)
        client.log_param(run_id, "sugar", 12.5)
        for step in range(4):
            client.log_metric(run_id, "brix", 10 + step / 2, timestamp=now + step, step=step)
        client.log_batch(run_id, metrics=[Metric("acid", 0.9 - n / 100, now + n, n) for n in range(30)],
                         params=[Param("press", "hydraulic")], tags=[RunTag("reviewed", "yes")])
        children = [client.create_run(experiment, tags={"mlflow.parentRunId": run_id, "mlflow.runName": f"vat {n}"}) for n in range(3)]
        for child in children:
            client.log_metric(child.info.run_id, "brix", 11.0, timestamp=now, step=0)
            client.set_terminated(child.info.run_id)
        note = cloud.folder / "note.txt"
        note.write_text("pressed on a Tuesday\n")
        client.log_artifact(run_id, str(note), "notes")
        # By address: the client's own lists ask a server of MLflow 3 for logged models first, which Azure ML has not.
        uri = parent.info.artifact_uri
        assert [found.path.rsplit("/", 1)[-1] for found in flow.artifacts.list_artifacts(artifact_uri=f"{uri}/notes")] == ["note.txt"]
        down = pathlib.Path(flow.artifacts.download_artifacts(artifact_uri=f"{uri}/notes/note.txt", dst_path=str(cloud.folder / "down")))
        assert down.read_text() == note.read_text()
        client.set_terminated(run_id)
        seen = client.get_run(run_id)
        assert seen.data.params == {"sugar": "12.5", "press": "hydraulic"}, seen.data.params
        assert seen.data.tags["reviewed"] == "yes" and seen.info.status == "FINISHED"
        assert [point.step for point in client.get_metric_history(run_id, "acid")] == list(range(30))
        found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run_id}'")
        assert {run.info.run_id for run in found} == {child.info.run_id for child in children}, found
        assert len(client.search_runs([experiment], "metrics.brix > 11.2", run_view_type=ViewType.ALL)) == 1
        client.set_tag(run_id, "bottled", "no")
        client.delete_tag(run_id, "reviewed")
        client.delete_run(children[0].info.run_id)
        assert len(client.search_runs([experiment])) == 3
        client.restore_run(children[0].info.run_id)
        assert "ripening" in {found.name for found in experiments(client)}


def experiments(client):
    """All experiments, page by page."""
    page = client.search_experiments()
    while True:
        yield from page
        if not page.token:
            return
        page = client.search_experiments(page_token=page.token)


def mlflow_environment(tracking, token):
    """What Azure ML sets on a machine that runs a job: the plug-in then takes its token from there."""
    return {"MLFLOW_TRACKING_URI": tracking, "MLFLOW_TRACKING_TOKEN": token, "MLFLOW_RUN_ID": "00000000-none", "MLFLOW_EXPERIMENT_NAME": "ripening"}
