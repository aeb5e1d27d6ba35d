//! The role for restores.

use std::collections::BTreeSet;

use ::restore::{OnConflict, Request, VerifyOutcome, plan};
use http::Method;
use serde_json::json;
use simulator::Caller;
use simulator::faults::{Fault, Rule};
use simulator::world::World;
use workspace::Role;
use workspace::azure::AzureWorkspace;
use workspace::kind::KINDS;

use super::give;
use crate::restore::bench::{Bench, Watch};

/// A cloud whose workspace has a word of its own on every container, so that each is written.
async fn bench() -> Bench {
    let bench = Bench::of(&World::everything(3)).await;
    let caller = Caller::new(&bench.simulator);
    let id = bench.name(&bench.source).arm_id();
    for kind in KINDS.iter().filter(|kind| kind.versioned) {
        let target = format!("{id}/{}", kind.collection().unwrap());
        let listed = caller.arm(Method::GET, &format!("{target}?{VERSION}"), None);
        let name = listed.body_json()["value"][0]["name"].clone();
        let name = name.as_str().unwrap().to_owned();
        let path = format!("{target}/{name}?{VERSION}");
        let mut body = caller.arm(Method::GET, &path, None).body_json();
        body["properties"]["tags"] = json!({"kept": "yes"});
        let put = caller.arm(Method::PUT, &path, Some(&body));
        assert!(put.status.is_success(), "{path}: {put:?}");
    }
    let source = bench.open(&bench.source).await;
    bench.store.back_up(&source).await;
    bench.lose_computes();
    bench
}

#[tokio::test(start_paused = true)]
async fn the_role_for_restores_is_enough_for_a_whole_restore() {
    let bench = bench().await;
    give(&bench.simulator, &Role::restore(), None);
    let request = everything(&bench);
    let plan = bench.plan_request(&bench.target, &request).await;
    let outline = bench.apply(&plan, &bench.target).await;
    assert_eq!(outline.done, plan.changes());
    let found = bench.verify_request(&bench.target, &request).await;
    assert_eq!(found.outcome, VerifyOutcome::AsPlanned);
}

/// Everything, with what is restored only when asked for.
fn everything(bench: &Bench) -> Request {
    let mut request = bench.request(&[], OnConflict::Fail);
    request.options.include.deployments = true;
    request.options.include.compute = true;
    request
}

const VERSION: &str = "api-version=2024-10-01&listViewType=All";

/// One notebook's last step is refused, so that what was written so far is deleted.
fn refused_rename() -> Rule {
    let refused = Fault::Status {
        status: 409,
        code: Some("ResourceAlreadyExists".to_owned()),
    };
    Rule {
        contains: Some("comp=rename".to_owned()),
        times: Some(1),
        ..Rule::always(refused)
    }
}

/// Everything that a restore with one action fewer says of what went wrong.
async fn said(bench: &Bench, request: &Request) -> String {
    let name = bench.name(&bench.target);
    let target = match AzureWorkspace::open(&bench.connection, &name, Default::default()).await {
        Ok(target) => ::restore::Target::Azure(target),
        Err(error) => return error.to_string(),
    };
    let reader = bench.store.newest().await;
    let plan = match plan(&reader, &target, request, &::restore::Unobserved).await {
        Ok(plan) => plan,
        Err(error) => return mlark::failure::Failure::of_restore(&error).sentence(),
    };
    let watch = Watch::default();
    match bench
        .apply_watched(&plan, &bench.target, &watch, "journal")
        .await
    {
        Err(error) => mlark::failure::Failure::of_restore(&error).sentence(),
        Ok(outline) => format!("{:?}", outline.failures),
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_without_any_one_action_of_its_role_says_which_is_missing() {
    let role = Role::restore();
    let mut silent = BTreeSet::new();
    for action in &role.actions {
        let bench = bench().await;
        give(&bench.simulator, &role, Some(action));
        bench.simulator.set_faults(1, vec![refused_rename()]);
        let said = said(&bench, &everything(&bench)).await;
        if !said.contains(action.name()) {
            silent.insert((action.name().to_owned(), said));
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

#[tokio::test(start_paused = true)]
async fn jobs_are_submitted_again_with_the_role_for_that_and_without_any_one_action_it_is_named() {
    let role = Role::resubmission();
    for missing in role.actions.iter().map(Some).chain([None]) {
        let bench = Bench::small().await;
        let mut whole = Role::restore();
        whole.actions.extend(role.actions.iter().cloned());
        give(&bench.simulator, &whole, missing);
        let mut request = bench.request(&["jobs", "environments", "codes"], OnConflict::Fail);
        request.options.include.resubmit = true;
        let said = said(&bench, &request).await;
        match missing {
            Some(action) => assert!(said.contains(action.name()), "{action}: {said}"),
            None => assert_eq!(said, "[]"),
        }
    }
}
