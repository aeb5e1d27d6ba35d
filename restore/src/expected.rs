//! What an item becomes in the target: its document after rewriting and after every change that a restore makes by
//! rule, the place of its bytes, and the rows that say what is different. Plan, apply and verify all ask here, so that
//! they cannot disagree.
//!
//! Pure: it reads documents and writes nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use archive_format::FileEntry;
use serde_json::Value;
use workspace::reference::{Rewriter, rewrite};
use workspace::{Identity, ItemId, Kind};

use crate::manual::Chore;
use crate::snapshot::{Loaded, Text};
use crate::{Action, Loss};

mod credentials;
mod definition;
mod held;
mod lead;
mod place;
mod table;

pub(crate) use definition::source_job;
pub(crate) use held::Last;
pub(crate) use lead::must_lead;
pub(crate) use place::{BytesPlace, needs_job};
pub(crate) use table::Table;

const ARCHIVED: &str = "/properties/isArchived";

/// What is known besides the item itself.
pub(crate) struct Given<'a> {
    /// Where things went.
    pub(crate) rewriter: &'a Rewriter,
    /// Whether credentials of the snapshot are written.
    pub(crate) secrets: bool,
    /// Whether a job of this id is a job of the target.
    pub(crate) job_here: &'a (dyn Fn(&str) -> bool + Sync),
    /// Whether a job of this id is in the snapshot.
    pub(crate) job_known: &'a (dyn Fn(&str) -> bool + Sync),
    /// The specification of the job that a schedule names.
    pub(crate) source_job: Option<&'a Text>,
    /// The address of the target's default container, without a slash at its end.
    pub(crate) default_container: Option<&'a str>,
    /// Storage accounts that may be written to, in lower case.
    pub(crate) accounts: &'a BTreeSet<String>,
}

/// An item as it will be in the target.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Its name there.
    pub(crate) target: ItemId,
    /// Its document, with the source's read-only fields, which no comparison looks at.
    pub(crate) value: Value,
    /// The api-version to write it with.
    pub(crate) api_version: String,
    /// Where its bytes go.
    pub(crate) place: Option<BytesPlace>,
    /// Its files that are written with other bytes than the snapshot's, by path.
    pub(crate) tables: BTreeMap<String, Table>,
    /// What will not be as it was.
    pub(crate) losses: Vec<Loss>,
    /// Fields that are written again once what lies below the item is there.
    pub(crate) last: Vec<Last>,
    /// What is left to a person.
    pub(crate) chores: Vec<Chore>,
    /// Whether a rule of this crate made it different from what it was, references aside.
    pub(crate) by_rule: bool,
    /// Pointers that are not compared: what the service or a person decides in the target.
    pub(crate) ignored: Vec<String>,
    /// Why a person has to make it, where the target has none.
    pub(crate) by_hand: Option<&'static str>,
}

impl Expected {
    /// Whether the item is archived at the source.
    pub(crate) fn archived(&self) -> bool {
        is_archived(&self.value)
    }

    /// The body of the PUT that makes it. A service takes the archived flag only for what exists.
    pub(crate) fn body(&self, kind: &Kind) -> Value {
        let mut body = kind.body(&self.target, &self.value);
        if let Some(flag) = body.pointer_mut(ARCHIVED) {
            *flag = Value::Bool(false);
        }
        body
    }

    /// The body of the PUT that archives it.
    pub(crate) fn archive_body(&self, kind: &Kind) -> Value {
        kind.body(&self.target, &self.value)
    }

    /// The body of the PUT that writes its last fields too.
    pub(crate) fn last_body(&self, kind: &Kind) -> Value {
        let mut value = self.value.clone();
        for last in &self.last {
            last.put_in(&mut value);
        }
        kind.body(&self.target, &value)
    }

    /// The first field in which the target's document differs, the archived flag left out.
    pub(crate) fn difference(&self, kind: &Kind, actual: &Value) -> Option<String> {
        let differences = kind.differences(&self.target, &self.value, actual);
        differences
            .into_iter()
            .map(|difference| difference.pointer)
            .find(|pointer| pointer != ARCHIVED && !self.ignores(pointer))
    }

    /// Whether a pointer is not compared.
    pub(crate) fn ignores(&self, pointer: &str) -> bool {
        self.ignored
            .iter()
            .any(|ignored| pointer == ignored || pointer.starts_with(&format!("{ignored}/")))
    }

    /// The files of the item as they will be in the target.
    pub(crate) fn files<'l>(&self, loaded: &'l Loaded) -> Cow<'l, [FileEntry]> {
        if self.tables.is_empty() {
            return Cow::Borrowed(&loaded.item.files);
        }
        let files = loaded.item.files.iter().map(|file| {
            let table = self.tables.get(file.path.as_str());
            table.map_or_else(|| file.clone(), |table| table.entry.clone())
        });
        Cow::Owned(files.collect())
    }

    /// What the document names as the place of the bytes.
    pub(crate) fn uri(&self, kind: &Kind) -> Option<&str> {
        self.value.pointer(place::uri_pointer(kind)?)?.as_str()
    }

    /// Names the place that the service gave for the bytes.
    pub(crate) fn set_uri(&mut self, kind: &Kind, uri: String) {
        if let Some(pointer) = place::uri_pointer(kind)
            && let Some(slot) = self.value.pointer_mut(pointer)
        {
            *slot = Value::String(uri);
        }
    }
}

