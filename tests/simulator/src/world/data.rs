//! Datastores besides the default ones, and data assets of all types.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::builder::{Builder, NewFile};
use crate::blob::{Content, Fill, Written};
use crate::call::Service;
use crate::clock::later;
use crate::error::Error;
use crate::sas;

/// How long the SAS of a datastore is good: years, as teams do.
const SAS_LIFE: Duration = Duration::from_secs(5 * 365 * 24 * 3_600);

/// The account outside the workspace that the extra datastores lead to.
fn external(builder: &Builder<'_>) -> String {
    let name = format!("stext{}", builder.account.trim_start_matches("st"));
    name.chars().take(24).collect()
}

/// A blob store by key, one by SAS, one by identity alone, and a file share by key.
pub(super) fn external_datastores(builder: &Builder<'_>) -> Result<(), Error> {
    let at = builder.ago(24 * 250);
    let name = external(builder);
    let expires = later(builder.now, SAS_LIFE);
    let (key, token) = builder.with_account(&name, |account| {
        account.blobs.create_container("lake", at);
        account.shares.create_share("shared", at);
        // Both were made just before, and nothing else refuses.
        for path in ["raw/2024/01/events.csv", "raw/2024/02/events.csv"] {
            let content = "id,event\n1,open\n".into();
            let _ = account
                .blobs
                .put("lake", path, content, Written::default(), at);
        }
        let handbook = "# Handbook\n".into();
        let _ = account
            .shares
            .write("shared", "handbook/read me.md", handbook, at);
        let token = sas::issue(account, Service::Blob, "lake", "rl", expires);
        (account.keys[0].clone(), token)
    });
    let by_key = json!({"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey", "key": key}});
    let by_sas = json!({"credentialsType": "Sas", "secrets": {"secretsType": "Sas", "sasToken": format!("?{token}")}});
    let by_identity = json!({"credentialsType": "None"});
    let blob = |credentials: Value| json!({"datastoreType": "AzureBlob", "containerName": "lake", "credentials": credentials});
    let share =
        json!({"datastoreType": "AzureFile", "fileShareName": "shared", "credentials": by_key});
    for (datastore, mut properties) in [
        ("lake_by_key", blob(by_key.clone())),
        ("lake_by_sas", blob(by_sas)),
        ("lake_by_identity", blob(by_identity)),
        ("shared_files", share),
    ] {
        properties["accountName"] = json!(name);
        properties["endpoint"] = json!(endpoint(builder));
        properties["protocol"] = json!("https");
        properties["description"] = json!(format!("{datastore} of the data platform"));
        properties["tags"] = json!({"team": "platform"});
        builder.put(&format!("datastores/{datastore}"), properties, at)?;
    }
    Ok(())
}

/// What the default datastore says the suffix of storage is.
fn endpoint(builder: &Builder<'_>) -> String {
    builder.with_workspace(|workspace| {
        let store = workspace.documents.get("datastores", "workspaceblobstore");
        let endpoint = store.and_then(|it| it.properties()?.get("endpoint")?.as_str());
        endpoint.unwrap_or_default().to_owned()
    })
}

fn csv(rows: u64) -> Content {
    let mut text = String::from("customer,months,spend,churned\n");
    for row in 0..rows {
        let (months, euros, cents) = (row % 60, row * 7 % 500, row % 100);
        text.push_str(&format!(
            "{row},{months},{euros}.{cents:02},{}\n",
            row % 3 % 2
        ));
    }
    text.into()
}

fn short(place: &str) -> String {
    format!("azureml://datastores/workspaceblobstore/paths/{place}")
}

/// Files, folders, tables; one archived, one on another datastore, one on the open web.
pub(super) fn assets(builder: &Builder<'_>) -> Result<(), Error> {
    for (index, version) in ["1", "2", "3"].into_iter().enumerate() {
        let at = builder.ago(24 * (180 - 20 * index as u64));
        let files = vec![(String::new(), csv(400 + 100 * index as u64))];
        let place = builder.upload("churn-csv", version, "churn.csv", files, at);
        put(
            builder,
            "churn-csv",
            version,
            ("uri_file", &short(&place)),
            at,
        )?;
    }
    images(builder)?;
    table(builder)?;
    let at = builder.ago(24 * 110);
    let lake = "azureml://datastores/lake_by_key/paths/raw/2024/";
    put(builder, "lake-events", "1", ("uri_folder", lake), at)?;
    let web = "https://example.org/data/titanic.csv";
    put(builder, "public-titanic", "1", ("uri_file", web), at)?;
    let files = vec![(String::new(), csv(10))];
    let place = builder.upload("old-sample", "1", "sample.csv", files, at);
    put(builder, "old-sample", "1", ("uri_file", &short(&place)), at)?;
    let archived =
        json!({"dataType": "uri_file", "isArchived": true, "tags": {}, "properties": {}});
    builder.put("data/old-sample", archived, at)
}

fn put(
    builder: &Builder<'_>,
    name: &str,
    version: &str,
    (kind, uri): (&str, &str),
    at: Timestamp,
) -> Result<(), Error> {
    let properties = json!({
        "dataType": kind, "dataUri": uri, "description": format!("{name}, edition {version}"), "isAnonymous": false,
        "tags": {"source": "warehouse"}, "properties": {},
    });
    builder.put(&format!("data/{name}/versions/{version}"), properties, at)
}

fn images(builder: &Builder<'_>) -> Result<(), Error> {
    let at = builder.ago(24 * 140);
    let mut files: Vec<NewFile> = Vec::new();
    for number in 0..6 {
        let content = Content::generated(Fill::Noise, builder.seed(), 6_000 + 512 * number);
        files.push((format!("class {}/img_{number:03}.png", number % 2), content));
    }
    let labels = "{\"0\": \"ok\", \"1\": \"défaut\"}";
    files.push(("labels/étiquettes.json".to_owned(), labels.into()));
    let place = builder.upload("defect-images", "1", "images", files, at);
    let uri = builder.long_uri("workspaceblobstore", &place);
    put(builder, "defect-images", "1", ("uri_folder", &uri), at)
}

fn table(builder: &Builder<'_>) -> Result<(), Error> {
    let at = builder.ago(24 * 120);
    let definition = "type: mltable\npaths:\n  - file: ./parts/a.csv\n  - file: ./parts/b.csv\ntransformations:\n  - read_delimited:\n      delimiter: ','\n";
    let files = vec![
        ("MLTable".to_owned(), definition.into()),
        ("parts/a.csv".to_owned(), csv(40)),
        ("parts/b.csv".to_owned(), csv(60)),
    ];
    let place = builder.upload("demand-table", "1", "table", files, at);
    let properties = json!({
        "dataType": "mltable", "dataUri": short(&format!("{place}/")), "isAnonymous": false,
        "referencedUris": ["./parts/a.csv", "./parts/b.csv"], "tags": {}, "properties": {},
    });
    builder.put("data/demand-table/versions/1", properties, at)
}
