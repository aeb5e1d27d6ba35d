//! Buckets of S3 and of Google Cloud Storage, opened by the variables that those services' own tools use.

use std::sync::Arc;

use archive_format::storage::object::guard::Guarded;
use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use workspace::azure::Channel;

use super::azure::no_retries;
use super::wire::Wire;
use super::{endpoint, unfit};
use crate::azure::settings;
use crate::config;
use crate::context::Context;
use crate::failure::Failure;

async fn wire(azure: &config::Azure, context: &Context) -> Result<Guarded<Wire>, Failure> {
    let channel = Channel::open(&settings(azure, context, None)?).await;
    let channel = channel.map_err(|error| Failure::of_workspace(&error))?;
    Ok(Guarded(Wire(channel)))
}

/// `AWS_…`: the static keys, the web identity, the region, else the metadata service of the machine.
pub(super) async fn s3(
    bucket: &str,
    repository: &config::Repository,
    azure: &config::Azure,
    context: &Context,
) -> Result<Arc<dyn ObjectStore>, Failure> {
    let mut builder = AmazonS3Builder::new();
    for (name, value) in context.environment.variables() {
        let key: Option<AmazonS3ConfigKey> = name
            .starts_with("AWS_")
            .then(|| name.to_ascii_lowercase().parse().ok())
            .flatten();
        if let Some(key) = key.filter(|_| !value.is_empty()) {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(url) = endpoint(repository)? {
        builder = builder.with_endpoint(url.as_str().trim_end_matches('/'));
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(no_retries())
        .with_http_connector(wire(azure, context).await?)
        .build()
        .map_err(|error| unfit(&error))?;
    Ok(Arc::new(store))
}

/// `GOOGLE_…` and `SERVICE_ACCOUNT`: a key file, application credentials, else the metadata service of the machine.
pub(super) async fn google(
    bucket: &str,
    repository: &config::Repository,
    azure: &config::Azure,
    context: &Context,
) -> Result<Arc<dyn ObjectStore>, Failure> {
    let mut builder = GoogleCloudStorageBuilder::new();
    for (name, value) in context.environment.variables() {
        let key: Option<GoogleConfigKey> = match name.as_str() {
            "SERVICE_ACCOUNT" => Some(GoogleConfigKey::ServiceAccount),
            name if name.starts_with("GOOGLE_") => name.to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        if let Some(key) = key.filter(|_| !value.is_empty()) {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(url) = endpoint(repository)? {
        let key = GoogleConfigKey::BaseUrl;
        builder = builder.with_config(key, url.as_str().trim_end_matches('/'));
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_retry(no_retries())
        .with_http_connector(wire(azure, context).await?)
        .build()
        .map_err(|error| unfit(&error))?;
    Ok(Arc::new(store))
}
