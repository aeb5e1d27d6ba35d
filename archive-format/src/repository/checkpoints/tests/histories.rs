//! Random histories: whoever begins at a checkpoint knows what one knows who reads every entry.

use futures::FutureExt;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::log::{Accept, Erase, Export, Forget, Hold, Keys, Note, Protect, Repair, Sweep};
use crate::removal::Grace;
use crate::{Address, Digest, ExportId, PackName};

#[derive(Clone, Debug)]
enum Step {
    Commit(u8, bool),
    Forget(u8),
    Accept(u8),
    Protect(u8, bool),
    Hold(u8, u8),
    Sweep(u8),
    Repair(u8),
    Note(u8),
    Export,
    Erase,
    RealSweep,
    Introduce,
    /// The owners revoke the newest machine, so many entries back.
    Revoke(u8),
    /// The newest machine signs what only owners may; then they revoke it.
    Unfit,
    Rotate,
    Checkpoint,
}

fn step() -> impl Strategy<Value = Step> {
    let some = 0_u8..4;
    prop_oneof![
        4 => (some.clone(), any::<bool>()).prop_map(|(of, suspect)| Step::Commit(of, suspect)),
        3 => some.clone().prop_map(Step::Forget),
        1 => some.clone().prop_map(Step::Accept),
        2 => (some.clone(), any::<bool>()).prop_map(|(of, on)| Step::Protect(of, on)),
        2 => (some.clone(), some.clone()).prop_map(|(run, packs)| Step::Hold(run, packs)),
        2 => some.clone().prop_map(Step::Sweep),
        1 => some.clone().prop_map(Step::Repair),
        1 => some.clone().prop_map(Step::Note),
        1 => Just(Step::Export),
        1 => Just(Step::Erase),
        1 => Just(Step::RealSweep),
        2 => Just(Step::Introduce),
        2 => (0_u8..8).prop_map(Step::Revoke),
        1 => Just(Step::Unfit),
        1 => Just(Step::Rotate),
        4 => Just(Step::Checkpoint),
    ]
}

/// A machine besides the first.
struct Other {
    repository: Repository,
    key: MachineKey,
    label: String,
}

/// A history as it comes about.
struct History {
    scene: Scene,
    ours: Repository,
    other: Option<Other>,
    made: Vec<SnapshotRecord>,
    machines: u8,
}

impl History {
    async fn new(encrypted: bool) -> Self {
        let scene = Scene::new(encrypted).await;
        let ours = scene
            .open_with(&scene.machine, scene.tolerant("ours"))
            .await;
        Self {
            ours: ours.unwrap(),
            scene,
            other: None,
            made: Vec::new(),
            machines: 0,
        }
    }

    /// One of the two machines.
    fn author(&self, of: u8) -> &Repository {
        match &self.other {
            Some(other) if of % 2 == 1 => &other.repository,
            _ => &self.ours,
        }
    }

    async fn say(&self, of: u8, body: Body) {
        let body = &body;
        let run = SnapshotId::new(now()).unwrap();
        let compute = || async move { Ok(Some(body.clone())) }.boxed();
        let author = self.author(of);
        author.inner.append(run, now(), compute).await.unwrap();
    }

