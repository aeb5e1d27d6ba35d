//! Who holds keys, since when, and who was revoked: read from the `keys` entries of the log.

use super::Repository;
use crate::log::{Body, HolderSort, KeyHolder, Keys};
use crate::{Error, Signer};

/// The keys of a repository as the newest `keys` entry says.
#[derive(Clone, Debug, PartialEq)]
pub struct KeySet {
    /// The edition of the key files.
    pub edition: u32,
    /// The entry that says so.
    pub entry: u64,
    /// Everyone who holds a key now.
    pub holders: Vec<Holder>,
    /// Machines whose entries count for nothing after some number.
    pub revoked: Vec<RevokedMachine>,
}

/// One who holds a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// What the log says of him.
    pub holder: KeyHolder,
    /// The entry that brought him.
    pub since: u64,
}

/// A machine that was removed or revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedMachine {
    /// Its label.
    pub label: String,
    /// Its signer.
    pub signer: Signer,
    /// The last entry of it that counts.
    pub after: u64,
}

impl Repository {
    /// Who holds keys now, and who did.
    pub async fn keys(&self) -> Result<KeySet, Error> {
        let mut holders: Vec<Holder> = Vec::new();
        let mut newest = (0, 0);
        for (number, _, entry) in self.inner.catalogue.entries_of("keys").await? {
            let Body::Keys(keys) = entry.body else {
                continue;
            };
            newest = (number, keys.edition);
            holders = carried_on(&holders, &keys, number);
        }
        let chain = self.inner.chain.lock().await;
        let revoked = chain.introduced().iter().filter_map(|(signer, label)| {
            Some(RevokedMachine {
                label: label.clone(),
                signer: *signer,
                after: chain.revoked_after(signer)?,
            })
        });
        Ok(KeySet {
            edition: newest.1,
            entry: newest.0,
            holders,
            revoked: revoked.collect(),
        })
    }
}

fn carried_on(before: &[Holder], keys: &Keys, number: u64) -> Vec<Holder> {
    let since = |holder: &KeyHolder| {
        let known = before.iter().find(|known| same(&known.holder, holder));
        known.map_or(number, |known| known.since)
    };
    let holders = keys.holders.iter();
    let holders = holders.map(|holder| Holder {
        since: since(holder),
        holder: holder.clone(),
    });
    holders.collect()
}

/// Whether two entries mean the same one, whatever the label.
pub(super) fn same(left: &KeyHolder, right: &KeyHolder) -> bool {
    (left.sort, &left.recipient, left.signer, left.passphrase)
        == (right.sort, &right.recipient, right.signer, right.passphrase)
}

impl KeySet {
    /// The one holder that a name means: a label, a recipient, a signer or the first digits of one.
    pub fn find(&self, name: &str) -> Result<&KeyHolder, Error> {
        let refused = |reason: String| Error::Holder {
            name: name.chars().take(200).collect(),
            reason,
        };
        let holders: Vec<&KeyHolder> = self.holders.iter().map(|held| &held.holder).collect();
        let exact = |holder: &&&KeyHolder| {
            holder.label == name
                || holder.recipient.as_deref() == Some(name)
                || holder
                    .signer
                    .is_some_and(|signer| signer_begins(&signer, name))
        };
        match holders.iter().filter(exact).collect::<Vec<_>>().as_slice() {
            [] => Err(refused(
                "nobody of that label, recipient or signer holds a key".to_owned(),
            )),
            [one] => Ok(one),
            several => Err(refused(format!(
                "{} holders have it; give the recipient or the signer",
                several.len()
            ))),
        }
    }

    /// The machine that a name means, among those that hold a key and those that did: a label, a signer or the first digits
    /// of one.
    pub fn find_machine(&self, name: &str) -> Result<Signer, Error> {
        let held = self.holders.iter().filter_map(|held| {
            let signer = held.holder.signer?;
            Some((held.holder.label.as_str(), signer))
        });
        let revoked = self
            .revoked
            .iter()
            .map(|machine| (machine.label.as_str(), machine.signer));
        let mut found: Vec<Signer> = held
            .chain(revoked)
            .filter(|(label, signer)| *label == name || signer_begins(signer, name))
            .map(|(_, signer)| signer)
            .collect();
        found.sort_unstable();
        found.dedup();
        let reason = match found.as_slice() {
            [one] => return Ok(*one),
            [] => "no machine has that label or signer".to_owned(),
            several => format!("{} machines have it; give the signer", several.len()),
        };
        Err(Error::Holder {
            name: name.chars().take(200).collect(),
            reason,
        })
    }

    /// How many owners there are.
    pub fn owners(&self) -> usize {
        let owners = self.holders.iter();
        owners
            .filter(|held| held.holder.sort == HolderSort::Owner)
            .count()
    }
}

fn signer_begins(signer: &Signer, text: &str) -> bool {
    text.len() >= 8 && signer.to_string().starts_with(&text.to_ascii_lowercase())
}
