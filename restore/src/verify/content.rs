//! Items that the target has under another name, by the digest of their content: a restore skipped them there.

use workspace::{ItemId, Kind};

use crate::Error;
use crate::plan::{Listing, Names};
use crate::world::World;

/// Lets references follow what is there under another name.
pub(super) async fn follow(world: &World<'_>, names: &Names) -> Result<(), Error> {
    let mut listing = Listing::new(world.azure);
    // What a selected item needs was pulled in by the restore, so it may be there under another name as well.
    let mut ids = names.selected().clone();
    for id in names.selected() {
        if let Some(kind) = Kind::find(&id.kind)
            && let Some(loaded) = world.load(id).await?
        {
            ids.extend(
                world
                    .needs(kind, &loaded)
                    .await?
                    .into_iter()
                    .map(|(_, need)| need),
            );
        }
    }
    for id in &ids {
        let kind = Kind::find(&id.kind).filter(|kind| kind.content_digest.is_some());
        let Some(kind) = kind.filter(|_| id.version.is_some()) else {
            continue;
        };
        if listing.has_exactly(&world.map_item(id)).await? {
            continue;
        }
        let loaded = world.load(id).await?;
        let document = loaded.as_ref().and_then(|loaded| loaded.arm.as_ref());
        let Some(content) = document.and_then(|text| kind.content_of(&text.value)) else {
            continue;
        };
        if let Some(same) = listing.of_content(kind, content).await? {
            let container = |id: &ItemId| ItemId::new(id.kind.clone(), id.name.clone());
            let mut rewriter = world.rewriter_mut();
            rewriter.renamed(container(id), container(&same));
            rewriter.renamed(id.clone(), same);
        }
    }
    Ok(())
}
