//! What a thief of a machine's key can write, and what a line drawn by the owners makes of it. He holds a key that was
//! introduced, so he signs entries that no forger could.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

mod hostile;
mod repacked;
mod said;

use std::path::PathBuf;

use bytes::Bytes;
use futures::FutureExt;
use serde_json::json;

use super::*;
use crate::catalogue::objects::{READ_ONLY, USABLE};
use crate::keys::signing::SigningSecret;
use crate::log::{Body, EntryBody, Forget, Keys, Repair, append, entry};
use crate::{Commit, FileName, Identity, LocalStorage, Outcome, Pair, check};

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

/// A repository, its owner, its first machine, and a second one whose key is stolen.
struct Scene {
    folder: tempfile::TempDir,
    owner: Option<Pair>,
    machine: MachineKey,
    stolen: MachineKey,
}

impl Scene {
    async fn new(encrypted: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = Arc::new(LocalStorage::new(folder.path().join("r")));
        let owner = encrypted.then(Pair::generate);
        let options = InitOptions {
            owners: owner.iter().map(Pair::to_recipient).collect(),
            unencrypted: !encrypted,
            pack_bytes: 1 << 20,
            label: "first".to_owned(),
            program: "test".to_owned(),
            now: now(),
        };
        let machine = Repository::init(storage, options)
            .await
            .unwrap()
            .machine_key;
        let stolen = MachineKey::generate(machine.repository(), "stolen").unwrap();
        let scene = Self {
            folder,
            owner,
            machine,
            stolen,
        };
        let repository = scene.open("owner").await.unwrap();
        repository
            .add_machine(scene.stolen.introduction(), now())
            .await
            .unwrap();
        scene
    }

    fn keys(&self, machine: &MachineKey) -> KeyChain {
        KeyChain {
            machine: Some(machine.clone()),
            owners: self.owner.clone().map(Identity::from).into_iter().collect(),
        }
    }

    async fn open_as(
        &self,
        machine: &MachineKey,
        cache: &str,
        tolerate_damage: bool,
    ) -> Result<Repository, Error> {
        let options = OpenOptions {
            cache: self.folder.path().join(cache),
            trusted_signers: Vec::new(),
            expect_head: None,
            tolerate_damage,
            program: "test".to_owned(),
        };
        let storage = Arc::new(LocalStorage::new(self.folder.path().join("r")));
        Repository::open(storage, self.keys(machine), options).await
    }

    /// Opens it with the first machine's key and the owner's.
    async fn open(&self, cache: &str) -> Result<Repository, Error> {
        self.open_as(&self.machine, cache, false).await
    }

    /// Puts an entry with the next number, signed with the stolen key, whatever the thief's program says of it.
    async fn steal(&self, forged: Forged) -> u64 {
        let repository = self.open_as(&self.machine, "thief", true).await.unwrap();
        let inner = &repository.inner;
        let (number, hash, meta) = {
            let chain = inner.chain.lock().await;
            (chain.number + 1, chain.hash, chain.meta.clone())
        };
        let signing: &SigningSecret = &self.stolen.signing;
        let recipient = match &forged {
            // Encrypted to himself: nobody else opens it.
            Forged::Unreadable => Some(Pair::generate().to_recipient()),
            Forged::Says(_) => meta,
        };
        let body = EntryBody {
            time: now(),
            run: SnapshotId::new(now()).unwrap(),
            program: "thief".to_owned(),
            body: match forged {
                Forged::Says(body) => body,
                Forged::Unreadable => Body::Forget(Forget {
                    snapshots: Vec::new(),
                    reason: String::new(),
                }),
            },
            more: serde_json::Map::new(),
        };
        let id = inner.record.id;
        let bytes = entry::seal(id, number, hash, &body, signing, recipient.as_ref()).unwrap();
        let put = append::put(inner.storage.as_ref(), number, &Bytes::from(bytes)).await;
        assert_eq!(put.unwrap(), append::Put::Ours);
        number
    }

    /// The snapshots that count: for a machine that resumes from each of these caches, and for a stranger.
    async fn seen(&self, caches: &[&str]) -> Vec<Vec<SnapshotId>> {
        let mut seen = Vec::new();
        for cache in caches {
            let repository = self.open(cache).await.unwrap();
            let history = repository.history().await.unwrap();
            seen.push(history.iter().map(|record| record.id).collect());
        }
        seen
    }
}

enum Forged {
    Says(Body),
    Unreadable,
}

