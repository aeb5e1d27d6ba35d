//! Registries, as a source and as a target of their own.

use std::time::Duration;

use ::restore::{Action, OnConflict, Plan, VerifyOutcome};
use futures::TryStreamExt;
use mlark::capture::{Counted, Ending};
use serde_json::Value;
use simulator::arm::WorkspaceSpec;
use simulator::workspace::WorkspaceKey;
use simulator::world::{self, TARGET_SUBSCRIPTION};
use workspace::azure::Verdict;
use workspace::{Role, Workspace as _};

use crate::restore::bench::Bench;
use crate::roles::give;

/// The kinds that a registry has besides itself.
const ASSETS: [&str; 5] = ["codes", "models", "data", "environments", "components"];

fn spec(name: &str) -> WorkspaceSpec {
    WorkspaceSpec::new(TARGET_SUBSCRIPTION, "rg-shared", name, "northeurope")
}

/// A cloud with a workspace that was backed up, a registry in use and an empty one.
pub(crate) struct Shelf {
    pub(crate) bench: Bench,
    pub(crate) full: WorkspaceKey,
    pub(crate) empty: WorkspaceKey,
}

impl Shelf {
    pub(crate) async fn new() -> Self {
        let bench = Bench::small().await;
        let full = world::registry(&bench.simulator, &spec("reg-prod")).unwrap();
        let empty = world::empty_registry(&bench.simulator, &spec("reg-rescue"));
        bench.simulator.advance(Duration::from_secs(5));
        Self { bench, full, empty }
    }

    /// The same, with the registry backed up last.
    async fn backed_up() -> Self {
        let shelf = Self::new().await;
        let source = shelf.bench.open(&shelf.full).await;
        let report = shelf.bench.store.back_up_as("reg", &source).await;
        assert!(!report.has_gaps(), "{:#?}", report.gaps);
        shelf
    }

    pub(crate) async fn plan(&self, into: &WorkspaceKey) -> Plan {
        self.bench.plan_of(into, &[], OnConflict::Fail).await
    }

    async fn is_whole(&self, into: &WorkspaceKey) {
        let found = self.bench.verify(into, &[]).await;
        assert_eq!(
            found.outcome,
            VerifyOutcome::AsPlanned,
            "{:#?}",
            found.differences
        );
        let again = self.plan(into).await;
        let open: Vec<_> = again
            .steps
            .iter()
            .filter(|step| step.action.changes())
            .collect();
        assert!(open.is_empty(), "{open:#?}");
    }
}

