//! Kinds besides the common ones come back into another workspace, those that cost money when they are asked for.

use ::restore::{Action, OnConflict, Plan, Request, VerifyOutcome};
use serde_json::{Value, json};
use simulator::world::World;

use crate::restore::bench::Bench;

fn request(bench: &Bench, secrets: bool, deployments: bool) -> Request {
    let mut request = bench.request(&[], OnConflict::Fail);
    request.options.include.secrets = secrets;
    request.options.include.deployments = deployments;
    request
}

fn action(plan: &Plan, item: &str) -> Action {
    let step = plan.steps.iter().find(|step| step.item.to_string() == item);
    step.unwrap_or_else(|| panic!("no step for {item}")).action
}

#[tokio::test(start_paused = true)]
async fn everything_that_was_asked_for_comes_back_and_a_second_restore_finds_it() {
    let bench = Bench::of(&World::everything(3)).await;
    let request = request(&bench, true, true);
    let plan = bench.plan_request(&bench.target, &request).await;
    let outline = bench.apply(&plan, &bench.target).await;
    assert_eq!(outline.done, plan.changes());
    let found = bench.verify_request(&bench.target, &request).await;
    assert_eq!(found.differences, []);
    assert_eq!(found.outcome, VerifyOutcome::AsPlanned);

    let (before, after) = (bench.dump(&bench.source), bench.dump(&bench.target));
    for secret in [
        "onlineEndpoints/scoring",
        "connections/openai",
        "connections/tickets",
        "connections/blobs",
        "connections/feed",
        "connections/managed",
    ] {
        assert!(before["secrets"][secret].is_object(), "{secret}");
        assert_eq!(
            after["secrets"][secret], before["secrets"][secret],
            "{secret}"
        );
    }
    let document = |name: &str| after["documents"][name].clone();
    let scoring = document("onlineEndpoints/scoring");
    assert_eq!(
        scoring["properties"]["traffic"],
        json!({"blue": 90, "green": 10})
    );
    let nightly = document("batchEndpoints/nightly");
    assert_eq!(
        nightly["properties"]["defaults"]["deploymentName"],
        "by-model"
    );
    let blue = document("onlineEndpoints/scoring/deployments/blue");
    assert_eq!(blue["location"], "northeurope");
    let workspace = after["workspace"]["id"].as_str().unwrap();
    let model = blue["properties"]["model"].as_str().unwrap();
    assert!(model.starts_with(workspace), "{model}");
    let set = document("featuresets/transactions/versions/1");
    assert_eq!(set["properties"]["isArchived"], true);
    assert_eq!(
        set["properties"]["entities"],
        json!(["azureml:account:1", "azureml:customer:1"])
    );
    assert!(document("marketplaceSubscriptions/llama").is_object());
    assert!(document("serverlessEndpoints/llama").is_object());
    assert!(document("batchEndpoints/nightly/deployments/by-place").is_object());
    assert!(document("outboundRules/pypi").is_object());
    let own_rule = document("outboundRules/__SYS_ST_AzureMachineLearning");
    assert_eq!(own_rule, Value::Null, "the service makes its own");

    let again = bench.plan_request(&bench.target, &request).await;
    let open = again.steps.iter().filter(|step| step.action.changes());
    let open: Vec<String> = open.map(|step| format!("{step:?}")).collect();
    assert!(open.is_empty(), "{open:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_asked_for_is_left_to_a_person() {
    let bench = Bench::of(&World::everything(3)).await;
    let plan = bench
        .plan_request(&bench.target, &request(&bench, false, false))
        .await;
    for (item, expected) in [
        ("onlineEndpoints/scoring", Action::Create),
        ("onlineEndpoints/scoring/deployments/blue", Action::Manual),
        (
            "batchEndpoints/nightly/deployments/by-model",
            Action::Manual,
        ),
        ("serverlessEndpoints/llama", Action::Manual),
        ("marketplaceSubscriptions/llama", Action::Manual),
        ("connections/openai", Action::Manual),
        ("connections/search", Action::Create),
        ("outboundRules/pypi", Action::Create),
        (
            "outboundRules/__SYS_ST_AzureMachineLearning",
            Action::Manual,
        ),
        ("privateEndpointConnections/pe-notebooks.5f", Action::Manual),
        ("workspaces/ws-prod", Action::Map),
        ("featuresets/transactions:2", Action::Create),
    ] {
        assert_eq!(action(&plan, item), expected, "{item}");
    }
    bench.apply(&plan, &bench.target).await;
    let after = bench.dump(&bench.target);
    assert_eq!(after["documents"]["connections/openai"], Value::Null);
    let endpoint = &after["documents"]["onlineEndpoints/scoring"];
    assert_eq!(endpoint["properties"]["traffic"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_deployment_alone_brings_what_it_needs() {
    let bench = Bench::of(&World::everything(3)).await;
    let mut request = bench.request(
        &["onlineEndpoints/scoring/deployments/blue"],
        OnConflict::Fail,
    );
    request.options.include.deployments = true;
    let plan = bench.plan_request(&bench.target, &request).await;
    let changed = plan.steps.iter().filter(|step| step.action.changes());
    let mut items: Vec<String> = changed.map(|step| step.item.to_string()).collect();
    items.retain(|item| !item.starts_with("codes/"));
    items.sort();
    assert_eq!(
        items,
        [
            "environments/sklearn-train:2",
            "models/churn-classifier:1",
            "onlineEndpoints/scoring",
            "onlineEndpoints/scoring/deployments/blue",
        ]
    );
    bench.apply(&plan, &bench.target).await;
}
