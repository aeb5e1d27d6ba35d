//! What happens where the target has something else of the same name.

use ::restore::{Action, OnConflict, Step, VerifyOutcome};
use http::Method;
use serde_json::json;
use simulator::Caller;
use simulator::documents::Documents;

use super::bench::Bench;

const NAME: &str = "sklearn-train";

/// An environment of the source's name and version with another image.
fn occupy(bench: &Bench) {
    let id = {
        let state = bench.simulator.state();
        state.workspaces[&bench.target].arm_id()
    };
    let body = json!({"properties": {"image": "mcr.microsoft.com/other:1", "isAnonymous": false}});
    let path = format!("{id}/environments/{NAME}/versions/1?api-version=2024-04-01");
    let reply = Caller::new(&bench.simulator).arm(Method::PUT, &path, Some(&body));
    assert!(reply.status.is_success(), "{reply:?}");
}

async fn action(bench: &Bench, on_conflict: OnConflict) -> (Action, String) {
    let selector = format!("environments/{NAME}:1");
    let plan = bench
        .plan_of(&bench.target, &[&selector], on_conflict)
        .await;
    let step = plan
        .steps
        .iter()
        .find(|step| step.item.to_string() == selector)
        .unwrap();
    (step.action, step.target.to_string())
}

#[tokio::test(start_paused = true)]
async fn another_document_fails_unless_something_else_was_asked() {
    let bench = Bench::small().await;
    occupy(&bench);
    let own = format!("environments/{NAME}:1");
    assert_eq!(
        action(&bench, OnConflict::Fail).await,
        (Action::Impossible, own.clone())
    );
    assert_eq!(
        action(&bench, OnConflict::Skip).await,
        (Action::Skip, own.clone())
    );
    assert_eq!(
        action(&bench, OnConflict::OverwriteFiles).await,
        (Action::Impossible, own.clone())
    );
    let (action, target) = action(&bench, OnConflict::NewVersion).await;
    assert_eq!(action, Action::Create);
    assert_ne!(target, own);
}

#[tokio::test(start_paused = true)]
async fn references_follow_a_new_version_and_a_second_restore_finds_it() {
    let bench = Bench::small().await;
    occupy(&bench);
    let plan = bench
        .plan_of(&bench.target, &[], OnConflict::NewVersion)
        .await;
    let own = format!("environments/{NAME}:1");
    let renamed = plan
        .steps
        .iter()
        .find(|step| step.item.to_string() == own)
        .unwrap()
        .target
        .clone();
    bench.apply(&plan, &bench.target).await;
    let found = bench.verify(&bench.target, &[]).await;
    assert_eq!(found.differences, []);
    assert_eq!(found.outcome, VerifyOutcome::AsPlanned);

    let dump = bench.dump(&bench.target).to_string();
    let version = renamed.version.clone().unwrap();
    assert!(dump.contains(&format!("/environments/{NAME}/versions/{version}")));

    let again = bench
        .plan_of(&bench.target, &[], OnConflict::NewVersion)
        .await;
    let changing: Vec<_> = again
        .steps
        .iter()
        .filter(|step| step.action.changes())
        .collect();
    assert!(changing.is_empty(), "{changing:#?}");
    let step = again
        .steps
        .iter()
        .find(|step| step.item.to_string() == own)
        .unwrap();
    assert_eq!(step.target, renamed, "not a third version");
}

#[tokio::test(start_paused = true)]
async fn a_saved_plan_is_refused_once_something_that_it_is_about_has_changed() {
    let bench = Bench::small().await;
    let plan = bench.plan().await;
    occupy(&bench);
    let reader = bench.store.newest().await;
    let target = bench.target_of(&bench.target).await;
    let journal = bench.store.journal("journal").await;
    let session = ::restore::Session {
        journal: &journal,
        stop: &::restore::Stop::default(),
        observer: &::restore::Unobserved,
        clock: &bench.store.clock,
        fresh: false,
    };
    let before = bench.dump(&bench.target);
    let error = ::restore::apply(&plan, &reader, &target, &session)
        .await
        .unwrap_err();
    assert!(matches!(error, ::restore::Error::Changed { .. }), "{error}");
    assert!(error.to_string().contains(NAME), "{error}");
    assert_eq!(before, bench.dump(&bench.target));
}

