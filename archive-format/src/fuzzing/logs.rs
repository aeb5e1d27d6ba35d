//! The log: entries as the chain judges them, and checkpoints.

use std::sync::LazyLock;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Seed;
use super::scene::{self, ID, SCENE};
use crate::keys::signing::SigningSecret;
use crate::log::chain::{Chain, Next};
use crate::log::checkpoint::{self, Checkpoint};
use crate::log::entry::{self, NOTHING_BEFORE};
use crate::log::{
    Accept, Body, Drill, DrillOutcome, EntryBody, Erase, Export, Forget, Hold, Keys, LogHead, Note,
    Protect, Repack, Repair, Replaced, Revoked, SealJudgement, Sweep,
};
use crate::magic::{CHECKPOINT_BYTES_MAX, CHECKPOINT_CONTEXT, ENTRY_BYTES_MAX, ENTRY_CONTEXT};
use crate::{
    Address, Digest, EntryHash, Error, KeyLack, PackName, Signer, SnapshotId, SnapshotRecord, json,
};

/// The log of the scene, before its first entry and behind it. Both are of a repository that is not encrypted, since a
/// fuzzer cannot encrypt; the third is encrypted.
struct Chains {
    empty: Chain,
    begun: Chain,
    encrypted: Chain,
}

/// What the second entry follows.
const FIRST: EntryHash = EntryHash::from_bytes([5; 32]);

static CHAINS: LazyLock<Chains> = LazyLock::new(Chains::new);

/// Makes them.
pub(super) fn prepare() -> usize {
    CHAINS.begun.introduced().len()
}

impl Chains {
    #[expect(clippy::expect_used, reason = "the scene is sound")]
    fn new() -> Self {
        let chain = |encrypted| Chain::new(&SCENE.record(encrypted), Vec::new());
        let begun = |encrypted| {
            let mut chain = chain(encrypted)?;
            chain.apply_keys(1, &SCENE.keys())?;
            chain.resume(1, FIRST);
            Ok::<_, Error>(chain)
        };
        Self {
            empty: chain(false).expect("a chain"),
            begun: begun(false).expect("a chain"),
            encrypted: begun(true).expect("a chain"),
        }
    }
}

/// The bytes as the second entry of an encrypted repository. Mended, the line gets the digest of what is behind it, its
/// place in the chain of one that is not encrypted, and a signature: by the owners as the first entry, or by the machine
/// as the second.
pub(super) fn entry(bytes: &[u8]) -> Result<(), Error> {
    assert!(bytes.len() as u64 <= ENTRY_BYTES_MAX);
    let read = follow(&CHAINS.encrypted, bytes, true).map(drop);
    let (line, body) = split(bytes);
    let is_first = line.first() == Some(&b'1');
    let (chain, signing) = match is_first {
        true => (&CHAINS.empty, &SCENE.owners),
        false => (&CHAINS.begun, &SCENE.machine),
    };
    let mut value = scene::json(line)
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}));
    value["previous"] = chain.hash.to_string().into();
    let sealed = seal(value, ENTRY_CONTEXT, chain.number + 1, body, signing);
    match follow(chain, &sealed, false) {
        Ok(Some(body)) => write_again(body, chain)?,
        Ok(None) => {}
        Err(Error::Forged { reason, .. }) => assert!(
            reason.contains("introduces nobody") || reason.contains("first line"),
            "a true entry is refused: {reason}"
        ),
        Err(_) => {}
    }
    read
}

fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    end.map_or((&[], bytes), |end| (&bytes[..end], &bytes[end + 1..]))
}

/// A file of a signed line and a body, with what every line states.
fn seal(
    mut value: Value,
    context: &[u8],
    number: u64,
    body: &[u8],
    signing: &SigningSecret,
) -> Vec<u8> {
    value["format"] = 1.into();
    value["repository"] = ID.to_string().into();
    value["entry"] = number.into();
    value["body"] = Digest::of(body).to_string().into();
    value["signer"] = signing.signer().to_string().into();
    [&scene::sign(value, context, signing), body].concat()
}

/// Judges an entry, and takes it as the chain does; gives what it says where it is believed.
fn follow(chain: &Chain, bytes: &[u8], encrypted: bool) -> Result<Option<EntryBody>, Error> {
    let (record, ring) = (SCENE.record(encrypted), SCENE.ring(encrypted));
    let mut chain = chain.clone();
    let number = chain.number + 1;
    let unopened = chain.unopened(bytes, &record, KeyLack::NoneFits);
    let next = chain.judge(bytes, &ring, &record)?;
    // Whose key does not open it passes over what a machine wrote, and never what the owners did.
    assert_eq!(unopened.is_err(), signer(&next) == SCENE.owners.signer());
    let said = match next {
        Next::Believed(believed) => {
            assert!(chain.knows(&believed.signer) && chain.refusal(&believed.signer).is_none());
            chain.advance(&believed)?;
            Some(believed.body)
        }
        Next::Passed(passed) => {
            chain.pass(&passed);
            assert_eq!(chain.first_unfit().is_some(), chain.unfit().count() > 0);
            None
        }
    };
    assert_eq!((chain.number, chain.hash), (number, EntryHash::of(bytes)));
    knows_everyone(&chain);
    assert!(
        chain.judge(bytes, &ring, &record).is_err(),
        "an entry stands once"
    );
    chain.skip();
    assert_eq!(chain.damaged, Some(number + 1));
    Ok(said)
}

