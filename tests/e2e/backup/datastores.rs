//! Bytes behind datastores, opened by what each datastore says that opens it.

use http::Method;
use serde_json::{Value, json};
use simulator::blob::Written;
use simulator::call::Service;
use simulator::directory::Principal;
use simulator::sas;
use simulator::state::{CLIENT_ID, TENANT};
use workspace::azure::{AzureWorkspace, DataBytes, DatastoreAccess, ReadOptions};

use super::cloud::Cloud;
use crate::faults::manifest;

/// One backup of all data, with what is to open the datastores.
async fn back_up(cloud: &Cloud, datastore_access: DatastoreAccess) -> mlark::capture::Report {
    let options = ReadOptions {
        data: DataBytes::All,
        datastore_access,
        ..ReadOptions::default()
    };
    let connection = cloud.connect().await;
    let source = AzureWorkspace::open(&connection, &cloud.name, options).await;
    cloud.bench.back_up(&source.unwrap()).await
}

/// Takes every role on storage from mlark's identity.
fn deny_storage(cloud: &Cloud) {
    let mut state = cloud.simulator.state();
    let principal = state.directory.principal_mut(CLIENT_ID).unwrap();
    principal.denied = vec!["Microsoft.Storage/*".to_owned()];
}

#[tokio::test(start_paused = true)]
async fn datastores_are_opened_by_their_own_secrets_where_the_identity_may_not() {
    let calm = Cloud::small().await;
    let report = back_up(&calm, DatastoreAccess::Entra).await;
    // Data of other people's accounts.
    let elsewhere = report.gaps.len();
    assert!(elsewhere < 4, "{:#?}", report.gaps);

    let refused = Cloud::small().await;
    deny_storage(&refused);
    let report = back_up(&refused, DatastoreAccess::Entra).await;
    assert!(report.gaps.len() > elsewhere + 10, "{:#?}", report.gaps);

    let cloud = Cloud::small().await;
    deny_storage(&cloud);
    let report = back_up(&cloud, DatastoreAccess::Datastore).await;
    assert_eq!(report.gaps.len(), elsewhere, "{:#?}", report.gaps);
    let found = manifest::lines(&cloud.bench.newest().await).await;
    let expected = manifest::lines(&calm.bench.newest().await).await;
    manifest::assert_equal(&found, &expected, "by the datastores' own secrets");

    let requests = cloud.take_requests();
    let asked = requests
        .iter()
        .filter(|(name, _)| name.contains("listSecrets"));
    let asked: u64 = asked.map(|(_, count)| count).sum();
    assert!(
        (2..=6).contains(&asked),
        "each datastore is asked once: {requests:#?}"
    );
}

/// The application that a datastore names.
const APPLICATION: &str = "5b9c6d2e-7a31-4c58-8a44-0c4f3f6d0077";
const APPLICATION_SECRET: &str = "of~the-data-platform";

