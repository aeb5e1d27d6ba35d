//! The configuration: one TOML file, environment variables and flags, in rising order of precedence. Everything is
//! checked when it is read; what is not served is refused by name rather than read and ignored.

mod daemon;
mod drill;
pub mod environment;
pub mod keys;
pub mod read;
mod scheduled;
pub mod value;

use std::path::PathBuf;

use archive_format::LockPeriod;
use serde::{Deserialize, Serialize};

pub use daemon::{Daemon, Hooks, Housekeeping};
pub use drill::Drill;
pub use scheduled::{Keep, ScheduledExport};
use value::{ByteRate, Concurrency, Percent};
use workspace::{ByteSize, Period};

/// The whole file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where backups go.
    pub repository: Repository,
    /// How Azure is reached, for every workspace and target.
    pub azure: Azure,
    /// What is backed up.
    pub workspace: Vec<Workspace>,
    /// Places to restore into.
    pub target: Vec<Target>,
    /// Places that exports go to.
    pub destination: Vec<Destination>,
    /// How exports are signed and priced.
    pub export: Export,
    /// Restores that are made to see that one can be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drill>,
    /// What is kept.
    pub retention: Retention,
    /// What the process may use.
    pub limits: Limits,
    /// How the network is reached.
    pub network: Network,
    /// The daemon.
    pub daemon: Daemon,
}

/// `[repository]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Repository {
    /// A path, or a URL `file://`, `az://`, `s3://` or `gs://`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Folder of catalogue, journals and temporary packs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
    /// This machine's keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// An owner's age identity or SSH private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_file: Option<PathBuf>,
    /// File with an owner's passphrase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// Signers to trust; empty: those that the first owner introduced.
    pub trusted_signers: Vec<String>,
    /// Address of the object store's service, where it is not the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Overrides of `[azure]` for the object store.
    pub credential: Azure,
    /// File with a shared access signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sas_file: Option<PathBuf>,
    /// File with the storage account's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_key_file: Option<PathBuf>,
    /// Access tier of data packs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_tier: Option<DataTier>,
    /// How long each snapshot keeps every pack that it refers to from deletion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<Period>,
    /// How firmly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_mode: Option<LockMode>,
    /// Size at which a pack is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack_size: Option<ByteSize>,
}

/// How firmly packs are locked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// Nobody can shorten it or take it away.
    #[default]
    Locked,
    /// Whoever may set it may shorten it and take it away.
    Unlocked,
}

impl Repository {
    /// The lock period, where there is one.
    pub fn lock_period(&self) -> Option<LockPeriod> {
        Some(LockPeriod {
            length: self.lock?.duration(),
            mode: match self.lock_mode.unwrap_or_default() {
                LockMode::Locked => archive_format::storage::LockMode::Locked,
                LockMode::Unlocked => archive_format::storage::LockMode::Unlocked,
            },
        })
    }
}

/// Access tiers of Azure Blob Storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataTier {
    /// Dear to keep, cheap to read.
    Hot,
    /// Kept for 30 days at least.
    Cool,
    /// Kept for 90 days at least.
    Cold,
    /// Kept for 180 days at least, and not to be read before it is brought back.
    Archive,
}

impl From<archive_format::storage::Tier> for DataTier {
    fn from(tier: archive_format::storage::Tier) -> Self {
        use archive_format::storage::Tier;
        match tier {
            Tier::Hot => Self::Hot,
            Tier::Cool => Self::Cool,
            Tier::Cold => Self::Cold,
            Tier::Archive => Self::Archive,
        }
    }
}

impl DataTier {
    /// The service's word.
    pub fn as_azure_says(self) -> &'static str {
        match self {
            Self::Hot => "Hot",
            Self::Cool => "Cool",
            Self::Cold => "Cold",
            Self::Archive => "Archive",
        }
    }
}

/// `[azure]`, and the overrides of a workspace or target: a key that is absent there is taken from `[azure]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Azure {
    /// A cloud's name or the URL of an ARM endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud: Option<String>,
    /// Further root certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How to sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialKind>,
    /// Tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Application or user-assigned identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// File with the application's secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// PEM file with the application's certificate and its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate_file: Option<PathBuf>,
}

