//! Comparing an item that has a document.

use workspace::{Content, ItemId, Kind};

use super::azure::Comparison;
use super::{Standing, Sum};
use crate::expected::{BytesPlace, must_lead};
use crate::files::present;
use crate::snapshot::Loaded;
use crate::{Action, Error};

impl Comparison<'_> {
    async fn all_there(&self, items: &[ItemId]) -> Result<bool, Error> {
        for item in items {
            if self.world.get(item).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Compares one item with its files.
    pub(super) async fn document(
        &self,
        kind: &'static Kind,
        loaded: &Loaded,
        sum: &mut Sum,
    ) -> Result<Standing, Error> {
        let Some(arm) = &loaded.arm else {
            return Ok(Standing::Expected);
        };
        if (kind.mapped_by_name)(&loaded.id, &arm.value).is_some() {
            return Ok(Standing::Expected);
        }
        let Some(expected) = self.world.expect(kind, loaded).await? else {
            return Ok(Standing::Expected);
        };
        let impossible = expected
            .losses
            .iter()
            .any(|loss| loss.action == Action::Impossible);
        let actual = self
            .world
            .get(&expected.target)
            .await?
            .and_then(|listed| listed.document);
        let Some(actual) = actual else {
            let target = self.world.rewriter().target().clone();
            let musts = must_lead(kind, &expected.value, &target);
            if impossible || expected.by_hand.is_some() || !self.all_there(&musts).await? {
                return Ok(Standing::Expected);
            }
            sum.differs(&loaded.id, "the item", "it is not there");
            return Ok(Standing::Missing);
        };
        let before = (sum.files, sum.differences.len());
        for difference in kind.differences(&expected.target, &expected.value, &actual.value) {
            if !expected.ignores(&difference.pointer) {
                let reason = match (&difference.left, &difference.right) {
                    (Some(_), None) => "it is not there",
                    (None, Some(_)) => "it should not be there",
                    _ => "it has another value",
                };
                sum.differs(&loaded.id, difference.pointer, reason);
            }
        }
        let mut open = false;
        for last in &expected.last {
            if last.is_in(&actual.value) {
                continue;
            }
            open = true;
            if self.all_there(&last.names).await? {
                sum.differs(&loaded.id, last.field.pointer, "it has another value");
            }
        }
        let fields_differ = sum.differences.len() > before.1;
        let uri = match (&expected.place, kind.content) {
            (Some(BytesPlace::Named { uri, .. }), _) => Some(uri.clone()),
            (Some(BytesPlace::Pending { .. }), Content::Uri(pointer)) => {
                let uri = actual
                    .value
                    .pointer(pointer)
                    .and_then(serde_json::Value::as_str);
                uri.map(str::to_owned)
            }
            _ => None,
        };
        if let Some(uri) = uri.filter(|_| !loaded.item.files.is_empty()) {
            let failed = |error| Error::target(format!("the files of {}", expected.target), error);
            let azure = self.world.azure;
            let place = azure
                .locate_of(&expected.target, &uri)
                .await
                .map_err(failed)?;
            let there = present(self.world.azure, &place).await.map_err(failed)?;
            let path_of = |file: &archive_format::FileEntry| file.path.to_string();
            let files = expected.files(loaded);
            self.files(&loaded.id, &files, &there, path_of, sum).await?;
        }
        let files_differ =
            sum.files.different + sum.files.missing > before.0.different + before.0.missing;
        Ok(
            match (fields_differ || files_differ, expected.by_rule || open) {
                (true, _) => Standing::Different,
                (false, true) => Standing::Expected,
                (false, false) => Standing::Same,
            },
        )
    }
}
