//! What is left to a person: each with a command to paste, in the plan and after it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use ::restore::{Action, ManualStep, OnConflict, Options, Plan, Request};
use http::Method;
use serde_json::{Map, Value, json};
use simulator::Caller;
use simulator::world::World;

use super::bench::{Bench, Watch};

fn of<'p>(plan: &'p Plan, start: &str) -> Vec<&'p ManualStep> {
    let steps = plan.manual.iter();
    steps.filter(|step| step.what.starts_with(start)).collect()
}

/// The names of a workspace's items of a kind, by what their documents say.
fn names(
    bench: &Bench,
    kind: &str,
    wanted: impl Fn(&Map<String, Value>) -> bool,
) -> BTreeSet<String> {
    let state = bench.simulator.state();
    let items = state.workspaces[&bench.source].documents.list(kind);
    let wanted = items.into_iter().filter(|item| wanted(&item.body));
    wanted.map(|item| format!("{kind}/{}", item.name)).collect()
}

/// Whether a shell reads a command, without running it.
fn is_read_by_a_shell(command: &str) -> bool {
    let read = Command::new("sh").args(["-n", "-c", command]).output();
    read.unwrap().status.success()
}

fn items(steps: &[&ManualStep]) -> BTreeSet<String> {
    steps.iter().map(|step| step.item.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_restore_leaves_to_a_person_is_said_as_commands() {
    let bench = Bench::small().await;
    bench.lose_computes();
    let plan = bench.plan().await;
    let computes = names(&bench, "computes", |_| true);
    assert!(!computes.is_empty());
    assert_eq!(items(&of(&plan, "make computes/")), computes);
    let enabled = names(&bench, "schedules", |body| {
        body["properties"]["isEnabled"] == true
    });
    assert!(enabled.len() > 1);
    assert_eq!(items(&of(&plan, "enable schedules/")), enabled);
    let locked = names(&bench, "datastores", |body| {
        let own = body["properties"]["isDefault"] != true;
        own && body["properties"]["credentials"].get("secrets").is_some()
    });
    let told = items(&of(&plan, "set the credentials of datastores/"));
    assert!(
        !told.is_empty() && told.is_subset(&locked),
        "{told:?} {locked:?}"
    );
    for step in &plan.manual {
        // What is said of the source's own services names those.
        let own = ["az keyvault ", "az monitor "];
        let of_source = own.iter().any(|start| step.command.starts_with(start));
        assert!(
            of_source || step.command.contains("ws-recovery"),
            "{}",
            step.command
        );
        assert!(is_read_by_a_shell(&step.command), "{}", step.command);
    }
    // Nothing of a document and no secret is in a plan file, and it reads back.
    let text = plan.to_json().unwrap();
    assert_eq!(Plan::from_json(&text).unwrap().manual, plan.manual);

    // Somebody makes one of the computes before the plan is carried out.
    let id = bench.simulator.state().workspaces[&bench.target].arm_id();
    let body = json!({"location": "northeurope", "properties": {"computeType": "AmlCompute",
        "properties": {"vmSize": "STANDARD_DS3_V2", "scaleSettings": {"maxNodeCount": 1}}}});
    let made = computes.first().unwrap();
    let path = format!("{id}/{made}?api-version=2024-04-01");
    let reply = Caller::new(&bench.simulator).arm(Method::PUT, &path, Some(&body));
    assert!(reply.status.is_success(), "{reply:?}");
    let watch = Watch::default();
    let outline = bench
        .apply_watched(&plan, &bench.target, &watch, "journal")
        .await
        .unwrap();
    let mut left: Vec<(String, String)> = plan
        .manual
        .iter()
        .map(|step| (step.what.clone(), step.command.clone()))
        .collect();
    left.retain(|(what, _)| *what != format!("make {made}"));
    let told: Vec<(String, String)> = outline
        .manual
        .iter()
        .map(|row| (row.what.clone(), row.command.clone()))
        .collect();
    assert_eq!(told, left);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_to_a_person_that_was_asked_for() {
    let bench = Bench::small().await;
    let mut request = bench.request(&[], OnConflict::Fail);
    request.options.include.secrets = true;
    let plan = bench.plan_request(&bench.target, &request).await;
    let without = bench.plan().await;
    let credentials = |plan: &Plan| of(plan, "set the credentials of").len();
    // Those whose account is another one now are still a person's.
    assert!(credentials(&plan) < credentials(&without));
    assert_eq!(of(&plan, "make computes/"), Vec::<&ManualStep>::new());
}

#[tokio::test(start_paused = true)]
async fn an_image_of_a_registry_is_told_with_the_command_that_copies_it() {
    let bench = Bench::small().await;
    let id = bench.simulator.state().workspaces[&bench.source].arm_id();
    for name in ["one", "two"] {
        let body = json!({"properties": {"image": "acrprod7.azurecr.io/train/base:4"}});
        let path = format!("{id}/environments/{name}/versions/1?api-version=2024-04-01");
        let reply = Caller::new(&bench.simulator).arm(Method::PUT, &path, Some(&body));
        assert!(reply.status.is_success(), "{reply:?}");
    }
    let source = bench.open(&bench.source).await;
    bench.store.back_up(&source).await;
    for (mapping, into) in [
        ("", "TARGET-REGISTRY"),
        ("[registries]\nacrPROD7 = \"acrrescue\"\n", "acrrescue"),
    ] {
        let request = Request {
            options: Options {
                mapping: mapping.to_owned(),
                ..Options::default()
            },
            ..bench.request(&["environments"], OnConflict::Fail)
        };
        let plan = bench.plan_request(&bench.target, &request).await;
        let commands: Vec<&str> = of(&plan, "import the image")
            .into_iter()
            .map(|step| step.command.as_str())
            .collect();
        let command = format!(
            "az acr import --name '{into}' --source 'acrprod7.azurecr.io/train/base:4' --image 'train/base:4'"
        );
        assert_eq!(commands, [command], "once for both");
        let rows = plan.losses.iter();
        let rows = rows.filter(|loss| loss.what == "image /properties/image");
        assert_eq!(rows.count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_was_deleted_softly_is_recovered_before_anything_is_restored() {
    let bench = Bench::small().await;
    let recovery = |plan: &Plan| -> Option<ManualStep> {
        assert!(of(plan, "recover").len() < 2);
        let first = plan.manual.first().cloned();
        first.filter(|step| step.what.starts_with("recover"))
    };
    assert_eq!(recovery(&bench.plan().await), None);
    let id = bench.simulator.state().workspaces[&bench.source].arm_id();
    let path = format!("{id}?api-version=2024-04-01");
    let caller = Caller::new(&bench.simulator);
    let reply = caller.arm(Method::DELETE, &path, None);
    assert!(reply.status.is_success(), "{reply:?}");
    let step = recovery(&bench.plan().await).expect("the first of all");
    // What the command sends brings the workspace back.
    let words: Vec<&str> = step.command.split('\'').collect();
    let (url, body) = (words[1], serde_json::from_str::<Value>(words[3]).unwrap());
    let reply = caller.arm(Method::PUT, url, Some(&body));
    assert!(reply.status.is_success(), "{reply:?}");
    assert_eq!(recovery(&bench.plan().await), None, "it is there");

    caller.arm(Method::DELETE, &path, None);
    tokio::time::advance(std::time::Duration::from_secs(15 * 24 * 3600)).await;
    assert_eq!(recovery(&bench.plan().await), None, "it is too late");
}

/// The sizes of machines that the source's clusters have, and how many at most.
fn computes_of(bench: &Bench) -> BTreeMap<String, u64> {
    let state = bench.simulator.state();
    let mut sizes = BTreeMap::new();
    for compute in state.workspaces[&bench.source].documents.list("computes") {
        let inner = &compute.body["properties"]["properties"];
        let size = inner["vmSize"].as_str().unwrap().to_owned();
        let most = inner["scaleSettings"]["maxNodeCount"].as_u64().unwrap();
        *sizes.entry(size).or_default() += most;
    }
    sizes
}

#[tokio::test(start_paused = true)]
async fn computes_are_made_in_the_targets_region_where_they_are_asked_for() {
    let bench = Bench::small().await;
    bench.lose_computes();
    let mut request = bench.request(&["computes"], OnConflict::Fail);
    let actions = |plan: &Plan| -> BTreeSet<Action> {
        let steps = plan.steps.iter();
        steps.map(|step| step.action).collect()
    };
    let plan = bench.plan_request(&bench.target, &request).await;
    assert_eq!(actions(&plan), BTreeSet::from([Action::Manual]));
    request.options.include.compute = true;
    let plan = bench.plan_request(&bench.target, &request).await;
    assert_eq!(actions(&plan), BTreeSet::from([Action::Create]));
    let [quota] = plan.manual.as_slice() else {
        panic!("{:#?}", plan.manual);
    };
    assert_eq!(quota.what, "look at the quota of northeurope");
    assert!(
        quota
            .command
            .contains("list-usage --location 'northeurope'")
    );
    let sizes = computes_of(&bench);
    for (size, count) in &sizes {
        let said = format!("{count} {}", size.to_ascii_lowercase());
        assert!(quota.why.contains(&said), "{said}: {}", quota.why);
    }
    bench.apply(&plan, &bench.target).await;
    {
        let state = bench.simulator.state();
        let made = state.workspaces[&bench.target].documents.list("computes");
        assert_eq!(made.len(), plan.steps.len());
        for compute in made {
            assert_eq!(compute.body["location"], "northeurope");
        }
    }
    let again = bench.plan_request(&bench.target, &request).await;
    assert_eq!(actions(&again), BTreeSet::from([Action::Skip]));
}

#[tokio::test(start_paused = true)]
async fn roles_settings_and_the_network_are_left_to_a_person_as_commands() {
    let bench = Bench::of(&World::everything(3)).await;
    let selectors = [
        "workspaces",
        "roleAssignments",
        "privateEndpointConnections",
    ];
    let request = bench.request(&selectors, OnConflict::Fail);
    let plan = bench.plan_request(&bench.target, &request).await;
    let (principals, target) = {
        let state = bench.simulator.state();
        let source = &state.workspaces[&bench.source];
        let own = source.arm_id();
        let own = source.assignments.iter().filter(|it| it.scope == own);
        let principals: BTreeSet<String> = own.map(|it| it.principal.clone()).collect();
        (principals, state.workspaces[&bench.target].arm_id())
    };
    assert_eq!(principals.len(), 2);
    let roles: Vec<&ManualStep> = of(&plan, "give ")
        .into_iter()
        .filter(|step| step.command.starts_with("az role assignment create "))
        .collect();
    assert_eq!(roles.len(), principals.len(), "{roles:#?}");
    for principal in &principals {
        let option = format!("--assignee-object-id {principal} ");
        let found = roles.iter().filter(|step| step.command.contains(&option));
        assert_eq!(found.count(), 1, "{principal}: {roles:#?}");
    }
    assert!(
        roles
            .iter()
            .all(|step| step.command.contains(&format!("--scope {target}")))
    );
    let [settings] = of(&plan, "give the target the settings")[..] else {
        panic!("{:#?}", plan.manual);
    };
    for option in [
        "--name ws-recovery",
        "--description 'Where everything is made'",
        "--image-build-compute cpu-cluster",
        "--set 'tags.owner=platform'",
    ] {
        assert!(settings.command.contains(option), "{}", settings.command);
    }
    let [endpoint] = of(&plan, "make a private endpoint")[..] else {
        panic!("{:#?}", plan.manual);
    };
    let option = format!("--private-connection-resource-id {target} ");
    assert!(endpoint.command.contains(&option), "{}", endpoint.command);
    assert_eq!(of(&plan, "copy the secrets").len(), 1);
    for step in &plan.manual {
        assert!(is_read_by_a_shell(&step.command), "{}", step.command);
    }

    // Into the same workspace nothing of that is to be done.
    let plan = bench.plan_request(&bench.source, &request).await;
    assert_eq!(plan.manual, []);
}

/// What a command asks `az` for, word by word, where a list that it asks for first tells `/told`.
fn asked_by(command: &str) -> Vec<String> {
    let script = format!(
        r#"az() {{ case "$3" in list|show) printf '%s\n' "$@" >&2; echo /told;; *) printf '%s\n' "$@"; esac; }}
{command}"#
    );
    let ran = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(ran.status.success(), "{command}: {ran:?}");
    let lines = [ran.stdout, ran.stderr].concat();
    let lines = String::from_utf8(lines).unwrap();
    lines.lines().map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn private_endpoints_are_made_and_approved_by_commands_that_name_what_is_known() {
    let bench = Bench::of(&World::everything(3)).await;
    let endpoint = {
        let mut state = bench.simulator.state();
        let documents = &mut state.workspaces.get_mut(&bench.source).unwrap().documents;
        let all = documents.list("privateEndpointConnections");
        let mut second = all[0].clone();
        let id = second.body["properties"]["privateEndpoint"]["id"].as_str();
        let id = id.unwrap().to_owned();
        second.name = "pe-second.1".to_owned();
        second.body["properties"]["privateEndpoint"] = json!({"id": id.replace("pe-notebooks", "pe-second"), "subnetArmId": "/the/subnet of it"});
        documents.put("privateEndpointConnections", second);
        id
    };
    bench.store.back_up(&bench.open(&bench.source).await).await;
    let (account, target) = {
        let state = bench.simulator.state();
        let rules = state.workspaces[&bench.source]
            .documents
            .list("outboundRules");
        let mut ids = rules.into_iter().filter_map(|rule| {
            rule.body["properties"]["destination"]["serviceResourceId"].as_str()
        });
        let account = ids.next().unwrap().to_owned();
        (account, state.workspaces[&bench.target].arm_id())
    };
    let mut request = bench.request(
        &["privateEndpointConnections", "outboundRules"],
        OnConflict::Fail,
    );
    let moved = account.replace("stpartner", "stelsewhere");
    request.options.mapping = format!("[resources]\n\"{account}\" = \"{moved}\"\n");
    let plan = bench.plan_request(&bench.target, &request).await;

    let [rule] = of(&plan, "approve at stelsewhere")[..] else {
        panic!("{:#?}", plan.manual);
    };
    let asked = asked_by(&rule.command);
    let list = "network private-endpoint-connection list --id".split(' ');
    let waiting = "[?properties.privateLinkServiceConnectionState.status=='Pending'].id";
    let wished: Vec<&str> = "network private-endpoint-connection approve --description"
        .split(' ')
        .chain(["Approved after a restore", "--id", "/told"])
        .chain(list.clone())
        .chain([moved.as_str(), "--query", waiting, "--output", "tsv"])
        .collect();
    assert_eq!(asked, wished);

    let made: Vec<Vec<String>> = of(&plan, "make a private endpoint")
        .into_iter()
        .map(|step| asked_by(&step.command))
        .collect();
    let after = |words: &[String], option: &str| {
        let at = words.iter().position(|word| word == option).unwrap();
        words[at + 1].clone()
    };
    let subnets: Vec<String> = made.iter().map(|words| after(words, "--subnet")).collect();
    assert_eq!(subnets, ["/told", "/the/subnet of it"]);
    assert_eq!(after(&made[0], "--ids"), endpoint, "which tells its subnet");

    let approved: Vec<Vec<String>> = of(&plan, "approve the private endpoint")
        .into_iter()
        .map(|step| asked_by(&step.command))
        .collect();
    assert_eq!(approved.len(), 2);
    for (words, name) in approved.iter().zip(["pe-notebooks", "pe-second"]) {
        assert!(words.contains(&target), "{words:?}");
        let query = format!("[?ends_with(properties.privateEndpoint.id, '/{name}-restored')].id");
        assert_eq!(after(words, "--query"), query);
    }
}
