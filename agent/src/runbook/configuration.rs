//! The configuration as the runbook repeats it: what differs from the defaults, without what may be a secret.

use std::path::PathBuf;

use toml::{Table, Value};
use url::Url;

use crate::config::{Azure, Config, Hooks, Workspace};
use crate::failure::Failure;
use crate::session::repository::absolute;
use crate::store::Address;

/// Stands in place of a hook's arguments: whoever writes the file again fills them in, and until then the hook fails loudly.
const LEFT_OUT: &str = "FILL-IN-THE-ARGUMENTS";

/// Its text. The repository is named in it however it was named.
pub(super) fn text(config: &Config, address: &Address) -> Result<String, Failure> {
    let mut config = config.clone();
    config.repository.url = Some(match address {
        Address::Folder(path) => absolute(path).display().to_string(),
        other => other.to_string(),
    });
    if let Some(proxy) = &mut config.network.proxy {
        *proxy = without_password(proxy);
    }
    let Hooks {
        before_backup,
        after_backup,
        on_failure,
    } = &mut config.daemon.hooks;
    for hook in [before_backup, after_backup, on_failure] {
        if hook.len() > 1 {
            hook.truncate(1);
            hook.push(LEFT_OUT.to_owned());
        }
    }
    let refused = |error: &(dyn std::error::Error + 'static)| {
        Failure::failed("The configuration cannot be written").because(error)
    };
    let mut table = Table::try_from(&config).map_err(|error| refused(&error))?;
    let usual = Table::try_from(Config::default()).map_err(|error| refused(&error))?;
    let workspace = Workspace::unnamed("", "");
    let workspace = Table::try_from(&workspace).map_err(|error| refused(&error))?;
    if let Some(Value::Array(entries)) = table.get_mut("workspace") {
        for entry in entries {
            if let Value::Table(entry) = entry {
                leave_out(entry, &workspace);
            }
        }
    }
    leave_out(&mut table, &usual);
    toml::to_string_pretty(&table).map_err(|error| refused(&error))
}

/// Leaves out what is as usual, and tables that are then empty.
fn leave_out(table: &mut Table, usual: &Table) {
    table.retain(|name, value| {
        if let (Value::Table(table), Some(Value::Table(usual))) = (&mut *value, usual.get(name)) {
            leave_out(table, usual);
        }
        let is_empty = value.as_table().is_some_and(Table::is_empty);
        !is_empty && usual.get(name) != Some(value)
    });
}

fn without_password(proxy: &str) -> String {
    let Ok(mut url) = Url::parse(proxy) else {
        return "FILL-IN-THE-PROXY".to_owned();
    };
    // An address that cannot hold a password has none.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.set_query(None);
    url.to_string()
}

/// The files with secrets that it names, besides keys and passphrases of the repository.
pub(super) fn secret_files(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let repository = &config.repository;
    let daemon = &config.daemon;
    let mut files = vec![
        ("a signature for the container", repository.sas_file.clone()),
        (
            "the storage account's key",
            repository.account_key_file.clone(),
        ),
        ("the page's token", daemon.token_file.clone()),
        (
            "the address of the health check",
            daemon.ping_url_file.clone(),
        ),
        (
            "the address of the webhook",
            daemon.webhook_url_file.clone(),
        ),
    ];
    let export = &config.export;
    files.push((
        "the key that signs exports",
        export.signing_key_file.clone(),
    ));
    files.push(("its certificate", export.certificate_file.clone()));
    files.push(("the table of prices", export.prices_file.clone()));
    for destination in &config.destination {
        files.push((
            "a signature for a destination",
            destination.sas_file.clone(),
        ));
        files.push((
            "the key of a destination's account",
            destination.account_key_file.clone(),
        ));
    }
    let of_destinations = config.destination.iter().map(|place| &place.credential);
    let of_workspaces = config.workspace.iter().map(|entry| &entry.azure);
    let of_targets = config.target.iter().map(|target| &target.azure);
    let azures = [&config.azure, &repository.credential];
    let azures = azures.into_iter().chain(of_workspaces).chain(of_targets);
    for azure in azures.chain(of_destinations) {
        files.push(("the application's secret", azure.client_secret_file.clone()));
        files.push((
            "the application's certificate",
            azure.client_certificate_file.clone(),
        ));
        files.push(("further root certificates", azure.ca_file.clone()));
    }
    let mut named: Vec<(&str, PathBuf)> = Vec::new();
    for (what, file) in files {
        if let Some(file) = file.map(|file| absolute(&file))
            && !named.iter().any(|(_, known)| *known == file)
        {
            named.push((what, file));
        }
    }
    named
}

/// Whether somebody without the configuration could not reach the repository.
pub(super) fn is_reached_its_own_way(config: &Config) -> bool {
    let repository = &config.repository;
    let azure: Azure = repository.credential.over(&config.azure);
    repository.endpoint.is_some()
        || repository.sas_file.is_some()
        || repository.account_key_file.is_some()
        || azure.cloud.is_some_and(|cloud| cloud != "public")
        || azure.ca_file.is_some()
}
