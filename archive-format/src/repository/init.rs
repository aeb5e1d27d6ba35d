//! Makes a repository.
//!
//! Write order: the probe, the key files, entry 1, `repository.json` last. So a repository is there only when all of it
//! is; what a crash leaves has no `repository.json`, and the next `init` refuses to mix with its key files or log.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use secrecy::ExposeSecret;
use serde_json::Map;

use super::{InitOptions, Initialised};
use crate::keys::envelope;
use crate::keys::signing::SigningSecret;
use crate::log::{Body, EntryBody, HolderSort, KeyFile, KeyHolder, Keys, append, entry};
use crate::magic::FORMAT_VERSION;
use crate::record::Encryption;
use crate::storage::{Created, probe};
use crate::{
    ChunkParameters, Digest, Error, FileName, Identity, MachineKey, Recipient, Record,
    RepositoryId, SnapshotId, Storage,
};

/// The repository's own pairs.
struct Pairs {
    data: Identity,
    meta: Identity,
}

pub(super) async fn init(
    storage: Arc<dyn Storage>,
    options: InitOptions,
) -> Result<Initialised, Error> {
    check(&options)?;
    refuse_existing(storage.as_ref()).await?;
    probe(storage.as_ref()).await?;
    let owners_signing = SigningSecret::generate()?;
    let pairs = (!options.unencrypted).then(|| Pairs {
        data: Identity::generate(),
        meta: Identity::generate(),
    });
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| Error::Worker {
        what: "the source of random bytes",
    })?;
    let machine_key = MachineKey {
        repository: RepositoryId::from_bytes(id),
        label: label(&options.label),
        identity: Identity::generate(),
        signing: SigningSecret::generate()?,
        owners_signing: options.unencrypted.then(|| owners_signing.clone()),
    };
    let files = match &pairs {
        Some(pairs) => key_files(pairs, &owners_signing, &machine_key, &options)?,
        None => Vec::new(),
    };
    let record = record(
        &options,
        machine_key.repository,
        pairs.as_ref(),
        &owners_signing,
    )?;
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

/// A label of one line that is not empty.
fn label(text: &str) -> String {
    let text: String = text
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    match text.trim() {
        "" => "machine".to_owned(),
        text => text.to_owned(),
    }
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
    pairs: Option<&Pairs>,
    owners: &SigningSecret,
) -> Result<Record, Error> {
    let mut record = Record {
        format: FORMAT_VERSION,
        flags: Vec::new(),
        id,
        created: options.now,
        chunks: ChunkParameters::default(),
        pack_bytes: options.pack_bytes,
        encryption: pairs.map(|pairs| Encryption {
            data: pairs.data.to_recipient().to_string(),
            meta: pairs.meta.to_recipient().to_string(),
        }),
        owners_signer: owners.signer(),
        signature: String::new(),
    };
    record.signature = hex::encode(owners.sign(&record.signed_bytes()?));
    Ok(record)
}

/// The envelopes: data and signing key for the owners, meta for them and for this machine.
fn key_files(
    pairs: &Pairs,
    owners: &SigningSecret,
    machine: &MachineKey,
    options: &InitOptions,
) -> Result<Vec<(FileName, Bytes)>, Error> {
    let for_owners: Vec<&Recipient> = options.owners.iter().collect();
    let machine = machine.identity.to_recipient();
    let mut for_all = for_owners.clone();
    for_all.push(&machine);
    let sealed = |sort: &str, recipients: &[&Recipient], text: secrecy::SecretString| {
        let stored = envelope::seal(recipients, text.expose_secret().as_bytes())?;
        Ok::<_, Error>((FileName::key(1, sort)?, Bytes::from(stored)))
    };
    Ok(vec![
        sealed("data", &for_owners, pairs.data.to_file_text(options.now))?,
        sealed("meta", &for_all, pairs.meta.to_file_text(options.now))?,
        sealed("sign", &for_owners, owners.to_pem()?)?,
    ])
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
    let mut holders: Vec<KeyHolder> = options
        .owners
        .iter()
        .map(|owner| KeyHolder {
            sort: HolderSort::Owner,
            label: "owner".to_owned(),
            recipient: Some(owner.to_string()),
            signer: None,
        })
        .collect();
    holders.push(KeyHolder {
        sort: HolderSort::Machine,
        label: machine.label.clone(),
        recipient: encrypted.then(|| machine.identity.to_recipient().to_string()),
        signer: Some(machine.signer()),
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
