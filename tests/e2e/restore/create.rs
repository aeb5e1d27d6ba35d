//! A restore into a workspace that is not there: made from the snapshot's document of the source, and then filled.

use std::future::Future;
use std::task::Poll;

use ::restore::{
    Action, Error, OnConflict, Outline, Plan, Request, Session, Target, VerifyOutcome, Work, apply,
    plan, verify,
};
use http::Method;
use serde_json::{Value, json};
use simulator::Caller;
use simulator::workspace::WorkspaceKey;
use simulator::world::{TARGET_SUBSCRIPTION, World};
use workspace::Role;
use workspace::azure::{ReadOptions, WorkspaceName};

use super::bench::{Bench, Watch};
use crate::roles::give;

const VERSION: &str = "api-version=2024-10-01";
const GROUP: &str = "rg-new";

/// A cloud with a workspace that was backed up, and a place for another one.
pub(crate) struct Site {
    pub(crate) bench: Bench,
    name: WorkspaceName,
    /// What the source names beside itself later on, and what takes its place.
    more: Vec<(String, String)>,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let bench = Bench::of(&World::small(3)).await;
        let site = Self {
            name: WorkspaceName::new(TARGET_SUBSCRIPTION, GROUP, "ws-new").unwrap(),
            bench,
            more: Vec::new(),
        };
        let group = format!("/subscriptions/{TARGET_SUBSCRIPTION}/resourceGroups/{GROUP}");
        site.put(&group, &json!({"location": "northeurope"}));
        for (_, to) in site.resources() {
            site.put(&to, &json!({"location": "northeurope"}));
        }
        let settings = json!({
            "location": "westeurope", "tags": {"team": "nlp"}, "identity": {"type": "SystemAssigned"},
            "properties": {
                "description": "the real one", "friendlyName": "ws-prod", "v1LegacyMode": false,
                "imageBuildCompute": "cpu-cluster",
                "managedNetwork": {"isolationMode": "AllowInternetOutbound", "status": {"status": "Active"}},
            },
        });
        site.change_source(&settings).await;
        site
    }

    /// The workspace that was made, as the service shows it.
    pub(crate) fn made(&self) -> Value {
        self.call(Method::GET, &self.name.arm_id(), None).1
    }

    /// Gives the source another resource beside itself, and the place of the new one such a resource.
    pub(crate) fn add_resource(&mut self, of: &str, from: &str, to: &str) {
        let source = self.bench.name(&self.bench.source).arm_id();
        let (group, _) = source.split_once("/providers/").unwrap();
        let ids = (
            format!("{group}/providers/{of}/{from}"),
            format!(
                "/subscriptions/{TARGET_SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{of}/{to}"
            ),
        );
        self.put(&ids.0, &json!({"location": "westeurope"}));
        self.put(&ids.1, &json!({"location": "northeurope"}));
        self.more.push(ids);
    }

    /// Changes what the source says of itself, and backs it up.
    pub(crate) async fn change_source(&self, body: &Value) {
        self.put(&self.bench.name(&self.bench.source).arm_id(), body);
        let simulator = &self.bench.simulator;
        simulator.advance(std::time::Duration::from_secs(5));
        let source = self.bench.open(&self.bench.source).await;
        self.bench.store.back_up(&source).await;
    }

    fn call(&self, method: Method, id: &str, body: Option<&Value>) -> (u16, Value) {
        let caller = Caller::new(&self.bench.simulator);
        let reply = caller.arm(method, &format!("{id}?{VERSION}"), body);
        let shown = match reply.body.is_empty() {
            true => Value::Null,
            false => reply.body_json(),
        };
        (reply.status.as_u16(), shown)
    }

    fn put(&self, id: &str, body: &Value) {
        let (status, answer) = self.call(Method::PUT, id, Some(body));
        assert!((200..300).contains(&status), "{id}: {answer}");
    }

    /// What the source names beside itself, and what takes its place.
    pub(crate) fn resources(&self) -> Vec<(String, String)> {
        let source = self.call(
            Method::GET,
            &self.bench.name(&self.bench.source).arm_id(),
            None,
        );
        let named = |member: &str| source.1["properties"][member].as_str().unwrap().to_owned();
        let here = format!("/subscriptions/{TARGET_SUBSCRIPTION}/resourceGroups/{GROUP}/providers");
        let mut resources = vec![
            (
                named("storageAccount"),
                format!("{here}/Microsoft.Storage/storageAccounts/stnew"),
            ),
            (
                named("keyVault"),
                format!("{here}/Microsoft.KeyVault/vaults/kv-new"),
            ),
            (
                named("applicationInsights"),
                format!("{here}/Microsoft.Insights/components/appi-new"),
            ),
        ];
        resources.extend(self.more.iter().cloned());
        resources
    }

    /// Everything, into the workspace that is to be made, with all that it needs mapped.
    pub(crate) fn request(&self) -> Request {
        let mut request = self.bench.request(&[], OnConflict::Fail);
        request.options.create_workspace = true;
        request.options.include.compute = true;
        request.options.mapping = "[resources]\n".to_owned();
        for (from, to) in self.resources() {
            request.options.mapping += &format!("\"{from}\" = \"{to}\"\n");
        }
        request
    }

    async fn target(&self) -> Result<Target, workspace::Error> {
        Target::open(&self.bench.connection, &self.name, ReadOptions::default()).await
    }

    pub(crate) async fn plan(&self, request: &Request) -> Result<Plan, Error> {
        let (reader, target) = (self.bench.store.newest().await, self.target().await);
        let target = target.map_err(|error| Error::Target {
            what: "it".to_owned(),
            source: Box::new(error),
        })?;
        plan(&reader, &target, request, &::restore::Unobserved).await
    }

    pub(crate) async fn apply(&self, plan: &Plan) -> Result<Outline, Error> {
        let (reader, watch) = (self.bench.store.newest().await, Watch::default());
        let target = self.target().await.unwrap();
        let journal = self.bench.store.journal("journal").await;
        let session = Session {
            journal: &journal,
            stop: &watch.stop,
            observer: &watch,
            clock: &self.bench.store.clock,
            fresh: true,
        };
        apply(plan, &reader, &target, &session).await
    }

    fn key(&self) -> WorkspaceKey {
        WorkspaceKey::new(TARGET_SUBSCRIPTION, GROUP, "ws-new")
    }

    fn is_made(&self) -> bool {
        let state = self.bench.simulator.state();
        state.workspace(&self.key()).is_some()
    }

    async fn is_whole(&self) {
        let (reader, target) = (
            self.bench.store.newest().await,
            self.target().await.unwrap(),
        );
        let found = verify(
            &reader,
            &target,
            &self.request(),
            None,
            &::restore::Unobserved,
        )
        .await;
        let found = found.unwrap();
        assert_eq!(
            found.outcome,
            VerifyOutcome::AsPlanned,
            "{:#?}",
            found.differences
        );
        let again = self.plan(&self.request()).await.unwrap();
        let open: Vec<_> = again
            .steps
            .iter()
            .filter(|step| step.action.changes())
            .collect();
        assert!(open.is_empty(), "{open:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_workspace_that_is_not_there_is_made_in_another_subscription_group_and_region_and_filled()
{
    let site = Site::new().await;
    let plan = site.plan(&site.request()).await.unwrap();
    let first = &plan.steps[0];
    assert_eq!(first.item.to_string(), "workspaces/ws-prod");
    assert_eq!(first.target.to_string(), "workspaces/ws-new");
    assert_eq!(
        (first.action, first.work),
        (Action::Create, Work::Workspace)
    );
    assert!(!site.is_made(), "a plan changes nothing");

    let outline = site.apply(&plan).await.unwrap();
    assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
    assert_eq!(outline.done, plan.changes());
    assert_eq!(outline.plan, plan.plan);
    let made = site.made();
    let source = site
        .call(
            Method::GET,
            &site.bench.name(&site.bench.source).arm_id(),
            None,
        )
        .1;
    assert_eq!(made["location"], "northeurope");
    assert_eq!(made["tags"], json!({"team": "nlp"}));
    assert_eq!(made["identity"]["type"], "SystemAssigned");
    let of = |member: &str| &made["properties"][member];
    assert_eq!(*of("description"), "the real one");
    assert_eq!(*of("friendlyName"), "ws-new", "its own name");
    assert_eq!(
        of("managedNetwork")["isolationMode"],
        "AllowInternetOutbound"
    );
    assert_eq!(
        of("managedNetwork")["status"],
        Value::Null,
        "the service's own"
    );
    assert_eq!(
        *of("imageBuildCompute"),
        Value::Null,
        "it was not there yet"
    );
    assert_ne!(*of("workspaceId"), source["properties"]["workspaceId"]);
    for ((_, to), member) in
        site.resources()
            .iter()
            .zip(["storageAccount", "keyVault", "applicationInsights"])
    {
        assert_eq!(*of(member), **to);
    }
    let told = plan
        .manual
        .iter()
        .any(|step| step.command.contains("--image-build-compute"));
    assert!(
        told,
        "what waits for the compute is left to a person: {:#?}",
        plan.manual
    );
    site.is_whole().await;
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_dies_right_after_it_made_the_workspace_goes_on_with_the_same_plan_or_a_new_one()
 {
    for anew in [false, true] {
        let site = Site::new().await;
        let plan = site.plan(&site.request()).await.unwrap();
        {
            let mut dying = std::pin::pin!(site.apply(&plan));
            std::future::poll_fn(|context| match dying.as_mut().poll(context) {
                Poll::Ready(ended) => panic!("it ended before it died: {ended:?}"),
                Poll::Pending if site.is_made() => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            })
            .await;
        }
        site.bench
            .simulator
            .advance(std::time::Duration::from_secs(20));
        let models = site.bench.dump(&site.key())["documents"]
            .as_object()
            .unwrap()
            .len();
        assert!(models <= 4, "only the service's own datastores are there");
        let plan = match anew {
            true => site.plan(&site.request()).await.unwrap(),
            false => plan,
        };
        let outline = site.apply(&plan).await.unwrap();
        assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
        site.is_whole().await;
        if !anew {
            // Once more by the plan that was to make it: all is done.
            let outline = site.apply(&plan).await.unwrap();
            assert_eq!(
                outline.done, 1,
                "only the look at the workspace: {outline:#?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_or_not_mapped_is_said_with_its_command_and_nothing_is_started() {
    let site = Site::new().await;
    let vault = site.resources()[1].1.clone();
    site.call(Method::DELETE, &vault, None);
    let mut request = site.request();
    let insights = site.resources()[2].0.clone();
    let lines = request.options.mapping.lines();
    let kept = lines.filter(|line| !line.contains(&insights));
    request.options.mapping = kept.collect::<Vec<_>>().join("\n");
    let plan = site.plan(&request).await.unwrap();
    assert_eq!(plan.steps[0].action, Action::Manual);
    let first: Vec<&str> = plan.manual[..2]
        .iter()
        .map(|step| step.command.as_str())
        .collect();
    assert_eq!(
        first[0],
        format!(
            "az keyvault create --subscription {TARGET_SUBSCRIPTION} --resource-group {GROUP} --name kv-new --location northeurope"
        )
    );
    assert!(
        first[1].starts_with("az monitor app-insights component create "),
        "{}",
        first[1]
    );
    let unmapped = plan
        .losses
        .iter()
        .find(|loss| loss.what == "the Application Insights")
        .unwrap();
    assert!(
        unmapped.substitute.contains(&format!("\"{insights}\" = ")),
        "{unmapped:?}"
    );
    let refused = site.apply(&plan).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Beside { count: 2, command, .. } if command == first[0]),
        "{refused:?}"
    );
    assert!(!site.is_made());

    // What vanishes between plan and apply is seen as well.
    site.put(&vault, &json!({}));
    let plan = site.plan(&site.request()).await.unwrap();
    site.call(Method::DELETE, &vault, None);
    let refused = site.apply(&plan).await.unwrap_err();
    assert!(
        matches!(refused, Error::Beside { count: 1, .. }),
        "{refused:?}"
    );
    assert!(!site.is_made());
}

#[tokio::test(start_paused = true)]
async fn a_softly_deleted_workspace_of_the_name_is_named_with_the_command_that_recovers_it_and_stays()
 {
    let site = Site::new().await;
    let body = json!({"location": "northeurope", "properties": {}});
    site.put(&site.name.arm_id(), &body);
    site.call(Method::DELETE, &site.name.arm_id(), None);
    let plan = site.plan(&site.request()).await.unwrap();
    let error = site.apply(&plan).await.unwrap_err();
    assert!(
        matches!(&error, Error::SoftlyDeleted { command, .. } if command.contains("softDeleteRecovery")),
        "{error:?}"
    );
    let failure = mlark::failure::Failure::of_restore(&error).lines();
    assert!(
        failure.contains("recovering it costs nothing") && failure.contains("az rest --method put"),
        "{failure}"
    );
    let recover = json!({"location": "northeurope", "properties": {"softDeleteRecovery": true}});
    site.put(&site.name.arm_id(), &recover);
}

#[tokio::test(start_paused = true)]
async fn without_the_option_a_target_that_is_not_there_is_an_error_that_names_it() {
    let site = Site::new().await;
    let request = site.bench.request(&[], OnConflict::Fail);
    let error = site.plan(&request).await.unwrap_err();
    assert!(matches!(error, Error::NoWorkspace { .. }), "{error:?}");
    let failure = mlark::failure::Failure::of_restore(&error).lines();
    assert!(failure.contains("--create-workspace"), "{failure}");
    assert!(!site.is_made());
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_would_be_another_than_the_shown_one_stops_once_the_workspace_is_made() {
    let site = Site::new().await;
    let mut plan = site.plan(&site.request()).await.unwrap();
    let at = plan
        .steps
        .iter()
        .position(|step| step.item.kind == "models")
        .unwrap();
    let gone = plan.steps.remove(at).item.to_string();
    let error = site.apply(&plan).await.unwrap_err();
    assert!(
        matches!(&error, Error::OtherThanShown { now, .. } if now.contains(&gone)),
        "{error:?}"
    );
    assert!(site.is_made());
    let dump = site.bench.dump(&site.key());
    let documents = dump["documents"].as_object().unwrap();
    assert!(
        documents.keys().all(|name| name.starts_with("datastores/")),
        "{documents:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_role_for_making_a_workspace_is_enough_and_without_any_one_action_it_is_named() {
    let role = Role::creation();
    let both = |without: Option<&workspace::permission::Action>| {
        let mut actions = Role::restore().actions;
        actions.extend(
            role.actions
                .iter()
                .filter(|one| Some(*one) != without)
                .cloned(),
        );
        Role {
            actions,
            ..role.clone()
        }
    };
    let mut silent = Vec::new();
    let every = role.actions.iter().map(Some).chain([None]);
    for without in every {
        // Neither a container registry nor an identity of its own is named by the source.
        let unused = ["ContainerRegistry", "ManagedIdentity"];
        if without.is_some_and(|action| unused.iter().any(|word| action.name().contains(word))) {
            continue;
        }
        let site = Site::new().await;
        give(&site.bench.simulator, &both(without), None);
        let plan = site.plan(&request_of(&site)).await;
        let said = match plan {
            Err(error) => mlark::failure::Failure::of_restore(&error).sentence(),
            Ok(plan) => match site.apply(&plan).await {
                Err(error) => mlark::failure::Failure::of_restore(&error).sentence(),
                Ok(outline) => format!("{:?}", outline.failures),
            },
        };
        match without {
            Some(action) if !said.contains(action.name()) => {
                silent.push((action.name().to_owned(), said))
            }
            None => assert_eq!(said, "[]"),
            _ => {}
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

/// A request made before a role is taken away.
fn request_of(site: &Site) -> Request {
    let mut state = site.bench.simulator.state();
    let principal = state
        .directory
        .principal_mut(simulator::state::CLIENT_ID)
        .unwrap();
    let granted = principal.granted.take();
    drop(state);
    let request = site.request();
    let mut state = site.bench.simulator.state();
    state
        .directory
        .principal_mut(simulator::state::CLIENT_ID)
        .unwrap()
        .granted = granted;
    request
}