impl Azure {
    /// These settings where they are made, `default`'s elsewhere.
    pub fn over(&self, default: &Self) -> Self {
        fn first<T: Clone>(own: &Option<T>, default: &Option<T>) -> Option<T> {
            own.clone().or_else(|| default.clone())
        }
        Self {
            cloud: first(&self.cloud, &default.cloud),
            ca_file: first(&self.ca_file, &default.ca_file),
            credential: self.credential.or(default.credential),
            tenant_id: first(&self.tenant_id, &default.tenant_id),
            client_id: first(&self.client_id, &default.client_id),
            client_secret_file: first(&self.client_secret_file, &default.client_secret_file),
            client_certificate_file: first(
                &self.client_certificate_file,
                &default.client_certificate_file,
            ),
        }
    }
}

/// How to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// Environment, workload identity, managed identity, `az`: the first that answers.
    Default,
    /// The machine's identity.
    ManagedIdentity,
    /// A federated token.
    WorkloadIdentity,
    /// An application's secret.
    ClientSecret,
    /// An application's certificate.
    ClientCertificate,
    /// Whoever is signed in with `az`.
    AzureCli,
}

/// `[[workspace]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// The name in snapshots and commands.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// When it is backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The schedule's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// What is left out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Bytes of data assets.
    #[serde(default)]
    pub data: DataPolicy,
    /// Larger data assets keep only their document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_max: Option<ByteSize>,
    /// Files of jobs.
    #[serde(default)]
    pub job_outputs: JobOutputs,
    /// Whether credentials are stored.
    #[serde(default)]
    pub secrets: bool,
    /// What opens datastores.
    #[serde(default)]
    pub datastore_access: DatastoreAccess,
    /// What is done about blobs in the archive tier.
    #[serde(default)]
    pub archived: Archived,
    /// Whether notebooks are read from a snapshot of their share.
    #[serde(default)]
    pub share_snapshot: bool,
    /// Overrides of `[azure]`.
    #[serde(default)]
    pub azure: Azure,
    /// How often everything is asked again.
    #[serde(default = "thirty_days")]
    pub full_every: Period,
    /// How long after its end a job may still change.
    #[serde(default = "one_day")]
    pub settling: Period,
    /// What makes a snapshot suspect.
    #[serde(default)]
    pub guard: Guard,
    /// Gaps that are accepted.
    #[serde(default)]
    pub known_gap: Vec<KnownGap>,
    /// Overrides of `[retention]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// Exports by schedule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub export: Vec<ScheduledExport>,
}

impl Workspace {
    /// A workspace that no configuration describes.
    pub fn unnamed(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            url: url.to_owned(),
            schedule: None,
            timezone: None,
            exclude: Vec::new(),
            data: DataPolicy::default(),
            data_max: None,
            job_outputs: JobOutputs::default(),
            secrets: false,
            datastore_access: DatastoreAccess::default(),
            archived: Archived::default(),
            share_snapshot: false,
            azure: Azure::default(),
            full_every: thirty_days(),
            settling: one_day(),
            guard: Guard::default(),
            known_gap: Vec::new(),
            retention: None,
            export: Vec::new(),
        }
    }
}

fn thirty_days() -> Period {
    Period::from_days(30)
}

fn one_day() -> Period {
    Period::from_days(1)
}

/// Which data assets are kept with their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataPolicy {
    /// Documents only.
    None,
    /// Those on the workspace's default datastore.
    #[default]
    DefaultDatastore,
    /// All.
    All,
}

/// Which files of jobs are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobOutputs {
    /// None.
    None,
    /// Logs.
    Logs,
    /// Logs and outputs.
    #[default]
    LogsAndOutputs,
}

/// What opens datastores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatastoreAccess {
    /// mlark's own identity.
    #[default]
    Entra,
    /// The datastore's own secret, which the workspace is asked for.
    Datastore,
}

/// What is done about blobs in the archive tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Archived {
    /// Each is a gap.
    #[default]
    Gap,
    /// They are brought back to the hot tier, within 15 hours; a backup after that has them.
    Rehydrate,
    /// The same, within an hour for most, at a higher price.
    RehydrateHigh,
}

/// When a snapshot is suspect.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// A kind lost more than this.
    pub lost: Percent,
    /// And at least so many items.
    pub at_least: u64,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            lost: Percent(20),
            at_least: 10,
        }
    }
}

