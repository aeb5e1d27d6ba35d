//! Where a repository lies, and the storage that serves it: a folder, or a place in an object store with its address,
//! credential and tier.
//!
//! object_store speaks each service's protocol; requests go over mlark's own pipeline, and credentials are handed in from
//! here. No message names a credential, nor the query of an address.

mod address;
mod azure;
mod bucket;
mod cold;
mod signature;
mod wire;

use std::sync::Arc;

use archive_format::storage::object::{Completion, ObjectOptions};
use archive_format::storage::{ObjectStorage, StorageFault};
use archive_format::{LocalStorage, Storage, StorageError, StreamingStorage};
use object_store::ObjectStore;
use url::{Host, Url};

pub use address::Address;

use crate::config;
use crate::context::Context;
use crate::exit::ExitStatus;
use crate::failure::Failure;

/// Opens the storage at an address, as `[repository]` and `[azure]` say. Nothing is asked of the store itself.
pub async fn open(
    address: &Address,
    repository: &config::Repository,
    azure: &config::Azure,
    context: &Context,
) -> Result<Arc<dyn Storage>, Failure> {
    let storage: Arc<dyn Storage> = open_streaming(address, repository, azure, context).await?;
    Ok(storage)
}

/// The same as a store that takes what is made while it is written.
pub async fn open_streaming(
    address: &Address,
    repository: &config::Repository,
    azure: &config::Azure,
    context: &Context,
) -> Result<Arc<dyn StreamingStorage>, Failure> {
    refuse_keys_of_others(address, repository)?;
    let azure = repository.credential.over(azure);
    let mut cold = None;
    let (store, prefix, completion): (Arc<dyn ObjectStore>, _, _) = match address {
        Address::Folder(folder) => return Ok(Arc::new(LocalStorage::new(folder.clone()))),
        Address::Azure {
            account,
            container,
            prefix,
        } => {
            let names = (account.as_str(), container.as_str(), prefix.as_str());
            let place = address.to_string();
            let opened = azure::open(names, place, repository, &azure, context).await;
            let opened = opened.map_err(|failure| failure.with_place(&address.to_string()))?;
            cold = Some(opened.1);
            (opened.0, prefix, Completion::CreateOnly)
        }
        Address::S3 { bucket, prefix } => {
            let store = bucket::s3(bucket, repository, &azure, context).await?;
            (store, prefix, Completion::CreateOnly)
        }
        Address::Google { bucket, prefix } => {
            let store = bucket::google(bucket, repository, &azure, context).await?;
            (store, prefix, Completion::Overwrites)
        }
    };
    let options = ObjectOptions {
        place: address.to_string(),
        prefix: prefix.clone(),
        data_class: repository
            .data_tier
            .map(|tier| tier.as_azure_says().to_owned()),
        completion,
    };
    let storage =
        ObjectStorage::new(store, options).map_err(|error| Failure::of_archive(&error))?;
    Ok(Arc::new(match cold {
        Some(cold) => storage.with_cold(cold),
        None => storage,
    }))
}

/// Keys that would be read and do nothing are refused.
fn refuse_keys_of_others(
    address: &Address,
    repository: &config::Repository,
) -> Result<(), Failure> {
    let is_azure = matches!(address, Address::Azure { .. });
    let is_folder = matches!(address, Address::Folder(_));
    let set = [
        ("sas_file", repository.sas_file.is_some() && !is_azure),
        (
            "account_key_file",
            repository.account_key_file.is_some() && !is_azure,
        ),
        ("data_tier", repository.data_tier.is_some() && !is_azure),
        ("lock", repository.lock.is_some() && !is_azure),
        ("endpoint", repository.endpoint.is_some() && is_folder),
    ];
    match set.into_iter().find(|(_, unfit)| *unfit) {
        None => Ok(()),
        Some((key, _)) => Err(Failure::usage(format!(
            "The key `{key}` of [repository] does not fit the repository's address"
        ))
        .on(address)
        .why(match key {
            "endpoint" => "a folder has no endpoint",
            _ => "it is for az:// alone; s3:// and gs:// take their own variables and the bucket's own rules",
        })
        .next(format!("leave `{key}` out, or name another repository"))),
    }
}

/// The address of a service that `endpoint` names: https, or http on this machine.
fn endpoint(repository: &config::Repository) -> Result<Option<Url>, Failure> {
    let Some(text) = &repository.endpoint else {
        return Ok(None);
    };
    let refused = |why: &str| {
        Failure::usage("The `endpoint` of [repository] is refused")
            .on(text.split(['?', '#', '@']).next().unwrap_or_default())
            .why(why)
            .next("write it like https://account.blob.core.windows.net")
    };
    let url = Url::parse(text).map_err(|error| refused(&error.to_string()))?;
    let plain = url.username().is_empty() && url.password().is_none();
    if !plain || url.query().is_some() || url.fragment().is_some() {
        return Err(refused(
            "it holds more than an address; a shared access signature is read from `sas_file`",
        ));
    }
    match url.scheme() {
        "https" if url.host().is_some() => Ok(Some(url)),
        "http" if is_here(&url) => Ok(Some(url)),
        _ => Err(refused(
            "it is no https address, and http is spoken to this machine alone",
        )),
    }
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A builder that does not take what it was given.
fn unfit(error: &object_store::Error) -> Failure {
    Failure::usage("The settings of the repository's store are refused").because(error)
}

/// What an error of a storage comes to for the person at the terminal: the exit code, and what to do next.
pub fn advice(error: &StorageError) -> (ExitStatus, Option<String>) {
    let is_object = ["az://", "s3://", "gs://"]
        .iter()
        .any(|scheme| error.place.starts_with(scheme));
    let next = match error.fault {
        StorageFault::NoStore => {
            return (ExitStatus::NoRepository, Address::how_to_make(&error.place));
        }
        StorageFault::Denied if error.source.to_string().starts_with("The credential") => Some(
            "check `credential` and its keys under [repository] or [azure]; `az login` helps for \"azure-cli\"",
        ),
        StorageFault::Denied if error.place.starts_with("az://") => Some(
            "give mlark's identity the role Storage Blob Data Contributor on the container; a signature in `sas_file` needs to read, list, add, create, write and, for prune, delete, and must not have run out",
        ),
        StorageFault::Denied if is_object => {
            Some("give mlark's identity the right to read, list and create objects in the bucket")
        }
        StorageFault::Denied => Some("let mlark's user read and write that folder"),
        StorageFault::Archived => Some(crate::thaw::HOW),
        StorageFault::Kept => Some("wait until its retention ends or its hold is taken away"),
        StorageFault::Unsupported if error.place.starts_with("az://") => Some(
            "give the container version-level immutability, which needs versions of its account: az storage container-rm create … --enable-vlw; a tier needs a general-purpose v2 account",
        ),
        StorageFault::Other | StorageFault::Unclear if is_object => Some(
            "check the address, the network, the proxy and the store's firewall, and run it again",
        ),
        _ => None,
    };
    (ExitStatus::Failed, next.map(str::to_owned))
}
