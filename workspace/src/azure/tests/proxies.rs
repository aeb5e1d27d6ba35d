//! A proxy on a real socket, and a cloud that no resolver knows: what arrives there came through the proxy.

use std::sync::{Arc, Mutex};

use azure_core::http::{Method, Request};
use simulator::Server;
use simulator::state::CLIENT_ID;
use simulator::world::{self, World};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use super::bench::{bytes, list};
use crate::azure::credential::{ManagedIdentity, ManagedIdentityEndpoint};
use crate::azure::http::Clients;
use crate::azure::{
    AzureWorkspace, CloudName, Connection, CredentialSource, Proxy, ReadOptions, Settings,
};
use crate::{Error, Workspace};

/// Nobody resolves names below it (RFC 6761, 6.5).
const SUFFIX: &str = "sim.example";

/// What a tunnel was asked for: host and port, and the proof of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    host: String,
    proof: Option<String>,
}

/// A proxy that tunnels everything to one port of this machine.
struct Tunnels {
    address: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
    _tasks: JoinSet<()>,
}

impl Tunnels {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let own = listener.local_addr().expect("an address");
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let seen = asked.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut tunnels = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                tunnels.spawn(tunnel(stream, port, seen.clone()));
            }
        });
        Self {
            address: format!("http://agent:s3cret@{own}").parse().expect("a URL"),
            asked,
            _tasks: tasks,
        }
    }

    fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().expect("nobody panicked"))
    }
}

/// One tunnel: `CONNECT host:port`, headers, an empty line; then bytes both ways (RFC 9110, 9.3.6).
async fn tunnel(mut stream: TcpStream, port: u16, asked: Arc<Mutex<Vec<Asked>>>) {
    let mut lines = Vec::new();
    let mut reader = BufReader::new(&mut stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.expect("a line");
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let host = lines.first().and_then(|line| line.split(' ').nth(1));
    let proof = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("proxy-authorization")
            .then(|| value.trim().to_owned())
    });
    asked.lock().expect("nobody panicked").push(Asked {
        host: host.expect("a host").to_owned(),
        proof,
    });
    let mut cloud = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("the cloud");
    let granted = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
    granted.expect("an answer");
    // Either end may go away first.
    let _ = copy_bidirectional(&mut stream, &mut cloud).await;
}

/// A cloud below a name that nobody resolves, the proxy before it, and settings that lead there.
async fn cloud() -> (Server, Tunnels, Settings, tempfile::TempDir) {
    let settings = simulator::Settings {
        suffix: SUFFIX.to_owned(),
        ..simulator::Settings::default()
    };
    let server = Server::start(settings).await.expect("it listens");
    let proxy = Tunnels::to(server.port()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, server.ca_pem()).expect("a file");
    let arm = server.simulator().state().cloud.arm_url();
    let settings = Settings {
        cloud: CloudName::At(arm.parse().expect("an address")),
        credential: CredentialSource::ManagedIdentity(ManagedIdentity {
            client_id: Some(CLIENT_ID.to_owned()),
            endpoint: ManagedIdentityEndpoint::MetadataAt(
                server.imds_url().parse().expect("an address"),
            ),
        }),
        ca_file: Some(ca_file),
        proxy: Some(Proxy {
            address: proxy.address.clone(),
            without: None,
        }),
        ..Settings::default()
    };
    (server, proxy, settings, folder)
}

#[tokio::test]
async fn every_service_is_reached_through_the_proxy_but_not_the_metadata_service()
-> Result<(), Error> {
    let (server, proxy, settings, _folder) = cloud().await;
    World::small(3).build(server.simulator()).expect("a world");
    let connection = Connection::open(settings).await?;
    let name = format!(
        "azureml://subscriptions/{}/resourceGroups/{}/workspaces/{}",
        world::SOURCE_SUBSCRIPTION,
        world::SOURCE_GROUP,
        world::SOURCE_WORKSPACE
    );
    let name = name.parse()?;
    let workspace = AzureWorkspace::open(&connection, &name, ReadOptions::default()).await?;
    let jobs = list(&workspace, "jobs").await?;
    workspace.details(jobs.first().expect("a job")).await?;
    let models = list(&workspace, "models").await?;
    for model in &models {
        let _: Vec<_> = futures::StreamExt::collect(workspace.files(model)).await;
    }
    let notebooks = list(&workspace, "notebooks").await?;
    let files = notebooks.iter().filter_map(|listed| listed.file.as_ref());
    let file = files.max_by_key(|file| file.size).expect("a notebook");
    assert_eq!(Some(bytes(&workspace, file).await?.len() as u64), file.size);

    let asked = proxy.take();
    for part in ["management.", ".api.", ".blob.core.", ".file.core."] {
        let found = asked.iter().any(|one| one.host.contains(part));
        assert!(found, "{part}: {asked:?}");
    }
    // `agent:s3cret` in base64.
    let proof = Some("Basic YWdlbnQ6czNjcmV0".to_owned());
    assert!(asked.iter().all(|one| one.proof == proof), "{asked:?}");
    let own = format!(".{SUFFIX}:{}", server.port());
    assert!(
        asked.iter().all(|one| one.host.ends_with(&own)),
        "{asked:?}"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_to_be_reached_without_the_proxy_never_asks_it() -> Result<(), Error> {
    let (server, proxy, settings, _folder) = cloud().await;
    let get = |host: &str| {
        let url = format!(
            "https://{host}.{SUFFIX}:{}/metadata/endpoints",
            server.port()
        );
        Request::new(url.parse().expect("an address"), Method::Get)
    };
    let clients = Clients::new(&settings).await?;
    let through = clients.outside.execute_request(&get("management")).await;
    assert!(through.is_ok(), "{through:?}");
    assert_eq!(proxy.take().len(), 1);
    // The client of the metadata service asks a resolver, which knows nobody.
    let direct = clients.direct.execute_request(&get("imds")).await;
    assert!(direct.is_err() && proxy.take().is_empty(), "{direct:?}");
    let without = |hosts: &str| Settings {
        proxy: settings.proxy.clone().map(|proxy| Proxy {
            without: Some(hosts.to_owned()),
            ..proxy
        }),
        ..settings.clone()
    };
    for hosts in ["management.sim.example", "other.example, sim.example", "*"] {
        let clients = Clients::new(&without(hosts)).await?;
        let direct = clients.outside.execute_request(&get("management")).await;
        assert!(direct.is_err() && proxy.take().is_empty(), "{hosts}");
    }
    let clients = Clients::new(&without("storage.example")).await?;
    let through = clients.outside.execute_request(&get("management")).await;
    assert!(through.is_ok() && proxy.take().len() == 1);
    // This machine's own names never go there, whatever is said.
    let here = Url::parse(&format!("{}/metadata/identity", server.imds_url())).expect("a URL");
    let answered = clients
        .outside
        .execute_request(&Request::new(here, Method::Get))
        .await;
    assert!(answered.is_ok() && proxy.take().is_empty());
    let shown = format!("{:?} {clients:?}", settings.proxy);
    assert!(!shown.contains("s3cret"), "{shown}");
    Ok(())
}