#[tokio::test(start_paused = true)]
async fn a_saved_plan_may_be_given_again_whatever_became_of_its_journal() {
    let bench = Bench::small().await;
    let saved = bench.plan().await.to_json().unwrap();
    let plan = ::restore::Plan::from_json(&saved).unwrap();
    bench.apply(&plan, &bench.target).await;
    let reader = bench.store.newest().await;
    let target = bench.target_of(&bench.target).await;
    for name in ["journal", "another"] {
        let journal = bench.store.journal(name).await;
        let session = ::restore::Session {
            journal: &journal,
            stop: &::restore::Stop::default(),
            observer: &::restore::Unobserved,
            clock: &bench.store.clock,
            fresh: false,
        };
        let outline = ::restore::apply(&plan, &reader, &target, &session)
            .await
            .unwrap();
        assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
    }
    let found = bench.verify(&bench.target, &[]).await;
    assert_eq!(found.outcome, VerifyOutcome::AsPlanned);
}

/// Gives all code of the target other names, as uploads by hand would have.
fn rename_codes(bench: &Bench) {
    let mut state = bench.simulator.state();
    let target = state.workspaces.get_mut(&bench.target).unwrap();
    let documents = &mut target.documents;
    let names = |documents: &Documents, collection: &str| -> Vec<String> {
        let listed = documents.list(collection).into_iter();
        listed.map(|one| one.name.clone()).collect()
    };
    for name in names(documents, "codes") {
        let own = format!("codes/{name}/versions");
        let to = format!("by-hand-{name}");
        for version in names(documents, &own) {
            let resource = documents.remove(&own, &version).unwrap();
            documents.put(&format!("codes/{to}/versions"), resource);
        }
        let mut container = documents.remove("codes", &name).unwrap();
        container.name = to;
        documents.put("codes", container);
    }
}

#[tokio::test(start_paused = true)]
async fn code_that_is_there_under_another_name_is_taken_and_references_follow() {
    let bench = Bench::small().await;
    let first = bench
        .plan_of(&bench.target, &["codes"], OnConflict::Fail)
        .await;
    bench.apply(&first, &bench.target).await;
    rename_codes(&bench);
    let selectors = ["codes", "components"];
    let plan = bench
        .plan_of(&bench.target, &selectors, OnConflict::Fail)
        .await;
    let of = |kind: &str| -> Vec<&Step> {
        let steps = plan.steps.iter();
        steps.filter(|step| step.item.kind == kind).collect()
    };
    assert!(of("codes").len() > 2, "{:#?}", plan.steps);
    for step in of("codes") {
        assert_eq!(step.action, Action::Skip, "{step:?}");
        let is_version = step.item.version.is_some();
        assert_eq!(is_version, step.target.name.starts_with("by-hand-"));
    }
    let components = of("components");
    assert!(components.iter().any(|step| step.action == Action::Create));
    bench.apply(&plan, &bench.target).await;
    {
        let state = bench.simulator.state();
        let documents = &state.workspaces[&bench.target].documents;
        for code in documents.list("codes") {
            assert!(code.name.starts_with("by-hand-"), "{}", code.name);
        }
        let named = documents.collections().flat_map(|(_, of)| of.values());
        let named = named.filter(|one| json!(one.body).to_string().contains("/codes/by-hand-"));
        assert!(named.count() > 0);
    }
    let found = bench.verify(&bench.target, &selectors).await;
    assert_eq!(found.differences, []);
    let again = bench
        .plan_of(&bench.target, &selectors, OnConflict::Fail)
        .await;
    assert_eq!(again.changes(), 0, "{:#?}", again.steps);
    // Also where the code itself is not asked for.
    for alone in ["components", "schedules"] {
        let plan = bench
            .plan_of(&bench.target, &[alone], OnConflict::Fail)
            .await;
        assert!(plan.steps.iter().any(|step| step.item.kind == alone));
        bench.apply(&plan, &bench.target).await;
        let found = bench.verify(&bench.target, &[alone]).await;
        assert_eq!(found.differences, [], "{alone}");
        assert!(found.items.compared > 0, "{alone}");
        let state = bench.simulator.state();
        for code in state.workspaces[&bench.target].documents.list("codes") {
            assert!(code.name.starts_with("by-hand-"), "{alone}: {}", code.name);
        }
    }
}
