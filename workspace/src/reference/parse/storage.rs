//! The forms that lead out of Azure ML: storage accounts, data lakes, key vaults, container registries.

use super::{no_blank, store_path};
use crate::reference::scan::Scan;
use crate::reference::{Form, Reference, Slot};

/// `ACCOUNT[.zNN].SERVICE.SUFFIX`, up to the end of the host.
fn storage_host(scan: &mut Scan<'_>) -> Option<()> {
    scan.name(Slot::Account, &['.', '/', '?', '#', '@', ':'])?;
    scan.fixed(".")?;
    if scan.rest().starts_with(['z', 'Z']) {
        // Accounts of a DNS zone: ACCOUNT.z01.blob.storage.azure.net.
        let zone = scan.rest().split('.').next()?;
        let good = zone.len() <= 3 && zone[1..].bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| scan.take(zone.len(), Slot::Fixed))?;
        scan.fixed(".")?;
    }
    let service = ["blob.", "file.", "dfs.", "queue.", "table."]
        .into_iter()
        .find(|service| scan.sees(service))?;
    scan.take(service.len() - 1, Slot::Service);
    scan.fixed(".")?;
    scan.name(Slot::Suffix, &['/', '?', '#', '@', '\\'])
}

pub(super) fn storage(mut scan: Scan<'_>) -> Option<Reference> {
    scan.fixed("https://").or_else(|| scan.fixed("http://"))?;
    if !no_blank(scan.rest()) {
        return None;
    }
    storage_host(&mut scan)?;
    if scan.fixed("/").is_some() && !scan.is_done() && !scan.sees("?") {
        scan.segment(Slot::Container)?;
        if scan.fixed("/").is_some() {
            let query = scan.rest().find('?').unwrap_or(scan.rest().len());
            let mut path = Scan::new(&scan.rest()[..query]);
            store_path(&mut path);
            scan.adopt(path, query);
        }
    }
    if scan.sees("?") {
        scan.remainder(Slot::Query);
    }
    scan.finish(Form::Storage)
}

pub(super) fn hadoop(mut scan: Scan<'_>) -> Option<Reference> {
    ["wasbs://", "wasb://", "abfss://", "abfs://"]
        .into_iter()
        .find_map(|scheme| scan.fixed(scheme))?;
    scan.name(Slot::Container, &['@', '/', '?', '#'])?;
    scan.fixed("@")?;
    storage_host(&mut scan)?;
    if scan.fixed("/").is_some() {
        store_path(&mut scan);
    }
    scan.finish(Form::Hadoop)
}

pub(super) fn lake(mut scan: Scan<'_>) -> Option<Reference> {
    scan.fixed("adl://")?;
    scan.name(Slot::Account, &['.', '/', '?', '#', '@'])?;
    scan.fixed(".")?;
    scan.name(Slot::Suffix, &['/', '?', '#', '@'])?;
    if scan.fixed("/").is_some() {
        scan.remainder(Slot::Path);
    }
    scan.finish(Form::Lake)
}

/// `https://NAME.vault.azure.net/secrets/S/VERSION`; other clouds differ behind `vault.`.
pub(super) fn vault(mut scan: Scan<'_>) -> Option<Reference> {
    scan.fixed("https://")?;
    scan.name(Slot::Vault, &['.', '/', '?', '#', '@', ':'])?;
    scan.fixed(".vault.")?;
    scan.name(Slot::Suffix, &['/', '?', '#', '@'])?;
    if scan.fixed("/").is_some() {
        if !no_blank(scan.rest()) {
            return None;
        }
        scan.remainder(Slot::Below);
    }
    scan.finish(Form::Vault)
}

pub(super) fn image(mut scan: Scan<'_>) -> Option<Reference> {
    if !no_blank(scan.rest()) {
        return None;
    }
    let host = scan.rest().split('/').next()?;
    let (name, zone) = host.split_once('.')?;
    let zoned = matches!(
        zone.to_ascii_lowercase().as_str(),
        "azurecr.io" | "azurecr.us" | "azurecr.cn"
    );
    // With a domain name label the host of a registry is `NAME-HASH`.
    let named = name
        .split('-')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if !zoned || !named {
        return None;
    }
    scan.take(name.len(), Slot::Registry);
    scan.take(zone.len() + 1, Slot::Fixed);
    scan.fixed("/")?;
    if scan.is_done() {
        return None;
    }
    scan.remainder(Slot::Below);
    scan.finish(Form::Image)
}