fn signer(next: &Next) -> Signer {
    match next {
        Next::Believed(believed) => believed.signer,
        Next::Passed(passed) => passed.signer,
    }
}

/// Everyone is either known, or revoked, or a stranger.
fn knows_everyone(chain: &Chain) {
    let stranger = Signer::from_bytes([3; 32]);
    let introduced = chain.introduced().keys().copied();
    for signer in introduced.chain([stranger, SCENE.owners.signer()]) {
        assert_eq!(chain.knows(&signer), chain.refusal(&signer).is_none());
        let revoked = chain
            .revoked_after(&signer)
            .is_some_and(|after| after < chain.number);
        let believed = chain.refuses_checkpoint(chain.number, &signer).is_none();
        assert!(!(revoked && believed) || signer == SCENE.owners.signer());
    }
    assert!(chain.pinned().is_empty());
}

/// What an entry says is written as another one, and says the same there.
fn write_again(body: EntryBody, chain: &Chain) -> Result<(), Error> {
    let number = chain.number + 1;
    assert!(Body::SORTS.contains(&body.body.sort()));
    let recipient = SCENE.pair.to_recipient();
    // Encryption is slow; the sort of the body says whether it is tried.
    let recipient = matches!(body.body, Body::Accept(_)).then_some(&recipient);
    let sealed = entry::seal(ID, number, chain.hash, &body, &SCENE.owners, recipient)?;
    let (header, stored) = entry::verify(&sealed, ID, number)?;
    assert_eq!(
        (header.entry, header.signer),
        (number, SCENE.owners.signer())
    );
    let pairs = std::slice::from_ref(&SCENE.pair);
    let again = entry::open_body(number, stored, recipient.is_some(), pairs)?;
    assert_eq!(again, body);
    assert!(entry::verify(&sealed, ID, number + 1).is_err());
    Ok(())
}

/// The bytes as a checkpoint of an encrypted repository. Mended, as one that is not: what is behind the line is cut into
/// entries, and the line says their number and the hash of the last.
pub(super) fn checkpoint(bytes: &[u8]) -> Result<(), Error> {
    assert!(bytes.len() as u64 <= CHECKPOINT_BYTES_MAX);
    let number = 3;
    let read = Checkpoint::open(bytes, ID, number, &SCENE.ring(true)).map(drop);
    let (line, body) = split(bytes);
    let body = Bytes::copy_from_slice(body);
    let Some(entries) = checkpoint::cut(&body).filter(|entries| !entries.is_empty()) else {
        return read;
    };
    let first = 3;
    let (name, last, sealed) = Checkpoint::seal(ID, first, &entries, &SCENE.machine, None)?;
    let ring = SCENE.ring(false);
    let opened = Checkpoint::open(&sealed, ID, last, &ring)?;
    assert_eq!(name.to_string(), format!("checkpoints/{last:010}"));
    assert_eq!(opened.entries, entries);
    assert!(
        opened
            .numbered()
            .zip(first..)
            .all(|((number, _), wanted)| number == wanted)
    );
    assert_eq!(checkpoint::body_bytes(&opened.entries), body.len());
    assert_eq!(Checkpoint::header(&sealed, ID, last)?, opened.header);
    // The line as it came, in the place of that one.
    let mut value = scene::json(line)
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}));
    value["hash"] = opened.header.hash.to_string().into();
    let sealed = seal(value, CHECKPOINT_CONTEXT, last, &body, &SCENE.machine);
    if let Ok(again) = Checkpoint::open(&sealed, ID, last, &ring) {
        assert_eq!((again.header.first, again.entries), (first, entries));
    }
    read
}

fn said(body: Body) -> Result<EntryBody, Error> {
    Ok(EntryBody {
        time: Timestamp::UNIX_EPOCH,
        run: SnapshotId::new(Timestamp::UNIX_EPOCH)?,
        program: "mlark 0.1.0".to_owned(),
        body,
        more: serde_json::Map::new(),
    })
}

