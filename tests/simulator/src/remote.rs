//! What the program asks of a simulator that is running already, by its control interface: for demos and for people,
//! so that they need no HTTP client of their own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest::{Client, Method, Url};
use serde_json::Value;
use simulator::description::{CA_FILE, DESCRIPTION_FILE};

/// Options of `simulator control`.
#[derive(Debug, Args)]
pub(crate) struct Control {
    /// Folder with ca.pem and simulator.json of the running simulator.
    #[arg(long)]
    dir: PathBuf,
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Deletes a workspace for good.
    DeleteWorkspace {
        /// `azureml://subscriptions/S/resourceGroups/G/workspaces/W`.
        url: String,
        /// Its storage account too.
        #[arg(long)]
        with_account: bool,
    },
    /// Deletes a file of a workspace's notebooks.
    DeleteNotebook {
        /// `azureml://subscriptions/S/resourceGroups/G/workspaces/W`.
        url: String,
        /// Path in the share.
        path: String,
    },
}

/// The error of a control call, in a sentence.
type Failure = Box<dyn std::error::Error>;

/// Carries out one act; the line to print.
pub(crate) async fn run(control: Control) -> Result<String, Failure> {
    let remote = Remote::open(&control.dir)?;
    match control.act {
        Act::DeleteWorkspace { url, with_account } => {
            let place = workspace(&url)?;
            let path = format!("/workspaces/{place}?purge=true&account={with_account}");
            remote.call(Method::DELETE, &path).await?;
            Ok(format!("{url} is gone"))
        }
        Act::DeleteNotebook { url, path } => {
            let (account, share) = remote.notebooks(&workspace(&url)?).await?;
            let mut place = Url::parse(&remote.base)?;
            place
                .path_segments_mut()
                .map_err(|()| "The control address takes no path")?
                .extend(["files", &account, &share])
                .extend(path.split('/'));
            remote.call(Method::DELETE, place.path()).await?;
            Ok(format!("{path} is gone from {url}"))
        }
    }
}

/// `S/G/W` of a workspace's URL.
fn workspace(url: &str) -> Result<String, Failure> {
    let parts: Vec<&str> = url.trim_start_matches("azureml://").split('/').collect();
    match parts.as_slice() {
        ["subscriptions", s, "resourceGroups", g, "workspaces", w] => Ok(format!("{s}/{g}/{w}")),
        _ => Err(format!("`{url}` is no azureml:// address of a workspace").into()),
    }
}

struct Remote {
    client: Client,
    base: String,
}

impl Remote {
    fn open(dir: &Path) -> Result<Self, Failure> {
        let about: Value = serde_json::from_slice(&std::fs::read(dir.join(DESCRIPTION_FILE))?)?;
        let base = about["urls"]["control"]
            .as_str()
            .ok_or("simulator.json names no control address")?
            .to_owned();
        let host = Url::parse(&base)?;
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, host.port().unwrap_or(443)));
        let root = reqwest::Certificate::from_pem(&std::fs::read(dir.join(CA_FILE))?)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the simulator shares no code with the program whose builder is meant"
        )]
        let builder = Client::builder();
        let client = builder
            .tls_certs_only([root])
            .no_proxy()
            .resolve(host.host_str().unwrap_or_default(), loopback)
            .build()?;
        Ok(Self { client, base })
    }

    async fn call(&self, method: Method, path: &str) -> Result<Value, Failure> {
        let answer = self
            .client
            .request(method, format!("{}{path}", self.base))
            .send()
            .await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        if !status.is_success() {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Account and share of a workspace's notebooks.
    async fn notebooks(&self, place: &str) -> Result<(String, String), Failure> {
        let held = self
            .call(Method::GET, &format!("/workspaces/{place}"))
            .await?;
        let store = &held["documents"]["datastores/workspaceworkingdirectory"]["properties"];
        match (
            store["accountName"].as_str(),
            store["fileShareName"].as_str(),
        ) {
            (Some(account), Some(share)) => Ok((account.to_owned(), share.to_owned())),
            _ => Err("The workspace has no share for notebooks".into()),
        }
    }
}
