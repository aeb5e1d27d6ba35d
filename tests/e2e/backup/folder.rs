//! Backups of a folder.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use archive_format::{EntryKind, Outcome};
use futures::TryStreamExt;
use mlark::capture::{Counted, Ending, KnownGap, Report};
use tempfile::TempDir;
use workspace::folder::Folder;
use workspace::select::Selection;

use super::bench::{Bench, write};

/// A folder with files, an empty one, an empty directory and a link.
struct Tree {
    _temporary: TempDir,
    root: PathBuf,
}

impl Tree {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().join("tree");
        write(&root, "train.py", b"print('hello')\n");
        write(&root, "data/a.csv", b"1,2,3\n4,5,6\n");
        write(&root, "data/empty", b"");
        std::fs::create_dir(root.join("nothing")).unwrap();
        symlink("train.py", root.join("link")).unwrap();
        Self {
            _temporary: temporary,
            root,
        }
    }

    /// Opens it anew, as every run does.
    async fn open(&self) -> Folder {
        Folder::open(&self.root).await.unwrap()
    }
}

fn files(report: &Report, outcome: Counted) -> u64 {
    report.files_total().count(outcome)
}

fn items(report: &Report, outcome: Counted) -> u64 {
    report.items_total().count(outcome)
}

#[tokio::test(start_paused = true)]
async fn a_folder_is_stored_whole() {
    let (bench, tree) = (Bench::unencrypted().await, Tree::new());
    let report = bench.back_up(&tree.open().await).await;
    assert_eq!(report.ending, Ending::Complete);
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    assert_eq!(report.items_total().listed(), 6);
    assert_eq!(items(&report, Counted::Saved), 6);
    assert_eq!(files(&report, Counted::Saved), 3);
    assert_eq!(report.bytes.read, 15 + 12);

    let item = bench.item("files", "data/a.csv", None).await.unwrap();
    let content = item.files[0].content.clone().unwrap();
    let newest = bench.newest().await;
    let pieces: Vec<_> = newest.file(&content).try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"1,2,3\n4,5,6\n");

    let empty = bench.item("files", "data/empty", None).await.unwrap();
    assert_eq!(empty.files[0].size(), 0);
    assert!(empty.files[0].content.is_some());
    let directory = bench.item("files", "nothing", None).await.unwrap();
    assert_eq!(directory.files[0].entry, EntryKind::Directory);
    assert!(directory.files[0].attributes.is_some());
    let link = bench.item("files", "link", None).await.unwrap();
    let target = EntryKind::Symlink("train.py".to_owned());
    assert_eq!(link.files[0].entry, target);
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_folder_reads_no_file_and_writes_no_content() {
    let (bench, tree) = (Bench::encrypted().await, Tree::new());
    bench.back_up(&tree.open().await).await;
    bench.seen.take();
    let report = bench.back_up(&tree.open().await).await;
    assert_eq!(items(&report, Counted::Unchanged), 6);
    assert_eq!(files(&report, Counted::Unchanged), 3);
    assert_eq!((report.bytes.read, report.bytes.new), (0, 0));
    let read: Vec<_> = bench.seen.take();
    assert!(
        !read.iter().any(|event| event.starts_with("read")),
        "{read:?}"
    );
    let history = bench.history().await;
    assert_eq!(
        history[0].manifest, history[1].manifest,
        "not one line differs"
    );
}

#[tokio::test(start_paused = true)]
async fn one_changed_byte_of_the_same_size_is_read_and_nothing_else() {
    let (bench, tree) = (Bench::unencrypted().await, Tree::new());
    bench.back_up(&tree.open().await).await;
    bench.seen.take();
    write(&tree.root, "data/a.csv", b"1,2,3\n4,5,7\n");
    let report = bench.back_up(&tree.open().await).await;
    let events = bench.seen.take();
    let read: Vec<_> = events
        .iter()
        .filter(|event| event.starts_with("read"))
        .collect();
    assert_eq!(read, ["read files/data/a.csv//data/a.csv"]);
    assert_eq!(report.bytes.read, 12);
    assert_eq!(items(&report, Counted::Saved), 1);
    assert_eq!(items(&report, Counted::Unchanged), 5);
}

#[tokio::test(start_paused = true)]
async fn a_full_backup_trusts_no_validator() {
    let (mut bench, tree) = (Bench::unencrypted().await, Tree::new());
    bench.back_up(&tree.open().await).await;
    bench.policy.full = true;
    let report = bench.back_up(&tree.open().await).await;
    assert_eq!(report.bytes.read, 15 + 12);
    assert_eq!(report.bytes.new, 0, "the same bytes are the same objects");
}