/// Whether a document says that its item is archived.
pub(crate) fn is_archived(value: &Value) -> bool {
    value
        .pointer(ARCHIVED)
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

/// Whether a container says nothing that its first version does not bring with it.
pub(crate) fn is_blank(kind: &Kind, id: &ItemId, value: &Value) -> bool {
    let blank = serde_json::json!({"properties": {
        "isArchived": false,
        "dataType": value.pointer("/properties/dataType"),
    }});
    let differences = kind.differences(id, &blank, value);
    differences
        .iter()
        .all(|difference| difference.pointer == ARCHIVED && difference.right.is_none())
}

/// What an item of the snapshot becomes; `None` where the snapshot has no document of it.
pub(crate) fn expect(kind: &'static Kind, loaded: &Loaded, given: &Given<'_>) -> Option<Expected> {
    let text = loaded.arm.as_ref()?;
    let target = given.rewriter.map_item(&loaded.id);
    let mut shaping = Shaping {
        kind,
        id: &loaded.id,
        losses: Vec::new(),
        last: Vec::new(),
        chores: Vec::new(),
        ignored: Vec::new(),
        by_rule: false,
        by_hand: None,
    };
    let original = shaping.definition(&text.value, given);
    let rewritten = rewrite(kind, &original, given.rewriter);
    let mut value = rewritten.value;
    let place = place::place(kind, loaded, &original, &mut value, given);
    if let Some(why) = place.as_ref().and_then(BytesPlace::moved) {
        let pointer = place::uri_pointer(kind).unwrap_or_default();
        shaping.row(
            Action::Create,
            pointer,
            why,
            "below `LocalUpload/` of the target's default datastore",
        );
    }
    if matches!(given.rewriter.target(), Identity::Registry { .. })
        && !given.rewriter.stays()
        && let Some(why) = place::lacks_place(kind, loaded, &original)
    {
        shaping.row(Action::Impossible, "the item", why, "");
    }
    let placed = place.as_ref().and(place::uri_pointer(kind));
    shaping.losses_of_row();
    for left in &rewritten.left {
        if Some(left.pointer.as_str()) != placed {
            shaping.left(&mut value, &left.pointer, left.reason);
        }
    }
    for mention in &rewritten.mentions {
        shaping.mention(&mention.pointer, &mention.names);
    }
    if matches!(place, Some(BytesPlace::Pending { .. })) {
        shaping.ignored.extend(placed.map(str::to_owned));
    }
    let tables = match place {
        Some(_) => shaping.tables(loaded, given.rewriter),
        None => BTreeMap::new(),
    };
    shaping.own_name(&mut value, &target);
    shaping.credentials(&mut value, loaded, given);
    shaping.hold_back(&mut value, given);
    Some(Expected {
        target,
        by_rule: shaping.by_rule || matches!(place, Some(BytesPlace::Pending { .. })),
        value,
        api_version: text.api_version.clone(),
        place,
        tables,
        losses: shaping.losses,
        last: shaping.last,
        chores: shaping.chores,
        ignored: shaping.ignored,
        by_hand: shaping.by_hand,
    })
}

/// The changes by rule, one function each.
struct Shaping<'a> {
    kind: &'static Kind,
    id: &'a ItemId,
    losses: Vec<Loss>,
    last: Vec<Last>,
    chores: Vec<Chore>,
    ignored: Vec<String>,
    by_rule: bool,
    by_hand: Option<&'static str>,
}

impl Shaping<'_> {
    /// A row about something that a rule of this crate makes different.
    fn row(
        &mut self,
        action: Action,
        what: impl Into<String>,
        reason: impl Into<String>,
        substitute: impl Into<String>,
    ) {
        self.by_rule = true;
        self.losses
            .push(Loss::new(self.id, action, what, reason, substitute));
    }

    /// What no restore brings back for any item of the kind; a container above versions has nothing of that.
    fn losses_of_row(&mut self) {
        if self.kind.versioned && self.id.version.is_none() {
            return;
        }
        for (what, reason, substitute) in self.kind.losses {
            self.losses.push(Loss::new(
                self.id,
                Action::Create,
                *what,
                *reason,
                *substitute,
            ));
        }
    }

    /// A reference that leads nowhere in the target. The name of a job that has become no run is dropped: a service
    /// refuses it.
    fn left(&mut self, value: &mut Value, pointer: &str, reason: &'static str) {
        let at = workspace::pointer::Pointer::parse(pointer).unwrap_or_default();
        let names_job = self
            .kind
            .bare_names
            .iter()
            .any(|bare| at.matches(bare.at) && bare.kinds.contains(&"jobs"));
        if names_job && remove(value, pointer) {
            self.row(Action::Create, pointer, reason, "left out");
        } else {
            self.row(
                Action::Create,
                pointer,
                reason,
                "kept as it was; it leads out of the target",
            );
        }
    }

    fn mention(&mut self, pointer: &str, names: &[String]) {
        self.losses.push(Loss::new(
            self.id,
            Action::Create,
            format!("mentions-source {pointer}"),
            format!("the text mentions {} and is no reference", names.join(", ")),
            "kept byte by byte",
        ));
    }

    /// A component's specification repeats its own name and version.
    fn own_name(&mut self, value: &mut Value, target: &ItemId) {
        let pairs = [
            (
                "/properties/componentSpec/name",
                Some(&self.id.name),
                Some(&target.name),
            ),
            (
                "/properties/componentSpec/version",
                self.id.version.as_ref(),
                target.version.as_ref(),
            ),
        ];
        for (pointer, from, to) in pairs {
            if let (Some(from), Some(to), Some(place)) = (from, to, value.pointer_mut(pointer))
                && place.as_str() == Some(from)
                && from != to
            {
                *place = Value::String(to.clone());
            }
        }
    }
}

/// Takes a member out of an object.
fn remove(value: &mut Value, pointer: &str) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return false;
    };
    let name = name.replace("~1", "/").replace("~0", "~");
    match value.pointer_mut(parent) {
        Some(Value::Object(members)) => members.remove(&name).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
