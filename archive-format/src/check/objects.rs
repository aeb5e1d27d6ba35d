//! Opens every object of a pack: decrypts, decompresses, reads the tar headers, hashes.

use std::collections::BTreeSet;

use super::finding::{Finding, Touches};
use super::{Checking, is_finding};
use crate::catalogue::objects::Location;
use crate::pack::index::Index;
use crate::pack::scan::{self, Group};
use crate::pack::{self, ObjectRow};
use crate::planes::Encoding;
use crate::{Address, Error, FileName, PackName};

impl Checking<'_> {
    /// Opens the objects of one pack. `finding` is what its digest told; the answer adds which objects are bad.
    pub(super) async fn read_objects(
        &mut self,
        name: &PackName,
        size: u64,
        finding: Option<Finding>,
    ) -> Result<Option<Finding>, Error> {
        let Some(index) = self.table(name, size, finding.is_none()).await? else {
            return Ok(finding);
        };
        let mut bad = BTreeSet::new();
        let mut reason = None;
        let mut at = 0;
        for group in scan::groups(&index.table) {
            let length: u64 = index.table.frames[group.frames.clone()]
                .iter()
                .map(|frame| u64::from(frame.stored_bytes))
                .sum();
            match self.read_group(&index, &group, at).await {
                Ok(damaged) => bad.extend(damaged),
                Err(error) if is_finding(&error) => {
                    bad.extend(group.objects.iter().map(|row| row.address));
                    reason.get_or_insert(error.to_string());
                }
                Err(error) => return Err(error),
            }
            at += length;
            self.report.objects += group.objects.len() as u64;
        }
        if bad.is_empty() {
            return Ok(finding);
        }
        let all = scan::addresses(&index).count();
        let mut finding = finding.unwrap_or_else(|| {
            let reason =
                reason.unwrap_or_else(|| "it holds what its table does not say".to_owned());
            Finding::new(FileName::pack(name), reason)
        });
        finding.reason = format!(
            "{}; {} of its {all} objects do not open",
            finding.reason,
            bad.len()
        );
        finding.touches = Touches::Pack(*name, Some(bad));
        Ok(Some(finding))
    }

    /// The table of a pack. Where the pack has the digest that is its name its own table is the true one; else the index
    /// is more likely to be. That neither opens is told elsewhere.
    async fn table(
        &self,
        name: &PackName,
        size: u64,
        is_whole: bool,
    ) -> Result<Option<Index>, Error> {
        for own in [is_whole, !is_whole] {
            let read = if own {
                self.inner.objects.own_table(*name, size).await
            } else {
                self.inner.read_index(name).await
            };
            match read {
                Ok(index) => return Ok(Some(index)),
                Err(error) if is_finding(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The objects of a group that are not what their names say.
    async fn read_group(
        &self,
        index: &Index,
        group: &Group,
        at: u64,
    ) -> Result<Vec<Address>, Error> {
        let objects = &self.inner.objects;
        let location = Location {
            pack: index.pack,
            class: index.table.class,
            stored_bytes: index.stored_bytes,
            header: index.header.clone(),
            at,
            frames: index.table.frames[group.frames.clone()].to_vec(),
            row: ObjectRow {
                address: Address::from_bytes([0; 32]),
                frame: 0,
                offset: 0,
                length: 0,
                encoding: Encoding::Plain,
            },
        };
        let keys = objects.keys(index.table.class)?;
        let plain = objects.frames(location, keys).await?;
        let rows = group.objects.clone();
        objects
            .codecs
            .run(move |_| {
                let mut bad = Vec::new();
                for row in rows {
                    if !scan::has_header(&plain, &row) || pack::extract(&plain, &row).is_err() {
                        bad.push(row.address);
                    }
                }
                Ok(bad)
            })
            .await
    }
}
