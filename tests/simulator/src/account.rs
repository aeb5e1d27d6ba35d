//! A storage account: two keys, containers and shares.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore;
use serde_json::{Map, Value};

use crate::blob::BlobStore;
use crate::share::ShareStore;

/// A storage account of the cloud.
#[derive(Debug)]
pub struct Account {
    /// Its name, unique in the cloud.
    pub name: String,
    /// ARM id of the account.
    pub arm_id: String,
    /// Account keys, base64 as Azure shows them.
    pub keys: [String; 2],
    /// Region, such as `westeurope`.
    pub location: String,
    /// Whether it belongs to the service itself, so that no token opens it: a registry's.
    pub of_service: bool,
    /// What clients wrote of it, and nobody here knows.
    pub properties: Map<String, Value>,
    /// The same of its blob service.
    pub blob_service: Map<String, Value>,
    /// Containers and their blobs.
    pub blobs: BlobStore,
    /// Shares and their files.
    pub shares: ShareStore,
}

impl Account {
    /// An empty account with fresh keys.
    pub fn new(
        name: impl Into<String>,
        arm_id: impl Into<String>,
        random: &mut impl RngCore,
    ) -> Self {
        Self {
            name: name.into(),
            arm_id: arm_id.into(),
            keys: [key(random), key(random)],
            location: "westeurope".to_owned(),
            of_service: false,
            properties: Map::new(),
            blob_service: Map::new(),
            blobs: BlobStore::new(u64::from(random.next_u32())),
            shares: ShareStore::new(u64::from(random.next_u32())),
        }
    }
}

fn key(random: &mut impl RngCore) -> String {
    let mut bytes = [0u8; 64];
    random.fill_bytes(&mut bytes);
    STANDARD.encode(bytes)
}
