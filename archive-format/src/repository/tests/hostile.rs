//! Manifests that no program of ours would write, in a snapshot that a machine signed: each is damage of the object that
//! says it, `check` names it, and who takes what is left gets the rest.

use futures::TryStreamExt;

use super::*;
use crate::manifest::root::{Child, Node};
use crate::pack::Class;
use crate::write::FreshObjects;
use crate::{FileEntry, FilePath, Line, LineKey};

/// The path of a line's file, which is written as another.
const SAFE: &str = "safe/file";

fn line(name: &str) -> Line {
    let mut line = Line::new(LineKey::new("models", name, Some("1")));
    let path = FilePath::new(SAFE).unwrap();
    line.files.push(FileEntry::new(path, None));
    line
}

fn text(name: &str) -> String {
    String::from_utf8(line(name).to_bytes().unwrap()).unwrap()
}

/// What the second piece of the manifest says, which begins with the item `b`.
fn pieces() -> Vec<(&'static str, String)> {
    let b = text("b");
    vec![
        ("a path that leaves its root", b.replace(SAFE, "../file")),
        ("an absolute path", b.replace(SAFE, "/etc/file")),
        (
            "a line that is too long",
            b.replace(SAFE, &"x".repeat(70_000)),
        ),
        ("a line that stands twice", format!("{b}{b}")),
        ("lines out of order", format!("{b}{}", text("a2"))),
        ("another spelling", b.replacen(':', ": ", 1)),
        (
            "a number too large",
            b.replacen('{', "{\"part\":99999999999,", 1),
        ),
        ("an end that is cut off", b.trim_end().to_owned()),
    ]
}

impl Scene {
    /// A snapshot of two pieces, the second as it is said, signed with the machine's key.
    async fn snapshot_with(
        &self,
        ours: &Repository,
        second: &str,
        model: &SnapshotRecord,
    ) -> SnapshotRecord {
        let fresh = FreshObjects::begin(&ours.inner, now()).await.unwrap();
        let mut children = Vec::new();
        for (name, text) in [("a", text("a")), ("b", second.to_owned())] {
            let (size, bytes) = (text.len() as u64, Bytes::from(text));
            children.push(Child {
                address: fresh.store(Class::Meta, bytes).await.unwrap(),
                count: 1,
                first: LineKey::new("models", name, Some("1")),
                size,
            });
        }
        let root = Node { level: 0, children };
        let root = fresh
            .store(Class::Meta, root.to_bytes().unwrap().into())
            .await;
        let record = SnapshotRecord {
            id: SnapshotId::new(now()).unwrap(),
            manifest: root.unwrap(),
            lines: 2,
            ..model.clone()
        };
        fresh.finish().await.unwrap();
        self.steal(Forged::Says(Body::Snapshot(Box::new(record.clone()))))
            .await;
        record
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_signed_manifest_may_not_say_is_damage_and_the_rest_comes() {
    for encrypted in [true, false] {
        let scene = Scene::new(encrypted).await;
        let ours = scene.open("ours").await.unwrap();
        let first = backup(&ours, "one").await;
        for (what, second) in pieces() {
            let record = scene.snapshot_with(&ours, &second, &first).await;
            for cache in ["ours", "stranger"] {
                let repository = scene.open(cache).await.unwrap();
                let reader = repository.snapshot(&record);
                let read: Result<Vec<Line>, Error> = reader.lines().try_collect().await;
                assert!(
                    matches!(&read, Err(error) if error.is_damage()),
                    "{what}: {read:?}"
                );
                let tolerant = reader.passing_over_damage();
                let left: Vec<Line> = tolerant.lines().try_collect().await.unwrap();
                assert_eq!(left, [line("a")], "{what}");
                assert_eq!(tolerant.passed_over().len(), 1, "{what}");
            }
        }
        let repository = scene.open("ours").await.unwrap();
        let report = check(&repository, crate::Depth::Structure, &mut |_| {}).await;
        let damages = report.unwrap().damages;
        let damaged: std::collections::BTreeSet<SnapshotId> = damages
            .iter()
            .flat_map(|damage| damage.snapshots.iter().copied())
            .collect();
        assert_eq!(damaged.len(), pieces().len(), "{damages:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_no_document_is_damage() {
    let scene = Scene::new(true).await;
    let ours = scene.open("ours").await.unwrap();
    let record = backup(&ours, "one").await;
    let fresh = FreshObjects::begin(&ours.inner, now()).await.unwrap();
    let texts = [&b"{\"a\":1,\"a\":2}"[..], b"no JSON", b""];
    let mut entries = Vec::new();
    for text in texts {
        let address = fresh.store(Class::Meta, Bytes::from(text)).await.unwrap();
        let entry: crate::DocumentEntry = serde_json::from_value(json!({
            "form": "arm", "api_version": "1", "read": now(), "address": address,
            "size": text.len(), "fingerprint": crate::Digest::of(text),
        }))
        .unwrap();
        entries.push(entry);
    }
    fresh.finish().await.unwrap();
    let reader = ours.snapshot(&record);
    for entry in entries {
        let error = reader.document(&entry).await.unwrap_err();
        assert!(error.is_damage(), "{error:?}");
    }
}