/// A datastore to be: its name, type and credential.
type NewStore = (&'static str, &'static str, &'static str);

const STORES: [NewStore; 8] = [
    ("blob-entra", "AzureBlob", "None"),
    ("blob-key", "AzureBlob", "AccountKey"),
    ("blob-sas", "AzureBlob", "Sas"),
    ("lake-entra", "AzureDataLakeGen2", "None"),
    ("lake-application", "AzureDataLakeGen2", "ServicePrincipal"),
    ("files-entra", "AzureFile", "None"),
    ("files-key", "AzureFile", "AccountKey"),
    ("files-sas", "AzureFile", "Sas"),
];

/// Makes a container or share of a datastore's name, with two files in it, and answers the properties of the datastore. A
/// lake has a hierarchical namespace: its folders are blobs that say so.
fn properties(cloud: &Cloud, (name, sort, credential): NewStore) -> Value {
    let at = cloud.simulator.now();
    let mut state = cloud.simulator.state();
    let workspace = state.workspace(&cloud.key).unwrap();
    let known = workspace
        .documents
        .get("datastores", "lake_by_key")
        .unwrap();
    let account = known.body["properties"]["accountName"]
        .as_str()
        .unwrap()
        .to_owned();
    let account = state.accounts.get_mut(&account).unwrap();
    let service = match sort {
        "AzureFile" => Service::File,
        _ => Service::Blob,
    };
    for path in ["raw/2024/01/events.csv", "raw/2024/02/events.csv"] {
        let bytes = format!("{name} {path}").into();
        if service == Service::File {
            account.shares.create_share(name, at);
            account.shares.write(name, path, bytes, at).unwrap();
        } else {
            account.blobs.create_container(name, at);
            let put = account.blobs.put(name, path, bytes, Written::default(), at);
            put.unwrap();
        }
    }
    if sort == "AzureDataLakeGen2" {
        for folder in ["raw", "raw/2024", "raw/2024/01", "raw/2024/02"] {
            let mut written = Written::default();
            let marks = &mut written.metadata;
            marks.insert("hdi_isfolder".to_owned(), "true".to_owned());
            account
                .blobs
                .put(name, folder, "".into(), written, at)
                .unwrap();
        }
    }
    let expires = at + jiff::SignedDuration::from_hours(24 * 365);
    let mut credentials = json!({"credentialsType": credential});
    let secret = match credential {
        "AccountKey" => json!({"key": account.keys[0]}),
        "Sas" => json!({"sasToken": sas::issue(account, service, name, "rl", expires)}),
        "ServicePrincipal" => {
            credentials["tenantId"] = json!(TENANT);
            credentials["clientId"] = json!(APPLICATION);
            json!({"clientSecret": APPLICATION_SECRET})
        }
        _ => Value::Null,
    };
    if let Value::Object(mut secret) = secret {
        secret.insert("secretsType".to_owned(), json!(credential));
        credentials["secrets"] = secret.into();
    }
    let member = match sort {
        "AzureBlob" => "containerName",
        "AzureDataLakeGen2" => "filesystem",
        _ => "fileShareName",
    };
    json!({
        "datastoreType": sort, member: name, "accountName": account.name, "credentials": credentials,
    })
}

/// Adds the datastores, and a folder as a data asset on each.
fn add_datastores(cloud: &Cloud) {
    let application = Principal::with_secret(APPLICATION, "object", APPLICATION_SECRET);
    cloud
        .simulator
        .state()
        .directory
        .principals
        .push(application);
    let put = |path: String, properties: Value| {
        let id = cloud.name.arm_id();
        let target = format!("{id}/{path}?api-version=2024-04-01&skipValidation=true");
        let body = json!({ "properties": properties });
        let reply = cloud.caller().arm(Method::PUT, &target, Some(&body));
        assert!(reply.status.is_success(), "{path}: {reply:?}");
    };
    for store in STORES {
        let name = store.0;
        let datastore = name.replace('-', "_");
        put(format!("datastores/{datastore}"), properties(cloud, store));
        let uri = format!("azureml://datastores/{datastore}/paths/raw/2024/");
        let data = json!({"dataType": "uri_folder", "dataUri": uri});
        put(format!("data/of-{name}/versions/1"), data);
    }
}

#[tokio::test(start_paused = true)]
async fn blobs_lakes_and_file_shares_are_read_by_identity_or_by_what_their_datastore_says() {
    for access in [DatastoreAccess::Entra, DatastoreAccess::Datastore] {
        let cloud = Cloud::small().await;
        add_datastores(&cloud);
        let by_datastore = access == DatastoreAccess::Datastore;
        if by_datastore {
            deny_storage(&cloud);
        }
        let report = back_up(&cloud, access).await;
        for (name, _, credential) in STORES {
            let item = cloud
                .bench
                .item("data", &format!("of-{name}"), Some("1"))
                .await;
            let item = item.unwrap();
            if by_datastore && credential == "None" {
                assert_eq!(item.gaps.len(), 1, "{name}");
                let reason = &item.gaps[0].reason;
                assert!(
                    reason.starts_with("Permission is missing"),
                    "{name}: {reason}"
                );
                continue;
            }
            assert!(item.gaps.is_empty(), "{name} {access:?}: {:?}", item.gaps);
            let paths: Vec<&str> = item.files.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(
                paths,
                ["01/events.csv", "02/events.csv"],
                "{name} {access:?}"
            );
            let path = "02/events.csv";
            let bytes = cloud
                .bytes("data", &format!("of-{name}"), Some("1"), path)
                .await;
            assert_eq!(bytes, format!("{name} raw/2024/{path}").into_bytes());
        }
        let requests = cloud.take_requests();
        let asked = requests.keys().any(|name| name.contains("listSecrets"));
        assert_eq!(asked, by_datastore, "{requests:#?}");
        let applications = requests
            .iter()
            .filter(|(name, _)| name.starts_with("Login"));
        let tokens: u64 = applications.map(|(_, count)| *count).sum();
        assert_eq!(
            tokens,
            if by_datastore { 4 } else { 3 },
            "one more for the application"
        );
        assert!(report.items_total().count(mlark::capture::Counted::Saved) > 100);
    }
}

/// A lake by the names that Spark and the service itself give its places.
#[tokio::test(start_paused = true)]
async fn a_lake_is_read_by_every_name_of_its_places() {
    let cloud = Cloud::small().await;
    add_datastores(&cloud);
    let source = {
        let connection = cloud.connect().await;
        let options = ReadOptions::default();
        AzureWorkspace::open(&connection, &cloud.name, options)
            .await
            .unwrap()
    };
    let plain = "azureml://datastores/lake_entra/paths/raw/2024";
    let expected = source.locate(plain).await.unwrap();
    assert!(expected.url.host_str().unwrap().contains(".blob."));
    let account = &expected.account;
    let suffix = &source.connection().cloud().storage_suffix;
    for uri in [
        format!("abfss://lake-entra@{account}.dfs.{suffix}/raw/2024"),
        format!("https://{account}.dfs.{suffix}/lake-entra/raw/2024"),
        format!("wasbs://lake-entra@{account}.blob.{suffix}/raw/2024/"),
    ] {
        let place = source.locate(&uri).await.unwrap();
        assert_eq!(place, expected, "{uri}");
    }
}