fn snapshot() -> Result<SnapshotRecord, Error> {
    let id = SnapshotId::new(Timestamp::UNIX_EPOCH)?;
    let address = Address::from_bytes([1; 32]);
    let text = json!({
        "id": id.to_string(), "run": id.to_string(), "workspace": "prod", "identity": { "Folder": "/x" },
        "started": "1970-01-01T00:00:00Z", "finished": "1970-01-01T00:00:01Z", "outcome": "complete",
        "items": { "models": { "listed": 2, "saved": 1, "unchanged": 1 } }, "files": { "read": 1 },
        "bytes": { "new": 5 }, "requests": 7, "tags": ["a"], "program": "mlark 0.1.0",
        "manifest": address.to_string(), "lines": 2, "pack_list": [address.to_string()],
        "pack_list_packs": [address.to_string()], "packs": 1, "later": { "kept": 1.50 },
    });
    json::from_canonical(&json::canonical(&text), usize::MAX, "a snapshot")
}

fn drill(snapshot: SnapshotId) -> Drill {
    Drill {
        workspace: "prod".to_owned(),
        snapshot,
        export: Some("x".to_owned()),
        seal: Some(SealJudgement::Open),
        head: LogHead {
            entry: 1,
            hash: FIRST,
        },
        machine: "m".to_owned(),
        by: Some("root".to_owned()),
        into: "a folder".to_owned(),
        started: Timestamp::UNIX_EPOCH,
        finished: Timestamp::UNIX_EPOCH,
        restore_milliseconds: 1,
        verify_milliseconds: 2,
        items: 3,
        files: 4,
        bytes: 5,
        losses: 6,
        differences: 7,
        outcome: DrillOutcome::AsPlanned,
        reason: Some("so".to_owned()),
        more: serde_json::Map::new(),
    }
}

/// One of each sort.
fn bodies() -> Result<Vec<(&'static str, Body)>, Error> {
    let id = SnapshotId::new(Timestamp::UNIX_EPOCH)?;
    let snapshots = vec![id];
    let packs = vec![PackName::from_bytes([4; 32])];
    let hold = Hold {
        run: id,
        packs: packs.clone(),
        until: Some(Timestamp::UNIX_EPOCH),
    };
    let sweep = Sweep {
        packs: packs.clone(),
        list: Vec::new(),
        list_packs: Vec::new(),
    };
    Ok(vec![
        ("snapshot", Body::Snapshot(Box::new(snapshot()?))),
        (
            "forget",
            Body::Forget(Forget {
                snapshots: snapshots.clone(),
                reason: "old".to_owned(),
            }),
        ),
        ("sweep", Body::Sweep(sweep)),
        (
            "repack",
            Body::Repack(Box::new(Repack {
                packs: vec![Replaced {
                    pack: PackName::from_bytes([4; 32]),
                    by: vec![PackName::from_bytes([5; 32])],
                }],
                entries: vec![2],
            })),
        ),
        ("hold", Body::Hold(hold)),
        ("keys", Body::Keys(Box::new(SCENE.keys()))),
        (
            "accept",
            Body::Accept(Accept {
                snapshots: snapshots.clone(),
            }),
        ),
        (
            "protect",
            Body::Protect(Protect {
                snapshots,
                protected: true,
            }),
        ),
        (
            "repair",
            Body::Repair(Repair {
                packs,
                ..Repair::default()
            }),
        ),
        ("export", Body::Export(Box::new(export()?))),
        (
            "note",
            Body::Note(Note {
                title: "runbook".to_owned(),
                text: "# After a loss\n".to_owned(),
            }),
        ),
        ("drill", Body::Drill(Box::new(drill(id)))),
        (
            "erase",
            Body::Erase(Erase {
                export: EXPORT.parse()?,
            }),
        ),
    ])
}

/// The id of an export.
const EXPORT: &str = "01kazx0000000000000000000e";

fn export() -> Result<Export, Error> {
    Ok(Export {
        export: EXPORT.parse()?,
        name: "prod-20261129".to_owned(),
        url: "az://account/container".to_owned(),
        snapshot: SnapshotId::new(Timestamp::UNIX_EPOCH)?,
        seal: Digest::of(b"seal"),
        encrypted: true,
        tier: Some("Archive".to_owned()),
        retain_until: Some(Timestamp::UNIX_EPOCH),
        hold: true,
        more: serde_json::Map::new(),
    })
}

