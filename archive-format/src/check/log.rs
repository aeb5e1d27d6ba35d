//! The record, the key files and the log, read again from the first entry on as a stranger would.

use std::collections::BTreeMap;

use futures::TryStreamExt;

use super::finding::{Finding, Touches};
use super::{Checking, is_finding};
use crate::keys::file::KeyFileName;
use crate::log::chain::{Chain, Next, Passed};
use crate::log::{Body, Keys};
use crate::magic::RECORD_BYTES_MAX;
use crate::storage::StorageFault;
use crate::{Digest, Error, FileName, Record, Signer};

impl Checking<'_> {
    pub(super) async fn log(&mut self) -> Result<(), Error> {
        let checkpoints = self.list_checkpoints().await?;
        let mut last = 0;
        let mut files = self.inner.storage.list("log/");
        while let Some(file) = files.try_next().await? {
            match file
                .name
                .as_str()
                .strip_prefix("log/")
                .and_then(|number| number.parse::<u64>().ok())
            {
                Some(number) if FileName::log(number) == file.name => last = last.max(number),
                _ => self.warn(&file.name, "it is no log entry"),
            }
        }
        self.stage("log", Some(last));
        self.record().await?;
        let pinned = self.inner.chain.lock().await.pinned();
        let mut chain = Chain::new(&self.inner.record, pinned)?;
        let mut keys = None;
        let (mut passed_over, mut signers) = (Vec::new(), Vec::new());
        let mut hashes = BTreeMap::new();
        while chain.number < last {
            let number = chain.number + 1;
            match self.inner.next_entry(&chain).await {
                Ok(Some(Next::Passed(passed))) => {
                    self.same_as_remembered(number, passed.hash).await?;
                    chain.pass(&passed);
                    hashes.insert(number, passed.hash);
                    passed_over.push(passed);
                    self.report.entries += 1;
                    self.done(0);
                }
                Ok(Some(Next::Believed(entry))) => {
                    self.same_as_remembered(number, entry.hash).await?;
                    if let Body::Keys(body) = &entry.body.body {
                        keys = Some(body.clone());
                    }
                    chain.advance(&entry)?;
                    hashes.insert(number, entry.hash);
                    signers.push((number, entry.signer));
                    self.report.entries += 1;
                    self.done(0);
                }
                Ok(None) => self.lost_entry(number, "it is missing", &mut chain).await?,
                Err(error) if is_finding(&error) => {
                    self.lost_entry(number, &error.to_string(), &mut chain)
                        .await?
                }
                Err(error) => return Err(error),
            }
        }
        // What was seen here before and is not even listed any more.
        let seen = self.inner.catalogue.log_end().await?;
        while seen.is_some_and(|(seen, _)| chain.number < seen) {
            let number = chain.number + 1;
            self.lost_entry(number, "it is missing", &mut chain).await?;
        }
        self.checkpoints(checkpoints, &chain, &hashes).await?;
        self.passed_over(&chain, passed_over, signers);
        if let Some(keys) = &keys {
            for file in &keys.files {
                self.key_file(&file.name, &file.sha256).await?;
            }
            self.foreign_keys(keys).await?;
        }
        Ok(())
    }

    /// Files among the keys that nobody named. Superseded editions, which a storage may have kept, are no news.
    async fn foreign_keys(&mut self, keys: &Keys) -> Result<(), Error> {
        let mut files = self.inner.storage.list("keys/");
        while let Some(file) = files.try_next().await? {
            let name = file.name.as_str();
            let named = keys.files.iter().any(|known| known.name == name);
            let reason = match KeyFileName::parse(name) {
                // The keys of sealed exports lie beside those of the repository, and are looked at with their exports.
                None if file.name.export().is_some() => continue,
                None => "it is no key file",
                Some(name) if !named && name.edition >= keys.edition => {
                    "it is a key file that no entry of the log names"
                }
                Some(_) => continue,
            };
            self.warn(&file.name, reason);
        }
        Ok(())
    }

    /// Names the entries that count for nothing: odd where the owners drew a line before them, else damage.
    fn passed_over(&mut self, chain: &Chain, passed: Vec<Passed>, signers: Vec<(u64, Signer)>) {
        for (number, signer) in signers {
            if chain
                .revoked_after(&signer)
                .is_some_and(|after| number > after)
            {
                let reason = format!("its signer {signer} was revoked, so it counts for nothing");
                self.warn(FileName::log(number), &reason);
            }
        }
        for passed in passed {
            let name = FileName::log(passed.number);
            match (
                chain.unfit().find(|(number, _)| *number == passed.number),
                passed.unfit,
            ) {
                (Some((_, signer)), Some(reason)) => {
                    let reason = format!("the machine {signer} signed it, and {reason}");
                    self.findings.push(Finding::new(name, reason));
                }
                _ => {
                    let signer = passed.signer;
                    let reason =
                        format!("its signer {signer} was revoked, so it counts for nothing");
                    self.warn(name, &reason);
                }
            }
        }
    }

    async fn record(&mut self) -> Result<(), Error> {
        let read = match self
            .inner
            .storage
            .read(&FileName::record(), RECORD_BYTES_MAX)
            .await
        {
            Ok(bytes) => Record::from_bytes(&bytes),
            Err(error) => Err(error.into()),
        };
        match read {
            Ok(record) if record == self.inner.record => {}
            Ok(_) => self.record_finding("it changed while it was open"),
            Err(error) if is_finding(&error) => self.record_finding(&error.to_string()),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn record_finding(&mut self, reason: &str) {
        self.findings.push(Finding {
            touches: Touches::Everything,
            ..Finding::new(FileName::record(), reason)
        });
    }

    async fn same_as_remembered(
        &mut self,
        number: u64,
        hash: crate::EntryHash,
    ) -> Result<(), Error> {
        if let Some(known) = self.inner.catalogue.entry_hash(number).await?
            && known != hash
        {
            let finding = Finding::new(
                FileName::log(number),
                "it is another entry than the one that was seen before",
            );
            self.findings.push(finding);
        }
        Ok(())
    }

    /// Notes a lost entry; where this machine read it before, it knows which snapshot is lost with it.
    async fn lost_entry(
        &mut self,
        number: u64,
        reason: &str,
        chain: &mut Chain,
    ) -> Result<(), Error> {
        let mut finding = Finding::new(FileName::log(number), reason);
        for (entry, _, body) in self.inner.catalogue.entries_of("snapshot").await? {
            if let Body::Snapshot(record) = &body.body
                && entry == number
            {
                finding.snapshots.push(record.id);
                finding.items = self.items_of(record.id).await?;
            }
        }
        let mut keys = self.inner.catalogue.entries_of("keys").await?.into_iter();
        if keys.any(|(entry, _, _)| entry == number) {
            finding.touches = Touches::Everything;
        }
        self.findings.push(finding);
        chain.skip();
        Ok(())
    }

    async fn key_file(&mut self, name: &str, sha256: &Digest) -> Result<(), Error> {
        let file = FileName::new(name)?;
        match self.inner.storage.read(&file, RECORD_BYTES_MAX).await {
            Ok(bytes) if Digest::of(&bytes) == *sha256 => {}
            Ok(_) => self.key_finding(name, "it is not the file that the log names"),
            Err(error) if error.fault == StorageFault::NotFound => {
                self.key_finding(name, "it is missing");
            }
            Err(error) => {
                let error = Error::from(error);
                if !is_finding(&error) {
                    return Err(error);
                }
                self.key_finding(name, &error.to_string());
            }
        }
        Ok(())
    }

    fn key_finding(&mut self, name: &str, reason: &str) {
        let mut finding = Finding::new(name, reason);
        // The owners' signing key opens nothing: without it only keys cannot be changed any more.
        if !name.contains("-sign") {
            finding.touches = Touches::Everything;
        }
        self.findings.push(finding);
    }
}
