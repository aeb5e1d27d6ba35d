//! Files of a folder into another folder.

use ::restore::{
    Action, Journal, OnConflict, Options, Request, Session, Stop, Target, VerifyOutcome, apply,
    plan, verify,
};
use workspace::Clock;
use workspace::folder::Folder;

use super::bench::Store;

fn request(on_conflict: OnConflict, selectors: &[&str]) -> Request {
    Request {
        selectors: selectors.iter().map(|text| (*text).to_owned()).collect(),
        target: "folder".to_owned(),
        options: Options {
            on_conflict,
            ..Options::default()
        },
        now: "2026-11-23T02:00:00Z".parse().unwrap(),
    }
}

struct Journey {
    store: Store,
    journal: Journal,
    target: Target,
}

impl Journey {
    async fn new() -> Self {
        let now: jiff::Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
        let store = Store::new(Clock::new(move || now)).await;
        let root = store.path().join("source");
        std::fs::create_dir_all(root.join("sub/empty")).unwrap();
        std::fs::write(root.join("sub/a.txt"), b"one").unwrap();
        std::fs::write(root.join("b.bin"), vec![7; 3 << 20]).unwrap();
        std::os::unix::fs::symlink("b.bin", root.join("link")).unwrap();
        store.back_up(&Folder::open(&root).await.unwrap()).await;
        let target = Target::Folder(Folder::create(store.path().join("target")).await.unwrap());
        Self {
            journal: store.journal("journal").await,
            store,
            target,
        }
    }

    async fn plan(&self, request: &Request) -> ::restore::Plan {
        let reader = self.store.newest().await;
        plan(&reader, &self.target, request, &::restore::Unobserved)
            .await
            .unwrap()
    }

    async fn apply(&self, plan: &::restore::Plan) -> ::restore::Outline {
        let reader = self.store.newest().await;
        let session = Session {
            journal: &self.journal,
            stop: &Stop::default(),
            observer: &::restore::Unobserved,
            clock: &self.store.clock,
            fresh: true,
        };
        apply(plan, &reader, &self.target, &session).await.unwrap()
    }

    async fn verify(&self) -> ::restore::Verification {
        let reader = self.store.newest().await;
        let request = request(OnConflict::Fail, &[]);
        verify(
            &reader,
            &self.target,
            &request,
            None,
            &::restore::Unobserved,
        )
        .await
        .unwrap()
    }
}

#[tokio::test]
async fn a_folder_comes_back_with_its_bytes_links_and_empty_directories() {
    let journey = Journey::new().await;
    let plan = journey.plan(&request(OnConflict::Fail, &[])).await;
    assert!(
        plan.steps.iter().all(|step| step.action == Action::Upload),
        "{:#?}",
        plan.steps
    );
    let outline = journey.apply(&plan).await;
    assert_eq!((outline.failed, outline.done), (0, plan.steps.len() as u64));
    let root = journey.store.path().join("target");
    assert_eq!(std::fs::read(root.join("sub/a.txt")).unwrap(), b"one");
    assert_eq!(
        std::fs::read_link(root.join("link")).unwrap().to_str(),
        Some("b.bin")
    );
    assert!(root.join("sub/empty").is_dir());
    assert_eq!(journey.verify().await.outcome, VerifyOutcome::Same);

    let again = journey.plan(&request(OnConflict::Fail, &[])).await;
    assert!(
        again.steps.iter().all(|step| step.action == Action::Skip),
        "{:#?}",
        again.steps
    );
}

#[tokio::test]
async fn other_bytes_are_written_over_only_when_that_was_asked() {
    let journey = Journey::new().await;
    let root = journey.store.path().join("target");
    std::fs::create_dir_all(root.join("sub")).unwrap();
    std::fs::write(root.join("sub/a.txt"), b"two").unwrap();
    let plan = journey
        .plan(&request(OnConflict::Fail, &["files/sub/a.txt"]))
        .await;
    assert_eq!(plan.steps[0].action, Action::Impossible);
    assert_eq!(plan.losses.len(), 1);
    let kept = journey
        .plan(&request(OnConflict::Skip, &["files/sub/a.txt"]))
        .await;
    assert_eq!(kept.steps[0].action, Action::Skip);
    let plan = journey
        .plan(&request(OnConflict::OverwriteFiles, &["files/sub/a.txt"]))
        .await;
    journey.apply(&plan).await;
    assert_eq!(std::fs::read(root.join("sub/a.txt")).unwrap(), b"one");
}

#[tokio::test]
async fn a_damaged_file_is_found_by_verify() {
    let journey = Journey::new().await;
    let plan = journey.plan(&request(OnConflict::Fail, &[])).await;
    journey.apply(&plan).await;
    let root = journey.store.path().join("target");
    std::fs::write(root.join("b.bin"), vec![8; 3 << 20]).unwrap();
    std::fs::remove_file(root.join("sub/a.txt")).unwrap();
    let found = journey.verify().await;
    assert_eq!(found.outcome, VerifyOutcome::Different);
    assert_eq!((found.files.different, found.files.missing), (1, 1));
    assert_eq!(found.differences.len(), 2);
}

#[tokio::test]
async fn a_plan_survives_being_saved_and_another_edition_is_refused_by_name() {
    let journey = Journey::new().await;
    let plan = journey.plan(&request(OnConflict::Fail, &[])).await;
    let text = plan.to_json().unwrap();
    let read = ::restore::Plan::from_json(&text).unwrap();
    assert_eq!(read.steps, plan.steps);
    let known = ::restore::Plan::edition();
    let other = String::from_utf8(text)
        .unwrap()
        .replace(&format!("\"edition\": {known}"), "\"edition\": 9");
    let error = ::restore::Plan::from_json(other.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("The plan file has edition 9; this version reads edition {known}")
    );
}

#[tokio::test]
async fn a_plan_is_refused_for_another_target() {
    let journey = Journey::new().await;
    let plan = journey.plan(&request(OnConflict::Fail, &[])).await;
    let other = Target::Folder(
        Folder::create(journey.store.path().join("other"))
            .await
            .unwrap(),
    );
    let reader = journey.store.newest().await;
    let session = Session {
        journal: &journey.journal,
        stop: &Stop::default(),
        observer: &::restore::Unobserved,
        clock: &journey.store.clock,
        fresh: true,
    };
    let error = apply(&plan, &reader, &other, &session).await.unwrap_err();
    assert!(
        matches!(error, ::restore::Error::OtherPlan { what: "target", .. }),
        "{error}"
    );
}
