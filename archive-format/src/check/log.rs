//! The record, the key files and the log, read again from the first entry on as a stranger would.

use futures::TryStreamExt;

use super::finding::{Finding, Touches};
use super::{Checking, is_finding};
use crate::log::Body;
use crate::log::chain::Chain;
use crate::magic::RECORD_BYTES_MAX;
use crate::{Digest, Error, FileName, Record};

impl Checking<'_> {
    pub(super) async fn log(&mut self) -> Result<(), Error> {
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
        let mut chain = Chain::new(&self.inner.record, Vec::new())?;
        let mut keys = None;
        while chain.number < last {
            let number = chain.number + 1;
            match chain
                .next(
                    self.inner.storage.as_ref(),
                    &self.inner.ring,
                    &self.inner.record,
                )
                .await
            {
                Ok(Some(entry)) => {
                    self.same_as_remembered(number, entry.hash).await?;
                    if let Body::Keys(body) = &entry.body.body {
                        keys = Some(body.clone());
                    }
                    chain.advance(&entry)?;
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
        for file in keys.map(|keys| keys.files).unwrap_or_default() {
            self.key_file(&file.name, &file.sha256).await?;
        }
        Ok(())
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
