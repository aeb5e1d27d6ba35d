//! The keys of sealed exports: there for those that are kept, gone for those that were erased.

use super::Checking;
use super::finding::Finding;
use crate::{Error, ExportId, FileName, KnownExport};

impl Checking<'_> {
    pub(super) async fn exports(&mut self) -> Result<(), Error> {
        // Listed before the log is asked: a key is there before its export is logged, and goes after its tombstone is.
        let keys = self.inner.export_keys().await?;
        let is_lost = |known: &KnownExport| {
            let export = &known.export;
            export.encrypted && known.erased.is_none() && !keys.contains(&export.export)
        };
        let mut exports = self.inner.exports().await?;
        if exports.iter().any(is_lost) && self.inner.read_log(false, &mut Vec::new()).await.is_ok()
        {
            // One that was erased since the log was read is no loss.
            exports = self.inner.exports().await?;
        }
        for known in &exports {
            let (id, name) = (known.export.export, &known.export.name);
            if is_lost(known) {
                let reason = format!("it is missing: nobody opens the export {name} any more");
                let file = FileName::export_key(&id);
                self.findings.push(Finding::new(file, reason));
            } else if let Some(erased) = known.erased.filter(|_| keys.contains(&id)) {
                self.left(id, name, erased.entry);
            }
        }
        Ok(())
    }

    fn left(&mut self, id: ExportId, name: &str, entry: u64) {
        let reason = format!(
            "entry {entry} erased the export {name}, and its key is still there: it is to be erased again"
        );
        self.warn(FileName::export_key(&id), &reason);
    }
}
