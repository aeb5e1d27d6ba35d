//! Collections of Resource Manager as streams of items, page by page: containers before their versions.

use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use serde_json::Value;

use super::arm::Arm;
use super::pager::{self, Page};
use crate::kind::Container;
use crate::{Error, ItemId, Kind, Listed};

/// How many containers' versions are asked for ahead.
const AHEAD: usize = 8;

type ItemStream<'a> = BoxStream<'a, Result<Listed, Error>>;

/// Everything in a kind's collection. A container is an item without a version, followed by its versions.
pub(crate) fn collection<'a>(arm: &'a Arm, kind: &'static Kind) -> ItemStream<'a> {
    if kind.collection.is_none() {
        return stream::empty().boxed();
    }
    let parts = collection_parts(kind);
    let items = items(arm, kind, parts, kind.list_query, |name| {
        ItemId::new(kind.name, name)
    });
    match kind.container {
        None => items.boxed(),
        Some(container) => items
            .map_ok(move |item| with_versions(arm, kind, container, item))
            .try_buffered(AHEAD)
            .try_flatten()
            .boxed(),
    }
}

/// A container and the first page of its versions, asked for ahead, and then the rest of them.
async fn with_versions<'a>(
    arm: &'a Arm,
    kind: &'static Kind,
    container: Container,
    item: Listed,
) -> Result<ItemStream<'a>, Error> {
    let name = item.id.name.clone();
    let mut parts = collection_parts(kind);
    parts.extend([name.clone(), container.versions.to_owned()]);
    let versions = items(arm, kind, parts, container.list_query, move |version| {
        ItemId::versioned(kind.name, name.clone(), version)
    });
    let mut versions = versions.peekable();
    let first = std::pin::Pin::new(&mut versions).peek().await;
    // It was deleted between the two lists.
    if matches!(first, Some(Err(Error::NotFound(_)))) {
        return Ok(stream::iter([Ok(item)]).boxed());
    }
    Ok(stream::iter([Ok(item)]).chain(versions).boxed())
}

fn collection_parts(kind: &Kind) -> Vec<String> {
    let collection = kind.collection.unwrap_or_default();
    collection.split('/').map(str::to_owned).collect()
}

/// The items of one list, by whichever api-version of the kind the cloud knows.
fn items<'a>(
    arm: &'a Arm,
    kind: &'static Kind,
    parts: Vec<String>,
    query: &'static [(&'static str, &'static str)],
    id: impl Fn(&str) -> ItemId + Clone + Send + 'a,
) -> BoxStream<'a, Result<Listed, Error>> {
    let first = async move {
        let (pages, version) = open(arm, kind, &parts, query).await?;
        let items = pages.map(move |page| {
            let listed: Vec<_> = page?
                .values
                .into_iter()
                .map(|value| listed(arm, value, version, &id))
                .collect();
            Ok::<_, Error>(stream::iter(listed))
        });
        Ok::<_, Error>(items.try_flatten())
    };
    first.into_stream().try_flatten().boxed()
}

/// Reads the first page, which tells whether the api-version is known; the others follow as they are asked for.
async fn open(
    arm: &Arm,
    kind: &'static Kind,
    parts: &[String],
    query: &[(&str, &str)],
) -> Result<(BoxStream<'static, Result<Page, Error>>, &'static str), Error> {
    loop {
        let version = arm.version(kind)?;
        let url = arm.url(parts.iter().map(String::as_str), query, version)?;
        let mut pages = pager::pages(&arm.connection, url).boxed();
        match pages.next().await {
            Some(Err(error)) if arm.tries_older(kind, version, &error) => {}
            Some(first) => {
                let first = first?;
                return Ok((stream::iter([Ok(first)]).chain(pages).boxed(), version));
            }
            None => return Ok((pages, version)),
        }
    }
}

fn listed(
    arm: &Arm,
    value: Value,
    version: &str,
    id: impl Fn(&str) -> ItemId,
) -> Result<Listed, Error> {
    let name = value
        .get("name")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
        .ok_or_else(|| Error::Answer {
            act: "a list of Resource Manager".to_owned(),
            reason: "an item has no name".to_owned(),
        })?;
    Ok(Listed {
        id: id(name),
        document: Some(arm.wrap(value, version)),
        file: None,
    })
}
