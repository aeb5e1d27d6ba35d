//! The order of work: several steps at once, each after those that it needs, with the journal written around it.

use std::collections::{BTreeMap, VecDeque};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::{Mutex, Semaphore};
use workspace::azure::ExperimentId;

use super::Session;
use super::leftover::{Made, Runs};
use super::step::Trouble;
use crate::world::World;
use crate::{Error, Event, LostPart, Plan, Step, Work};

/// Steps under way at once.
const STEPS_MAX: usize = 6;
/// Files written at once, over all steps.
const FILES_MAX: usize = 8;
/// How far ahead a step is looked for that need not wait.
const LOOK_AHEAD: usize = 512;

/// What came of the steps that change something.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// By number: done, or why not.
    pub(super) states: BTreeMap<u32, Result<(), String>>,
    /// Whether it was asked to stop.
    pub(super) stopped: bool,
    /// Whether damage of the repository was found and stopped it.
    pub(super) damaged: bool,
    /// What the repository has lost.
    pub(super) lost: Vec<LostPart>,
}

/// Carries out the steps of a plan.
pub(super) struct Executor<'a> {
    pub(super) plan: &'a Plan,
    pub(super) world: &'a World<'a>,
    pub(super) session: &'a Session<'a>,
    /// Runs that a restore before this one left.
    pub(super) runs: Runs,
    /// Runs that this one made.
    pub(super) made: Made,
    /// A file is written only with a permit.
    pub(super) files: Semaphore,
    pub(super) experiments: Mutex<BTreeMap<String, ExperimentId>>,
}

/// Whether a step may begin.
enum Ready {
    Yes,
    Wait,
    Never(u32),
}

impl<'a> Executor<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        world: &'a World<'a>,
        session: &'a Session<'a>,
        runs: Runs,
    ) -> Self {
        Self {
            plan,
            world,
            session,
            runs,
            made: Made::default(),
            files: Semaphore::new(FILES_MAX),
            experiments: Mutex::default(),
        }
    }

    /// Carries out all steps that change something.
    pub(super) async fn run(&self) -> Result<Tally, Error> {
        let mut waiting: VecDeque<&Step> = self
            .plan
            .steps
            .iter()
            .filter(|step| step.action.changes())
            .collect();
        let mut tally = Tally::default();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < STEPS_MAX
                && !self.session.stop.asked()
                && !self.world.source.is_damaged()
            {
                let Some(step) = self.next(&mut waiting, &mut tally).await? else {
                    break;
                };
                running.push(self.step_left(step).map(move |end| (step, end)));
            }
            let Some((step, end)) = running.next().await else {
                break;
            };
            self.record(step, end, &mut tally).await?;
        }
        tally.damaged = self.world.source.is_damaged();
        tally.stopped |= !waiting.is_empty() && !tally.damaged;
        tally.lost = self.world.source.lost_parts();
        Ok(tally)
    }

    /// One step, and once more without what was found lost on the way, as often as more is found.
    async fn step_left(&self, step: &'a Step) -> Result<String, Trouble> {
        let source = &self.world.source;
        loop {
            let before = source.lost().contents();
            match self.step(step).await {
                Err(Trouble::Failed(_))
                    if source.is_partial() && source.lost().contents() > before => {}
                end => return end,
            }
        }
    }

    /// The next step that need not wait; those that cannot succeed any more are failed on the way.
    async fn next(
        &self,
        waiting: &mut VecDeque<&'a Step>,
        tally: &mut Tally,
    ) -> Result<Option<&'a Step>, Error> {
        let mut at = 0;
        while at < waiting.len().min(LOOK_AHEAD) {
            let Some(step) = waiting.get(at).copied() else {
                break;
            };
            match self.ready(step, tally) {
                Ready::Wait => at += 1,
                Ready::Yes => {
                    waiting.remove(at);
                    return Ok(Some(step));
                }
                Ready::Never(need) => {
                    waiting.remove(at);
                    let trouble = Trouble::because(format!("step {need}, which it needs, failed"));
                    self.record(step, Err(trouble), tally).await?;
                }
            }
        }
        Ok(None)
    }

    fn ready(&self, step: &Step, tally: &Tally) -> Ready {
        for need in &step.needs {
            match tally.states.get(need) {
                Some(Ok(())) => {}
                Some(Err(_)) => return Ready::Never(*need),
                None => return Ready::Wait,
            }
        }
        let after = step
            .after
            .iter()
            .all(|number| tally.states.contains_key(number));
        if after { Ready::Yes } else { Ready::Wait }
    }

    /// One step, with its intent written first.
    async fn step(&self, step: &'a Step) -> Result<String, Trouble> {
        let session = self.session;
        session.observer.event(Event::Step {
            step: step.step,
            action: step.action,
            item: step.item.clone(),
        });
        session
            .journal
            .intend(&self.plan.plan, step, session.clock.now())
            .await?;
        match step.work {
            // The workspace was made before this plan was.
            Work::Nothing | Work::Workspace => {}
            Work::Document => self.document(step).await?,
            Work::Code => self.code(step).await?,
            Work::Archive => self.archive(step).await?,
            Work::Finish => self.finish(step).await?,
            Work::Files => self.file(step).await?,
            Work::Resubmit => self.resubmit(step).await?,
            Work::Times => self.times(step).await?,
            Work::Run => return self.job(step).await,
        }
        Ok(step.target.to_string())
    }

    async fn record(
        &self,
        step: &Step,
        end: Result<String, Trouble>,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let session = self.session;
        let plan = &self.plan.plan;
        match end {
            Ok(target) => {
                session
                    .journal
                    .done(plan, step, &target, session.clock.now())
                    .await?;
                tally.states.insert(step.step, Ok(()));
                session.observer.event(Event::Done {
                    step: step.step,
                    bytes: step.bytes,
                });
            }
            Err(Trouble::Stopped) => tally.stopped = true,
            Err(Trouble::Journal(error)) => return Err(error),
            Err(Trouble::Failed(reason)) => {
                session
                    .journal
                    .failed(plan, step, &reason, session.clock.now())
                    .await?;
                session.observer.event(Event::Failed {
                    step: step.step,
                    item: step.item.clone(),
                    reason: reason.clone(),
                });
                tally.states.insert(step.step, Err(reason));
            }
        }
        Ok(())
    }

    /// A safe point: nothing is half done.
    pub(super) fn safe_point(&self) -> Result<(), Trouble> {
        if self.session.stop.asked() {
            return Err(Trouble::Stopped);
        }
        Ok(())
    }
}
