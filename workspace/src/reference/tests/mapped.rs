//! What becomes of each form in another workspace.

use super::*;

fn rewriter() -> Rewriter {
    let mut rewriter = Rewriter::new(source(), target());
    for (from, to) in [
        ("azureml-blobstore-guid-a", "azureml-blobstore-guid-b"),
        ("azureml", "azureml"),
    ] {
        rewriter.move_store(store("sta", from), store("stb", to));
    }
    rewriter.restored_run(
        "j1",
        RestoredRun {
            run: "r-9".to_owned(),
            artifacts: Some(
                "azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.r-9"
                    .to_owned(),
            ),
            outputs: [(
                "o".to_owned(),
                "azureml://datastores/workspaceblobstore/paths/azureml/r-9/o/".to_owned(),
            )]
            .into(),
        },
    );
    rewriter
}

fn store(account: &str, container: &str) -> StoreName {
    StoreName {
        account: account.to_owned(),
        container: container.to_owned(),
    }
}

fn mapped(rewriter: &Rewriter, text: &str) -> String {
    let outcome = rewriter.map(&parse(text));
    match outcome.left {
        Some(reason) => format!("{} ({reason})", outcome.text),
        None => outcome.text,
    }
}

#[test]
fn each_form_is_written_again_in_its_own_form_and_letter_case() {
    let rewriter = rewriter();
    for (from, to) in [
        (
            "/subscriptions/s-1/resourcegroups/rg-a/providers/Microsoft.MachineLearningServices/workspaces/ws-a/models/m/versions/1",
            "/subscriptions/s-2/resourcegroups/rg-b/providers/Microsoft.MachineLearningServices/workspaces/ws-b/models/m/versions/1",
        ),
        (
            "azureml:/subscriptions/S-1/resourceGroups/RG-A/providers/microsoft.machinelearningservices/workspaces/WS-A/codes/C/versions/1",
            "azureml:/subscriptions/s-2/resourceGroups/rg-b/providers/microsoft.machinelearningservices/workspaces/ws-b/codes/C/versions/1",
        ),
        (
            "azureml://subscriptions/s-1/resourcegroups/rg-a/workspaces/ws-a/datastores/ds/paths/a/ws-a/b",
            "azureml://subscriptions/s-2/resourcegroups/rg-b/workspaces/ws-b/datastores/ds/paths/a/ws-a/b",
        ),
        (
            "azureml://locations/eastus/workspaces/guid-a/models/m/versions/1",
            "azureml://locations/westeurope/workspaces/guid-b/models/m/versions/1",
        ),
        (
            "azureml://resourcegroups/rg-a/workspaces/ws-a/data/d/versions/2",
            "azureml://resourcegroups/rg-b/workspaces/ws-b/data/d/versions/2",
        ),
        ("azureml:train-env:1", "azureml:train-env:1"),
        (
            "azureml://datastores/ds/paths/x",
            "azureml://datastores/ds/paths/x",
        ),
        (
            "https://sta.blob.core.windows.net/azureml-blobstore-guid-a/LocalUpload/x%20y",
            "https://stb.blob.core.windows.net/azureml-blobstore-guid-b/LocalUpload/x%20y",
        ),
        (
            "wasbs://azureml-blobstore-guid-a@sta.blob.core.windows.net/p",
            "wasbs://azureml-blobstore-guid-b@stb.blob.core.windows.net/p",
        ),
        (
            "azureml://eastus.api.azureml.ms/mlflow/v1.0/subscriptions/s-1/resourceGroups/rg-a/providers/Microsoft.MachineLearningServices/workspaces/ws-a",
            "azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/s-2/resourceGroups/rg-b/providers/Microsoft.MachineLearningServices/workspaces/ws-b",
        ),
        (
            "azureml://registries/azureml/models/m/versions/1",
            "azureml://registries/azureml/models/m/versions/1",
        ),
        (
            "https://foreign.blob.core.windows.net/azureml/x",
            "https://foreign.blob.core.windows.net/azureml/x",
        ),
    ] {
        assert_eq!(mapped(&rewriter, from), to);
    }
}

