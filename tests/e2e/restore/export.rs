//! A snapshot through a folder: what is restored from the folder is what is restored from the repository.

use std::path::{Path, PathBuf};

use ::restore::{
    Action, ExportRequest, ExportedFolder, OnConflict, Origin, Outline, Plan, Request, Session,
    Stop, VerifyOutcome, apply, export_folder, plan, verify,
};
use mlark::ExitStatus;
use mlark::failure::Failure;
use simulator::workspace::WorkspaceKey;
use simulator::world::World;
use workspace::Folder;

use super::bench::{Bench, normal};

async fn export(bench: &Bench) -> PathBuf {
    let path = bench.store.path().join("exported");
    let folder = Folder::create(&path).await.unwrap();
    let request = ExportRequest {
        now: bench.store.clock.now(),
        ..ExportRequest::default()
    };
    let reader = bench.store.newest().await;
    let exported = export_folder(
        &reader,
        &folder,
        &request,
        &::restore::Unobserved,
        &Stop::default(),
    )
    .await
    .unwrap();
    assert!(
        exported.failures.is_empty() && !exported.stopped,
        "{exported:#?}"
    );
    path
}

async fn open(path: &Path) -> Origin {
    Origin::Folder(ExportedFolder::open(path).await.unwrap())
}

/// Everything, and what is made only where it is asked for.
fn request(bench: &Bench) -> Request {
    let mut request = bench.request(&[], OnConflict::Fail);
    request.options.include.compute = true;
    request.options.include.deployments = true;
    request
}

async fn planned(bench: &Bench, origin: &Origin, key: &WorkspaceKey) -> Plan {
    let target = bench.target_of(key).await;
    let request = request(bench);
    plan(origin, &target, &request, &::restore::Unobserved)
        .await
        .unwrap()
}

async fn applied(bench: &Bench, origin: &Origin, plan: &Plan, key: &WorkspaceKey) -> Outline {
    let target = bench.target_of(key).await;
    let journal = bench.store.journal("of-folder").await;
    let session = Session {
        journal: &journal,
        stop: &Stop::default(),
        observer: &::restore::Unobserved,
        clock: &bench.store.clock,
        fresh: true,
    };
    apply(plan, origin, &target, &session).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_folder_restores_into_azure_as_its_snapshot_does() {
    let direct = Bench::of(&World::everything(3)).await;
    let plan = direct.plan_request(&direct.target, &request(&direct)).await;
    direct.apply(&plan, &direct.target).await;

    let bench = Bench::of(&World::everything(3)).await;
    let path = export(&bench).await;
    bench.lose_source();
    let origin = open(&path).await;
    let from_folder = planned(&bench, &origin, &bench.target).await;
    let rows = |plan: &Plan| -> Vec<(String, Action)> {
        let steps = plan.steps.iter();
        steps
            .map(|step| (step.item.to_string(), step.action))
            .collect()
    };
    assert_eq!(rows(&from_folder), rows(&plan));
    let outline = applied(&bench, &origin, &from_folder, &bench.target).await;
    assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
    let (left, right) = (
        normal(&direct.dump(&direct.target)),
        normal(&bench.dump(&bench.target)),
    );
    for part in ["documents", "blobs", "files", "metrics"] {
        assert_eq!(left[part], right[part], "{part}");
    }
    let target = bench.target_of(&bench.target).await;
    let request = request(&bench);
    let found = verify(&origin, &target, &request, None, &::restore::Unobserved)
        .await
        .unwrap();
    assert_ne!(found.outcome, VerifyOutcome::Different, "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_item_whose_yaml_was_edited_is_left_to_az_ml() {
    let bench = Bench::small().await;
    let path = export(&bench).await;
    let sheet = find(&path.join("models"), "model.yml");
    let name = sheet.strip_prefix(&path).unwrap().display().to_string();
    std::fs::write(&sheet, "name: mine\n").unwrap();
    std::fs::write(path.join("models/own.yml"), "name: mine\n").unwrap();

    let plan = planned(&bench, &open(&path).await, &bench.target).await;
    let said: Vec<&str> = plan
        .losses
        .iter()
        .filter(|loss| loss.substitute.starts_with("az ml model create --file "))
        .map(|loss| loss.what.as_str())
        .collect();
    assert_eq!(said.len(), 2);
    assert!(
        said.contains(&name.as_str()) && said.contains(&"models/own.yml"),
        "{said:?}"
    );
    let edited = &plan
        .losses
        .iter()
        .find(|loss| loss.what == name)
        .unwrap()
        .item;
    assert!(plan.steps.iter().all(|step| step.item != *edited));
}

#[tokio::test(start_paused = true)]
async fn other_bytes_and_other_documents_are_refused() {
    let bench = Bench::small().await;
    let path = export(&bench).await;
    let beside = find(&path.join("codes"), "code.yml");
    let file = find(&beside.with_file_name("files"), "");
    std::fs::write(
        &file,
        vec![b'x'; std::fs::metadata(&file).unwrap().len() as usize],
    )
    .unwrap();
    let origin = open(&path).await;
    let plan = planned(&bench, &origin, &bench.target).await;
    let outline = applied(&bench, &origin, &plan, &bench.target).await;
    assert!(outline.damaged, "{outline:#?}");

    let document = find(&path.join(".mlark/documents/data"), "");
    let text = std::fs::read_to_string(&document).unwrap();
    std::fs::write(&document, text.replacen("uri", "url", 1)).unwrap();
    let target = bench.target_of(&bench.target).await;
    let request = bench.request(&[], OnConflict::Fail);
    let refused = ::restore::plan(
        &open(&path).await,
        &target,
        &request,
        &::restore::Unobserved,
    )
    .await;
    let failure = Failure::of_restore(&refused.unwrap_err());
    assert_eq!(failure.status, ExitStatus::Damage, "{failure:?}");

    // So is what the export says of an item where it is none of its documents.
    let record = find(&path.join(".mlark/items"), "");
    let bytes = std::fs::read(&record).unwrap();
    std::fs::write(&record, &bytes[..bytes.len() / 2]).unwrap();
    let refused = ExportedFolder::open(&path).await;
    let failure = Failure::of_restore(&refused.unwrap_err());
    assert_eq!(failure.status, ExitStatus::Damage, "{failure:?}");
}

/// The first file below a folder with a name, or with any bytes.
fn find(folder: &Path, name: &str) -> PathBuf {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        let fits = |path: &Path| match name {
            "" => std::fs::metadata(path).unwrap().len() > 0,
            name => path.file_name().is_some_and(|last| last == name),
        };
        if path.is_dir() {
            let found = find(&path, name);
            if found.is_file() {
                return found;
            }
        } else if fits(&path) {
            return path;
        }
    }
    PathBuf::new()
}