pub(super) fn entries() -> Result<Vec<Seed>, Error> {
    let recipient = SCENE.pair.to_recipient();
    let stranger = SigningSecret::from_seed(&[9; 32]);
    let mut seeds: Vec<Seed> = Vec::new();
    let encrypted = |body: &EntryBody, number, signing| {
        entry::seal(ID, number, FIRST, body, signing, Some(&recipient))
    };
    for (name, body) in bodies()? {
        let body = said(body)?;
        // What the encryption hides is in the clear for the mended form: `{}` as the line of the second entry.
        let text = json::to_canonical(&body, "a body")?;
        seeds.push((name, [b"{}\n".as_slice(), &text].concat(), false));
        if name == "accept" {
            let whole = encrypted(&body, 2, &SCENE.machine)?;
            let end = split(&whole).0.len();
            let mut other_body = whole.clone();
            other_body.push(0);
            let added = [b"{\"a\":1,", &whole[1..]].concat();
            let mut other_line = whole.clone();
            other_line[end - 3] ^= 1;
            seeds.extend([
                ("encrypted", whole.clone(), true),
                ("encrypted-unsigned-member", added, false),
                ("encrypted-cut-off", whole[..end].to_vec(), false),
                ("encrypted-other-body", other_body, false),
                ("encrypted-other-line", other_line, false),
                (
                    "encrypted-other-number",
                    encrypted(&body, 3, &SCENE.machine)?,
                    false,
                ),
                ("encrypted-stranger", encrypted(&body, 2, &stranger)?, false),
                (
                    "encrypted-owners",
                    encrypted(&body, 2, &SCENE.owners)?,
                    true,
                ),
            ]);
        }
    }
    let first = |keys: Keys| {
        let text = json::to_canonical(&said(Body::Keys(Box::new(keys)))?, "a body")?;
        Ok::<_, Error>([b"1\n".as_slice(), &text].concat())
    };
    let mut revoking = SCENE.keys();
    let revoked = |after| Revoked {
        signer: SCENE.machine.signer(),
        after,
    };
    revoking.revoked = vec![revoked(5), revoked(0)];
    let mut recipients = SCENE.keys();
    recipients.data = Some(recipient.to_string());
    recipients.meta = Some("age1nothing".to_owned());
    let signed = |text: &str, context: &[u8]| {
        let value = scene::json(text.as_bytes()).unwrap_or_default();
        seal(value, context, 2, b"{}", &SCENE.machine)
    };
    let line = format!("{{\"later\":1,\"previous\":\"{FIRST}\"}}");
    seeds.extend([
        ("first", first(SCENE.keys())?, false),
        ("first-revokes", first(revoking)?, false),
        ("first-recipients", first(recipients)?, false),
        ("first-no-keys", b"1\n{}".to_vec(), false),
        (
            "unknown-sort",
            b"{}\n{\"body\":{\"later\":{}}}".to_vec(),
            false,
        ),
        ("other-form", b"{ }\n{ \"body\": 1 }".to_vec(), false),
        // Signed with a member that is not known, which the signature covers; its body is no age file.
        ("later-member", signed(&line, ENTRY_CONTEXT), true),
        ("other-context", signed(&line, CHECKPOINT_CONTEXT), false),
        ("no-line", vec![b'x'; 5000], false),
    ]);
    Ok(seeds)
}

pub(super) fn checkpoints() -> Result<Vec<Seed>, Error> {
    let recipient = SCENE.pair.to_recipient();
    let entries = ["one", "another", "the last"].map(Bytes::from);
    let (_, _, whole) = Checkpoint::seal(ID, 1, &entries, &SCENE.machine, Some(&recipient))?;
    let plain = |parts: &[(u32, &[u8])]| {
        let parts = parts
            .iter()
            .map(|(length, bytes)| [&length.to_le_bytes(), *bytes].concat());
        [
            b"{\"first\":3}\n".to_vec(),
            parts.collect::<Vec<_>>().concat(),
        ]
        .concat()
    };
    // A line that says other things than its body, signed all the same.
    let lying = |first: u64, hash: EntryHash| -> Result<Vec<u8>, Error> {
        let (line, body) = split(&whole);
        let mut value = scene::json(line).unwrap_or_default();
        value["first"] = first.into();
        value["hash"] = hash.to_string().into();
        Ok(seal(value, CHECKPOINT_CONTEXT, 3, body, &SCENE.machine))
    };
    let last = EntryHash::of(b"the last");
    let mut other_body = whole.clone();
    other_body.push(0);
    Ok(vec![
        ("encrypted", whole.clone(), true),
        ("encrypted-other-body", other_body, false),
        ("encrypted-fewer", lying(2, last)?, false),
        ("encrypted-first-0", lying(0, last)?, false),
        ("encrypted-first-behind", lying(4, last)?, false),
        ("encrypted-other-end", lying(1, NOTHING_BEFORE)?, false),
        ("plain-one", plain(&[(3, b"one")]), false),
        ("plain-two", plain(&[(3, b"one"), (0, b"")]), false),
        ("plain-cut-off", plain(&[(9, b"one")]), false),
        ("plain-length-cut-off", plain(&[(3, b"one--")]), false),
        ("plain-long", plain(&[(5 << 20, b"one")]), false),
    ])
}
