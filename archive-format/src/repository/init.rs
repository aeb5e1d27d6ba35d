//! Makes a repository.
//!
//! Write order: the probe, the key files, entry 1, `repository.json` last. So a repository is there only when all of it
//! is; what a crash leaves has no `repository.json`, and the next `init` refuses to mix with its key files or log.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use serde_json::Map;

use super::{InitOptions, Initialised};
use crate::keys::edition::{Secrets, Wrapping};
use crate::keys::label;
use crate::keys::signing::SigningSecret;
use crate::log::{Body, EntryBody, HolderSort, KeyFile, KeyHolder, Keys, append, entry};
use crate::magic::{FORMAT_VERSION, PASSPHRASES_MAX};
use crate::record::Encryption;
use crate::storage::{Created, probe};
use crate::{
    ChunkParameters, Digest, Error, FileName, MachineKey, Pair, Recipient, Record, RepositoryId,
    SnapshotId, Storage,
};

pub(super) async fn init(
    storage: Arc<dyn Storage>,
    mut options: InitOptions,
) -> Result<Initialised, Error> {
    check(&options)?;
    let mut owners: Vec<Recipient> = Vec::new();
    for owner in options.owners {
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    options.owners = owners;
    refuse_existing(storage.as_ref()).await?;
    probe(storage.as_ref()).await?;
    let owners_signing = SigningSecret::generate()?;
    let secrets = (!options.unencrypted).then(|| Secrets {
        data: vec![Pair::generate()],
        meta: vec![Pair::generate()],
        sign: owners_signing.clone(),
    });
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| Error::Worker {
        what: "the source of random bytes",
    })?;
    let machine_key = MachineKey {
        repository: RepositoryId::from_bytes(id),
        label: label(&options.label, "machine"),
        identity: Pair::generate(),
        signing: SigningSecret::generate()?,
        owners_signing: options.unencrypted.then(|| owners_signing.clone()),
    };
    let record = record(
        &options,
        machine_key.repository,
        secrets.as_ref(),
        &owners_signing,
    )?;
    let files = match secrets {
        Some(secrets) => key_files(secrets, &machine_key, &options).await?,
        None => Vec::new(),
    };
    for (name, bytes) in &files {
        create(storage.as_ref(), name, bytes.clone()).await?;
    }
    let first = first_entry(&record, &options, &files, &machine_key, &owners_signing)?;
    if append::put(storage.as_ref(), 1, &first).await? == append::Put::Theirs {
        return Err(already(storage.as_ref()));
    }
    create(
        storage.as_ref(),
        &FileName::record(),
        record.to_bytes()?.into(),
    )
    .await?;
    Ok(Initialised {
        record,
        machine_key,
    })
}

fn check(options: &InitOptions) -> Result<(), Error> {
    let refused = |reason: &str| {
        Err(Error::Key {
            what: "choice of owners",
            reason: reason.to_owned(),
        })
    };
    match (options.unencrypted, options.owners.is_empty()) {
        (true, false) => return refused("an unencrypted repository has no owners to encrypt to"),
        (false, true) => return refused("an encrypted repository needs at least one owner"),
        _ => {}
    }
    let passphrases = options.owners.iter().filter(|owner| owner.is_passphrase());
    let passphrases = passphrases.count() as u64;
    if passphrases > PASSPHRASES_MAX.into() {
        return Err(Error::Limit {
            what: "The number of passphrases".to_owned(),
            limit: PASSPHRASES_MAX.into(),
            found: passphrases,
        });
    }
    let (least, most) = (1 << 16, 4 << 30);
    if !(least..=most).contains(&options.pack_bytes) {
        return Err(Error::Limit {
            what: "The pack size (64 KiB to 4 GiB)".to_owned(),
            limit: most,
            found: options.pack_bytes,
        });
    }
    Ok(())
}

fn already(storage: &dyn Storage) -> Error {
    Error::AlreadyARepository {
        place: storage.describe(),
    }
}

