//! One run of the program: its configuration, its user, its world. Where flag, variable and file say different things,
//! the flag wins over the variable and the variable over the file; that is decided here and nowhere else.

mod destination;
pub mod keys;
pub mod patterns;
mod places;
pub mod repository;
mod seal;
pub mod sealed;
mod signing;
mod snapshot;

use std::path::PathBuf;

use crate::cli::Global;
use crate::config::read::{self, Loaded};
use crate::config::{Config, Limits};
use crate::context::Context;
use crate::failure::Failure;
use crate::store::Address;
use crate::ui::Ui;

/// One run.
#[derive(Clone, Debug)]
pub struct Session {
    /// The configuration.
    pub config: Config,
    /// The file that it came from.
    pub config_file: Option<PathBuf>,
    /// Options of the command line that every command takes.
    pub global: Global,
    /// Clock, variables, transport, wish to stop.
    pub context: Context,
    /// The user.
    pub ui: Ui,
}

impl Session {
    /// Reads the configuration.
    pub fn open(global: Global, context: Context, ui: Ui) -> Result<Self, Failure> {
        let Loaded { config, file } = read::load(
            global.config.as_deref(),
            &context.environment,
            context.clock.now(),
        )?;
        let mut session = Self {
            config: Config::default(),
            config_file: file,
            global,
            context,
            ui,
        };
        session.configure(config);
        session.keep_to_limits();
        Ok(session)
    }

    /// Takes a configuration, with what follows from it for requests to come.
    pub fn configure(&mut self, config: Config) {
        self.context.network = config.network.clone();
        self.context.limits = config.limits;
        self.config = config;
    }

    /// Lets the network of this process, requests under way included, keep to the limits of the configuration.
    pub fn keep_to_limits(&self) {
        let Limits {
            upload, download, ..
        } = self.config.limits;
        self.context.bandwidth.set(upload.rate(), download.rate());
    }

    /// The address of the repository.
    pub fn repository_address(&self) -> Result<Address, Failure> {
        let environment = &self.context.environment;
        let url = self
            .global
            .repository
            .as_deref()
            .or_else(|| environment.get("MLARK_REPOSITORY"))
            .or(self.config.repository.url.as_deref())
            .ok_or_else(|| self.no_repository_named())?;
        Address::parse(url).map_err(|why| {
            // The address is not repeated: people put signatures into it.
            Failure::usage("The repository's address is refused").why(why)
        })
    }

    fn no_repository_named(&self) -> Failure {
        let failure = Failure::usage("No repository is named");
        match &self.config_file {
            Some(file) => failure
                .on(file.display())
                .why("it has no `url` under [repository]")
                .next("add url = \"/srv/mlark\" under [repository], or give --repository PATH"),
            None => failure
                .why(format!(
                    "there is no configuration at {} or ~/.config/mlark/mlark.toml",
                    read::SYSTEM_FILE
                ))
                .next("write one, name it with --config FILE, or give --repository PATH"),
        }
    }

    /// An owner's identity file, where one is named.
    pub fn identity_file(&self) -> Option<PathBuf> {
        self.global
            .identity_file
            .clone()
            .or_else(|| self.context.environment.path("MLARK_IDENTITY_FILE"))
            .or_else(|| self.config.repository.identity_file.clone())
    }

    /// This machine's key file: as the variable names it, else systemd's credential `mlark.key`, else as the file names
    /// it, else `agent.key` in the cache.
    pub fn key_file(&self, repository_id: &str) -> Result<PathBuf, Failure> {
        let environment = &self.context.environment;
        let credential = environment
            .path("CREDENTIALS_DIRECTORY")
            .map(|folder| folder.join("mlark.key"))
            .filter(|file| file.exists());
        match environment.path("MLARK_KEY_FILE").or(credential) {
            Some(file) => Ok(file),
            None => self.key_file_to_write(repository_id),
        }
    }

    /// Where `init` writes this machine's key: as named, else `agent.key` in the cache.
    pub fn key_file_to_write(&self, repository_id: &str) -> Result<PathBuf, Failure> {
        let named = self.named_key_file();
        if let Some(file) = named {
            return Ok(file);
        }
        Ok(match &self.config.repository.cache {
            Some(cache) => cache.join("agent.key"),
            None => self.cache_root()?.join(repository_id).join("agent.key"),
        })
    }

    /// The key file that a variable or the configuration names.
    pub fn named_key_file(&self) -> Option<PathBuf> {
        let environment = &self.context.environment;
        environment
            .path("MLARK_KEY_FILE")
            .or_else(|| self.config.repository.key_file.clone())
    }

    /// The folder in which each repository has a folder for its catalogue, journals and temporary packs.
    pub fn cache_root(&self) -> Result<PathBuf, Failure> {
        let named = self.config.repository.cache.clone();
        named
            .or_else(|| self.context.environment.cache_folder())
            .ok_or_else(|| {
                Failure::usage("No place for the catalogue is known")
                    .why("neither `cache` under [repository] nor XDG_CACHE_HOME nor HOME is set")
                    .next("add cache = \"/var/lib/mlark\" under [repository]")
            })
    }
}
