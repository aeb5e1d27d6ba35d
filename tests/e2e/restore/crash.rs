//! Restores that are cut off, and go on.

use std::future::Future;
use std::task::Poll;

use ::restore::{Plan, VerifyOutcome};

use super::bench::{Bench, Watch, normal};

/// The dump that an undisturbed restore ends with, and its plan.
async fn undisturbed() -> (serde_json::Value, Plan) {
    let bench = Bench::small().await;
    let plan = bench.plan().await;
    bench.apply(&plan, &bench.target).await;
    (normal(&bench.dump(&bench.target)), plan)
}

/// Checks that a bench holds exactly what an undisturbed restore leaves, without a run too many.
async fn is_whole(bench: &Bench, whole: &serde_json::Value, at: usize) {
    let dump = bench.dump(&bench.target);
    let runs = dump["runs"].as_object().unwrap();
    let mut sources: Vec<_> = runs
        .values()
        .filter_map(|run| run["tags"]["mlark.source_run"].as_str())
        .collect();
    let count = sources.len();
    sources.sort_unstable();
    sources.dedup();
    assert_eq!(
        sources.len(),
        count,
        "a run was made twice after the cut at {at}"
    );
    let dump = normal(&dump);
    for part in ["documents", "runs", "metrics", "blobs", "files"] {
        let (found, wished) = (
            dump[part].as_object().unwrap(),
            whole[part].as_object().unwrap(),
        );
        let names = |of: &serde_json::Map<String, serde_json::Value>| {
            of.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(found), names(wished), "{part} after the cut at {at}");
        for (name, value) in wished {
            assert_eq!(found[name], *value, "{part} {name} after the cut at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_is_stopped_after_any_number_of_steps_goes_on_to_the_same_end() {
    let (whole, plan) = undisturbed().await;
    let steps = usize::try_from(plan.changes()).unwrap();
    // Six are under way at once, so that after the last of these some have not begun.
    for after in (1..steps - 8).step_by((steps / 6).max(1)) {
        let bench = Bench::small().await;
        let plan = bench.plan().await;
        let watch = Watch::stopping_after(after);
        let outline = bench
            .apply_watched(&plan, &bench.target, &watch, "journal")
            .await
            .unwrap();
        assert!(outline.stopped, "at {after}");
        assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
        let plan = bench.plan().await;
        bench.apply(&plan, &bench.target).await;
        is_whole(&bench, &whole, after).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_dies_at_any_step_goes_on_with_the_same_plan_to_the_same_end() {
    let (whole, plan) = undisturbed().await;
    let steps = usize::try_from(plan.changes()).unwrap();
    let mut cut = 0;
    for (round, after) in (0..steps).step_by((steps / 8).max(1)).enumerate() {
        let bench = Bench::small().await;
        lag(&bench);
        let plan = bench.plan().await;
        let died = die_after(&bench, &plan, after, round * 5 % 17).await;
        cut += usize::from(died < steps);
        let outline = bench
            .apply_watched(&plan, &bench.target, &Watch::default(), "journal")
            .await
            .unwrap();
        assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
        is_whole(&bench, &whole, died).await;
        let found = bench.verify(&bench.target, &[]).await;
        assert_eq!(
            found.outcome,
            VerifyOutcome::AsPlanned,
            "{:#?}",
            found.differences
        );
    }
    assert!(cut > 6, "only {cut} restores were cut off before their end");
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_dies_goes_on_also_with_a_new_plan_and_without_its_journal() {
    let (whole, plan) = undisturbed().await;
    let steps = usize::try_from(plan.changes()).unwrap();
    for (round, after) in [steps / 2, steps * 3 / 4, steps - 8]
        .into_iter()
        .enumerate()
    {
        let bench = Bench::small().await;
        lag(&bench);
        let plan = bench.plan().await;
        let died = die_after(&bench, &plan, after, round * 5 % 17).await;
        assert!(died < steps);
        let plan = bench.plan().await;
        let outline = bench
            .apply_watched(&plan, &bench.target, &Watch::default(), "another")
            .await
            .unwrap();
        assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
        is_whole(&bench, &whole, died).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_restore_right_after_another_makes_no_run_twice_though_nobody_has_its_journal() {
    let (whole, _) = undisturbed().await;
    let bench = Bench::small().await;
    lag(&bench);
    let saved = bench.plan().await;
    bench.apply(&saved, &bench.target).await;
    // What was planned before, by somebody with another journal, and what is planned now.
    let now = bench.plan().await;
    assert_eq!(now.changes(), 0, "{:#?}", now.steps);
    for plan in [&now, &saved] {
        let outline = bench
            .apply_watched(plan, &bench.target, &Watch::default(), "another")
            .await
            .unwrap();
        assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
    }
    is_whole(&bench, &whole, usize::MAX).await;
}

#[tokio::test(start_paused = true)]
async fn a_restore_that_was_stopped_goes_on_without_its_journal_and_makes_no_run_twice() {
    let (whole, plan) = undisturbed().await;
    let steps = usize::try_from(plan.changes()).unwrap();
    // Six are under way at once, so that after the last of these some have not begun.
    for after in [steps / 2, steps * 3 / 4, steps - 8] {
        let bench = Bench::small().await;
        lag(&bench);
        let plan = bench.plan().await;
        let watch = Watch::stopping_after(after);
        let stopped = bench.apply_watched(&plan, &bench.target, &watch, "journal");
        assert!(stopped.await.unwrap().stopped);
        let plan = bench.plan().await;
        let outline = bench
            .apply_watched(&plan, &bench.target, &Watch::default(), "another")
            .await
            .unwrap();
        assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
        is_whole(&bench, &whole, after).await;
    }
}

/// Lets searches of runs show a new run only later, as the service's index does.
fn lag(bench: &Bench) {
    let mut state = bench.simulator.state();
    let target = state.workspaces.get_mut(&bench.target).unwrap();
    target.mlflow.lag = simulator::mlflow::Lag {
        searches: 0,
        time: std::time::Duration::from_secs(30),
    };
}

/// Drops a restore in the middle of whatever it does: once so many steps have ended, and it was polled some times more.
/// Answers at which number of steps that was.
pub(super) async fn die_after(bench: &Bench, plan: &Plan, steps: usize, polls: usize) -> usize {
    let watch = Watch::default();
    let apply = bench.apply_watched(plan, &bench.target, &watch, "journal");
    let mut apply = std::pin::pin!(apply);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if let Poll::Ready(ended) = apply.as_mut().poll(context) {
            ended.unwrap();
            return Poll::Ready(());
        }
        if watch.ended() < steps || watch.begun() == 0 {
            return Poll::Pending;
        }
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        Poll::Pending
    })
    .await;
    // This process lives on, so only the end of the dead restore's lease tells that nobody holds the target.
    bench.simulator.advance(std::time::Duration::from_secs(20));
    watch.ended()
}

#[tokio::test(start_paused = true)]
async fn a_second_restore_at_the_same_time_is_refused() {
    let bench = Bench::small().await;
    let plan = bench.plan().await;
    let (one, two) = (Watch::default(), Watch::default());
    let first = bench.apply_watched(&plan, &bench.target, &one, "journal");
    let second = async {
        while one.begun() == 0 {
            tokio::task::yield_now().await;
        }
        bench
            .apply_watched(&plan, &bench.target, &two, "another")
            .await
    };
    let (first, second) = futures::join!(first, second);
    assert!(first.unwrap().failures.is_empty());
    assert!(
        matches!(second, Err(::restore::Error::Busy { .. })),
        "{second:?}"
    );
}