/// A gap that is accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownGap {
    /// Which.
    pub selector: String,
    /// Why.
    pub reason: String,
    /// Until the end of this day, UTC; for ever where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<toml::value::Datetime>,
}

/// `[[target]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The name in commands.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Overrides of `[azure]`.
    #[serde(default)]
    pub azure: Azure,
}

/// `[[destination]]`: where exports go.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The name in commands.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Whether exports lie there without encryption.
    #[serde(default)]
    pub plain: bool,
    /// Access tier of the tar; its seal stays in the store's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<DataTier>,
    /// How long an export is to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain: Option<Period>,
    /// Who opens exports besides the owners.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// A longer tar is cut into files of this length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<ByteSize>,
    /// Address of the object store's service, where it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Overrides of `[azure]` for the object store.
    #[serde(default)]
    pub credential: Azure,
    /// File with a shared access signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sas_file: Option<PathBuf>,
    /// File with the storage account's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_key_file: Option<PathBuf>,
}

impl Destination {
    /// A place that no configuration describes.
    pub fn unnamed(url: &str) -> Self {
        Self {
            name: url.to_owned(),
            url: url.to_owned(),
            ..Self::default()
        }
    }

    /// How its store is opened: as a repository's is.
    pub fn as_repository(&self) -> Repository {
        Repository {
            url: Some(self.url.clone()),
            endpoint: self.endpoint.clone(),
            credential: self.credential.clone(),
            sas_file: self.sas_file.clone(),
            account_key_file: self.account_key_file.clone(),
            data_tier: self.tier,
            ..Repository::default()
        }
    }
}

/// `[export]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Export {
    /// PEM file with the key that signs exports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_key_file: Option<PathBuf>,
    /// PEM file with the certificate of that key, and those that it leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// Address of a time-stamp authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_url: Option<String>,
    /// PEM file with the roots of that authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_ca_file: Option<PathBuf>,
    /// Table of prices for estimates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices_file: Option<PathBuf>,
}

/// `[retention]`: what `mlark forget` keeps, and how long `mlark prune` spares the rest.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Newest snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_last: Option<u32>,
    /// Hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_hourly: Option<u32>,
    /// Days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_daily: Option<u32>,
    /// Weeks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_weekly: Option<u32>,
    /// Months.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_monthly: Option<u32>,
    /// Years.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_yearly: Option<u32>,
    /// Everything younger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_within: Option<Period>,
    /// Those with one of these tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_tags: Option<Vec<String>>,
    /// How long forgotten content stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<Period>,
}

/// `[limits]`
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Resident memory of the process, at least [`MEMORY_LEAST`].
    pub memory: ByteSize,
    /// What goes out over the network.
    pub upload: ByteRate,
    /// What comes in.
    pub download: ByteRate,
    /// Requests at once to one service.
    pub concurrency: Concurrency,
}

/// The memory that mlark needs whatever it does: its buffers are made for it.
pub const MEMORY_LEAST: u64 = 256 << 20;

impl Limits {
    /// How many ranges of large files are read ahead: six in the least memory, and one more for every 16 MiB above, since
    /// each holds 4 MiB and what is made of them further on takes about three times as much.
    pub fn ranges_ahead(&self) -> usize {
        let more = self.memory.bytes().saturating_sub(MEMORY_LEAST) / (16 << 20);
        6 + usize::try_from(more.min(26)).unwrap_or_default()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: ByteSize::from_bytes(MEMORY_LEAST),
            upload: ByteRate::default(),
            download: ByteRate::default(),
            concurrency: Concurrency::default(),
        }
    }
}

/// `[network]`: for everything but loopback names and the metadata service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// The proxy's address, http or https; absent: as HTTPS_PROXY and NO_PROXY say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Hosts that are reached without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_proxy: Option<Hosts>,
}

/// Host names, as NO_PROXY writes them: separated by commas, or a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Hosts {
    /// `"a,b"`
    Line(String),
    /// `["a", "b"]`
    List(Vec<String>),
}

impl Hosts {
    /// Separated by commas.
    pub fn line(&self) -> String {
        match self {
            Self::Line(line) => line.clone(),
            Self::List(list) => list.join(","),
        }
    }
}
