//! Small objects by the hundred: looked up in one go, and taken out frame by frame. One by one each would be handed from
//! thread to thread several times, which takes longer than the work.

use std::collections::HashMap;

use bytes::Bytes;
use futures::{StreamExt, stream};

use super::objects::Objects;
use crate::catalogue::objects::Location;
use crate::pack::extract;
use crate::{Address, PackName};

/// Frames that are read at once.
const FRAMES_AT_ONCE: usize = 4;

impl Objects {
    /// The plain bytes of those of many objects that lie in frames with others. What lies elsewhere, or cannot be read from
    /// the first place that the catalogue names, is left out: [`Objects::get`] reads it, or says why not.
    pub(super) async fn get_together(&self, addresses: Vec<Address>) -> HashMap<Address, Bytes> {
        let Ok(located) = self.catalogue.locate_all(addresses).await else {
            return HashMap::new();
        };
        let mut frames: HashMap<(PackName, u64), Vec<Location>> = HashMap::new();
        let firsts = located.into_iter().filter_map(|all| all.into_iter().next());
        for location in firsts.filter(Location::is_kept) {
            let frame = frames.entry((location.pack, location.at)).or_default();
            frame.push(location);
        }
        let read = frames.into_values().map(|frame| self.of_frame(frame));
        let mut read = stream::iter(read).buffer_unordered(FRAMES_AT_ONCE);
        let mut found = HashMap::new();
        while let Some(objects) = read.next().await {
            found.extend(objects);
        }
        found
    }

    /// The objects of one frame, or of frames that begin with the same one.
    async fn of_frame(&self, objects: Vec<Location>) -> Vec<(Address, Bytes)> {
        // The one that reaches furthest brings the frames of all.
        let furthest = objects.iter().max_by_key(|object| object.frames.len());
        let Some(furthest) = furthest.cloned() else {
            return Vec::new();
        };
        let Ok(keys) = self.keys(furthest.class) else {
            return Vec::new();
        };
        let Ok(plain) = self.kept_frames(furthest, keys).await else {
            return Vec::new();
        };
        let extracted = self.codecs.run(move |_| {
            let rows = objects.iter().map(|object| &object.row);
            let taken = rows.filter_map(|row| Some((row.address, extract(&plain, row).ok()?)));
            Ok(taken
                .map(|(address, bytes)| (address, Bytes::from(bytes)))
                .collect())
        });
        extracted.await.unwrap_or_default()
    }
}