#[test]
fn a_job_becomes_its_run_and_its_outputs_the_place_of_their_bytes() {
    let rewriter = rewriter();
    for (from, to) in [
        (
            "azureml://jobs/j1/outputs/o/paths/p/q",
            "azureml://datastores/workspaceblobstore/paths/azureml/r-9/o/p/q",
        ),
        (
            "azureml://jobs/j1/outputs/artifacts/paths/model",
            "azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.r-9/model",
        ),
        (
            "runs:/j1/model",
            "azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.r-9/model",
        ),
        (
            "azureml://datastores/ds/paths/ExperimentRun/dcid.j1/m",
            "azureml://datastores/ds/paths/ExperimentRun/dcid.r-9/m",
        ),
        (
            "azureml://datastores/ds/paths/azureml/j1/o/x",
            "azureml://datastores/ds/paths/azureml/r-9/o/x",
        ),
        (
            "azureml://datastores/ds/paths/azureml/j2/o/x",
            "azureml://datastores/ds/paths/azureml/j2/o/x",
        ),
        (
            "https://sta.blob.core.windows.net/azureml/ExperimentRun/dcid.j1/m",
            "https://stb.blob.core.windows.net/azureml/ExperimentRun/dcid.r-9/m",
        ),
        (
            "azureml://jobs/j1/outputs/other/paths/p",
            "azureml://jobs/r-9/outputs/other/paths/p (the output was not restored)",
        ),
        (
            "azureml://jobs/j2/outputs/o/paths/p",
            "azureml://jobs/j2/outputs/o/paths/p (the job was not restored)",
        ),
    ] {
        assert_eq!(mapped(&rewriter, from), to);
    }
    let id = format!("{WORKSPACE}/jobs/j1");
    assert!(mapped(&rewriter, &id).ends_with("/workspaces/ws-b/jobs/r-9"));
}

#[test]
fn what_the_target_has_no_place_for_is_left_with_the_reason() {
    let rewriter = rewriter();
    assert_eq!(
        mapped(&rewriter, "https://STA.blob.core.windows.net/other/x"),
        "https://STA.blob.core.windows.net/other/x (its container has no counterpart in the target)"
    );
    let vault = "/subscriptions/s-1/resourceGroups/rg-a/providers/Microsoft.KeyVault/vaults/kv";
    assert!(mapped(&rewriter, vault).contains("beside the source workspace"));
    let same = Rewriter::new(source(), source());
    assert_eq!(
        mapped(&same, "https://sta.blob.core.windows.net/other/x"),
        "https://sta.blob.core.windows.net/other/x"
    );
    assert_eq!(mapped(&same, "runs:/j7/model"), "runs:/j7/model");
}

#[test]
fn new_versions_and_names_are_followed() {
    let mut rewriter = rewriter();
    rewriter.renamed(
        ItemId::versioned("models", "m", "1"),
        ItemId::versioned("models", "m", "7"),
    );
    rewriter.renamed(ItemId::new("data", "d"), ItemId::new("data", "d-2"));
    let of = |text: &str| format!("{WORKSPACE}/{text}");
    assert!(mapped(&rewriter, &of("models/m/versions/1")).ends_with("ws-b/models/m/versions/7"));
    assert!(mapped(&rewriter, &of("models/m/versions/2")).ends_with("ws-b/models/m/versions/2"));
    assert!(mapped(&rewriter, &of("data/d/versions/4")).ends_with("ws-b/data/d-2/versions/4"));
    assert_eq!(
        mapped(&rewriter, "azureml://models/m/versions/1"),
        "azureml://models/m/versions/7"
    );
}

#[test]
fn a_whole_arm_id_of_the_mapping_file_goes_before_all_else_and_takes_what_is_below_along()
-> Result<(), crate::Error> {
    let network =
        "/subscriptions/s-1/resourceGroups/rg-a/providers/Microsoft.Network/virtualNetworks";
    let rescue =
        "/subscriptions/s-9/resourceGroups/rg-n/providers/Microsoft.Network/virtualNetworks";
    let mapping = Mapping::parse(&format!(
        "[resources]\n\"{network}/v\" = \"{rescue}/w\"\n\"{network}/v/subnets/own\" = \"{rescue}/x/subnets/y\"\n\
         \"{WORKSPACE}/computes/cpu\" = \"{rescue}/odd\"\n[subscription]\ns-1 = \"s-2\"\n"
    ))?;
    let rewriter = rewriter().with_mapping(mapping);
    for (from, to) in [
        (format!("{network}/v"), format!("{rescue}/w")),
        (
            format!("{network}/V/subnets/s"),
            format!("{rescue}/w/subnets/s"),
        ),
        (
            format!("{}/v/SUBNETS/own/z", network.to_lowercase()),
            format!("{rescue}/x/subnets/y/z"),
        ),
        (
            format!("{network}/v2"),
            network.replace("s-1", "s-2") + "/v2",
        ),
        (format!("{WORKSPACE}/computes/cpu"), format!("{rescue}/odd")),
        (
            format!("azureml:{WORKSPACE}/computes/cpu"),
            format!("azureml:{rescue}/odd"),
        ),
    ] {
        let said = mapped(&rewriter, &from);
        assert!(said.starts_with(&to), "{from}: {said}");
        assert!(said == to || said.contains('('), "{from}: {said}");
    }
    for wrong in ["kv", "/subscriptions/s/", "https://x"] {
        let text = format!("[resources]\n\"{wrong}\" = \"{rescue}/w\"\n");
        assert!(Mapping::parse(&text).is_err(), "{wrong}");
    }
    Ok(())
}