async fn backup(repository: &Repository, name: &str) -> SnapshotRecord {
    let writer = repository
        .begin(name, json!({"Folder": "/x"}), now())
        .await
        .unwrap();
    writer.document(&json!({"name": name})).await.unwrap();
    let commit = Commit {
        outcome: Outcome::Complete,
        finished: now(),
        ..Commit::default()
    };
    writer.commit(commit).await.unwrap()
}

fn forget(records: &[&SnapshotRecord]) -> Forged {
    Forged::Says(Body::Forget(Forget {
        snapshots: records.iter().map(|record| record.id).collect(),
        reason: "I say so".to_owned(),
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_line_nothing_of_the_thief_counts_and_what_he_forgot_lives() {
    for encrypted in [true, false] {
        let scene = Scene::new(encrypted).await;
        let ours = scene.open("ours").await.unwrap();
        let first = backup(&ours, "one").await;
        let before = scene.open_as(&scene.stolen, "stolen", false).await.unwrap();
        let honest = backup(&before, "two").await;
        let line = ours.head().await.unwrap().0 + 1;
        // From here on the key is the thief's.
        let theirs = backup(&before, "two").await;
        scene.steal(forget(&[&first, &honest])).await;
        ours.refresh().await.unwrap();
        assert_eq!(scene.seen(&["early"]).await, [vec![theirs.id]]);
        let changed = ours.revoke("stolen", (line, None), now()).await.unwrap();
        let left = vec![first.id, honest.id];
        // Here, where the line was drawn; resumed from catalogues of before and after it; and for strangers.
        let here: Vec<_> = ours
            .history()
            .await
            .unwrap()
            .iter()
            .map(|record| record.id)
            .collect();
        assert_eq!(here, left);
        let all = scene.seen(&["ours", "early", "early", "stranger"]).await;
        assert_eq!(all, vec![left.clone(); 4], "encrypted: {encrypted}");
        let stranger = scene.open("stranger").await.unwrap();
        let refused = stranger.resolve(&theirs.id.to_string()).await;
        assert!(
            matches!(refused, Err(Error::Revoked { entry, .. }) if entry == line + 1),
            "{refused:?}"
        );
        // He goes on writing, in vain; we go on, behind him.
        for forged in [forget(&[&first]), Forged::Unreadable] {
            scene.steal(forged).await;
        }
        let third = backup(&ours, "three").await;
        let left = vec![first.id, honest.id, third.id];
        assert_eq!(scene.seen(&["ours", "early", "fresh"]).await, vec![left; 3]);
        let refused = scene.open_as(&scene.stolen, "stolen", false).await;
        match refused {
            Ok(repository) => assert!(!repository.can_write().await),
            Err(error) => assert!(encrypted, "{error}"),
        }
        // A line never moves up, and the owners' is never drawn.
        let up = ours
            .revoke(
                &scene.stolen.signer().to_string(),
                (changed.entry, None),
                now(),
            )
            .await;
        assert!(matches!(up, Err(Error::Holder { .. })), "{up:?}");
        let owners = ours.record().owners_signer.to_string();
        let refused = ours.revoke(&owners, (1, None), now()).await;
        assert!(matches!(refused, Err(Error::Holder { .. })), "{refused:?}");
        let missing = ours.revoke("first", (99, None), now()).await;
        assert!(
            matches!(missing, Err(Error::Rollback { remembered: 99, .. })),
            "{missing:?}"
        );
        let other = ours
            .revoke("first", (1, Some(EntryHash::of(b"another"))), now())
            .await;
        assert!(
            matches!(
                other,
                Err(Error::Rollback {
                    found: "another one",
                    ..
                })
            ),
            "{other:?}"
        );
        // It moves down, and then what was honest is gone too.
        ours.revoke("stolen", (line - 1, None), now())
            .await
            .unwrap();
        assert_eq!(
            scene.seen(&["ours", "new"]).await,
            vec![vec![first.id, third.id]; 2]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_line_what_the_thief_said_of_damage_counts_for_nothing() {
    let scene = Scene::new(true).await;
    let ours = scene.open("ours").await.unwrap();
    backup(&ours, "one").await;
    let mut packs = ours.inner.catalogue.pack_names(None, 10).await.unwrap();
    let (hurt, sound) = (packs.remove(0).name, packs.remove(0).name);
    let said = Repair {
        packs: vec![hurt],
        ..Repair::default()
    };
    let body = || std::future::ready(Ok(Some(Body::Repair(said.clone())))).boxed();
    let run = SnapshotId::new(now()).unwrap();
    ours.inner.append(run, now(), body).await.unwrap();
    let line = ours.head().await.unwrap().0;
    let lie = Repair {
        mended: vec![hurt],
        packs: vec![sound],
        tables: vec![sound],
        ..Repair::default()
    };
    scene.steal(Forged::Says(Body::Repair(lie))).await;
    ours.refresh().await.unwrap();
    let said_of = async |cache: &str| {
        let repository = scene.open(cache).await.unwrap();
        let mut found = Vec::new();
        for pack in [hurt, sound] {
            let known = repository.inner.catalogue.repaired(pack).await.unwrap();
            found.push((known.damaged, known.tabled));
        }
        found
    };
    assert_eq!(said_of("early").await, [(false, false), (true, true)]);
    ours.revoke("stolen", (line, None), now()).await.unwrap();
    for cache in ["ours", "early", "stranger"] {
        assert_eq!(
            said_of(cache).await,
            [(true, false), (false, false)],
            "{cache}"
        );
    }
    // Nothing new is named in the one, and the other is used again.
    let rows = ours.inner.catalogue.pack_names(None, 10).await.unwrap();
    let state = |pack| rows.iter().find(|row| row.name == pack).unwrap().state;
    assert_eq!((state(hurt), state(sound)), (READ_ONLY, USABLE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_cannot_close_the_log_with_entries_that_nobody_can_read_or_that_only_owners_may_write()
 {
    for encrypted in [true, false] {
        let scene = Scene::new(encrypted).await;
        let ours = scene.open("ours").await.unwrap();
        let first = backup(&ours, "one").await;
        let line = ours.head().await.unwrap().0;
        let keys = {
            let chain = ours.inner.chain.lock().await;
            let (_, keys) = chain.keys.clone().unwrap();
            Keys {
                revoked: Vec::new(),
                ..*keys
            }
        };
        scene.steal(Forged::Says(Body::Keys(Box::new(keys)))).await;
        if encrypted {
            scene.steal(Forged::Unreadable).await;
        }
        for cache in ["ours", "stranger", "stranger"] {
            let refused = scene.open(cache).await;
            assert!(
                matches!(refused, Err(Error::Unfit { entry, .. }) if entry == line + 1),
                "{refused:?}"
            );
        }
        // Nothing is added behind it but the line.
        let tolerant = scene.open_as(&scene.machine, "ours", true).await.unwrap();
        let refused = tolerant.accept(&[first.id], now()).await;
        assert!(matches!(refused, Err(Error::Unfit { .. })), "{refused:?}");
        let second = MachineKey::generate(tolerant.id(), "second").unwrap();
        let refused = tolerant.add_machine(second.introduction(), now()).await;
        assert!(matches!(refused, Err(Error::Unfit { .. })), "{refused:?}");
        let report = check(&tolerant, crate::Depth::Structure, &mut |_| {})
            .await
            .unwrap();
        let named = FileName::log(line + 1).to_string();
        assert!(
            report.damages.iter().any(|damage| damage.name == named),
            "{report:?}"
        );
        tolerant
            .revoke("stolen", (line, None), now())
            .await
            .unwrap();
        for cache in ["ours", "stranger", "fresh"] {
            let repository = scene.open(cache).await.unwrap();
            assert_eq!(
                repository.history().await.unwrap(),
                std::slice::from_ref(&first)
            );
            backup(&repository, cache).await;
            let mut warned = Vec::new();
            let mut note = |event| {
                if let crate::CheckEvent::Warning { name, reason } = event
                    && reason.contains("revoked")
                {
                    warned.push(name);
                }
            };
            let report = check(&repository, crate::Depth::Structure, &mut note).await;
            assert_eq!(report.unwrap().damages, []);
            assert!(warned.contains(&named), "{warned:?}");
            let last = repository.head().await.unwrap().0;
            let path: PathBuf = scene
                .folder
                .path()
                .join("r")
                .join(FileName::log(last).as_str());
            std::fs::remove_file(path).unwrap();
            let cache = scene.folder.path().join(cache);
            std::fs::remove_dir_all(cache).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshots_id_stands_once() {
    let scene = Scene::new(true).await;
    let ours = scene.open("ours").await.unwrap();
    let first = backup(&ours, "one").await;
    let other = backup(&ours, "other").await;
    let double = SnapshotRecord {
        id: first.id,
        ..other.clone()
    };
    scene
        .steal(Forged::Says(Body::Snapshot(Box::new(double))))
        .await;
    for cache in ["ours", "stranger"] {
        let repository = scene.open(cache).await.unwrap();
        assert_eq!(
            repository.history().await.unwrap(),
            [first.clone(), other.clone()]
        );
    }
}
