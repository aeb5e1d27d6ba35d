//! What mlark asks and what the simulator answers, held against the specification that Azure publishes.
//!
//! The files lie beside the project in `shared/azure/swagger`; without them these tests say so and pass.

use std::io::Write;
use std::path::{Path, PathBuf};

use ::restore::OnConflict;
use simulator::specification::Summary;
use simulator::world::World;
use simulator::{Simulator, Specification};

use crate::backup::cloud::Cloud;
use crate::registry::Shelf;
use crate::restore::bench::Bench;

/// Past the test's own capture, so that a skipped or short check is seen.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A folder beside the project, or a line that says what is skipped.
pub(crate) fn beside(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let found = ["..", "../.."]
        .into_iter()
        .map(|up| root.join(up).join(name))
        .find(|path| path.is_dir());
    if found.is_none() {
        say(&format!("skipped: ../{name} is not beside the project"));
    }
    found
}

fn watch(simulator: &Simulator, folder: &Path) {
    let specification = Specification::load(folder).unwrap();
    simulator.state().specification = Some(specification);
}

fn judge(simulator: &Simulator, operations: usize) -> Summary {
    let state = simulator.state();
    let summary = state.specification.as_ref().unwrap().summary();
    say(&summary.to_string());
    assert!(summary.seen.len() >= operations, "{summary}");
    assert!(summary.mismatches.is_empty(), "{summary}");
    summary.clone()
}

#[tokio::test(start_paused = true)]
async fn a_whole_backup_is_as_the_specification_says() {
    let Some(folder) = beside("shared/azure/swagger") else {
        return;
    };
    let cloud = Cloud::everything().await;
    watch(&cloud.simulator, &folder);
    let report = cloud.back_up().await;
    assert!(!report.has_gaps());
    judge(&cloud.simulator, 20);
}

#[tokio::test(start_paused = true)]
async fn a_whole_restore_is_as_the_specification_says() {
    let Some(folder) = beside("shared/azure/swagger") else {
        return;
    };
    let bench = Bench::of(&World::everything(3)).await;
    watch(&bench.simulator, &folder);
    let mut request = bench.request(&[], OnConflict::Fail);
    request.options.include.deployments = true;
    let plan = bench.plan_request(&bench.target, &request).await;
    bench.apply(&plan, &bench.target).await;
    judge(&bench.simulator, 30);
}

#[tokio::test(start_paused = true)]
async fn a_registry_is_backed_up_and_restored_as_the_specification_says() {
    let Some(folder) = beside("shared/azure/swagger") else {
        return;
    };
    let shelf = Shelf::new().await;
    watch(&shelf.bench.simulator, &folder);
    let source = shelf.bench.open(&shelf.full).await;
    shelf.bench.store.back_up_as("reg", &source).await;
    let plan = shelf.plan(&shelf.empty).await;
    shelf.bench.apply(&plan, &shelf.empty).await;
    judge(&shelf.bench.simulator, 20);
}
