//! Snapshots of the share of notebooks: read as it was at one moment, while people go on working in it.
//!
//! Making one changes the storage account, so it is done only where the configuration wants it. It carries a mark of its
//! own, by which the snapshot of a run that was killed is found and taken away later. An account keeps at most 200 of a
//! share.

use azure_core::http::{Context, Method};
use jiff::{SignedDuration, Timestamp};
use quick_xml::Reader;
use quick_xml::events::Event;
use tokio::sync::Mutex;
use url::Url;

use super::connection::{Access, Connection};
use super::place::Place;
use super::share::request;
use super::share_xml::entity;
use super::workspace::AzureWorkspace;
use crate::{Content, Error, Kind};

/// The metadata by which a snapshot is known as made by a backup.
const MARK: &str = "mlark";
/// A snapshot older than this was left behind: no backup takes so long.
const LEFT_BEHIND: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The snapshot of a run, if one was made.
#[derive(Debug, Default)]
pub(crate) struct ShareSnapshot(Mutex<Option<Held>>);

#[derive(Clone, Debug)]
struct Held {
    /// The share, as it is.
    share: Place,
    /// The time that names the snapshot.
    time: String,
}

impl AzureWorkspace {
    /// The root of the share of notebooks to be read: the snapshot of this run, where there is one.
    pub(crate) async fn notebooks_to_read(&self) -> Result<Place, Error> {
        match &*self.share_snapshot().0.lock().await {
            Some(held) => Ok(Place {
                url: of_snapshot(&held.share.url, &held.time),
                ..held.share.clone()
            }),
            None => self.notebooks().await,
        }
    }

    /// Makes a snapshot of the share whose entries are items of a kind, where the settings want one, and takes away those
    /// that were left behind.
    pub(crate) async fn keep_share(&self, kind: &Kind) -> Result<(), Error> {
        if !self.options().share_snapshot || kind.content != Content::Share {
            return Ok(());
        }
        let share = self.notebooks().await?;
        let way = self.way_to(&share).await?;
        let mut held = self.share_snapshot().0.lock().await;
        if held.is_none() {
            let time = make(&way, &share.url).await?;
            *held = Some(Held {
                share: share.clone(),
                time,
            });
        }
        drop(held);
        for time in left_behind(&way, &share).await? {
            remove(&way, &share.url, &time).await?;
        }
        Ok(())
    }

    /// Takes the snapshot away.
    pub(crate) async fn give_back_share(&self) -> Result<(), Error> {
        let Some(held) = self.share_snapshot().0.lock().await.take() else {
            return Ok(());
        };
        let way = self.way_to(&held.share).await?;
        remove(&way, &held.share.url, &held.time).await
    }
}

fn of_snapshot(share: &Url, time: &str) -> Url {
    let mut url = share.clone();
    url.query_pairs_mut().append_pair("sharesnapshot", time);
    url
}

/// Snapshot Share; the time that names it. A second one, because an answer was lost, is left behind and found later.
async fn make(connection: &Connection, share: &Url) -> Result<String, Error> {
    let mut url = share.clone();
    url.set_query(Some("restype=share&comp=snapshot"));
    let mut request = request(connection, Method::Put, url);
    request.insert_header(format!("x-ms-meta-{MARK}"), "backup");
    let answer = connection.send(Access::Token, Context::new(), request);
    let answer = answer.await?;
    let time = answer.header("x-ms-snapshot").map(str::to_owned);
    time.ok_or_else(|| answer.unusable("it names no snapshot"))
}