fn documents(dump: &Value) -> Vec<String> {
    dump["documents"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_registry_is_backed_up_whole_and_a_second_backup_reads_no_byte() {
    let shelf = Shelf::new().await;
    let source = shelf.bench.open(&shelf.full).await;
    let report = shelf.bench.store.back_up_as("reg", &source).await;
    assert_eq!(report.ending, Ending::Complete);
    assert!(!report.has_gaps(), "{:#?}", report.gaps);
    let items = documents(&shelf.bench.dump(&shelf.full));
    // And the registry itself.
    assert_eq!(report.items_total().listed(), items.len() as u64 + 1);
    let files = report.files_total();
    assert_eq!((files.listed(), files.count(Counted::Saved)), (11, 11));

    let source = shelf.bench.open(&shelf.full).await;
    let report = shelf.bench.store.back_up_as("reg", &source).await;
    let files = report.files_total();
    assert_eq!((files.listed(), files.count(Counted::Saved)), (11, 0));
}

#[tokio::test(start_paused = true)]
async fn a_registry_comes_back_in_another_one_with_its_bytes_and_its_own_references() {
    let shelf = Shelf::backed_up().await;
    let plan = shelf.plan(&shelf.empty).await;
    let outline = shelf.bench.apply(&plan, &shelf.empty).await;
    assert_eq!(outline.done, plan.changes());
    shelf.is_whole(&shelf.empty).await;
    let (before, after) = (
        shelf.bench.dump(&shelf.full),
        shelf.bench.dump(&shelf.empty),
    );
    assert_eq!(documents(&before), documents(&after));
    let digests = |dump: &Value| {
        let blobs = dump["blobs"].as_object().unwrap().iter();
        let mut all: Vec<(String, String)> = blobs
            .map(|(name, blob)| {
                let path = name.split_once('/').map_or("", |(_, path)| path);
                (path.to_owned(), blob["sha256"].to_string())
            })
            .collect();
        all.sort();
        all
    };
    assert_eq!(digests(&before), digests(&after));
    let specification =
        &after["documents"]["components/prepare/versions/1"]["properties"]["componentSpec"];
    assert_eq!(
        specification["environment"],
        "azureml://registries/reg-rescue/environments/base/versions/2"
    );
    assert_eq!(
        specification["code"],
        "azureml://registries/reg-rescue/codes/prepare/versions/1"
    );
    let single = &after["documents"]["models/pickle/versions/1"]["properties"]["modelUri"];
    assert!(single.as_str().unwrap().ends_with("/model.pkl"), "{single}");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_lost_comes_back_though_its_front_is_named_where_no_token_goes() {
    let shelf = Shelf::backed_up().await;
    let before = shelf.bench.dump(&shelf.full);
    {
        let mut state = shelf.bench.simulator.state();
        state.settings.front_elsewhere = true;
        assert!(simulator::arm::remove_registry(&mut state, &shelf.full));
    }
    let plan = shelf.plan(&shelf.empty).await;
    shelf.bench.apply(&plan, &shelf.empty).await;
    shelf.is_whole(&shelf.empty).await;
    let after = shelf.bench.dump(&shelf.empty);
    let context = |dump: &Value| {
        let built = &dump["documents"]["environments/built/versions/1"];
        let uri = built["properties"]["build"]["contextUri"].as_str().unwrap();
        let (_, path) = uri.split_once("core.sim.localhost/").unwrap();
        let (container, folder) = path.split_once('/').unwrap();
        (container.to_owned(), folder.to_owned())
    };
    assert_eq!(context(&before).1, "context/");
    assert_eq!(context(&after).1, "context/");
    let blob = format!("{}/context/tool.sh", context(&after).0);
    let was = format!("{}/context/tool.sh", context(&before).0);
    assert_eq!(
        after["blobs"][blob]["sha256"],
        before["blobs"][was]["sha256"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_signature_that_ends_while_a_version_is_read_is_asked_for_again() {
    let shelf = Shelf::new().await;
    let source = shelf.bench.open(&shelf.full).await;
    let id = "models/shared-model:1".parse().unwrap();
    let item = source.get(&id).await.unwrap().unwrap();
    let files: Vec<_> = source.files(&item).try_collect().await.unwrap();
    assert_eq!(files.len(), 2);
    for file in &files {
        shelf.bench.simulator.advance(Duration::from_secs(2 * 3600));
        let bytes: Vec<_> = source
            .read(file)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        let read: usize = bytes.iter().map(|piece| piece.len()).sum();
        assert_eq!(Some(read as u64), file.size);
    }
    assert!(!format!("{source:?}").contains("sig="));
}

#[tokio::test(start_paused = true)]
async fn bytes_that_went_away_in_a_registry_are_told_as_impossible() {
    let shelf = Shelf::backed_up().await;
    {
        let mut state = shelf.bench.simulator.state();
        let account = state.workspaces[&shelf.full].account.clone();
        let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
        let containers: Vec<String> = blobs.iter().map(|(name, _)| name.to_owned()).collect();
        let lost = containers.iter();
        let lost = lost.map(|container| blobs.delete_prefix(container, "model/data/weights.bin"));
        assert_eq!(lost.sum::<usize>(), 2);
    }
    let plan = shelf.plan(&shelf.full).await;
    assert_eq!(plan.changes(), 0, "{:#?}", plan.steps);
    let impossible = plan
        .steps
        .iter()
        .filter(|it| it.action == Action::Impossible);
    let items: Vec<String> = impossible.map(|step| step.item.to_string()).collect();
    assert_eq!(items, ["models/shared-model:1", "models/shared-model:2"]);
    let rows = plan
        .losses
        .iter()
        .filter(|loss| loss.action == Action::Impossible);
    for row in rows {
        assert!(row.reason.contains("delete the version first"), "{row:?}");
    }
    let found = shelf.bench.verify(&shelf.full, &[]).await;
    assert_eq!(found.outcome, VerifyOutcome::Different);
}

#[tokio::test(start_paused = true)]
async fn all_registries_of_a_subscription_are_found_by_a_star_and_no_workspace() {
    let shelf = Shelf::new().await;
    let pattern = "azureml://subscriptions/SUB/resourceGroups/*/registries/reg-*";
    let pattern = pattern.replace("SUB", TARGET_SUBSCRIPTION).parse().unwrap();
    let found = shelf.bench.connection.workspaces(&pattern).await.unwrap();
    let own = [&shelf.full, &shelf.empty].map(|key| shelf.bench.name(key));
    assert_eq!(found, own);
}

#[tokio::test(start_paused = true)]
async fn a_probe_asks_of_a_registry_what_its_backup_needs_and_names_what_is_missing() {
    let shelf = Shelf::new().await;
    let name = shelf.bench.name(&shelf.full);
    let role = Role::registry_backup();
    for without in role.actions.iter().map(Some).chain([None]) {
        give(&shelf.bench.simulator, &role, without);
        let probes = shelf.bench.connection.probe(&name).await;
        let asked: Vec<_> = probes.iter().flat_map(|probe| &probe.actions).collect();
        assert!(role.actions.iter().all(|action| asked.contains(&action)));
        let denied = probes
            .iter()
            .filter(|probe| matches!(probe.verdict, Verdict::Missing(_)));
        let denied: Vec<_> = denied.flat_map(|probe| &probe.actions).collect();
        assert_eq!(denied, Vec::from_iter(without));
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_comes_back_in_a_workspace() {
    let shelf = Shelf::backed_up().await;
    let target = shelf.bench.target.clone();
    let plan = shelf.plan(&target).await;
    shelf.bench.apply(&plan, &target).await;
    shelf.is_whole(&target).await;
    let after = shelf.bench.dump(&target);
    let own = after["workspace"]["id"].as_str().unwrap();
    let specification =
        &after["documents"]["components/prepare/versions/1"]["properties"]["componentSpec"];
    assert_eq!(
        specification["environment"],
        format!("azureml:{own}/environments/base/versions/2")
    );
    let model = &after["documents"]["models/shared-model/versions/2"]["properties"]["modelUri"];
    let model = model.as_str().unwrap();
    assert!(
        model.contains("/datastores/workspaceblobstore/paths/LocalUpload/"),
        "{model}"
    );
    let context = &after["documents"]["environments/built/versions/1"]["properties"]["build"];
    let account = after["account"].as_str().unwrap();
    let context = context["contextUri"].as_str().unwrap();
    assert!(
        context.starts_with(&format!("https://{account}.blob.")),
        "{context}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_workspace_comes_back_in_a_registry_as_far_as_a_registry_has_its_kinds() {
    let shelf = Shelf::new().await;
    let plan = shelf.plan(&shelf.empty).await;
    for step in &plan.steps {
        let kind = step.item.kind.as_str();
        let has = ASSETS.contains(&kind);
        assert!(has || step.action == Action::Impossible, "{step:?}");
        if !has {
            let told = plan
                .losses
                .iter()
                .find(|loss| loss.item == step.item)
                .unwrap();
            assert!(told.reason.contains("registry"), "{told:?}");
        }
    }
    let made = plan
        .steps
        .iter()
        .filter(|step| step.action == Action::Create);
    let mut made: Vec<&str> = made.map(|step| step.item.kind.as_str()).collect();
    made.dedup();
    assert!(
        made.contains(&"models") && made.contains(&"components"),
        "{made:?}"
    );
    let outline = shelf.bench.apply(&plan, &shelf.empty).await;
    assert_eq!(outline.done, plan.changes());
    shelf.is_whole(&shelf.empty).await;
    let after = shelf.bench.dump(&shelf.empty);
    let source = shelf.bench.dump(&shelf.bench.source);
    let id = source["workspace"]["id"].as_str().unwrap().to_lowercase();
    for (name, document) in after["documents"].as_object().unwrap() {
        let specification = document["properties"]["componentSpec"]
            .to_string()
            .to_lowercase();
        assert!(!specification.contains(&id), "{name}: {specification}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_roles_for_registries_are_enough_and_without_any_one_action_it_is_named() {
    let role = Role::registry_restore();
    let mut silent = Vec::new();
    for without in role.actions.iter().map(Some).chain([None]) {
        let shelf = Shelf::backed_up().await;
        give(&shelf.bench.simulator, &role, without);
        let name = shelf.bench.name(&shelf.empty);
        let opened =
            ::restore::Target::open(&shelf.bench.connection, &name, Default::default()).await;
        let said = match opened {
            Err(error) => error.to_string(),
            Ok(target) => {
                let reader = shelf.bench.store.newest().await;
                let request = shelf.bench.request(&[], OnConflict::Fail);
                match ::restore::plan::plan(&reader, &target, &request, &::restore::Unobserved)
                    .await
                {
                    Err(error) => mlark::failure::Failure::of_restore(&error).sentence(),
                    Ok(plan) => {
                        let watch = crate::restore::bench::Watch::default();
                        let done = shelf
                            .bench
                            .apply_watched(&plan, &shelf.empty, &watch, "journal")
                            .await;
                        format!("{:?}", done.unwrap().failures)
                    }
                }
            }
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
    assert!(Role::registry_backup().actions.is_subset(&role.actions));
}
