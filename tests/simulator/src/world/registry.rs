//! A registry in use: code, environments, data, models and components, some archived, in several versions.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::arm::{WorkspaceSpec, create_registry};
use crate::blob::{Content, Written};
use crate::caller::Caller;
use crate::error::Error;
use crate::simulator::Simulator;
use crate::workspace::WorkspaceKey;

const VERSION: &str = "api-version=2024-10-01";

/// Makes an empty registry.
pub fn empty_registry(simulator: &Simulator, spec: &WorkspaceSpec) -> WorkspaceKey {
    let now = simulator.now();
    create_registry(&mut simulator.state(), spec, now)
}

/// Makes a registry with a handful of assets of every kind.
pub fn registry(simulator: &Simulator, spec: &WorkspaceSpec) -> Result<WorkspaceKey, Error> {
    let key = empty_registry(simulator, spec);
    let id = {
        let state = simulator.state();
        let made = state.workspace(&key);
        made.map(crate::workspace::Workspace::arm_id)
            .unwrap_or_default()
    };
    let own = format!("azureml://registries/{}", spec.name);
    let shelf = Shelf {
        simulator,
        caller: Caller::new(simulator),
        key: key.clone(),
        id,
    };
    let code = shelf.bytes(
        "codes/prepare",
        "1",
        "src",
        &[
            ("prepare.py", "print('prepare')\n"),
            ("lib/one.py", "ONE = 1\n"),
        ],
    )?;
    shelf.put("codes/prepare/versions/1", json!({"codeUri": code}))?;
    for version in ["1", "2"] {
        let image = format!("mcr.microsoft.com/azureml/base:{version}");
        let conda = "name: base\ndependencies:\n  - python=3.12\n";
        shelf.put(
            &format!("environments/base/versions/{version}"),
            json!({"image": image, "condaFile": conda}),
        )?;
        let bytes = format!("weights {version}\n").repeat(400);
        let model = shelf.bytes(
            "models/shared-model",
            version,
            "model",
            &[("MLmodel", "flavors: {}\n"), ("data/weights.bin", &bytes)],
        )?;
        shelf.put(
            &format!("models/shared-model/versions/{version}"),
            json!({"modelUri": model, "modelType": "mlflow_model", "description": "shared", "tags": {"stage": "prod"}}),
        )?;
    }
    let single = shelf.bytes("models/pickle", "1", "", &[("model.pkl", "pickled\n")])?;
    shelf.put(
        "models/pickle/versions/1",
        json!({"modelUri": format!("{single}/model.pkl"), "modelType": "custom_model"}),
    )?;
    let data = shelf.bytes(
        "data/words",
        "1",
        "words",
        &[("a.csv", "a,b\n1,2\n"), ("b/c.csv", "c\n3\n")],
    )?;
    shelf.put(
        "data/words/versions/1",
        json!({"dataUri": data, "dataType": "uri_folder"}),
    )?;
    let context = shelf.bytes(
        "environments/built",
        "1",
        "context",
        &[
            ("Dockerfile", "FROM base\nCOPY tool.sh /\n"),
            ("tool.sh", "true\n"),
        ],
    )?;
    shelf.put(
        "environments/built/versions/1",
        json!({"build": {"contextUri": format!("{context}/"), "dockerfilePath": "Dockerfile"}}),
    )?;
    let specification = json!({
        "name": "prepare", "version": "1", "type": "command", "display_name": "Prepare",
        "command": "python prepare.py", "code": format!("{own}/codes/prepare/versions/1"),
        "environment": format!("{own}/environments/base/versions/2"), "inputs": {}, "outputs": {},
        "$schema": "https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json", "is_deterministic": true,
    });
    shelf.put(
        "components/prepare/versions/1",
        json!({"componentSpec": specification}),
    )?;
    // A service takes the archived flag only for what exists.
    let old = json!({"image": "mcr.microsoft.com/azureml/base:0"});
    shelf.put("environments/old/versions/1", old.clone())?;
    let mut archived = old;
    archived["isArchived"] = json!(true);
    shelf.put("environments/old/versions/1", archived)?;
    Ok(key)
}

struct Shelf<'a> {
    simulator: &'a Simulator,
    caller: Caller,
    key: WorkspaceKey,
    id: String,
}

impl Shelf<'_> {
    fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value, Error> {
        let reply = self
            .caller
            .arm(method, &format!("{}/{path}?{VERSION}", self.id), Some(body));
        settled(path, &reply)
    }

    fn put(&self, path: &str, properties: Value) -> Result<(), Error> {
        self.call(Method::PUT, path, &json!({ "properties": properties }))?;
        Ok(())
    }

    /// A place for a build context, which Resource Manager does not give.
    fn ask_front(&self, name: &str, version: &str) -> Result<Value, Error> {
        let (registry, region) = {
            let state = self.simulator.state();
            let made = state.workspace(&self.key);
            made.map(|made| (made.name.clone(), made.location.clone()))
                .unwrap_or_default()
        };
        let target = format!(
            "/mferp/managementfrontend{}/tempdatarefs/{name}/versions/{version}?api-version=2021-10-01-dataplanepreview",
            self.id
        );
        let asked = json!({
            "assetId": format!("azureml://registries/{registry}/environments/{name}/versions/{version}"),
            "temporaryDataReferenceType": "TemporaryBlobReference",
        });
        let reply = self
            .caller
            .data(Method::PUT, &region, &target, Some(&asked));
        settled(&target, &reply)
    }

    /// Asks for a place, and puts files below a folder of it; answers where they are.
    fn bytes(
        &self,
        asset: &str,
        version: &str,
        folder: &str,
        files: &[(&str, &str)],
    ) -> Result<String, Error> {
        let given = match asset.split_once('/') {
            Some(("environments", name)) => self.ask_front(name, version)?,
            _ => {
                let path = format!("{asset}/versions/{version}/startPendingUpload");
                let asked = json!({"pendingUploadType": "TemporaryBlobReference"});
                self.call(Method::POST, &path, &asked)?
            }
        };
        let uri = given["blobReferenceForConsumption"]["blobUri"].as_str();
        let uri = uri.unwrap_or_default().to_owned();
        let container = uri.rsplit('/').next().unwrap_or_default().to_owned();
        let now = self.simulator.now();
        let mut state = self.simulator.state();
        let account = state.workspace(&self.key).map(|it| it.account.clone());
        let account = account.and_then(|name| state.accounts.get_mut(&name));
        if let Some(account) = account {
            for (name, text) in files {
                let name = match folder {
                    "" => (*name).to_owned(),
                    folder => format!("{folder}/{name}"),
                };
                let content = Content::from(Bytes::from((*text).to_owned()));
                // The container was made for this, and nothing else refuses.
                let _ = account
                    .blobs
                    .put(&container, &name, content, Written::default(), now);
            }
        }
        Ok(match folder {
            "" => uri,
            folder => format!("{uri}/{folder}"),
        })
    }
}

fn settled(path: &str, reply: &crate::reply::Reply) -> Result<Value, Error> {
    match reply.status.is_success() {
        true => Ok(reply.body_json()),
        false => Err(Error::World {
            act: format!("{path}: {} {}", reply.status, reply.body_json()),
        }),
    }
}
