//! Who gets in at the storage services and the data plane.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use crate::arm::WorkspaceSpec;
use crate::call::Service;
use crate::clock::later;
use crate::reply::Reply;
use crate::{Caller, Settings, Simulator, sas};

struct Bench {
    simulator: Simulator,
    caller: Caller,
    account: String,
}

impl Bench {
    fn new() -> Self {
        let simulator = Simulator::new(Settings::default());
        simulator.create_workspace(&WorkspaceSpec {
            account: Some("stbench".to_owned()),
            ..WorkspaceSpec::new("sub", "rg", "ws", "westeurope")
        });
        Self {
            caller: Caller::new(&simulator),
            simulator,
            account: "stbench".to_owned(),
        }
    }

    fn send(&self, method: Method, target: &str, token: &str) -> Reply {
        let url = format!("https://{}.blob.core.sim.localhost/{target}", self.account);
        let mut request = http::Request::builder()
            .method(method)
            .uri(url)
            .header("x-ms-version", "2024-08-04");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.simulator.handle(
            request
                .header("x-ms-blob-type", "BlockBlob")
                .body(Bytes::new())
                .unwrap(),
        )
    }

    fn signature(&self, letters: &str, life: Duration) -> String {
        let state = self.simulator.state();
        let expires = later(self.simulator.now(), life);
        sas::issue(
            &state.accounts[&self.account],
            Service::Blob,
            "azureml",
            letters,
            expires,
        )
    }
}

fn code(reply: &Reply) -> (u16, &str) {
    (
        reply.status.as_u16(),
        reply.header("x-ms-error-code").unwrap_or_default(),
    )
}

#[test]
fn signature_opens_what_it_names_and_nothing_else() {
    let bench = Bench::new();
    let hour = Duration::from_secs(3600);
    let read = bench.signature("r", hour);
    let get = |container: &str, query: &str| {
        bench.send(Method::GET, &format!("{container}/b?{query}"), "")
    };
    assert_eq!(code(&get("azureml", &read)), (404, "BlobNotFound"));
    let put = bench.send(Method::PUT, &format!("azureml/b?{read}"), "");
    assert_eq!(code(&put), (403, "AuthorizationPermissionMismatch"));
    assert_eq!(code(&get("other", &read)), (403, "AuthenticationFailed"));
    assert_eq!(
        code(&get("azureml", &read.replace("sp=r", "sp=rwdl"))),
        (403, "AuthenticationFailed")
    );
    let list = bench.send(
        Method::GET,
        &format!("azureml?restype=container&comp=list&{read}"),
        "",
    );
    assert_eq!(code(&list), (403, "AuthorizationPermissionMismatch"));
    bench.simulator.advance(hour * 2);
    assert_eq!(code(&get("azureml", &read)), (403, "AuthenticationFailed"));
}

#[test]
fn storage_takes_tokens_for_storage_alone() {
    let bench = Bench::new();
    let get = |token: &str| bench.send(Method::GET, "azureml/b", token);
    assert_eq!(code(&get("")), (401, "NoAuthenticationInformation"));
    assert_eq!(
        code(&get(&bench.caller.token("https://ml.azure.com"))),
        (401, "InvalidAuthenticationInfo")
    );
    let good = bench.caller.token("https://storage.azure.com");
    assert_eq!(code(&get(&good)), (404, "BlobNotFound"));
    bench.simulator.state().directory.principals[0]
        .denied
        .push("blobs/read".to_owned());
    assert_eq!(code(&get(&good)), (403, "AuthorizationPermissionMismatch"));
}

#[test]
fn data_plane_takes_its_own_audience_and_that_of_the_resource_manager() {
    let bench = Bench::new();
    let url = "https://westeurope.api.sim.localhost/history/v1.0/subscriptions/sub/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws/runs/none";
    let get = |token: &str| {
        bench
            .caller
            .send(Method::GET, url, token, None)
            .status
            .as_u16()
    };
    for audience in [
        "https://ml.azure.com",
        "https://ml.azure.sim.localhost",
        "https://management.sim.localhost",
    ] {
        assert_eq!(get(&bench.caller.token(audience)), 404, "{audience}");
    }
    assert_eq!(get(&bench.caller.token("https://storage.azure.com")), 401);
    assert_eq!(get(""), 401);
    bench.simulator.state().directory.principals[0]
        .denied
        .push("experiments/runs/read".to_owned());
    assert_eq!(get(&bench.caller.token("https://ml.azure.com")), 403);
}
