//! Every key that the configuration may hold, as one table: unknown keys and the page that documents them all run from
//! it. The types in `config` hold the values; a test compares the two both ways.

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its place, from the root, without the brackets of array tables: `workspace.azure.cloud`.
    pub path: &'static str,
    /// What it says, for the documentation.
    pub says: &'static str,
}

const fn key(path: &'static str, says: &'static str) -> Key {
    Key { path, says }
}

/// The table, by section, in the order of the documentation.
pub const KEYS: &[Key] = &[
    key(
        "repository.url",
        "where the repository lies: a path, file://, az://ACCOUNT/CONTAINER[/PREFIX], s3://BUCKET[/PREFIX] or gs://BUCKET[/PREFIX]",
    ),
    key(
        "repository.cache",
        "folder of the catalogue, journals and temporary packs",
    ),
    key(
        "repository.key_file",
        "this machine's keys; default <cache>/agent.key",
    ),
    key(
        "repository.identity_file",
        "an owner's age identity or SSH private key, for restore and show",
    ),
    key(
        "repository.passphrase_file",
        "file with an owner's passphrase, for restore and show",
    ),
    key(
        "repository.trusted_signers",
        "signers to trust instead of those that the first owner introduced",
    ),
    key(
        "repository.endpoint",
        "address of the object store; default https://{account}.blob.{suffix of the cloud}",
    ),
    key("repository.credential.cloud", "overrides azure.cloud"),
    key("repository.credential.ca_file", "overrides azure.ca_file"),
    key(
        "repository.credential.credential",
        "overrides azure.credential",
    ),
    key(
        "repository.credential.tenant_id",
        "overrides azure.tenant_id",
    ),
    key(
        "repository.credential.client_id",
        "overrides azure.client_id",
    ),
    key(
        "repository.credential.client_secret_file",
        "overrides azure.client_secret_file",
    ),
    key(
        "repository.credential.client_certificate_file",
        "overrides azure.client_certificate_file",
    ),
    key(
        "repository.sas_file",
        "file with a shared access signature of the container",
    ),
    key(
        "repository.account_key_file",
        "file with the storage account's key",
    ),
    key(
        "repository.data_tier",
        "access tier of data packs: \"hot\", \"cool\", \"cold\", \"archive\"",
    ),
    key(
        "repository.lock",
        "how long each snapshot keeps every pack that it refers to from deletion, by version-level immutability of az://; off by default",
    ),
    key(
        "repository.lock_mode",
        "how firmly: \"locked\" (nobody can shorten it; the default) or \"unlocked\"",
    ),
    key(
        "repository.pack_size",
        "size at which a pack is closed; read by `init`",
    ),
    key(
        "azure.cloud",
        "\"public\", \"usgovernment\", \"china\", or the URL of an ARM endpoint",
    ),
    key(
        "azure.ca_file",
        "PEM file of root certificates that are trusted besides the system's",
    ),
    key("azure.credential", "how to sign in"),
    key("azure.tenant_id", "tenant of the application or identity"),
    key(
        "azure.client_id",
        "application, or user-assigned managed identity",
    ),
    key(
        "azure.client_secret_file",
        "file with the application's secret",
    ),
    key(
        "azure.client_certificate_file",
        "file with the application's certificate and key",
    ),
    key("workspace.name", "the name in snapshots and commands"),
    key(
        "workspace.url",
        "azureml:// URL or ARM id of a workspace or registry, where `*` stands for any resource group or workspace, or a folder",
    ),
    key("workspace.schedule", "cron pattern of five fields"),
    key(
        "workspace.timezone",
        "IANA time zone of the schedule; default UTC",
    ),
    key("workspace.exclude", "selectors of what is left out"),
    key(
        "workspace.data",
        "bytes of data assets: \"none\", \"default-datastore\", \"all\"",
    ),
    key(
        "workspace.data_max",
        "data assets larger than this keep only their document",
    ),
    key(
        "workspace.job_outputs",
        "files of jobs: \"none\", \"logs\", \"logs-and-outputs\"",
    ),
    key(
        "workspace.secrets",
        "store credentials, in an encrypted repository only",
    ),
    key(
        "workspace.datastore_access",
        "what opens datastores: \"entra\" (mlark's identity), \"datastore\" (each one's own secret)",
    ),
    key(
        "workspace.archived",
        "blobs in the archive tier: \"gap\" (each is one), \"rehydrate\" (brought back to the hot tier), \"rehydrate-high\" (the same with high priority)",
    ),
    key(
        "workspace.share_snapshot",
        "notebooks are read from a snapshot of their share, made for it and deleted afterwards; default false",
    ),
    key("workspace.azure.cloud", "overrides azure.cloud"),
    key("workspace.azure.ca_file", "overrides azure.ca_file"),
    key("workspace.azure.credential", "overrides azure.credential"),
    key("workspace.azure.tenant_id", "overrides azure.tenant_id"),
    key("workspace.azure.client_id", "overrides azure.client_id"),
    key(
        "workspace.azure.client_secret_file",
        "overrides azure.client_secret_file",
    ),
    key(
        "workspace.azure.client_certificate_file",
        "overrides azure.client_certificate_file",
    ),
    key(
        "workspace.full_every",
        "how often everything is asked again; default 30d",
    ),
    key(
        "workspace.settling",
        "how long after its end a job may still change; default 24h",
    ),
    key(
        "workspace.guard.lost",
        "share of a kind that may vanish before a snapshot is suspect; default 20%",
    ),
    key(
        "workspace.guard.at_least",
        "and at least so many items; default 10",
    ),
    key("workspace.known_gap.selector", "gaps that are accepted"),
    key("workspace.known_gap.reason", "why"),
    key("workspace.known_gap.until", "until this day"),
    key(
        "workspace.retention.keep_last",
        "overrides retention.keep_last",
    ),
    key(
        "workspace.retention.keep_hourly",
        "overrides retention.keep_hourly",
    ),
    key(
        "workspace.retention.keep_daily",
        "overrides retention.keep_daily",
    ),
    key(
        "workspace.retention.keep_weekly",
        "overrides retention.keep_weekly",
    ),
    key(
        "workspace.retention.keep_monthly",
        "overrides retention.keep_monthly",
    ),
    key(
        "workspace.retention.keep_yearly",
        "overrides retention.keep_yearly",
    ),
    key(
        "workspace.retention.keep_within",
        "overrides retention.keep_within",
    ),
    key(
        "workspace.retention.keep_tags",
        "overrides retention.keep_tags",
    ),
    key("workspace.retention.grace", "overrides retention.grace"),
    key(
        "workspace.export.schedule",
        "cron pattern of five fields, in the workspace's time zone: when the daemon exports the newest snapshot",
    ),
    key("workspace.export.to", "the name of a destination"),
    key(
        "workspace.export.selectors",
        "what is exported; default everything",
    ),
    key("workspace.export.tier", "overrides destination.tier"),
    key("workspace.export.retain", "overrides destination.retain"),
    key(
        "workspace.export.keep",
        "which of these exports stay, by number (12) or age (\"3y\"): the keys of the others are erased, never of one that is held or to be kept longer; default all",
    ),
    key("target.name", "the name in commands"),
    key(
        "target.url",
        "azureml:// URL or ARM id of a workspace or registry, or a folder",
    ),
    key("target.azure.cloud", "overrides azure.cloud"),
    key("target.azure.ca_file", "overrides azure.ca_file"),
    key("target.azure.credential", "overrides azure.credential"),
    key("target.azure.tenant_id", "overrides azure.tenant_id"),
    key("target.azure.client_id", "overrides azure.client_id"),
    key(
        "target.azure.client_secret_file",
        "overrides azure.client_secret_file",
    ),
    key(
        "target.azure.client_certificate_file",
        "overrides azure.client_certificate_file",
    ),
    key("destination.name", "the name in commands"),
    key(
        "destination.url",
        "where exports go: an address as of repository.url",
    ),
    key(
        "destination.plain",
        "exports lie there without encryption; default false",
    ),
    key(
        "destination.tier",
        "access tier of the tar, in Azure: \"hot\", \"cool\", \"cold\", \"archive\"; its seal stays in the account's own",
    ),
    key(
        "destination.retain",
        "how long an export is to be kept: \"7y\"",
    ),
    key(
        "destination.recipients",
        "who opens exports besides the owners: age1… or SSH public keys",
    ),
    key(
        "destination.split",
        "a longer tar is cut into files of this length, 1 MiB to 64 GiB; default 64 GiB",
    ),
    key(
        "destination.endpoint",
        "address of the object store; default as of repository.endpoint",
    ),
    key("destination.credential.cloud", "overrides azure.cloud"),
    key("destination.credential.ca_file", "overrides azure.ca_file"),
    key(
        "destination.credential.credential",
        "overrides azure.credential",
    ),
    key(
        "destination.credential.tenant_id",
        "overrides azure.tenant_id",
    ),
    key(
        "destination.credential.client_id",
        "overrides azure.client_id",
    ),
    key(
        "destination.credential.client_secret_file",
        "overrides azure.client_secret_file",
    ),
    key(
        "destination.credential.client_certificate_file",
        "overrides azure.client_certificate_file",
    ),
    key(
        "destination.sas_file",
        "file with a shared access signature of the container",
    ),
    key(
        "destination.account_key_file",
        "file with the storage account's key",
    ),
    key(
        "export.signing_key_file",
        "PEM file (PKCS #8) with the Ed25519 or ECDSA P-256 key that signs exports",
    ),
    key(
        "export.certificate_file",
        "PEM file with the certificate of that key, and those that it leads to",
    ),
    key(
        "export.timestamp_url",
        "address of a time-stamp authority (RFC 3161)",
    ),
    key(
        "export.timestamp_ca_file",
        "PEM file with the certificates that the authority's has to lead to",
    ),
    key(
        "export.prices_file",
        "table of prices for estimates, in place of the one that comes with mlark",
    ),
    key(
        "drill.schedule",
        "cron pattern of five fields: when the daemon makes a drill, each time of the workspace whose last one is the longest ago",
    ),
    key(
        "drill.timezone",
        "IANA time zone of the schedule; default UTC",
    ),
    key(
        "drill.from",
        "the name of a destination: drills restore exports that lie there, each time one that no drill has restored, the newest first, else the \
         one whose drill is the longest ago; default snapshots of the repository",
    ),
    key(
        "drill.into",
        "where drills restore to: the name of a target, or a folder, which is empty; default a folder below the cache",
    ),
    key(
        "retention.keep_last",
        "newest snapshots to keep; without any keep_ key nothing is forgotten",
    ),
    key("retention.keep_hourly", "hours of which the newest is kept"),
    key("retention.keep_daily", "days of which the newest is kept"),
    key("retention.keep_weekly", "weeks of which the newest is kept"),
    key(
        "retention.keep_monthly",
        "months of which the newest is kept",
    ),
    key("retention.keep_yearly", "years of which the newest is kept"),
    key(
        "retention.keep_within",
        "everything not older than this is kept, counted back from the newest",
    ),
    key(
        "retention.keep_tags",
        "snapshots with one of these tags are kept, whatever the rules say; no rule by itself",
    ),
    key(
        "retention.grace",
        "how long forgotten content stays; default 7d",
    ),
    key(
        "limits.memory",
        "resident memory of the process, at least 256 MiB; with more, more of large files is read ahead",
    ),
    key(
        "limits.upload",
        "bytes a second that go out over the network, such as 10 MiB/s, at least 256 KiB/s; default unlimited",
    ),
    key(
        "limits.download",
        "bytes a second that come in over the network, likewise; default unlimited",
    ),
    key(
        "limits.concurrency",
        "most requests at once to one service, 1 to 32; default auto, which follows what the service says",
    ),
    key(
        "network.proxy",
        "proxy for everything but this machine's own services; default HTTPS_PROXY",
    ),
    key(
        "network.no_proxy",
        "hosts that are reached without the proxy; default NO_PROXY",
    ),
    key(
        "daemon.listen",
        "address of the status page, /metrics and /healthz; one of other machines needs token_file",
    ),
    key(
        "daemon.token_file",
        "file with the token that whoever asks must bring, as bearer or as password",
    ),
    key(
        "daemon.at_once",
        "how many workspaces are backed up at the same time, 1 to 8; default 2",
    ),
    key(
        "daemon.jitter",
        "runs begin up to so much later than scheduled, each workspace by its own constant share",
    ),
    key(
        "daemon.retention",
        "after a complete backup: \"forget-and-prune\", \"forget\" or \"none\"; without rules under [retention] nothing is forgotten",
    ),
    key(
        "daemon.ping_url_file",
        "file with the address of a health-check service: /start, then the address itself or /fail",
    ),
    key(
        "daemon.webhook_url_file",
        "file with an https address that is sent JSON when a workspace's state changes",
    ),
    key(
        "daemon.hook_timeout",
        "how long a hook may take before it is killed; default 5m",
    ),
    key(
        "daemon.hooks.before_backup",
        "program and arguments to run before a backup, which is not made where that fails",
    ),
    key(
        "daemon.hooks.after_backup",
        "program and arguments to run after a backup",
    ),
    key(
        "daemon.hooks.on_failure",
        "program and arguments to run after a backup that failed, is suspect or was not finished",
    ),
];