async fn remove(connection: &Connection, share: &Url, time: &str) -> Result<(), Error> {
    let mut url = of_snapshot(share, time);
    url.query_pairs_mut().append_pair("restype", "share");
    let request = request(connection, Method::Delete, url);
    let answer = connection.send(Access::Token, Context::new(), request);
    match answer.await {
        Ok(_) | Err(Error::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The marked snapshots of a share that nobody can be reading any more.
async fn left_behind(connection: &Connection, share: &Place) -> Result<Vec<String>, Error> {
    let mut left = Vec::new();
    let mut marker = String::new();
    loop {
        let mut url = share.url.clone();
        url.set_path("/");
        url.query_pairs_mut()
            .append_pair("comp", "list")
            .append_pair("prefix", &share.container)
            .append_pair("include", "snapshots,metadata");
        if !marker.is_empty() {
            url.query_pairs_mut().append_pair("marker", &marker);
        }
        let request = request(connection, Method::Get, url);
        let answer = connection.send(Access::Token, Context::new(), request);
        let answer = answer.await?;
        let page = page(&answer.body).map_err(|reason| answer.unusable(reason))?;
        let now = connection.clock().now();
        let old = page.snapshots.into_iter().filter(|one| {
            let made: Option<Timestamp> = one.time.parse().ok();
            let old = made.is_some_and(|made| now.duration_since(made) > LEFT_BEHIND);
            one.share == share.container && one.marked && old
        });
        left.extend(old.map(|one| one.time));
        if page.next_marker.is_empty() || page.next_marker == marker {
            return Ok(left);
        }
        marker = page.next_marker;
    }
}

/// A snapshot in a list of shares.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    share: String,
    time: String,
    marked: bool,
}

#[derive(Debug, Default)]
struct Page {
    snapshots: Vec<Listed>,
    next_marker: String,
}

/// The snapshots in the answer to List Shares. Shares themselves have no `Snapshot`.
fn page(body: &[u8]) -> Result<Page, String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is no UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let (mut page, mut one) = (Page::default(), Listed::default());
    let (mut path, mut held) = (Vec::<String>::new(), String::new());
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                path.push(String::from_utf8_lossy(start.local_name().as_ref()).into_owned());
                held.clear();
            }
            Event::Text(text) => {
                held.push_str(&text.decode().map_err(|error| error.to_string())?);
            }
            Event::GeneralRef(name) => held.push_str(&entity(&name)?),
            Event::End(_) => {
                let names: Vec<&str> = path.iter().map(String::as_str).collect();
                match names.as_slice() {
                    [_, "Shares", "Share", "Name"] => one.share.clone_from(&held),
                    [_, "Shares", "Share", "Snapshot"] => one.time.clone_from(&held),
                    [_, "Shares", "Share", "Metadata", name] => {
                        one.marked |= name.eq_ignore_ascii_case(MARK);
                    }
                    [_, "Shares", "Share"] => {
                        let ended = std::mem::take(&mut one);
                        page.snapshots
                            .extend((!ended.time.is_empty()).then_some(ended));
                    }
                    [_, "NextMarker"] => page.next_marker.clone_from(&held),
                    _ => {}
                }
                path.pop();
                held.clear();
            }
            Event::Eof if path.is_empty() => return Ok(page),
            Event::Eof => return Err("it ends too early".to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_snapshots_are_told_from_others_and_from_shares() -> Result<(), String> {
        let text = "\u{feff}<?xml version=\"1.0\"?><EnumerationResults><Shares>\
            <Share><Name>s</Name><Snapshot>2026-01-01T00:00:00.0000000Z</Snapshot><Properties><Etag>1</Etag></Properties>\
            <Metadata><Mlark>backup</Mlark></Metadata></Share>\
            <Share><Name>s</Name><Snapshot>2026-01-02T00:00:00.0000000Z</Snapshot><Metadata><by>x</by></Metadata></Share>\
            <Share><Name>s</Name><Properties /></Share></Shares><NextMarker>m</NextMarker></EnumerationResults>";
        let page = page(text.as_bytes())?;
        let found: Vec<(&str, bool)> = page
            .snapshots
            .iter()
            .map(|one| (one.time.get(..10).unwrap_or_default(), one.marked))
            .collect();
        assert_eq!(found, [("2026-01-01", true), ("2026-01-02", false)]);
        assert_eq!(page.next_marker, "m");
        assert!(super::page(b"<EnumerationResults><Shares>").is_err());
        Ok(())
    }
}
