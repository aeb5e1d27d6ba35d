//! Blobs written in pieces: Put Block, Put Block List, Get Block List.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::access;
use super::content::Content;
use super::error::StorageError;
use super::headers::{self, base64};
use super::record::Written;
use super::store::Container;
use super::xml::element;
use super::{version, write};
use crate::call::Call;
use crate::reply::{Answer, Reply};
use crate::state::State;

/// The most blocks that a blob may have.
const BLOCKS_MAX: usize = 50_000;

/// Put Block: keeps a piece until a block list names it.
pub(super) fn stage(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    let id = call.query.get("blockid").unwrap_or_default();
    let decoded = STANDARD.decode(id).unwrap_or_default();
    if decoded.is_empty() || decoded.len() > 64 {
        return Err(StorageError::invalid_query("blockid", id).into());
    }
    headers::check_body(call)?;
    if call.body.is_empty() {
        return Err(StorageError::invalid_header("Content-Length", "0").into());
    }
    let blobs = &mut access::account_mut(call, state)?.blobs;
    let content = blobs.keep(call.body.clone());
    let container = blobs.container_mut(container)?;
    let staged = container.staged.entry(name.to_owned()).or_default();
    if staged.keys().any(|other| other.len() != id.len()) {
        return Err(invalid_block_id().into());
    }
    staged.insert(id.to_owned(), content);
    Ok(Reply::empty(StatusCode::CREATED)
        .with("content-md5", base64(&headers::md5_of(&call.body)))
        .with("x-ms-request-server-encrypted", "true"))
}

fn invalid_block_id() -> StorageError {
    StorageError::new(
        400,
        "InvalidBlobOrBlock",
        "The specified blob or block content is invalid.",
    )
}

/// Put Block List: makes a blob of pieces, new ones and ones that it already has.
pub(super) fn commit(call: &Call, state: &mut State, container: &str, name: &str) -> Answer {
    headers::check_body(call)?;
    let wanted = parse(&call.body)?;
    let written = write::written(call)?;
    // The type of the request is that of the XML, never that of the blob.
    let written = Written {
        headers: headers::content_headers(call, "x-ms-blob-")?,
        ..written
    };
    let blobs = &mut access::account_mut(call, state)?.blobs;
    write::check_create(call, blobs, container, name)?;
    write::check_kept(call, blobs, container, name, &written)?;
    let held = blobs.container(container)?;
    let mut parts = Vec::with_capacity(wanted.len());
    let mut blocks = Vec::with_capacity(wanted.len());
    for (place, id) in wanted {
        let part = find(held, name, place, &id).ok_or_else(|| {
            StorageError::new(
                400,
                "InvalidBlockList",
                "The specified block list is invalid.",
            )
        })?;
        blocks.push((id, part.size()));
        parts.push(part);
    }
    let content = Content::concat(parts);
    let blob = blobs.commit(container, name, content, blocks, written, call.now)?;
    let reply = access::tagged(StatusCode::CREATED, &blob.etag, blob.modified);
    Ok(version::named(reply, blob).with("x-ms-request-server-encrypted", "true"))
}

/// Where a block list looks for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Committed,
    Uncommitted,
    Latest,
}

fn find(container: &Container, name: &str, place: Place, id: &str) -> Option<Content> {
    let staged = || container.staged.get(name)?.get(id).cloned();
    let committed = || {
        let blob = container.blobs.get(name)?;
        let mut at = 0;
        for (other, size) in &blob.blocks {
            if other == id {
                return Some(blob.content.slice(at..at + size));
            }
            at += size;
        }
        None
    };
    match place {
        Place::Committed => committed(),
        Place::Uncommitted => staged(),
        Place::Latest => staged().or_else(committed),
    }
}

fn parse(body: &[u8]) -> Result<Vec<(Place, String)>, StorageError> {
    let invalid = || {
        StorageError::new(
            400,
            "InvalidXmlDocument",
            "The specified XML is not syntactically valid.",
        )
    };
    let mut reader = Reader::from_reader(body);
    let mut place = None;
    let mut blocks = Vec::new();
    loop {
        match reader.read_event().map_err(|_| invalid())? {
            Event::Start(start) => {
                place = match start.name().as_ref() {
                    b"Committed" => Some(Place::Committed),
                    b"Uncommitted" => Some(Place::Uncommitted),
                    b"Latest" => Some(Place::Latest),
                    _ => None,
                };
            }
            Event::Text(text) => {
                if let Some(place) = place {
                    let id = text.decode().map_err(|_| invalid())?;
                    blocks.push((place, id.trim().to_owned()));
                }
            }
            Event::End(_) => place = None,
            Event::Eof => break,
            _ => {}
        }
        if blocks.len() > BLOCKS_MAX {
            return Err(StorageError::new(
                409,
                "BlockCountExceedsLimit",
                "The committed block count cannot exceed the maximum limit of 50,000 blocks.",
            ));
        }
    }
    Ok(blocks)
}

/// Get Block List.
pub(super) fn list(call: &Call, state: &State, container: &str, name: &str) -> Answer {
    let held = access::account(call, state)?.blobs.container(container)?;
    let blob = held.blobs.get(name);
    let staged = held.staged.get(name);
    if blob.is_none() && staged.is_none() {
        return Err(StorageError::blob_not_found().into());
    }
    let wanted = call.query.get("blocklisttype").unwrap_or("committed");
    let mut xml = String::from("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    if wanted != "uncommitted" {
        let blocks = blob.map(|blob| blob.blocks.as_slice()).unwrap_or_default();
        let blocks = blocks.iter().map(|(id, size)| (id.as_str(), *size));
        section(&mut xml, "CommittedBlocks", blocks);
    }
    if wanted != "committed" {
        let blocks = staged.into_iter().flatten();
        let blocks = blocks.map(|(id, content)| (id.as_str(), content.size()));
        section(&mut xml, "UncommittedBlocks", blocks);
    }
    xml.push_str("</BlockList>");
    let reply = Reply::xml(StatusCode::OK, xml);
    Ok(match blob {
        Some(blob) => reply
            .with("etag", access::quoted(&blob.etag))
            .with("x-ms-blob-content-length", blob.content.size().to_string()),
        None => reply.with("x-ms-blob-content-length", "0"),
    })
}

fn section<'a>(xml: &mut String, name: &str, blocks: impl Iterator<Item = (&'a str, u64)>) {
    let mut inner = String::new();
    for (id, size) in blocks {
        inner.push_str("<Block>");
        element(&mut inner, "Name", id);
        element(&mut inner, "Size", &size.to_string());
        inner.push_str("</Block>");
    }
    if inner.is_empty() {
        xml.push_str(&format!("<{name} />"));
    } else {
        xml.push_str(&format!("<{name}>{inner}</{name}>"));
    }
}
