//! What log entries say.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::drill::Drill;
use crate::{Address, Digest, ExportId, PackName, Signer, SnapshotId, SnapshotRecord};

/// The part of an entry that is encrypted to the meta recipient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryBody {
    /// When it was written, by its writer's clock. Nothing rests on it.
    pub time: Timestamp,
    /// The run or command that wrote it: settles whose an entry is when an answer was lost.
    pub run: SnapshotId,
    /// The program that wrote it.
    pub program: String,
    /// What it says.
    pub body: Body,
    /// Fields that a later version wrote.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What an entry says. A reader that meets a sort that it does not know says so by name and adds nothing to that log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Body {
    /// A snapshot.
    Snapshot(Box<SnapshotRecord>),
    /// Snapshots whose content may go.
    Forget(Forget),
    /// Packs that no live snapshot needs: they may be deleted once this entry is stored, and never be named again.
    Sweep(Sweep),
    /// Packs whose needed objects lie in other packs now.
    Repack(Box<Repack>),
    /// Packs of a run under way that sweeps spare.
    Hold(Hold),
    /// Keys and signers.
    Keys(Box<Keys>),
    /// Suspect snapshots that a person accepted.
    Accept(Accept),
    /// Snapshots that retention never forgets, or does again.
    Protect(Protect),
    /// What a repair found and what stays hurt.
    Repair(Repair),
    /// A text that is kept with the backups.
    Note(Note),
    /// A restore that was made to see that one can be made.
    Drill(Box<Drill>),
    /// A sealed export that lies at its destination.
    Export(Box<Export>),
    /// The secret of a sealed export was erased.
    Erase(Erase),
}

impl Body {
    /// All words that [`Body::sort`] knows.
    pub const SORTS: [&'static str; 13] = [
        "snapshot", "forget", "sweep", "repack", "hold", "keys", "accept", "protect", "repair",
        "note", "drill", "export", "erase",
    ];

    /// The sorts that are believed of the owners alone: who may write, and which packs may go although snapshots name them.
    pub const OF_OWNERS: [&'static str; 2] = ["keys", "repack"];

    /// The word for it in the log.
    pub fn sort(&self) -> &'static str {
        match self {
            Self::Snapshot(_) => "snapshot",
            Self::Forget(_) => "forget",
            Self::Sweep(_) => "sweep",
            Self::Repack(_) => "repack",
            Self::Hold(_) => "hold",
            Self::Keys(_) => "keys",
            Self::Accept(_) => "accept",
            Self::Protect(_) => "protect",
            Self::Repair(_) => "repair",
            Self::Note(_) => "note",
            Self::Drill(_) => "drill",
            Self::Export(_) => "export",
            Self::Erase(_) => "erase",
        }
    }
}

/// Snapshots to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forget {
    /// Which.
    pub snapshots: Vec<SnapshotId>,
    /// Why: the rule, or the person's word.
    pub reason: String,
}

/// Packs swept by this entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Their names; a long list lies in `list`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packs: Vec<PackName>,
    /// Objects that list further names, as a snapshot's `pack_list` does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<Address>,
    /// The packs that hold `list`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list_packs: Vec<PackName>,
}

/// Data packs that some snapshots need no more, since others hold what they need of them. Signed by the owners' signing key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repack {
    /// The packs, each with those that take its place.
    pub packs: Vec<Replaced>,
    /// The numbers of the `snapshot` entries for which it holds: those whose objects were all looked at. Any other
    /// snapshot that names one of the packs needs that pack itself.
    pub entries: Vec<u64>,
}

/// One pack of a [`Repack`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The pack.
    pub pack: PackName,
    /// The packs that together hold what those snapshots need of it; none where they need nothing of it.
    pub by: Vec<PackName>,
}

/// Packs that sweeps spare until the run's snapshot is committed or the hold ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The run that needs them.
    pub run: SnapshotId,
    /// The packs; none ends the hold.
    pub packs: Vec<PackName>,
    /// When politeness ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A file below `keys/`, by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFile {
    /// Its name, such as `keys/1-data.age`.
    pub name: String,
    /// The SHA-256 of its stored bytes.
    pub sha256: Digest,
}

/// What a holder of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HolderSort {
    /// Data, meta and signing key.
    Owner,
    /// Meta key, and its own signing key.
    Machine,
}

/// Someone for whom keys are wrapped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyHolder {
    /// Owner or machine.
    pub sort: HolderSort,
    /// A name for people.
    pub label: String,
    /// The age recipient; none for a machine of an unencrypted repository and for a passphrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The public signing key of a machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
    /// Of an owner with a passphrase the number of his key files, from 1: `keys/<edition>-<sort>-p<number>.age`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<u32>,
}

/// Keys and signers as they are from this entry on. Signed by the owners' signing key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Keys {
    /// The edition of the key files.
    pub edition: u32,
    /// The key files of this edition.
    pub files: Vec<KeyFile>,
    /// Everyone who holds a key now.
    pub holders: Vec<KeyHolder>,
    /// The age recipient that data packs are encrypted to from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The age recipient that meta packs, index and log are encrypted to from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<String>,
    /// Signers whose entries after the given number count for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<Revoked>,
    /// Fields that a later version wrote.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A signer after a theft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Who.
    pub signer: Signer,
    /// The last entry of theirs that counts.
    pub after: u64,
}

/// Suspect snapshots that a person accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// Which.
    pub snapshots: Vec<SnapshotId>,
}

/// Snapshots that retention passes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protect {
    /// Which.
    pub snapshots: Vec<SnapshotId>,
    /// Whether they are protected from now on, or no more.
    pub protected: bool,
}

/// What a repair found and left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// Objects that no sound pack holds; at most 10,000 are named.
    pub lost: Vec<Address>,
    /// Packs that are damaged or lost: nothing new is named in them. What still opens in them is still read.
    pub packs: Vec<PackName>,
    /// What remains hurt, for people: `SNAPSHOT KIND/NAME`; at most 1,000 are named.
    pub hurt: Vec<String>,
    /// Sound packs whose index is damaged and cannot be written again under its name: their own table counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<PackName>,
    /// Packs that an earlier repair named and that are whole again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mended: Vec<PackName>,
}

/// A text that is kept with the backups, such as what to type after a loss. Of one title the newest counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What it is.
    pub title: String,
    /// Its text.
    pub text: String,
}

/// A sealed export: what was taken, and where it lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Export {
    /// Its id.
    pub export: ExportId,
    /// What the names of its files begin with.
    pub name: String,
    /// The address of the place where it lies: no query, no secret.
    pub url: String,
    /// The snapshot that it was made of.
    pub snapshot: SnapshotId,
    /// The SHA-256 of its `seal.json`.
    pub seal: Digest,
    /// Whether it is encrypted: then `keys/export-<id>.age` opens it.
    pub encrypted: bool,
    /// The access tier that it was written to, in the service's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Until when it is to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<Timestamp>,
    /// Whether a legal hold lies on it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hold: bool,
    /// Fields that a later version wrote.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// A sealed export whose secret was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erase {
    /// The export's id.
    pub export: ExportId,
}
