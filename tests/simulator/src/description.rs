//! What a running simulator says of itself in a file: addresses, credentials, workspaces, and an environment to paste.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::Error;
use crate::server::Server;
use crate::state::{CLIENT_ID, CLIENT_SECRET};

/// Name of the file with the root certificate.
pub const CA_FILE: &str = "ca.pem";
/// Name of the file with everything else.
pub const DESCRIPTION_FILE: &str = "simulator.json";

/// Writes `ca.pem` and then `simulator.json` into a folder, each whole or not at all: who sees the second can begin.
pub fn write(server: &Server, folder: &Path) -> Result<PathBuf, Error> {
    let ca = folder.join(CA_FILE);
    replace(&ca, server.ca_pem().as_bytes())?;
    let path = folder.join(DESCRIPTION_FILE);
    replace(&path, format!("{:#}\n", describe(server, &ca)).as_bytes())?;
    Ok(path)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    let partial = path.with_extension("partial");
    std::fs::write(&partial, bytes).map_err(failed)?;
    std::fs::rename(&partial, path).map_err(failed)
}

/// The description as JSON.
pub fn describe(server: &Server, ca: &Path) -> Value {
    let state = server.simulator().state();
    let (cloud, tenant) = (&state.cloud, &state.directory.tenant);
    let metadata = format!(
        "{}/metadata/endpoints?api-version=2022-09-01",
        cloud.arm_url()
    );
    let mut subscriptions: Vec<&str> = state
        .groups
        .values()
        .map(|group| group.subscription.as_str())
        .collect();
    subscriptions.dedup();
    let workspaces: Vec<Value> = state
        .workspaces
        .values()
        .map(|workspace| {
            json!({
                "subscription": workspace.subscription, "group": workspace.group, "name": workspace.name,
                "location": workspace.location, "id": workspace.arm_id(), "account": workspace.account,
                "url": format!("azureml://subscriptions/{}/resourceGroups/{}/workspaces/{}",
                    workspace.subscription, workspace.group, workspace.name),
            })
        })
        .collect();
    json!({
        "port": server.port(), "ca_file": ca, "suffix": cloud.suffix(),
        "urls": {
            "management": cloud.arm_url(), "login": cloud.login_url(), "control": cloud.control_url(), "metadata": metadata,
            "imds": server.imds_url(), "storage_suffix": cloud.storage_suffix(),
        },
        "tenant_id": tenant, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
        "subscriptions": subscriptions, "workspaces": workspaces,
        "environment": {
            "AZURE_AUTHORITY_HOST": cloud.login_url(), "AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": CLIENT_ID,
            "AZURE_CLIENT_SECRET": CLIENT_SECRET, "ARM_CLOUD_METADATA_URL": metadata, "AZUREML_CURRENT_CLOUD": "Simulated",
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": server.imds_url(),
            "REQUESTS_CA_BUNDLE": ca, "SSL_CERT_FILE": ca,
        },
    })
}
