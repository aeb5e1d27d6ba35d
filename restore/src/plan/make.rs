//! From a snapshot and a target to a plan.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ulid::Ulid;
use workspace::azure::AzureWorkspace;
use workspace::{Kind, Selection, Workspace};

use super::draft::Draft;
use super::listing::Listing;
use super::survey::{Names, survey};
use super::{Estimate, Plan};
use crate::lost;
use crate::manual;
use crate::origin::Origin;
use crate::world::{World, itself};
use crate::{Error, Observer, Options, Step, Work};

/// What a plan is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The selectors, as they were given; none means everything.
    pub selectors: Vec<String>,
    /// The target, as it was given.
    pub target: String,
    /// What the caller decided.
    pub options: Options,
    /// The time: of the plan's id, and what ages in selectors count back from.
    pub now: Timestamp,
}

/// What ARM takes of one identity in one subscription, writes a second (azure.microsoft.com, "ARM throttling", 2024).
const WRITES_A_SECOND: u64 = 10;
/// What an ordinary line takes.
const BYTES_A_SECOND: u64 = 40 << 20;

/// Plans a restore into an Azure ML workspace.
pub(crate) async fn plan_azure(
    origin: &Origin,
    azure: &AzureWorkspace,
    request: &Request,
    observer: &dyn Observer,
) -> Result<Plan, Error> {
    let selection = Selection::parse(&request.selectors, request.now).map_err(Error::Selection)?;
    let world = World::open(origin, azure, selection, &request.options).await?;
    let mut names = Names::read(&world).await?;
    if request.options.create_workspace
        && let Some(own) = itself(world.source.identity())
    {
        names.take(&world, own).await?;
    }
    let mut listing = Listing::new(azure);
    for kind in azure.kinds() {
        listing.expect(kind, names.count(kind.name));
    }
    let candidates = survey(&world, &mut names, &mut listing, observer).await?;
    let mut draft = Draft::new(world, listing, names, request.options.on_conflict);
    draft.fill(candidates, observer).await?;
    let sightings = draft.sightings();
    draft.losses.extend(origin.left());
    let gone = manual::recovery(origin, azure, draft.world.source.identity(), request.now);
    let recovery = gone.await;
    let parts = draft.world.source.lost_parts();
    draft
        .losses
        .extend(lost::losses(&parts, request.options.partial));
    Ok(Plan {
        estimate: estimate(&draft.steps),
        source: draft.world.source.identity().clone(),
        steps: draft.steps,
        losses: draft.losses,
        manual: recovery.into_iter().chain(draft.manual).collect(),
        runs: draft.runs,
        sightings,
        ..empty(draft.world.source.id(), azure.identity().clone(), request)
    })
}

/// A plan without steps.
pub(super) fn empty(snapshot: String, identity: workspace::Identity, request: &Request) -> Plan {
    Plan {
        edition: Plan::edition(),
        plan: id(request.now),
        snapshot,
        selectors: request.selectors.clone(),
        target: request.target.clone(),
        source: identity.clone(),
        identity,
        options: request.options.clone(),
        steps: Vec::new(),
        losses: Vec::new(),
        manual: Vec::new(),
        runs: BTreeMap::new(),
        sightings: Vec::new(),
        estimate: Estimate::default(),
    }
}

fn id(now: Timestamp) -> String {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let mut random = [0; 16];
    // Without randomness two plans of one millisecond would share an id; the journal then treats them as one.
    let _ = getrandom::fill(&mut random);
    Ulid::from_parts(millis, u128::from_be_bytes(random)).to_string()
}

/// About what the steps take.
pub(super) fn estimate(steps: &[Step]) -> Estimate {
    let changing = || steps.iter().filter(|step| step.action.changes());
    let requests: u64 = changing().map(requests).sum();
    let bytes = changing().map(|step| step.bytes).sum();
    Estimate {
        requests,
        bytes,
        seconds: (requests / WRITES_A_SECOND)
            .max(bytes / BYTES_A_SECOND)
            .max(1),
    }
}

/// Requests of one step: its documents, and one or more a file.
fn requests(step: &Step) -> u64 {
    let documents = match step.work {
        Work::Nothing => 0,
        Work::Document => 3,
        Work::Code => 4,
        Work::Run => 10,
        Work::Files | Work::Times => 1,
        Work::Archive | Work::Finish | Work::Resubmit => 2,
        Work::Workspace => 20,
    };
    let blocks = step.bytes / (4 << 20);
    documents + step.files + blocks
}

/// The kinds that a plan has steps of, for people.
pub fn kinds(plan: &Plan) -> Vec<&'static str> {
    let mut kinds: Vec<&'static str> = plan
        .steps
        .iter()
        .filter_map(|step| Kind::find(&step.item.kind))
        .map(|kind| kind.name)
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
