//! Index files: each opens with the meta key, belongs to its pack, and is that pack's own table where the keys open it.

use super::finding::{Finding, Touches};
use super::{Checking, Depth, is_finding};
use crate::pack::index::Index;
use crate::{Error, FileName, PackName};

impl Checking<'_> {
    /// A pack without an index. Nobody uses one that no snapshot needs: its writer may be about to write the index.
    pub(super) async fn index_lost(
        &mut self,
        name: &PackName,
        is_needed: bool,
    ) -> Result<(), Error> {
        if !is_needed {
            self.warn(FileName::pack(name), "it has no index");
            return Ok(());
        }
        let finding = Finding::of_pack(FileName::index(name), "it is missing", *name);
        self.found_in_index(name, finding).await
    }

    /// Looks at one index file, unless its pack was told already.
    pub(super) async fn index(
        &mut self,
        name: &PackName,
        pack_bytes: u64,
        is_needed: bool,
    ) -> Result<(), Error> {
        let index = match self.inner.read_index(name).await {
            Ok(index) => index,
            Err(error) if is_finding(&error) => {
                let finding = Finding::of_pack(FileName::index(name), error, *name);
                return self.found_in_index(name, finding).await;
            }
            Err(error) => return Err(error),
        };
        let mut findings = self.findings.iter();
        if findings.any(|finding| finding.pack() == Some(*name)) {
            return Ok(());
        }
        if index.stored_bytes != pack_bytes {
            return self.other_size(name, is_needed).await;
        }
        if self.depth == Depth::Structure || self.archived.contains(name) {
            return Ok(());
        }
        match self.compare(&index).await {
            Ok(()) => Ok(()),
            Err(error) if is_finding(&error) => {
                let finding = Finding::of_pack(FileName::index(name), error, *name);
                self.found_in_index(name, finding).await
            }
            Err(error) => Err(error),
        }
    }

    /// Pack and index do not agree on the pack's size. Where the pack has its digest the index is wrong, else the pack.
    async fn other_size(&mut self, name: &PackName, is_needed: bool) -> Result<(), Error> {
        if self.whole.contains(name) {
            let reason = "it says another size than its pack has";
            let finding = Finding::of_pack(FileName::index(name), reason, *name);
            return self.found_in_index(name, finding).await;
        }
        let reason = "it has another size than its index says";
        let finding = Finding::of_pack(FileName::pack(name), reason, *name);
        self.found_in_pack(name, finding, is_needed).await
    }

    /// Compares an index with its pack's own table, where the keys at hand open that.
    async fn compare(&self, index: &Index) -> Result<(), Error> {
        let objects = &self.inner.objects;
        if objects.keys(index.table.class).is_err() {
            return Ok(());
        }
        let damaged = |reason: String| Error::Damaged {
            name: FileName::index(&index.pack),
            reason,
        };
        match objects.own_table(index.pack, index.stored_bytes).await {
            Ok(own) if own == *index => Ok(()),
            Ok(_) => Err(damaged("it is not the table of its pack".to_owned())),
            Err(Error::Damaged { reason, .. }) => Err(damaged(reason)),
            Err(error) => Err(error),
        }
    }

    /// Keeps a finding about an index. Where a repair said that the pack's own table counts, nothing is lost by it.
    async fn found_in_index(&mut self, name: &PackName, finding: Finding) -> Result<(), Error> {
        if self.inner.catalogue.repaired(*name).await?.tabled {
            let reason = format!(
                "{}; a repair knows it, and the pack's own table counts",
                finding.reason
            );
            self.warn(&finding.name, &reason);
            return Ok(());
        }
        let mut findings = self.findings.iter();
        let told = findings.any(|other| other.pack() == Some(*name));
        let touches = if told {
            Touches::Nothing
        } else {
            finding.touches
        };
        self.findings.push(Finding { touches, ..finding });
        Ok(())
    }
}
