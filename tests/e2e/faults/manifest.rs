//! What a snapshot holds, without the moments at which it was read: two backups of the same workspace are equal in it.

use archive_format::SnapshotReader;
use futures::TryStreamExt;
use serde_json::Value;

/// All lines of the manifest as JSON, without times of reading. Files stand there by their SHA-256, documents by that of
/// what is not volatile: a running job's record says how long it has run.
pub(crate) async fn lines(snapshot: &SnapshotReader) -> Vec<Value> {
    let lines: Vec<_> = snapshot.lines().try_collect().await.unwrap();
    let plain = lines.iter().map(|line| {
        let mut line = serde_json::to_value(line).unwrap();
        forget_times(&mut line);
        line
    });
    plain.collect()
}

/// Takes out when a document was read and when an item was asked about.
fn forget_times(line: &mut Value) {
    line.as_object_mut().unwrap().remove("asked");
    for document in line["documents"].as_array_mut().into_iter().flatten() {
        for name in ["read", "address", "size"] {
            document.as_object_mut().unwrap().remove(name);
        }
    }
}

/// Fails with the first line that differs.
pub(crate) fn assert_equal(found: &[Value], expected: &[Value], of: &str) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{of}: {}", expected["name"]);
    }
    assert_eq!(found.len(), expected.len(), "{of}");
}