#[tokio::test(start_paused = true)]
async fn what_the_selection_leaves_out_is_counted_and_not_stored() {
    let (mut bench, tree) = (Bench::unencrypted().await, Tree::new());
    bench.policy.selection = Selection::parse(["!files/data/**"], bench.now()).unwrap();
    let report = bench.back_up(&tree.open().await).await;
    assert_eq!(items(&report, Counted::Excluded), 3, "the directory too");
    assert!(bench.item("files", "data/a.csv", None).await.is_none());
    assert!(bench.item("files", "train.py", None).await.is_some());
}

#[tokio::test(start_paused = true)]
#[expect(clippy::print_stderr, reason = "says that it was skipped, and why")]
async fn an_unreadable_file_is_a_gap_and_the_rest_is_saved() {
    let (mut bench, tree) = (Bench::unencrypted().await, Tree::new());
    let secret = tree.root.join("data/a.csv");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&secret).is_ok() {
        eprintln!("skipped: this user reads every file, whatever its permissions say");
        return;
    }
    let report = bench.back_up(&tree.open().await).await;
    assert_eq!(report.ending, Ending::Complete);
    assert!(report.has_gaps());
    assert_eq!(report.gaps.len(), 1);
    assert_eq!(report.gaps[0].file.as_deref(), Some("data/a.csv"));
    assert_eq!(files(&report, Counted::Failed), 1);
    assert_eq!(files(&report, Counted::Saved), 2);
    let item = bench.item("files", "data/a.csv", None).await.unwrap();
    assert_eq!(item.gaps.len(), 1);

    bench.policy.known_gaps.push(KnownGap {
        selection: Selection::parse(["files/data/**"], bench.now()).unwrap(),
        reason: "kept elsewhere".to_owned(),
        until: None,
    });
    let report = bench.back_up(&tree.open().await).await;
    assert!(!report.has_gaps());
    assert_eq!(files(&report, Counted::Known), 1);
    assert_eq!(report.gaps[0].known.as_deref(), Some("kept elsewhere"));
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_lost_most_of_its_files_is_suspect_until_it_is_accepted() {
    let (bench, tree) = (Bench::unencrypted().await, Tree::new());
    for number in 0..40 {
        write(&tree.root, &format!("many/{number}"), b"x");
    }
    bench.back_up(&tree.open().await).await;
    std::fs::remove_dir_all(tree.root.join("many")).unwrap();
    let report = bench.back_up(&tree.open().await).await;
    assert!(
        matches!(report.ending, Ending::Suspect(_)),
        "{:?}",
        report.ending
    );
    let report = bench.back_up(&tree.open().await).await;
    assert!(
        matches!(report.ending, Ending::Suspect(_)),
        "a suspect snapshot is no measure for the next one"
    );
    assert_eq!(
        bench.outcomes().await,
        [Outcome::Complete, Outcome::Suspect, Outcome::Suspect]
    );
}

#[tokio::test(start_paused = true)]
async fn a_stopped_run_keeps_a_partial_snapshot_and_the_next_one_goes_on() {
    let (mut bench, tree) = (Bench::unencrypted().await, Tree::new());
    bench.stop.request();
    let report = bench.back_up(&tree.open().await).await;
    assert_eq!(report.ending, Ending::Partial);
    assert_eq!(
        report.snapshot, None,
        "nothing was done, so nothing is kept"
    );
    bench.stop = mlark::shutdown::Shutdown::default();

    bench.policy.partial_every = std::time::Duration::ZERO;
    bench.back_up(&tree.open().await).await;
    let outcomes = bench.outcomes().await;
    assert!(
        outcomes.len() > 1,
        "partial snapshots come on the way: {outcomes:?}"
    );
    assert_eq!(outcomes.last(), Some(&Outcome::Complete));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_stores_nothing_and_says_what_would_be_read() {
    let (mut bench, tree) = (Bench::unencrypted().await, Tree::new());
    bench.policy.dry_run = true;
    let report = bench.back_up(&tree.open().await).await;
    assert_eq!(report.ending, Ending::Counted);
    assert_eq!(report.items_total().listed(), 6);
    assert_eq!(report.bytes.read, 15 + 12);
    assert!(bench.history().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_report_is_the_interfaces_document() {
    let (bench, tree) = (Bench::unencrypted().await, Tree::new());
    let report = bench.back_up(&tree.open().await).await;
    let json = report.to_json();
    assert_eq!(json["workspace"], "prod");
    assert_eq!(json["outcome"], "complete");
    assert_eq!(json["items"]["files"]["saved"], 6);
    assert_eq!(json["files"]["read"], 3);
    assert_eq!(json["files"]["failed"], 0);
    assert_eq!(json["bytes"]["read"], 27);
    assert_eq!(json["id"], bench.history().await[0].id.to_string());
    assert_eq!(json["gaps"], serde_json::json!([]));
}
