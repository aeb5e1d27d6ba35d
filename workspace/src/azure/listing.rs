//! Collections of Resource Manager as streams of items, page by page: containers before their versions.

use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use serde_json::Value;

use super::arm::Arm;
use super::pager::{self, Page};
use crate::kind::{Container, Origin};
use crate::{Error, ItemId, Kind, Listed};

/// How many lists below items are asked for ahead.
const AHEAD: usize = 8;

type ItemStream<'a> = BoxStream<'a, Result<Listed, Error>>;

/// Everything in a kind's collection. A container is an item without a version, followed by its versions.
pub(crate) fn collection<'a>(arm: &'a Arm, kind: &'static Kind) -> ItemStream<'a> {
    match kind.origin {
        Origin::Collection(path) => of_collection(arm, kind, path),
        Origin::Nested { .. } if kind.is_unknown() => {
            where_offered(arm, kind, of_parents(arm, kind))
        }
        Origin::Nested { .. } => of_parents(arm, kind),
        Origin::Authorization => own_assignments(arm, kind),
        Origin::Workspace | Origin::Entries => stream::empty().boxed(),
    }
}

fn of_collection<'a>(arm: &'a Arm, kind: &'static Kind, path: &'static str) -> ItemStream<'a> {
    let parts = path.split('/').map(str::to_owned).collect();
    let items = items(arm, kind, parts, kind.list_query, |name| {
        ItemId::new(kind.name, name)
    });
    let items = match kind.optional {
        true => where_offered(arm, kind, items),
        false => items,
    };
    match kind.container {
        None if kind.below().next().is_some() || kind.is_unknown() => remembered(arm, kind, items),
        None => items,
        Some(container) => items
            .map_ok(move |item| with_versions(arm, kind, path, container, item))
            .try_buffered(AHEAD)
            .try_flatten()
            .boxed(),
    }
}

/// Those that were made at the workspace: the list has what was made above it too.
fn own_assignments<'a>(arm: &'a Arm, kind: &'static Kind) -> ItemStream<'a> {
    let own = arm.name.arm_id();
    let parts = super::arm::assignments().to_vec();
    let all = items(arm, kind, parts, kind.list_query, |name| {
        ItemId::new(kind.name, name)
    });
    all.try_filter(move |listed| {
        let document = listed.document.as_ref();
        let scope = document.and_then(|document| document.value.pointer("/properties/scope"));
        let scope = scope.and_then(Value::as_str).unwrap_or_default();
        std::future::ready(scope.trim_end_matches('/').eq_ignore_ascii_case(&own))
    })
    .boxed()
}

/// A container and the first page of its versions, asked for ahead, and then the rest of them.
async fn with_versions<'a>(
    arm: &'a Arm,
    kind: &'static Kind,
    path: &'static str,
    container: Container,
    item: Listed,
) -> Result<ItemStream<'a>, Error> {
    let name = item.id.name.clone();
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    parts.extend([name.clone(), container.versions.to_owned()]);
    let versions = items(arm, kind, parts, container.list_query, move |version| {
        ItemId::versioned(kind.name, name.clone(), version)
    });
    let versions = ahead(versions).await;
    Ok(stream::iter([Ok(item)]).chain(versions).boxed())
}

/// A list below an item, its first page asked for; empty where the item was deleted meanwhile.
async fn ahead(list: ItemStream<'_>) -> ItemStream<'_> {
    let mut list = list.peekable();
    let first = std::pin::Pin::new(&mut list).peek().await;
    match first {
        Some(Err(Error::NotFound(_))) => stream::empty().boxed(),
        _ => list.boxed(),
    }
}

/// A list of a kind that not every workspace has: empty where its first page is refused because the type is not known, in
/// any api-version, or because asking such a workspace for it is a mistake.
fn where_offered<'a>(arm: &'a Arm, kind: &'static Kind, list: ItemStream<'a>) -> ItemStream<'a> {
    let start = async move {
        let mut list = list.peekable();
        let first = std::pin::Pin::new(&mut list).peek().await;
        match first {
            Some(Err(error @ (Error::NotFound(_) | Error::Invalid(_)))) => {
                arm.is_absent(kind, super::answer::reason(error));
                stream::empty().boxed()
            }
            _ => list.boxed(),
        }
    };
    start.into_stream().flatten().boxed()
}

/// Notes the names of a list that comes to its end, so that what lies below its items needs no second one.
fn remembered<'a>(arm: &'a Arm, kind: &'static Kind, items: ItemStream<'a>) -> ItemStream<'a> {
    let start = (items, Vec::new());
    stream::try_unfold(start, move |(mut items, mut names)| async move {
        match items.try_next().await? {
            Some(item) => {
                names.push(item.id.name.clone());
                Ok(Some((item, (items, names))))
            }
            None => {
                arm.remember_names(kind, names);
                Ok(None)
            }
        }
    })
    .boxed()
}

/// What lies below each item of the kind above.
fn of_parents<'a>(arm: &'a Arm, kind: &'static Kind) -> ItemStream<'a> {
    let Some((parent, segment)) = kind.above() else {
        return stream::empty().boxed();
    };
    let start = async move {
        let names = match arm.listed_names(parent) {
            Some(names) => names,
            None => {
                // Versions have the names of their containers.
                let above = collection(arm, parent)
                    .try_filter(|item| std::future::ready(item.id.version.is_none()));
                above.map_ok(|item| item.id.name).try_collect().await?
            }
        };
        let below = stream::iter(names).map(move |name| {
            let above = ItemId::new(parent.name, name);
            async move {
                let mut parts = super::arm::item_parts(parent, &above)?;
                parts.push(segment.to_owned());
                let id = move |name: &str| above.with_below(kind, name);
                Ok::<_, Error>(ahead(items(arm, kind, parts, kind.list_query, id)).await)
            }
        });
        Ok::<_, Error>(below.buffered(AHEAD).try_flatten())
    };
    start.into_stream().try_flatten().boxed()
}

/// The items of one list, by whichever api-version of the kind the cloud knows.
fn items<'a>(
    arm: &'a Arm,
    kind: &'static Kind,
    parts: Vec<String>,
    query: &'static [(&'static str, &'static str)],
    id: impl Fn(&str) -> ItemId + Clone + Send + 'a,
) -> ItemStream<'a> {
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
