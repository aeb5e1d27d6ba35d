//! Drills: what they restore, what they refuse, and what stays of them.

mod exports;

use std::path::PathBuf;

use ::restore::{
    ExportRequest, ExportedFolder, Stop, Unobserved, VerifyOutcome, export_folder, prove,
};
use mlark::ExitStatus;
use serde_json::Value;
use workspace::Folder;

use super::bench::Bench;
use super::program::Program;

/// An installation with a snapshot, and the file of its owner's key.
async fn backed_up<'a>(bench: &'a Bench, more: &str) -> (Program<'a>, String) {
    let rescue = bench.name(&bench.target);
    let more = format!("{more}[[target]]\nname = \"scratch\"\nurl = \"{rescue}\"\n");
    let program = Program::new(bench, &more);
    let (status, made) = program.run(&["init", "--json"]).await;
    assert_eq!(status, ExitStatus::Done);
    let made: Value = serde_json::from_str(&made).unwrap();
    let key = program.path("owner.key");
    std::fs::write(&key, made["identity"].as_str().unwrap()).unwrap();
    assert_eq!(program.run(&["backup"]).await.0, ExitStatus::Done);
    (program, key.display().to_string())
}

async fn json(program: &Program<'_>, words: &[&str]) -> (ExitStatus, Value) {
    let mut words = words.to_vec();
    words.push("--json");
    let (status, out) = program.run(&words).await;
    (status, serde_json::from_str(&out).unwrap())
}

/// The drills that `status` knows, on a machine that knows nothing.
async fn known(program: &Program<'_>) -> Vec<Value> {
    let cache = program.path("cache");
    std::fs::remove_dir_all(cache).unwrap();
    let (_, status) = json(program, &["status"]).await;
    status["drills"].as_array().unwrap().clone()
}

