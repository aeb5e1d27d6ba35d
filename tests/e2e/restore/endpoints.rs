//! Endpoints and what lies below them: deployments only where they are asked for, and traffic when they are there.

use ::restore::{Action, OnConflict, OutcomeWord, Plan, Request, Step, VerifyOutcome, Work};
use http::Method;
use serde_json::{Value, json};
use simulator::Caller;
use simulator::faults::{Fault, Rule};
use simulator::world::World;

use super::bench::{Bench, Watch, normal};
use super::crash::die_after;
use super::trouble::storm;

/// The endpoint that has deployments.
const SCORING: &str = "onlineEndpoints/scoring";

async fn bench() -> Bench {
    Bench::of(&World::everything(3)).await
}

/// Endpoints with what they need, and their deployments where that is asked.
fn request(bench: &Bench, deployments: bool, mapping: &str) -> Request {
    let selectors = ["onlineEndpoints"];
    let mut request = bench.request(&selectors, OnConflict::Fail);
    request.options.include.deployments = deployments;
    request.options.mapping = mapping.to_owned();
    request
}

fn steps<'p>(plan: &'p Plan, kind: &str) -> Vec<&'p Step> {
    let steps = plan.steps.iter();
    steps
        .filter(|step| step.item.kind == kind && step.work != Work::Finish)
        .collect()
}

/// A document of the target.
fn shown(bench: &Bench, item: &str) -> Value {
    let id = bench.simulator.state().workspaces[&bench.target].arm_id();
    let path = format!("{id}/{item}?api-version=2024-04-01");
    let reply = Caller::new(&bench.simulator).arm(Method::GET, &path, None);
    assert!(reply.status.is_success(), "{item}: {reply:?}");
    reply.body_json()
}

#[tokio::test(start_paused = true)]
async fn deployments_are_made_only_where_they_are_asked_for() {
    let bench = bench().await;
    let request = request(&bench, false, "");
    let plan = bench.plan_request(&bench.target, &request).await;
    for endpoint in steps(&plan, "onlineEndpoints") {
        assert_eq!(endpoint.action, Action::Create, "{endpoint:?}");
    }
    let below = steps(&plan, "onlineDeployments");
    assert_eq!(below.len(), 2);
    for deployment in below {
        assert_eq!(deployment.action, Action::Manual, "{deployment:?}");
    }
    assert!(plan.steps.iter().all(|step| step.work != Work::Finish));
    let row = plan
        .losses
        .iter()
        .find(|loss| loss.item.to_string() == SCORING && loss.what == "/properties/traffic");
    assert_eq!(row.map(|row| row.action), Some(Action::Manual));
    bench.apply(&plan, &bench.target).await;
    assert_eq!(shown(&bench, SCORING)["properties"]["traffic"], json!({}));
    let found = bench.verify_request(&bench.target, &request).await;
    assert_eq!(found.differences, []);
    assert_eq!(found.outcome, VerifyOutcome::AsPlanned);
}