#[test]
fn the_mapping_file_goes_before_everything() -> Result<(), crate::Error> {
    let mapping = Mapping::parse(
        r#"
        [computes]
        cpu = "small"
        [datastores]
        lake = "lake2"
        [storage_accounts]
        ext = "ext2"
        [registries]
        corp = "corp2"
        [environments]
        "train:1" = "azureml://registries/azureml/environments/train/versions/9"
        "old" = "new"
        [names]
        "models/m" = "models/n"
        [resource_group]
        rg-a = "rg-b"
        [subscription]
        s-1 = "s-2"
        "#,
    )?;
    let rewriter = rewriter().with_mapping(mapping);
    let of = |text: &str| format!("{WORKSPACE}/{text}");
    for (from, to) in [
        (of("computes/cpu"), of("computes/small")),
        (
            of("environments/old/versions/3"),
            of("environments/new/versions/3"),
        ),
        (of("models/m/versions/3"), of("models/n/versions/3")),
        (
            "azureml://datastores/lake/paths/x".into(),
            "azureml://datastores/lake2/paths/x".into(),
        ),
        (
            "abfss://fs@ext.dfs.core.windows.net/x".into(),
            "abfss://fs@ext2.dfs.core.windows.net/x".into(),
        ),
        (
            "azureml://registries/corp/models/x/versions/1".into(),
            "azureml://registries/corp2/models/x/versions/1".into(),
        ),
        (
            "/subscriptions/s-1/resourceGroups/rg-a/providers/Microsoft.KeyVault/vaults/kv".into(),
            "/subscriptions/s-2/resourceGroups/rg-b/providers/Microsoft.KeyVault/vaults/kv".into(),
        ),
    ] {
        let to = to
            .replace("s-1/", "s-2/")
            .replace("rg-a/", "rg-b/")
            .replace("ws-a/", "ws-b/");
        assert_eq!(mapped(&rewriter, &from), to);
    }
    assert_eq!(
        mapped(&rewriter, &of("environments/train/versions/1")),
        "azureml://registries/azureml/environments/train/versions/9"
    );
    Ok(())
}

#[test]
fn what_lies_below_an_item_follows_its_new_name() {
    let mut rewriter = rewriter();
    let with = |workspace: &str, below: &str| format!("{workspace}/{below}");
    let to_ws = "/subscriptions/s-2/resourceGroups/rg-b/providers/Microsoft.MachineLearningServices/workspaces/ws-b";
    rewriter.renamed(
        ItemId::new("onlineEndpoints", "ep"),
        ItemId::new("onlineEndpoints", "ep-2"),
    );
    rewriter.renamed(
        ItemId::new("onlineDeployments", "other/blue"),
        ItemId::new("onlineDeployments", "other/azure"),
    );
    for (from, to) in [
        ("onlineEndpoints/ep", "onlineEndpoints/ep-2"),
        (
            "onlineEndpoints/ep/Deployments/blue",
            "onlineEndpoints/ep-2/Deployments/blue",
        ),
        (
            "onlineEndpoints/other/deployments/blue",
            "onlineEndpoints/other/deployments/azure",
        ),
        (
            "onlineEndpoints/third/deployments/blue",
            "onlineEndpoints/third/deployments/blue",
        ),
    ] {
        assert_eq!(mapped(&rewriter, &with(WORKSPACE, from)), with(to_ws, to));
    }
    let mapping = Mapping::parse(
        "[names]\n\"onlineEndpoints/a/deployments/b\" = \"onlineEndpoints/c/deployments/d\"",
    );
    let rewriter = Rewriter::new(source(), target()).with_mapping(mapping.unwrap_or_default());
    assert_eq!(
        mapped(
            &rewriter,
            &with(WORKSPACE, "onlineEndpoints/a/deployments/b")
        ),
        with(to_ws, "onlineEndpoints/c/deployments/d")
    );
}

#[test]
fn what_a_mapped_key_vault_holds_follows_it() -> Result<(), crate::Error> {
    let vault = |name: &str| {
        format!("/subscriptions/s-1/resourceGroups/rg-k/providers/Microsoft.KeyVault/vaults/{name}")
    };
    let mapping = Mapping::parse(&format!(
        "[resources]\n\"{}\" = \"{}\"\n",
        vault("kv"),
        vault("safe")
            .to_uppercase()
            .replace("/SAFE", "/safe")
            .replace("/SUBSCRIPTIONS/S-1", "/subscriptions/s-2"),
    ))?;
    let rewriter = rewriter().with_mapping(mapping);
    for (from, to) in [
        (
            "https://KV.vault.azure.net/keys/k/1",
            "https://safe.vault.azure.net/keys/k/1",
        ),
        (
            "https://kv2.vault.azure.net/keys/k",
            "https://kv2.vault.azure.net/keys/k",
        ),
        ("https://kv.vault.azure.net", "https://safe.vault.azure.net"),
    ] {
        assert_eq!(mapped(&rewriter, from), to);
    }
    let below = mapped(&rewriter, &format!("{}/secrets/s", vault("kv")));
    assert!(below.ends_with("/safe/secrets/s"), "{below}");
    Ok(())
}