/// Every folder in which a drill may have left something.
fn left(program: &Program<'_>) -> Vec<PathBuf> {
    let caches = std::fs::read_dir(program.path("cache")).unwrap();
    let folders = caches.map(|entry| entry.unwrap().path().join("drill"));
    folders.filter(|folder| folder.exists()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_restores_and_compares_everything_and_leaves_only_its_evidence() {
    let bench = Bench::small().await;
    let (program, key) = backed_up(&bench, "").await;
    let (status, done) = json(&program, &["drill", "--identity-file", &key]).await;
    assert_eq!(status, ExitStatus::Done, "{done}");
    let drill = &done["drill"];
    assert_eq!(
        (&drill["outcome"], &drill["workspace"]),
        (&"same".into(), &"prod".into())
    );
    assert_eq!(left(&program), Vec::<PathBuf>::new());
    // Everything that the snapshot lists was compared.
    let (_, listed) = json(&program, &["ls", "latest"]).await;
    let items = listed["items"].as_array().unwrap();
    assert_eq!(drill["items"], items.len());
    let (_, snapshots) = json(&program, &["snapshots"]).await;
    let snapshot = &snapshots["snapshots"][0];
    assert_eq!(
        (&drill["snapshot"], &drill["bytes"]),
        (&snapshot["id"], &snapshot["bytes"])
    );
    // The head is the one that the snapshot's entry made, and the evidence comes right behind it.
    assert_eq!(
        drill["head"]["entry"].as_u64().unwrap() + 1,
        drill["entry"].as_u64().unwrap()
    );
    let known = known(&program).await;
    assert_eq!(known, std::slice::from_ref(drill));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_an_owners_key_is_told_why_it_makes_no_drill() {
    let bench = Bench::small().await;
    let (program, key) = backed_up(&bench, "").await;
    let config = program.path("mlark.toml").display().to_string();
    let (status, _, err) = program
        .typed(&["mlark", "--config", &config, "drill"])
        .await;
    assert_eq!(status, ExitStatus::NoKey, "{err}");
    assert!(err.contains("owner's part"), "{err}");
    // A schedule of drills is refused here when the configuration is checked.
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        format!("{text}[drill]\nschedule = \"0 4 * * 0\"\n"),
    )
    .unwrap();
    for (words, expected) in [
        (vec!["config", "check"], ExitStatus::NoKey),
        (
            vec!["config", "check", "--identity-file", &key],
            ExitStatus::Done,
        ),
    ] {
        let status = program.run(&words).await.0;
        assert_eq!(status, expected, "{words:?}");
    }
    let (_, doctor) = json(&program, &["doctor"]).await;
    let checks = doctor["checks"].as_array().unwrap();
    let about = |check: &&Value| check["what"] == "[drill]";
    let check = checks.iter().find(about).unwrap();
    assert_eq!(check["state"], "bad", "{check}");
    assert!(known(&program).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_goes_only_where_nothing_is_and_nobody_backs_up() {
    let bench = Bench::small().await;
    let (program, key) = backed_up(&bench, "").await;
    let used = program.path("used");
    std::fs::create_dir(&used).unwrap();
    std::fs::write(used.join("mine.txt"), "mine").unwrap();
    let before = bench.dump(&bench.source);
    for (into, why) in [
        ("prod".to_owned(), "backed up"),
        (bench.name(&bench.source).to_string(), "backed up"),
        (used.display().to_string(), "mine.txt"),
    ] {
        let config = program.path("mlark.toml").display().to_string();
        let words = [
            "mlark",
            "--config",
            &config,
            "drill",
            "--identity-file",
            &key,
            "--into",
            &into,
        ];
        let (status, _, err) = program.typed(&words).await;
        assert_eq!(status, ExitStatus::Usage, "{into}: {err}");
        assert!(err.contains(why), "{into}: {err}");
    }
    assert_eq!(bench.dump(&bench.source), before);
    assert!(used.join("mine.txt").exists());
    assert!(known(&program).await.is_empty());
    // An empty folder stays empty, and stays.
    let empty = program.path("empty");
    std::fs::create_dir(&empty).unwrap();
    let into = empty.display().to_string();
    let drill = ["drill", "--identity-file", &key, "--into", &into];
    assert_eq!(program.run(&drill).await.0, ExitStatus::Done);
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0);
    let keep = [&drill[..], &["--keep"]].concat();
    assert_eq!(program.run(&keep).await.0, ExitStatus::Done);
    assert!(empty.join(".mlark/snapshot.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_into_a_workspace_restores_it_there_and_needs_another_one_the_next_time() {
    let bench = Bench::small().await;
    let (program, key) = backed_up(&bench, "").await;
    let words = [
        "drill",
        "latest:prod",
        "--identity-file",
        &key,
        "--into",
        "scratch",
    ];
    let (status, done) = json(&program, &words).await;
    assert_eq!(status, ExitStatus::Done, "{done}");
    assert_eq!(done["drill"]["outcome"], "as-planned", "{done}");
    assert!(done["drill"]["losses"].as_u64().unwrap() > 0, "{done}");
    assert_eq!(done["kept"], "scratch");
    // It is no restore that anybody looks for.
    let (_, restores) = json(&program, &["restore", "list"]).await;
    assert_eq!(restores["restores"].as_array().unwrap().len(), 0);
    let (status, refused) = json(&program, &words).await;
    assert_eq!(status, ExitStatus::Usage, "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_fails_is_evidence_too() {
    let bench = Bench::small().await;
    let (program, key) = backed_up(&bench, "").await;
    let packs = std::fs::read_dir(program.path("repository/packs")).unwrap();
    let mut packs: Vec<PathBuf> = packs
        .flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    packs.sort_by_key(|path| path.metadata().unwrap().len());
    let pack = packs.pop().unwrap();
    let mut bytes = std::fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&pack, bytes).unwrap();
    let status = program.run(&["drill", "--identity-file", &key]).await.0;
    assert_eq!(status, ExitStatus::Damage);
    assert_eq!(left(&program), Vec::<PathBuf>::new());
    let known = known(&program).await;
    assert_eq!(known[0]["outcome"], "failed", "{known:?}");
    let reason = known[0]["reason"].as_str().unwrap();
    assert!(reason.contains("damaged"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_changed_in_an_exported_folder_is_found_by_what_the_snapshot_says() {
    let bench = Bench::small().await;
    let path = bench.store.path().join("exported");
    let folder = Folder::create(&path).await.unwrap();
    let reader = bench.store.newest().await;
    let (request, stop) = (ExportRequest::default(), Stop::default());
    export_folder(&reader, &folder, &request, &Unobserved, &stop)
        .await
        .unwrap();
    let outcome = async || {
        let folder = ExportedFolder::open(&path).await.unwrap();
        let found = prove(&reader, &folder, "here", &Unobserved, &stop).await;
        found.unwrap().unwrap()
    };
    let same = outcome().await;
    assert_eq!(same.outcome, VerifyOutcome::Same, "{:?}", same.differences);
    let below = |name: &str| -> Vec<PathBuf> {
        let (mut found, mut folders) = (Vec::new(), vec![path.join(name)]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    };
    let notebook = below("notebooks")
        .into_iter()
        .find(|path| path.metadata().unwrap().len() > 0);
    let cases = [
        (notebook.unwrap(), "a file"),
        (below(".mlark/documents").remove(0), "a document"),
        (below(".mlark/items").remove(0), "an item"),
    ];
    for (file, what) in cases {
        let whole = std::fs::read(&file).unwrap();
        if what == "an item" {
            std::fs::remove_file(&file).unwrap();
        } else {
            // One byte of a value, so that it stays JSON.
            let mut harmed = whole.clone();
            let place = harmed.iter().rposition(u8::is_ascii_alphanumeric).unwrap();
            harmed[place] = if harmed[place] == b'0' { b'1' } else { b'0' };
            std::fs::write(&file, harmed).unwrap();
        }
        let found = outcome().await;
        assert_eq!(found.outcome, VerifyOutcome::Different, "{what}");
        assert_eq!(
            found.differences.len(),
            1,
            "{what}: {:?}",
            found.differences
        );
        std::fs::write(&file, whole).unwrap();
    }
    assert_eq!(outcome().await.outcome, VerifyOutcome::Same);
}