/// A schedule that watches a deployment of the source.
async fn watched(bench: &Bench) {
    let id = bench.simulator.state().workspaces[&bench.source].arm_id();
    let deployment = bench.simulator.state().workspaces[&bench.source]
        .documents
        .list("onlineEndpoints/scoring/deployments")[0]
        .name
        .clone();
    let body = json!({"properties": {
        "isEnabled": false, "trigger": {"triggerType": "Cron", "expression": "0 3 * * *", "timeZone": "UTC"},
        "action": {"actionType": "CreateMonitor", "monitorDefinition": {
            "computeConfiguration": {"computeType": "ServerlessSpark", "instanceType": "standard_e4s_v3", "runtimeVersion": "3.4",
                "computeIdentity": {"computeIdentityType": "AmlToken"}},
            "monitoringTarget": {"taskType": "Classification", "deploymentId": format!("{id}/{SCORING}/deployments/{deployment}")},
            "signals": {}}}}});
    let path = format!("{id}/schedules/watch?api-version=2024-04-01");
    let reply = Caller::new(&bench.simulator).arm(Method::PUT, &path, Some(&body));
    assert!(reply.status.is_success(), "{reply:?}");
    bench.store.back_up(&bench.open(&bench.source).await).await;
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_watches_a_deployment_which_is_not_asked_for_is_a_persons() {
    let bench = bench().await;
    watched(&bench).await;
    let mut request = bench.request(&["onlineEndpoints", "schedules/watch"], OnConflict::Fail);
    let plan = bench.plan_request(&bench.target, &request).await;
    let [watch] = steps(&plan, "schedules")[..] else {
        panic!("{:#?}", plan.steps);
    };
    assert_eq!(watch.action, Action::Manual, "{watch:?}");
    assert!(
        watch
            .reason
            .contains("onlineEndpoints/scoring/deployments/")
    );
    let told = plan.losses.iter();
    let mut told = told.filter(|loss| loss.item == watch.item && loss.what == "the item");
    let row = told.next().unwrap();
    assert!(row.substitute.contains("--include deployments"), "{row:?}");
    let by_hand = plan.manual.iter().find(|step| step.item == watch.item);
    let command = &by_hand.unwrap().command;
    assert!(
        command.contains("az ml schedule create --file"),
        "{command}"
    );
    let outline = bench.apply(&plan, &bench.target).await;
    assert_eq!(outline.outcome, OutcomeWord::Complete, "{outline:?}");
    let found = bench.verify_request(&bench.target, &request).await;
    assert_eq!(found.outcome, VerifyOutcome::AsPlanned);

    // With its deployment it is made, and at once.
    request.options.include.deployments = true;
    let plan = bench.plan_request(&bench.target, &request).await;
    assert_eq!(steps(&plan, "schedules")[0].action, Action::Create);
    bench.apply(&plan, &bench.target).await;
    assert_eq!(
        shown(&bench, "schedules/watch")["properties"]["action"]["actionType"],
        "CreateMonitor"
    );
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_comes_back_with_its_deployments_and_then_its_traffic() {
    let bench = bench().await;
    bench.lose_source();
    let request = request(&bench, true, "");
    let plan = bench.plan_request(&bench.target, &request).await;
    let finish: Vec<&Step> = plan
        .steps
        .iter()
        .filter(|step| step.work == Work::Finish)
        .collect();
    let [finish] = finish.as_slice() else {
        panic!("{finish:#?}");
    };
    assert_eq!(finish.item.to_string(), SCORING);
    for deployment in steps(&plan, "onlineDeployments") {
        assert_eq!(deployment.action, Action::Create);
        assert!(finish.needs.contains(&deployment.step), "{finish:?}");
        let endpoint = steps(&plan, "onlineEndpoints");
        let endpoint = endpoint
            .iter()
            .find(|step| step.item.to_string() == SCORING);
        assert!(deployment.needs.contains(&endpoint.unwrap().step));
    }
    let outline = bench.apply(&plan, &bench.target).await;
    assert_eq!(outline.done, plan.changes());
    let endpoint = shown(&bench, SCORING);
    assert_eq!(
        endpoint["properties"]["traffic"],
        json!({"blue": 90, "green": 10})
    );
    assert_eq!(endpoint["location"], "northeurope");
    assert_eq!(
        shown(&bench, &format!("{SCORING}/deployments/blue"))["location"],
        "northeurope"
    );
    let found = bench.verify_request(&bench.target, &request).await;
    assert_eq!(found.differences, []);
    let again = bench.plan_request(&bench.target, &request).await;
    let changing: Vec<&Step> = again
        .steps
        .iter()
        .filter(|step| step.action.changes())
        .collect();
    assert!(changing.is_empty(), "{changing:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_under_another_name_takes_its_deployments_and_traffic_along() {
    let bench = bench().await;
    let mapping = "[names]\n\"onlineEndpoints/scoring\" = \"onlineEndpoints/rescued\"\n\
                   \"onlineEndpoints/scoring/deployments/green\" = \"onlineEndpoints/rescued/deployments/olive\"\n";
    let request = request(&bench, true, mapping);
    let plan = bench.plan_request(&bench.target, &request).await;
    bench.apply(&plan, &bench.target).await;
    let endpoint = shown(&bench, "onlineEndpoints/rescued");
    assert_eq!(
        endpoint["properties"]["traffic"],
        json!({"blue": 90, "olive": 10})
    );
    shown(&bench, "onlineEndpoints/rescued/deployments/olive");
    let found = bench.verify_request(&bench.target, &request).await;
    assert_eq!(found.differences, []);
}

#[tokio::test(start_paused = true)]
async fn traffic_that_somebody_set_stays() {
    let bench = bench().await;
    let request = request(&bench, true, "");
    let plan = bench.plan_request(&bench.target, &request).await;
    bench.apply(&plan, &bench.target).await;
    let mut endpoint = shown(&bench, SCORING);
    endpoint["properties"]["traffic"] = json!({"blue": 0, "green": 100});
    let id = bench.simulator.state().workspaces[&bench.target].arm_id();
    let path = format!("{id}/{SCORING}?api-version=2024-04-01");
    let reply = Caller::new(&bench.simulator).arm(Method::PUT, &path, Some(&endpoint));
    assert!(reply.status.is_success(), "{reply:?}");
    let again = bench.plan_request(&bench.target, &request).await;
    assert_eq!(again.changes(), 0);
    let row = again
        .losses
        .iter()
        .find(|loss| loss.item.to_string() == SCORING && loss.what == "/properties/traffic");
    assert!(row.unwrap().reason.contains("another value"), "{row:?}");
    // One that nobody set is set.
    endpoint["properties"]["traffic"] = json!({});
    let reply = Caller::new(&bench.simulator).arm(Method::PUT, &path, Some(&endpoint));
    assert!(reply.status.is_success(), "{reply:?}");
    let again = bench.plan_request(&bench.target, &request).await;
    assert_eq!(again.changes(), 1, "{:#?}", again.steps);
    bench.apply(&again, &bench.target).await;
    assert_eq!(
        shown(&bench, SCORING)["properties"]["traffic"],
        json!({"blue": 90, "green": 10})
    );
}

#[tokio::test(start_paused = true)]
async fn keys_of_an_endpoint_come_back_where_they_are_asked_for() {
    let bench = bench().await;
    let mut request = request(&bench, false, "");
    request.options.include.secrets = true;
    let plan = bench.plan_request(&bench.target, &request).await;
    bench.apply(&plan, &bench.target).await;
    let id = bench.simulator.state().workspaces[&bench.target].arm_id();
    let path = format!("{id}/{SCORING}/listKeys?api-version=2024-04-01");
    let reply = Caller::new(&bench.simulator).arm(Method::POST, &path, None);
    assert_eq!(reply.body_json()["primaryKey"], "first-key-of-scoring");
}

#[tokio::test(start_paused = true)]
async fn a_restore_of_endpoints_that_dies_at_any_step_goes_on_to_the_same_end() {
    let whole = bench().await;
    let plan = whole
        .plan_request(&whole.target, &request(&whole, true, ""))
        .await;
    whole.apply(&plan, &whole.target).await;
    let end = normal(&whole.dump(&whole.target));
    let steps = usize::try_from(plan.changes()).unwrap();
    for after in 0..steps {
        let bench = bench().await;
        let request = request(&bench, true, "");
        let plan = bench.plan_request(&bench.target, &request).await;
        die_after(&bench, &plan, after, after * 5 % 17).await;
        let plan = match after % 2 {
            0 => plan,
            _ => bench.plan_request(&bench.target, &request).await,
        };
        let outline = bench
            .apply_watched(&plan, &bench.target, &Watch::default(), "journal")
            .await
            .unwrap();
        assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
        let dump = normal(&bench.dump(&bench.target));
        assert_eq!(
            dump["documents"], end["documents"],
            "after the cut at {after}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_somebody_in_the_region_has_is_told_with_the_way_around_it() {
    let bench = bench().await;
    let taken = Fault::Status {
        status: 409,
        code: Some("ResourceNameAlreadyExists".to_owned()),
    };
    let rule = Rule {
        contains: Some("/onlineEndpoints/scoring?".to_owned()),
        method: Some("PUT".to_owned()),
        ..Rule::always(taken)
    };
    bench.simulator.set_faults(1, vec![rule]);
    let plan = bench
        .plan_request(&bench.target, &request(&bench, true, ""))
        .await;
    let outline = bench
        .apply_watched(&plan, &bench.target, &Watch::default(), "journal")
        .await
        .unwrap();
    let failure = outline
        .failures
        .iter()
        .find(|failure| failure.item == SCORING);
    let reason = &failure.unwrap().reason;
    assert!(reason.contains("ResourceNameAlreadyExists"), "{reason}");
    let way = format!("[names] \"{SCORING}\" = \"onlineEndpoints/NAME\"");
    assert!(reason.contains(&way), "{reason}");
    // What lies below it is not tried, and nothing else is touched by it.
    let needs = outline
        .failures
        .iter()
        .filter(|failure| failure.reason.contains("which it needs"));
    assert_eq!(needs.count(), 3, "{:#?}", outline.failures);
    assert_eq!(outline.failed, 4);
}

#[tokio::test(start_paused = true)]
async fn endpoints_come_back_whole_also_through_a_storm() {
    let whole = bench().await;
    let plan = whole
        .plan_request(&whole.target, &request(&whole, true, ""))
        .await;
    whole.apply(&plan, &whole.target).await;
    let end = normal(&whole.dump(&whole.target));
    for seed in 1..5 {
        let bench = bench().await;
        let request = request(&bench, true, "");
        bench.simulator.set_faults(seed, storm());
        for attempt in 0.. {
            assert!(attempt < 5, "five attempts are not enough");
            let plan = bench.plan_request(&bench.target, &request).await;
            let outline = bench
                .apply_watched(&plan, &bench.target, &Watch::default(), "journal")
                .await
                .unwrap();
            if outline.outcome == OutcomeWord::Complete {
                break;
            }
        }
        bench.simulator.set_faults(0, Vec::new());
        let dump = normal(&bench.dump(&bench.target));
        assert_eq!(dump["documents"], end["documents"], "seed {seed}");
    }
}

/// Applies a plan of which something is expected to fail.
async fn try_to_apply(bench: &Bench, plan: &Plan) -> ::restore::Outline {
    let watch = Watch::default();
    let applied = bench.apply_watched(plan, &bench.target, &watch, "journal");
    applied.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_deployment_whose_making_failed_is_told_and_made_by_the_next_restore_with_the_traffic() {
    let bench = bench().await;
    let unasked = request(&bench, false, "");
    let plan = bench.plan_request(&bench.target, &unasked).await;
    bench.apply(&plan, &bench.target).await;
    let request = request(&bench, true, "");
    let plan = bench.plan_request(&bench.target, &request).await;
    bench.simulator.state().failing_operations = 1;
    let outline = try_to_apply(&bench, &plan).await;
    assert_ne!(outline.outcome, OutcomeWord::Complete);
    let failed: Vec<&str> = outline
        .failures
        .iter()
        .map(|failure| failure.item.as_str())
        .collect();
    // What failed by itself, and the traffic that needs it.
    assert_eq!(failed.len(), 2, "{:#?}", outline.failures);
    assert!(
        failed[0].starts_with(&format!("{SCORING}/deployments/")),
        "{failed:?}"
    );
    assert_eq!(failed[1], SCORING);
    let reason = &outline.failures[0].reason;
    assert!(
        reason.contains("Failed") && reason.contains("ToldToFail"),
        "{reason}"
    );
    let state = shown(&bench, failed[0])["properties"]["provisioningState"].clone();
    assert_eq!(state, "Failed");

    let again = bench.plan_request(&bench.target, &request).await;
    let repaired: Vec<&Step> = steps(&again, "onlineDeployments")
        .into_iter()
        .filter(|step| step.action == Action::Repair)
        .collect();
    assert_eq!(repaired.len(), 1, "{:#?}", again.steps);
    assert_eq!(repaired[0].target.to_string(), failed[0]);
    let outline = bench.apply(&again, &bench.target).await;
    assert_eq!(
        outline.outcome,
        OutcomeWord::Complete,
        "{:#?}",
        outline.failures
    );
    assert_eq!(
        shown(&bench, SCORING)["properties"]["traffic"],
        json!({"blue": 90, "green": 10})
    );
    let found = bench.verify_request(&bench.target, &request).await;
    assert_eq!(found.differences, []);
    let last = bench.plan_request(&bench.target, &request).await;
    assert_eq!(last.changes(), 0, "{:#?}", last.steps);
}

#[tokio::test(start_paused = true)]
async fn the_mapping_file_says_another_region_and_other_resources_also_as_names_of_members() {
    let bench = bench().await;
    let identity = |name: &str| {
        format!(
            "/subscriptions/0f0f0f0f-0000-4000-8000-000000000001/resourceGroups/rg-ids/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        )
    };
    {
        let mut state = bench.simulator.state();
        let documents = &mut state.workspaces.get_mut(&bench.source).unwrap().documents;
        let endpoint = documents.get_mut("onlineEndpoints", "scoring").unwrap();
        let own = json!({"type": "UserAssigned", "userAssignedIdentities": {identity("prod"): {}}});
        endpoint.body.insert("identity".to_owned(), own);
    }
    bench.store.back_up(&bench.open(&bench.source).await).await;
    let region = {
        let state = bench.simulator.state();
        state.workspaces[&bench.source].location.clone()
    };
    let mapping = format!(
        "[region]\n\"{region}\" = \"uksouth\"\n[resources]\n\"{}\" = \"{}\"\n",
        identity("prod"),
        identity("rescue")
    );
    let request = request(&bench, false, &mapping);
    let plan = bench.plan_request(&bench.target, &request).await;
    // The mapping goes before the target's own region, where the service refuses another one.
    let outline = try_to_apply(&bench, &plan).await;
    let refused = outline
        .failures
        .iter()
        .find(|failure| failure.item == SCORING);
    let refused = refused.map(|refused| refused.reason.contains("'uksouth'"));
    assert_eq!(refused, Some(true), "{:#?}", outline.failures);
    let rows = plan
        .losses
        .iter()
        .filter(|loss| loss.item.to_string() == SCORING);
    let rows: Vec<&str> = rows.map(|loss| loss.what.as_str()).collect();
    assert!(
        !rows
            .iter()
            .any(|what| what.contains("userAssignedIdentities")),
        "{rows:?}"
    );

    let mapping = mapping.replace("uksouth", "northeurope");
    let request = self::request(&bench, false, &mapping);
    let plan = bench.plan_request(&bench.target, &request).await;
    bench.apply(&plan, &bench.target).await;
    let endpoint = shown(&bench, SCORING);
    assert_eq!(endpoint["location"], "northeurope");
    let identities = endpoint["identity"]["userAssignedIdentities"]
        .as_object()
        .unwrap();
    assert_eq!(identities.keys().collect::<Vec<_>>(), [&identity("rescue")]);
    let found = bench.verify_request(&bench.target, &request).await;
    assert_eq!(found.differences, []);
}
