//! Shared access signatures: read from a file, or made from the account's key.
//!
//! A key never goes over the wire and signs no request: it makes an account signature for a day, renewed at half its
//! life, as a person would with `az storage account generate-sas`.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use object_store::CredentialProvider;
use object_store::azure::AzureCredential;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;
use workspace::Clock;

/// How long a signature made here is good for.
const LIFE: SignedDuration = SignedDuration::from_hours(24);

/// The version of the service whose form of a signature is written.
const VERSION: &str = "2020-12-06";

/// Read, write, delete, list, add, create, keep from deletion: as far as the key's holder lets mlark go.
const PERMISSIONS: &str = "rwdlaci";

type Pairs = Vec<(String, String)>;

/// The parts of a signature as a file holds it: `sv=…&sig=…`, with or without `?` or an address in front.
pub(super) fn parse(text: &SecretString) -> Result<Pairs, &'static str> {
    let text = text.expose_secret().trim();
    let query = text.split_once('?').map_or(text, |(_, query)| query);
    let pairs: Pairs = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let has = |name: &str| {
        pairs
            .iter()
            .any(|(own, value)| own == name && !value.is_empty())
    };
    if has("sig") && has("sv") {
        Ok(pairs)
    } else {
        Err("it is no shared access signature: it begins like sv=… and has a sig=…")
    }
}

/// The account's key as a credential.
pub(super) struct AccountKey {
    account: String,
    key: SecretSlice<u8>,
    clock: Clock,
    made: Mutex<Option<(Timestamp, Arc<AzureCredential>)>>,
}

/// Says nothing of the key.
impl std::fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountKey")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl AccountKey {
    /// Takes the key as Azure shows it, in base 64.
    pub(super) fn new(
        account: &str,
        key: &SecretString,
        clock: Clock,
    ) -> Result<Self, &'static str> {
        let bytes = BASE64_STANDARD.decode(key.expose_secret().trim());
        let bytes = bytes
            .ok()
            .filter(|bytes| !bytes.is_empty())
            .ok_or("it is no account key: that is one word in base 64")?;
        Ok(Self {
            account: account.to_owned(),
            key: bytes.into(),
            clock,
            made: Mutex::default(),
        })
    }

    /// An account signature (Create an account SAS, string-to-sign of version 2020-12-06) for the blob service.
    fn sign(&self, now: Timestamp) -> Option<Pairs> {
        let expiry = now.checked_add(LIFE).ok()?;
        let expiry = expiry.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let text = format!(
            "{}\n{PERMISSIONS}\nb\nsco\n\n{expiry}\n\nhttps,http\n{VERSION}\n\n",
            self.account
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose_secret()).ok()?;
        mac.update(text.as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let pairs = [
            ("sv", VERSION),
            ("ss", "b"),
            ("srt", "sco"),
            ("sp", PERMISSIONS),
            ("se", &expiry),
            ("spr", "https,http"),
            ("sig", &signature),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Some(pairs.into_iter().map(owned).collect())
    }
}

#[async_trait]
impl CredentialProvider for AccountKey {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        let now = self.clock.now();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, credential)) = made.as_ref()
            && now.duration_since(*then).abs() < LIFE / 2
        {
            return Ok(Arc::clone(credential));
        }
        let pairs = self
            .sign(now)
            .ok_or_else(|| object_store::Error::Unauthenticated {
                path: String::new(),
                source: "the account's key cannot sign".into(),
            })?;
        let credential = Arc::new(AzureCredential::SASToken(pairs));
        *made = Some((now, Arc::clone(&credential)));
        Ok(credential)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_in_each_form_that_people_have_it_in() {
        for text in [
            "sv=2022-11-02&sp=rl&sig=a%2Bb%3D",
            "?sv=2022-11-02&sp=rl&sig=a%2Bb%3D\n",
            "https://a.blob.core.windows.net/c?sv=2022-11-02&sp=rl&sig=a%2Bb%3D",
        ] {
            let pairs = parse(&text.into()).unwrap();
            assert_eq!(pairs.last().unwrap().1, "a+b=", "{text}");
        }
        for refused in ["", "sv=2022-11-02", "sig=", "SECRET", "sv=&sig=x"] {
            let why = parse(&refused.into()).unwrap_err();
            assert!(!why.contains("SECRET"));
        }
    }

    #[test]
    fn account_key_never_appears_in_debug_output() {
        let key = BASE64_STANDARD.encode("hunter2");
        let key = AccountKey::new("acct", &key.as_str().into(), Clock::system()).unwrap();
        let shown = format!("{key:?}");
        assert!(shown.contains("acct") && !shown.contains("hunter2"));
        assert!(AccountKey::new("acct", &"no base 64!".into(), Clock::system()).is_err());
    }

    #[tokio::test]
    async fn a_signature_is_kept_for_half_its_life() {
        let key = AccountKey::new("acct", &"aGk=".into(), Clock::system()).unwrap();
        let first = key.get_credential().await.unwrap();
        let second = key.get_credential().await.unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        let old = key.clock.now() - SignedDuration::from_hours(13);
        *key.made.lock().unwrap() = Some((old, first.clone()));
        assert!(!Arc::ptr_eq(&first, &key.get_credential().await.unwrap()));
    }
}
