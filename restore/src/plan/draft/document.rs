//! Planning an item that is restored with its document.

use workspace::azure::has_failed;
use workspace::{Document, ItemId, Kind};

use super::{Draft, Turn};
use crate::expected::{BytesPlace, Expected, is_archived, is_blank};
use crate::files::{Standing, amount, present, standings};
use crate::plan::Amount;
use crate::plan::decide::{Found, Verdict, decide, next_version};
use crate::snapshot::Loaded;
use crate::{Action, Error, Loss, OnConflict, Work};

/// The access tier in which blobs cannot be read.
const ARCHIVE: &str = "Archive";
/// Why bytes that went away in a registry stay away.
const KEPT_SHUT: &str = "a registry gives nobody a place for the bytes of a version that is there: delete the version first";
/// How many versions of a name are looked through for one that is the same.
const VERSIONS_COMPARED_MAX: usize = 16;

impl Draft<'_> {
    /// Plans one item.
    pub(super) async fn document(
        &mut self,
        kind: &'static Kind,
        turn: &Turn,
    ) -> Result<Option<u32>, Error> {
        let Some(loaded) = self.world.load(&turn.id).await? else {
            return Err(Self::vanished(&turn.id));
        };
        self.gaps(&loaded);
        let Some(arm) = &loaded.arm else {
            let verdict =
                Verdict::nothing(Action::Impossible, "the snapshot has no document of it");
            return Ok(self.push(turn, Work::Nothing, turn.id.clone(), verdict));
        };
        if let Some(why) = (kind.mapped_by_name)(&turn.id, &arm.value) {
            return self.mapped(turn, why).await;
        }
        let Some(expected) = self.world.expect(kind, &loaded).await? else {
            return Err(Self::vanished(&turn.id));
        };
        if let Some(loss) = expected
            .losses
            .iter()
            .find(|loss| loss.action == Action::Impossible)
        {
            let verdict = Verdict::nothing(Action::Impossible, loss.reason.clone());
            return Ok(self.push(turn, Work::Nothing, expected.target, verdict));
        }
        let (found, archived) = self.find(kind, &loaded, &expected).await?;
        if found == Found::Absent
            && let Some(same) = self.of_same_content(kind, &loaded, &expected).await?
        {
            self.sight(&same).await?;
            return Ok(self.push_same(turn, same));
        }
        let whole = Self::whole(&loaded, expected.place.is_some());
        let versioned = kind.versioned && turn.id.version.is_some();
        let mut verdict = decide(&found, whole, versioned, self.on_conflict);
        let mut expected = expected;
        if let Some(why) = expected.by_hand.filter(|_| found == Found::Absent) {
            verdict = Verdict::nothing(Action::Manual, why);
            self.make_by_hand(kind, &turn.id, &expected.target);
        }
        if verdict.action == Action::Create
            && let Some(lacking) = self.lacking(kind, &expected.value).await?
        {
            verdict = self.made_without(kind, turn, &expected.target, &lacking);
        }
        if verdict.renumber {
            (expected, verdict) = self.renumber(kind, &loaded, verdict).await?;
        }
        if verdict.action == Action::Repair
            && found != Found::Failed
            && self.world.azure.is_registry()
        {
            let why = format!("{}; {KEPT_SHUT}", verdict.reason);
            verdict = Verdict::nothing(Action::Impossible, why);
        }
        self.finish_document(kind, turn, &loaded, expected, verdict, archived)
            .await
    }

    async fn finish_document(
        &mut self,
        kind: &'static Kind,
        turn: &Turn,
        loaded: &Loaded,
        expected: Expected,
        mut verdict: Verdict,
        archived: Option<bool>,
    ) -> Result<Option<u32>, Error> {
        self.check_references(kind, &turn.id, &expected.value)
            .await?;
        self.sight(&expected.target).await?;
        if verdict.action == Action::Create && self.comes_by_itself(kind, &turn.id, &expected) {
            verdict = Verdict::nothing(Action::Skip, "its first version brings it along");
        }
        if verdict.action == Action::Create {
            self.losses.extend(expected.losses.iter().cloned());
            self.left_by_hand(kind, &turn.id, &expected.target, &expected.chores);
            self.settle_by_hand(kind, loaded, None, Some(&expected.value));
            self.images(kind, loaded);
            self.count_machines(kind, loaded);
            self.bytes_without_place(loaded, &expected);
            self.archived_bytes(loaded);
        } else {
            let manual = expected
                .losses
                .iter()
                .filter(|loss| loss.action == Action::Manual);
            self.losses.extend(manual.cloned());
        }
        let archive =
            expected.archived() && archived != Some(true) && verdict.action != Action::Impossible;
        let kept = verdict.action == Action::Skip
            && self.on_conflict == OnConflict::Skip
            && archived.is_some();
        let work = match expected.place {
            Some(BytesPlace::Pending { .. }) => Work::Code,
            _ => Work::Document,
        };
        if verdict.action == Action::Skip {
            self.made.insert(expected.target.clone());
        }
        let target = expected.target.clone();
        let there = verdict.action.changes() || verdict.action == Action::Skip;
        let number = self.push(turn, work, target.clone(), verdict);
        if there {
            self.finish_later(kind, turn, &expected, number);
        }
        if archive && !kept {
            self.archive_later(turn, &target, number);
        }
        Ok(number)
    }

    /// An item that every workspace has of its own.
    async fn mapped(&mut self, turn: &Turn, why: &str) -> Result<Option<u32>, Error> {
        let target = self.world.map_item(&turn.id);
        self.sight(&target).await?;
        let there = self.listing.has(&target).await?;
        let (action, what) = if there {
            (Action::Map, why.to_owned())
        } else {
            (Action::Manual, format!("{why}, and this target has none"))
        };
        self.losses.push(Loss::new(
            &turn.id,
            action,
            "its own document",
            what.clone(),
            "references to it lead to the target's own",
        ));
        let verdict = Verdict::nothing(action, what);
        Ok(self.push(turn, Work::Nothing, target, verdict))
    }

    /// A container that says nothing of its own exists as soon as a version does.
    fn comes_by_itself(&self, kind: &Kind, id: &ItemId, expected: &Expected) -> bool {
        let container = kind.versioned && expected.target.version.is_none();
        container
            && is_blank(kind, &expected.target, &expected.value)
            && (self.is_made(&expected.target) || self.is_elsewhere(id))
    }

    /// A row for files that the snapshot has and that get no place: their reference leads to a store of others.
    fn bytes_without_place(&mut self, loaded: &Loaded, expected: &Expected) {
        let files = loaded.item.files.len();
        if files > 0 && expected.place.is_none() {
            self.losses.push(Loss::new(
                &loaded.id,
                Action::Manual,
                format!("{files} files"),
                "the place that its document names is not one that a restore writes to",
                "map its storage account, or copy them by hand",
            ));
        }
    }

    /// A row for files that lay in the archive tier when they were saved.
    fn archived_bytes(&mut self, loaded: &Loaded) {
        let files = loaded.item.files.iter();
        let archived = files.filter(|file| file.tier.as_deref() == Some(ARCHIVE));
        let count = archived.count();
        if count > 0 {
            self.losses.push(Loss::new(
                &loaded.id,
                Action::Create,
                format!("the archive tier of {count} files"),
                "nobody can read an archived blob, and so not verify it",
                "they come back in the account's own tier",
            ));
        }
    }

    /// What the target has of an item, and whether it is archived there.
    pub(super) async fn find(
        &mut self,
        kind: &'static Kind,
        loaded: &Loaded,
        expected: &Expected,
    ) -> Result<(Found, Option<bool>), Error> {
        if !self.listing.has_exactly(&expected.target).await? {
            return Ok((Found::Absent, None));
        }
        let Some(document) = self
            .world
            .get(&expected.target)
            .await?
            .and_then(|listed| listed.document)
        else {
            return Ok((Found::Absent, None));
        };
        let archived = Some(is_archived(&document.value));
        let container = kind.versioned && expected.target.version.is_none();
        if container && is_blank(kind, &expected.target, &document.value) {
            let same = is_blank(kind, &expected.target, &expected.value);
            return Ok((if same { Found::Same } else { Found::Absent }, archived));
        }
        if let Some(field) = expected.difference(kind, &document.value) {
            return Ok((Found::Other(field), archived));
        }
        if has_failed(&document.value) {
            return Ok((Found::Failed, archived));
        }
        Ok((
            self.find_files(kind, loaded, expected, &document).await?,
            archived,
        ))
    }

    async fn find_files(
        &self,
        kind: &Kind,
        loaded: &Loaded,
        expected: &Expected,
        document: &Document,
    ) -> Result<Found, Error> {
        let uri = match (&expected.place, kind.content) {
            (None, _) => return Ok(Found::Same),
            (Some(BytesPlace::Named { uri, .. }), _) => uri.clone(),
            (Some(BytesPlace::Pending { .. }), workspace::Content::Uri(pointer)) => {
                let uri = document
                    .value
                    .pointer(pointer)
                    .and_then(serde_json::Value::as_str);
                uri.unwrap_or_default().to_owned()
            }
            _ => return Ok(Found::Same),
        };
        let failed = |error| Error::target(format!("the files of {}", expected.target), error);
        let azure = self.world.azure;
        let place = azure
            .locate_of(&expected.target, &uri)
            .await
            .map_err(failed)?;
        let there = present(azure, &place).await.map_err(failed)?;
        let files = expected.files(loaded);
        let standings = standings(azure, &files, &there, |file| file.path.to_string())
            .await
            .map_err(failed)?;
        let differing = amount(&files, &standings, Standing::Differs);
        let missing = amount(&files, &standings, Standing::Missing);
        Ok(found_of(differing, missing))
    }

    /// Another version number, or an existing version that is the same: a restore that ran before made it.
    async fn renumber(
        &mut self,
        kind: &'static Kind,
        loaded: &Loaded,
        verdict: Verdict,
    ) -> Result<(Expected, Verdict), Error> {
        let id = &loaded.id;
        let name = self.world.map_item(id);
        let mut taken = self.listing.versions(&name).await?;
        let own = name.version.clone().unwrap_or_default();
        for version in taken
            .clone()
            .iter()
            .rev()
            .filter(|version| **version != own)
            .take(VERSIONS_COMPARED_MAX)
        {
            let expected = self.expect_as(kind, loaded, &name, version).await?;
            match self.find(kind, loaded, &expected).await?.0 {
                Found::Same => {
                    let verdict = Verdict::nothing(
                        Action::Skip,
                        "the target has it under this version number",
                    );
                    return Ok((expected, verdict));
                }
                Found::Lacking(amount) => {
                    let verdict = decide(&Found::Lacking(amount), amount, true, self.on_conflict);
                    return Ok((expected, verdict));
                }
                _ => {}
            }
        }
        let made = self
            .made
            .iter()
            .filter(|made| made.kind == name.kind && made.name == name.name);
        taken.extend(made.filter_map(|made| made.version.clone()));
        taken.extend(self.names.versions(id));
        let version = next_version(&own, taken.iter().map(String::as_str));
        let expected = self.expect_as(kind, loaded, &name, &version).await?;
        self.losses.push(Loss::new(
            id,
            Action::Create,
            "version",
            "the target has another item under this version number",
            format!("made as {}; references follow", expected.target),
        ));
        Ok((expected, verdict))
    }

    async fn expect_as(
        &mut self,
        kind: &'static Kind,
        loaded: &Loaded,
        name: &ItemId,
        version: &str,
    ) -> Result<Expected, Error> {
        let to = ItemId::versioned(name.kind.clone(), name.name.clone(), version);
        self.world.rewriter_mut().renamed(loaded.id.clone(), to);
        let expected = self.world.expect(kind, loaded).await?;
        expected.ok_or_else(|| Self::vanished(&loaded.id))
    }
}

fn found_of(differing: Amount, missing: Amount) -> Found {
    if differing.files > 0 {
        return Found::Differing(Amount {
            files: differing.files + missing.files,
            bytes: differing.bytes + missing.bytes,
        });
    }
    if missing.files > 0 {
        return Found::Lacking(missing);
    }
    Found::Same
}