/// A place with a record, keys or a log is a repository, or was becoming one.
async fn refuse_existing(storage: &dyn Storage) -> Result<(), Error> {
    if storage.size(&FileName::record()).await?.is_some() {
        return Err(already(storage));
    }
    for prefix in ["keys/", "log/"] {
        if storage.list(prefix).try_next().await?.is_some() {
            return Err(already(storage));
        }
    }
    Ok(())
}

async fn create(storage: &dyn Storage, name: &FileName, bytes: Bytes) -> Result<(), Error> {
    match storage.create(name, bytes).await? {
        Created::New => Ok(()),
        Created::Exists => Err(already(storage)),
    }
}

fn record(
    options: &InitOptions,
    id: RepositoryId,
    secrets: Option<&Secrets>,
    owners: &SigningSecret,
) -> Result<Record, Error> {
    let mut record = Record {
        format: FORMAT_VERSION,
        flags: Vec::new(),
        id,
        created: options.now,
        chunks: ChunkParameters::default(),
        pack_bytes: options.pack_bytes,
        encryption: secrets.and_then(|secrets| {
            Some(Encryption {
                data: secrets.data.first()?.to_public_text(),
                meta: secrets.meta.first()?.to_public_text(),
            })
        }),
        owners_signer: owners.signer(),
        signature: String::new(),
        more: Map::new(),
    };
    record.signature = hex::encode(owners.sign(&record.signed_bytes()?));
    Ok(record)
}

/// The envelopes: data and signing key for the owners, meta for them and for this machine.
async fn key_files(
    secrets: Secrets,
    machine: &MachineKey,
    options: &InitOptions,
) -> Result<Vec<(FileName, Bytes)>, Error> {
    let (passphrases, owners): (Vec<_>, Vec<_>) = options
        .owners
        .iter()
        .cloned()
        .partition(Recipient::is_passphrase);
    let wrapping = Wrapping {
        owners,
        machines: vec![machine.identity.to_recipient()],
        passphrases: (1..).zip(passphrases).collect(),
    };
    let now = options.now;
    let files = tokio::task::spawn_blocking(move || secrets.seal(&wrapping, now));
    let files = files
        .await
        .map_err(|_| Error::Worker { what: "encryption" })??;
    files
        .into_iter()
        .map(|(name, bytes)| Ok((name.to_file_name()?, bytes)))
        .collect()
}

/// Entry 1: the owners introduce this machine.
fn first_entry(
    record: &Record,
    options: &InitOptions,
    files: &[(FileName, Bytes)],
    machine: &MachineKey,
    owners: &SigningSecret,
) -> Result<Bytes, Error> {
    let encrypted = record.encryption.is_some();
    let mut passphrases = 0;
    let mut holders: Vec<KeyHolder> = options
        .owners
        .iter()
        .map(|owner| {
            passphrases += u32::from(owner.is_passphrase());
            KeyHolder {
                sort: HolderSort::Owner,
                label: label(owner.comment().unwrap_or("owner"), "owner"),
                recipient: owner.to_public_text(),
                signer: None,
                passphrase: owner.is_passphrase().then_some(passphrases),
            }
        })
        .collect();
    holders.push(KeyHolder {
        sort: HolderSort::Machine,
        label: machine.label.clone(),
        recipient: encrypted.then(|| machine.identity.to_public_text()),
        signer: Some(machine.signer()),
        passphrase: None,
    });
    let body = EntryBody {
        time: options.now,
        run: SnapshotId::new(options.now)?,
        program: options.program.clone(),
        body: Body::Keys(Box::new(Keys {
            edition: 1,
            files: files
                .iter()
                .map(|(name, bytes)| KeyFile {
                    name: name.to_string(),
                    sha256: Digest::of(bytes),
                })
                .collect(),
            holders,
            data: record.encryption.as_ref().map(|keys| keys.data.clone()),
            meta: record.encryption.as_ref().map(|keys| keys.meta.clone()),
            revoked: Vec::new(),
            more: Map::new(),
        })),
        more: Map::new(),
    };
    let meta = record
        .encryption
        .as_ref()
        .map(|keys| Recipient::parse(&keys.meta))
        .transpose()?;
    entry::seal(
        record.id,
        1,
        entry::NOTHING_BEFORE,
        &body,
        owners,
        meta.as_ref(),
    )
    .map(Bytes::from)
}
