//! Whether the target is still what a saved plan saw. What the plan's own steps did since does not count as a change.

use std::collections::BTreeMap;

use workspace::{ItemId, Kind};

use crate::plan::{Listing, Seen, Sighting};
use crate::world::World;
use crate::{Error, Plan, Step, StepState};

/// Refuses a plan of which something that it creates, changes or refers to has changed.
pub(super) async fn check(
    plan: &Plan,
    world: &World<'_>,
    begun: &BTreeMap<u32, StepState>,
) -> Result<(), Error> {
    let mut listing = Listing::new(world.azure);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for sighting in &plan.sightings {
        *counts.entry(sighting.item.kind.as_str()).or_default() += 1;
    }
    for (kind, count) in counts {
        if let Some(kind) = Kind::find(kind) {
            listing.expect(kind, count);
        }
    }
    let own: BTreeMap<&ItemId, &Step> = plan
        .steps
        .iter()
        .filter(|step| step.action.changes())
        .map(|step| (&step.target, step))
        .collect();
    let mut changed = Vec::new();
    for sighting in &plan.sightings {
        if listing.seen(&sighting.item).await? == sighting.seen {
            continue;
        }
        let step = own.get(&sighting.item).copied();
        let ours = match step {
            Some(step) => {
                begun.contains_key(&step.step) || made_by_it(world, sighting, step).await?
            }
            None => brought_along(sighting, &own),
        };
        if !ours {
            changed.push(sighting.item.to_string());
        }
    }
    match changed.first() {
        None => Ok(()),
        Some(first) => Err(Error::Changed {
            count: changed.len(),
            first: first.clone(),
        }),
    }
}

/// Whether what is there now is what the step makes: the plan was carried out before, without this journal.
async fn made_by_it(world: &World<'_>, sighting: &Sighting, step: &Step) -> Result<bool, Error> {
    let Some(kind) = Kind::find(&step.item.kind).filter(|_| sighting.seen == Seen::Absent) else {
        return Ok(false);
    };
    if kind.named_by_path {
        // Its bytes are compared when its turn comes, and are never written over.
        return Ok(!step.overwrite);
    }
    let Some(loaded) = world.load(&step.item).await? else {
        return Ok(false);
    };
    let expected = world.expect(kind, &loaded).await?;
    let there = world
        .get(&sighting.item)
        .await?
        .and_then(|listed| listed.document);
    Ok(match (expected, there) {
        (Some(expected), Some(there)) => expected.difference(kind, &there.value).is_none(),
        _ => false,
    })
}

/// Whether it is a container that the first version brings along.
fn brought_along(sighting: &Sighting, own: &BTreeMap<&ItemId, &Step>) -> bool {
    let id = &sighting.item;
    id.version.is_none()
        && own
            .keys()
            .any(|made| made.kind == id.kind && made.name == id.name && made.version.is_some())
}
