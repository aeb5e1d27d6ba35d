//! The repository that the fuzzed files belong to: its id and its keys, which stand here for everybody to read.

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::Value;

use crate::keys::Pair;
use crate::keys::ring::Ring;
use crate::keys::signing::SigningSecret;
use crate::log::{HolderSort, KeyHolder, Keys};
use crate::magic::FORMAT_VERSION;
use crate::record::Encryption;
use crate::{ChunkParameters, Record, RepositoryId, json};

const META: &str = "AGE-SECRET-KEY-1SQYVRZZ4JXWTLV2LC62PV833DL3EJAXUUVYMPMG3N52PZ4AUJWHS4E9G6G";

/// The keys.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) owners: SigningSecret,
    pub(super) machine: SigningSecret,
    /// The data and the meta pair at once.
    pub(super) pair: Pair,
}

pub(super) static SCENE: LazyLock<Scene> = LazyLock::new(Scene::new);

pub(super) const ID: RepositoryId = RepositoryId::from_bytes([7; 16]);

/// Makes what is made once, so that it is not counted as any bytes' own: age reads its texts with its first error.
pub(super) fn prepare() {
    static PREPARED: LazyLock<usize> = LazyLock::new(|| {
        let error = age::DecryptError::InvalidHeader.to_string();
        error.len() + super::keys::prepare() + super::logs::prepare()
    });
    LazyLock::force(&PREPARED);
}

impl Scene {
    #[expect(clippy::expect_used, reason = "the text above is a key")]
    fn new() -> Self {
        Self {
            owners: SigningSecret::from_seed(&[1; 32]),
            machine: SigningSecret::from_seed(&[2; 32]),
            pair: Pair::parse(META).expect("a key"),
        }
    }

    /// Its record, not signed.
    pub(super) fn record(&self, encrypted: bool) -> Record {
        let recipient = self.pair.to_public_text();
        Record {
            format: FORMAT_VERSION,
            flags: Vec::new(),
            id: ID,
            created: Timestamp::UNIX_EPOCH,
            chunks: ChunkParameters::default(),
            pack_bytes: 64 << 20,
            encryption: encrypted.then(|| Encryption {
                data: recipient.clone(),
                meta: recipient,
            }),
            owners_signer: self.owners.signer(),
            signature: String::new(),
            more: serde_json::Map::new(),
        }
    }

    /// What opens its log.
    pub(super) fn ring(&self, encrypted: bool) -> Ring {
        Ring::of_meta(encrypted.then(|| self.pair.clone()))
    }

    /// What the first entry says: it introduces the machine.
    pub(super) fn keys(&self) -> Keys {
        Keys {
            edition: 1,
            files: Vec::new(),
            holders: vec![KeyHolder {
                sort: HolderSort::Machine,
                label: "machine".to_owned(),
                recipient: None,
                signer: Some(self.machine.signer()),
                passphrase: None,
            }],
            data: None,
            meta: None,
            revoked: Vec::new(),
            more: serde_json::Map::new(),
        }
    }
}

/// The value that these bytes are the text of, in whatever form.
pub(super) fn json(bytes: &[u8]) -> Option<Value> {
    json::parse(bytes, usize::MAX, "a text").ok()
}

/// A record with its signature in place of the one that it may have, and a line end.
pub(super) fn sign(mut value: Value, context: &[u8], signing: &SigningSecret) -> Vec<u8> {
    let signature = signing.sign(&json::signed_bytes(context, value.clone()));
    if let Some(members) = value.as_object_mut() {
        members.insert("signature".to_owned(), hex::encode(signature).into());
    }
    let mut line = json::canonical(&value);
    line.push(b'\n');
    line
}