/// What stands at a path.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// A key.
    Key(&'static Key),
    /// A table that holds keys.
    Table,
}

/// Finds what stands at a path, if anything may.
pub fn at(path: &str) -> Option<Place> {
    if let Some(key) = KEYS.iter().find(|key| key.path == path) {
        return Some(Place::Key(key));
    }
    KEYS.iter()
        .any(|key| below(key.path, path).is_some())
        .then_some(Place::Table)
}

/// The names that may stand directly in a table; the root's path is empty.
pub fn names_in(table: &str) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = KEYS
        .iter()
        .filter_map(|key| below(key.path, table))
        .map(|rest| rest.split('.').next().unwrap_or(rest))
        .collect();
    names.dedup();
    names
}

fn below(path: &'static str, table: &str) -> Option<&'static str> {
    if table.is_empty() {
        return Some(path);
    }
    path.strip_prefix(table)?.strip_prefix('.')
}

/// The known key nearest to an unknown name: among its neighbours first, then a key of that name anywhere.
pub fn nearest(table: &str, name: &str) -> Option<String> {
    let neighbour = names_in(table)
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 3)
        .min_by_key(|(distance, _)| *distance);
    if let Some((_, known)) = neighbour {
        return Some(known.to_owned());
    }
    KEYS.iter()
        .find(|key| key.path.rsplit('.').next() == Some(name))
        .map(|key| key.path.to_owned())
        .or_else(|| {
            names_in(table)
                .into_iter()
                .max_by(|a, b| {
                    strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name))
                })
                .map(str::to_owned)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_a_neighbour_or_lies_in_the_section_where_it_belongs() {
        assert_eq!(nearest("workspace", "shedule").as_deref(), Some("schedule"));
        assert_eq!(nearest("", "repositry").as_deref(), Some("repository"));
        assert_eq!(
            nearest("repository", "listen").as_deref(),
            Some("daemon.listen")
        );
        assert_eq!(
            nearest("workspace.guard", "atleast").as_deref(),
            Some("at_least")
        );
    }

    #[test]
    fn no_key_stands_in_the_table_twice() {
        for (place, key) in KEYS.iter().enumerate() {
            assert!(
                KEYS[place + 1..].iter().all(|other| other.path != key.path),
                "{}",
                key.path
            );
        }
    }
}