    fn some(&self, of: u8) -> Vec<SnapshotId> {
        let made = self.made.iter().rev().skip(of.into()).step_by(2);
        made.take(2).map(|record| record.id).collect()
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Commit(of, suspect) => {
                let outcome = [Outcome::Complete, Outcome::Suspect][usize::from(suspect)];
                let workspace = ["one", "two"][usize::from(of / 2)];
                let record = backup(self.author(of), workspace, outcome).await;
                self.made.push(record);
            }
            Step::RealSweep => {
                let swept = self.ours.sweep(&Grace::default(), now(), &mut |_| {}).await;
                swept.unwrap();
            }
            Step::Introduce => self.introduce().await,
            Step::Revoke(back) => self.revoke(back).await,
            Step::Unfit => self.unfit().await,
            Step::Rotate if self.scene.owner.is_none() => {}
            Step::Rotate => {
                self.ours.rotate_keys(Vec::new(), now()).await.unwrap();
            }
            Step::Checkpoint => {
                let author = self.author(self.made.len() as u8);
                author.refresh().await.unwrap();
                author.write_checkpoint().await.unwrap();
            }
            entry => {
                let (of, body) = self.body(entry);
                self.say(of, body).await;
            }
        }
    }

    /// What the plain entries say, and whose they are.
    fn body(&self, step: Step) -> (u8, Body) {
        let pack = |of: u8| PackName::from_bytes([of; 32]);
        match step {
            Step::Forget(of) => {
                let (snapshots, reason) = (self.some(of), "so".to_owned());
                (of, Body::Forget(Forget { snapshots, reason }))
            }
            Step::Accept(of) => {
                let snapshots = self.some(of);
                (of, Body::Accept(Accept { snapshots }))
            }
            Step::Protect(of, protected) => {
                let snapshots = self.some(of);
                let body = Protect {
                    snapshots,
                    protected,
                };
                (of, Body::Protect(body))
            }
            Step::Hold(run, packs) => {
                let of_run = self.made.get(usize::from(run)).map(|record| record.run);
                let hold = Hold {
                    run: of_run.unwrap_or(SnapshotId::new(now()).unwrap()),
                    packs: (0..packs).map(pack).collect(),
                    until: None,
                };
                (packs, Body::Hold(hold))
            }
            Step::Sweep(of) => {
                let sweep = Sweep {
                    packs: vec![pack(of), pack(self.machines)],
                    list: Vec::new(),
                    list_packs: Vec::new(),
                };
                (of, Body::Sweep(sweep))
            }
            Step::Repair(of) => {
                let repair = Repair {
                    packs: vec![pack(of + 100)],
                    lost: vec![Address::of(&[of])],
                    ..Repair::default()
                };
                (of, Body::Repair(repair))
            }
            Step::Note(of) => {
                let (title, text) = (format!("t{}", of % 2), format!("{of}"));
                (of, Body::Note(Note { title, text }))
            }
            Step::Export => {
                let export = Export {
                    export: ExportId::new(now()).unwrap(),
                    name: "one".to_owned(),
                    url: "az://account/container".to_owned(),
                    snapshot: SnapshotId::new(now()).unwrap(),
                    seal: Digest::of(b"seal"),
                    encrypted: true,
                    tier: None,
                    retain_until: Some(now()),
                    hold: false,
                    more: serde_json::Map::new(),
                };
                (0, Body::Export(Box::new(export)))
            }
            _ => {
                let export = ExportId::new(now()).unwrap();
                (0, Body::Erase(Erase { export }))
            }
        }
    }

    async fn introduce(&mut self) {
        self.machines += 1;
        let label = format!("m{}", self.machines);
        let key = self.scene.introduce(&self.ours, &label).await;
        let opened = self.scene.open_with(&key, self.scene.tolerant(&label));
        self.other = Some(Other {
            repository: opened.await.unwrap(),
            key,
            label,
        });
    }

    async fn revoke(&mut self, back: u8) {
        let Some(other) = self.other.take() else {
            return;
        };
        self.ours.refresh().await.unwrap();
        let head = self.ours.head().await.unwrap().0;
        let line = head.saturating_sub(back.into());
        let revoked = self.ours.revoke(&other.label, (line, None), now());
        revoked.await.unwrap();
    }

    async fn unfit(&mut self) {
        let Some(other) = self.other.take() else {
            return;
        };
        self.ours.refresh().await.unwrap();
        let keys: Keys = {
            let chain = self.ours.inner.chain.lock().await;
            let (_, keys) = chain.keys.clone().unwrap();
            *keys
        };
        let body = Body::Keys(Box::new(keys));
        let (number, bytes) = sealed(&self.ours, body, &other.key.signing).await;
        std::fs::write(self.scene.path(&FileName::log(number)), bytes).unwrap();
        let line = (number - 1, None);
        self.ours.revoke(&other.label, line, now()).await.unwrap();
    }
}

/// All that a machine knows of a repository by its log.
async fn known(repository: &Repository) -> String {
    let tables = repository.inner.catalogue.dump().await.unwrap();
    let chain = repository.inner.chain.lock().await.clone();
    let garbage = repository.garbage(&Grace::default(), now()).await;
    let notes = repository.notes().await;
    format!("{tables}\n{chain:?}\n{garbage:?}\n{notes:?}")
}

/// Whether a checkpoint was told to be of no use.
fn tells_of_checkpoint(notice: &Notice) -> bool {
    matches!(notice, Notice::Damaged { name, .. } if name.starts_with("checkpoints/"))
}

/// Gives whether a checkpoint was used.
async fn compare(encrypted: bool, steps: Vec<Step>) -> bool {
    let mut history = History::new(encrypted).await;
    for step in steps {
        history.take(step).await;
    }
    let scene = &history.scene;
    let begun = scene.stranger().await;
    let (by_checkpoint, notices) = (known(&begun).await, begun.notices().to_vec());
    let listed = begun.inner.list_checkpoints().await.unwrap();
    drop(begun);
    let checkpoints = scene.folder.path().join("r/checkpoints");
    let aside = scene.folder.path().join("aside");
    if checkpoints.exists() {
        std::fs::rename(&checkpoints, &aside).unwrap();
    }
    let whole = scene.stranger().await;
    assert_eq!(known(&whole).await, by_checkpoint);
    let (besides, told): (Vec<_>, Vec<_>) = notices.into_iter().partition(tells_of_checkpoint);
    assert_eq!(told, whole.notices());
    for notice in &besides {
        let reason = format!("{notice:?}");
        assert!(reason.contains("revoked"), "{reason}");
    }
    let report = check(&whole, Depth::Structure, &mut |_| {}).await;
    let report = report.unwrap();
    drop(whole);
    if aside.exists() {
        std::fs::rename(&aside, &checkpoints).unwrap();
    }
    let again = check(&scene.stranger().await, Depth::Structure, &mut |_| {}).await;
    assert_eq!(again.unwrap().damages, report.damages);
    // Where none was refused the entries before the end of one are not read.
    let used = besides.is_empty() && listed.keys().any(|number| *number > 1);
    if used {
        let kept = scene.hide(1);
        assert_eq!(known(&scene.stranger().await).await, by_checkpoint);
        scene.put_back(1, kept);
    }
    used
}

#[test]
fn a_checkpoint_and_the_tail_give_what_the_whole_log_gives() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        max_shrink_iters: 40,
        ..Config::default()
    });
    let used = std::cell::Cell::new(0);
    let history = (any::<bool>(), proptest::collection::vec(step(), 8..30));
    let done = runner.run(&history, |(encrypted, steps)| {
        let begun = runtime.block_on(compare(encrypted, steps));
        used.set(used.get() + u32::from(begun));
        Ok(())
    });
    done.unwrap();
    assert!(used.get() > 5, "{} histories began at one", used.get());
}
