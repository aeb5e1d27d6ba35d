//! The commit: the manifest, the list of packs, the log entry.
//!
//! Write order (each step only after the one before is durable): data packs and their index files, meta packs with the
//! manifest, a meta pack with the list of packs, the log entry, the catalogue. Creating the entry's number is the
//! commit; before it every pack is checked against all sweeps that the log holds (removal rules W3 to W5). The lines of a
//! piece are kept in the catalogue while others are still written, since that is most of the work; without a snapshot that
//! has the piece nothing ever finds them.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream};
use futures::{FutureExt, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::spool::{self, Staged};
use super::{Commit, SnapshotWriter, Stored};
use crate::catalogue::objects::PackId;
use crate::log::Body;
use crate::magic::ROOT_PIECES_MAX;
use crate::manifest::piece::{Piece, PieceCutter};
use crate::manifest::root::{self, Child, Node};
use crate::pack::Class;
use crate::read::lately::Parsed;
use crate::read::{chunks, packs, walk};
use crate::repository::Inner;
use crate::{Address, Error, Line, LineKey, PackName, SnapshotId, SnapshotRecord};

/// How often a commit is begun anew because packs were swept under it.
const ROUNDS: u32 = 20;

/// Pieces of the manifest that are worked on at once: some 64 KiB each, and what is read out of them.
const PIECES_AT_ONCE: usize = 8;

/// The packs that something needs; none where an object is in no pack that may be named.
type Reach = Option<BTreeSet<PackId>>;

/// What a manifest came to.
struct Manifest {
    root: Address,
    lines: u64,
    pieces: Vec<Child>,
    nodes: Vec<Address>,
    /// Packs that hold what the lines name.
    needed: BTreeSet<PackId>,
}

pub(super) async fn commit(
    writer: &SnapshotWriter,
    commit: Commit,
) -> Result<SnapshotRecord, Error> {
    // One commit of a run at a time.
    let mut committed = writer.committed.lock().await;
    let inner = &writer.repository.inner;
    let started = writer.started;
    let id = if *committed {
        SnapshotId::new(started)?
    } else {
        writer.run
    };
    let now = commit.copy.map_or(commit.finished, |(_, now)| now);
    for _ in 0..ROUNDS {
        writer.packer.flush().await?;
        let manifest = manifest(writer, now).await?;
        writer.packer.flush().await?;
        let Some(needed) = needed_packs(inner, &manifest).await? else {
            continue;
        };
        let Some(listed) = list_packs(writer, &needed).await? else {
            continue;
        };
        let record = record(writer, &commit, id, &manifest, &listed);
        let mut all = needed;
        all.extend(&listed.holders);
        if put(inner, writer.run, now, &record, &all).await? {
            *committed = true;
            keep(inner, &record, &manifest).await?;
            return Ok(record);
        }
        hold(writer, &all, now).await?;
    }
    Err(Error::Outrun { rounds: ROUNDS })
}

/// Writes the pieces and the root, and makes sure that everything the lines name is in packs that may be named.
async fn manifest(writer: &SnapshotWriter, now: Timestamp) -> Result<Manifest, Error> {
    let mut found = Found::default();
    let mut pieces = Vec::new();
    let mut stored = pieces_of(writer)
        .map(|piece| async move { store_piece(writer, piece?).await })
        .buffered(PIECES_AT_ONCE)
        .boxed();
    while let Some((child, of_piece)) = stored.try_next().await? {
        found.needed.extend(of_piece.needed);
        found.gone.extend(of_piece.gone);
        pieces.push(child);
    }
    drop(stored);
    found.gone.dedup();
    if !found.gone.is_empty() {
        hold(writer, &found.needed, now).await?;
        return Err(Error::Gone { items: found.gone });
    }
    let lines = pieces.iter().map(|piece| piece.count).sum();
    let (root, nodes) = store_root(writer, pieces.clone()).await?;
    Ok(Manifest {
        root,
        lines,
        pieces,
        nodes,
        needed: found.needed,
    })
}

/// The staged lines, as the pieces that they are cut into.
fn pieces_of(writer: &SnapshotWriter) -> impl Stream<Item = Result<Piece, Error>> + Send + '_ {
    struct Cutting {
        cutter: PieceCutter,
        page: std::vec::IntoIter<Staged>,
        after: Option<Vec<u8>>,
    }
    let begun = Cutting {
        cutter: PieceCutter::default(),
        page: Vec::new().into_iter(),
        after: Some(Vec::new()),
    };
    stream::try_unfold(begun, move |mut cutting| async move {
        loop {
            while let Some((key, line)) = cutting.page.next() {
                let piece = cutting.cutter.push(spool::key_of_line(&key)?, &line)?;
                if let Some(piece) = piece {
                    return Ok(Some((piece, cutting)));
                }
            }
            let Some(after) = cutting.after.take() else {
                return Ok(cutting.cutter.finish().map(|piece| (piece, cutting)));
            };
            let page = writer.spool.page(after).await?;
            cutting.after = page.last().map(|(last, _)| last.clone());
            cutting.page = page.into_iter();
        }
    })
}

/// What was found about the lines while they became pieces.
#[derive(Default)]
struct Found {
    /// Packs that hold what they name.
    needed: BTreeSet<PackId>,
    /// Items that name something that is in no pack.
    gone: Vec<LineKey>,
}

async fn store_piece(writer: &SnapshotWriter, piece: Piece) -> Result<(Child, Found), Error> {
    let inner = &writer.repository.inner;
    let bytes = Bytes::from(piece.bytes);
    let stored = writer.packer.store(Class::Meta, bytes.clone()).await?;
    let found = match inner.catalogue.reach(stored.address).await? {
        Some(needed) => Found {
            needed,
            gone: Vec::new(),
        },
        None => reach_of_lines(inner, stored.address, bytes.clone()).await?,
    };
    if found.gone.is_empty() && !inner.catalogue.has_piece(stored.address).await? {
        let lines = walk::parsed(&inner.objects, stored.address, bytes).await?;
        inner.catalogue.add_piece(stored.address, lines).await?;
    }
    let child = Child {
        address: stored.address,
        count: piece.count,
        first: piece.first,
        size: stored.size,
    };
    Ok((child, found))
}

/// Finds the packs that the lines of a piece need, and remembers them.
async fn reach_of_lines(inner: &Inner, piece: Address, bytes: Bytes) -> Result<Found, Error> {
    let mut found = Found::default();
    let lines = walk::parsed(&inner.objects, piece, bytes).await?;
    let mut own = own_reaches(inner, &lines).await?.into_iter();
    for line in lines.iter() {
        match reach_of_line(inner, line, own.next().flatten()).await? {
            Some(packs) => found.needed.extend(packs),
            None => found.gone.push(LineKey {
                part: 0,
                ..line.key()
            }),
        }
    }
    // An empty set cannot be told from none in the catalogue, and is found again next time.
    if found.gone.is_empty() && !found.needed.is_empty() {
        let needed = found.needed.clone();
        inner.catalogue.set_reach(piece, needed).await?;
    }
    Ok(found)
}

/// For each line the packs of the objects that it names itself, looked up together.
async fn own_reaches(inner: &Inner, lines: &[Line]) -> Result<Vec<Reach>, Error> {
    let addresses = lines.iter().flat_map(Line::addresses).collect();
    let mut packs = inner.catalogue.usable_packs(addresses).await?.into_iter();
    let reach = |line: &Line| {
        let own: Vec<Option<PackId>> = packs.by_ref().take(line.addresses().count()).collect();
        own.into_iter().collect()
    };
    Ok(lines.iter().map(reach).collect())
}

async fn reach_of_line(inner: &Inner, line: &Line, own: Reach) -> Result<Reach, Error> {
    let Some(mut needed) = own else {
        return Ok(None);
    };
    for list in line
        .files
        .iter()
        .filter_map(|file| file.content.as_ref()?.chunk_list)
    {
        match reach_of_list(inner, list.address, list.depth).await? {
            Some(packs) => needed.extend(packs),
            None => return Ok(None),
        }
    }
    Ok(Some(needed))
}

/// The packs that a chunk list and its chunks need. Each object of the list is read once and remembered.
pub(super) async fn reach_of_list(inner: &Inner, list: Address, depth: u8) -> Result<Reach, Error> {
    // What is still to be looked at: an object, its depth, and whether its records were looked at before it.
    let mut stack = vec![(list, depth)];
    let mut all = BTreeSet::new();
    while let Some((address, depth)) = stack.pop() {
        let Some(own) = inner.catalogue.usable_pack(address).await? else {
            return Ok(None);
        };
        if depth == 1
            && let Some(packs) = inner.catalogue.reach(address).await?
        {
            all.extend(packs);
            continue;
        }
        let records = chunks::parse(&inner.objects.get(address).await?, depth)
            .map_err(|error| error.of_object(address))?;
        all.insert(own);
        if depth > 1 {
            stack.extend(records.iter().map(|record| (record.address, depth - 1)));
            continue;
        }
        let mut packs = BTreeSet::from([own]);
        for record in &records {
            match inner.catalogue.usable_pack(record.address).await? {
                Some(pack) => packs.insert(pack),
                None => return Ok(None),
            };
        }
        inner.catalogue.set_reach(address, packs.clone()).await?;
        all.extend(packs);
    }
    Ok(Some(all))
}

/// Stores the root, above 10,000 pieces as a tree; gives all its nodes.
async fn store_root(
    writer: &SnapshotWriter,
    pieces: Vec<Child>,
) -> Result<(Address, Vec<Address>), Error> {
    let mut children = pieces;
    let mut nodes = Vec::new();
    let mut level = 0;
    while children.len() > ROOT_PIECES_MAX {
        let mut above = Vec::new();
        for node in root::cut(children, level) {
            let count = node.count();
            let Some(first) = node.children.first().map(|child| child.first.clone()) else {
                continue;
            };
            let stored = store_node(writer, node).await?;
            nodes.push(stored.address);
            above.push(Child {
                address: stored.address,
                count,
                first,
                size: stored.size,
            });
        }
        children = above;
        level += 1;
    }
    let stored = store_node(writer, Node { level, children }).await?;
    nodes.push(stored.address);
    Ok((stored.address, nodes))
}

/// Stores a node, and keeps it like the pieces, as if it had been read.
async fn store_node(writer: &SnapshotWriter, node: Node) -> Result<Stored, Error> {
    let bytes = Bytes::from(node.to_bytes()?);
    let stored = writer.packer.store(Class::Meta, bytes).await?;
    let lately = &writer.repository.inner.objects.lately;
    let length = usize::try_from(stored.size).unwrap_or(usize::MAX);
    lately.put(stored.address, length, Parsed::Node(Arc::new(node)));
    Ok(stored)
}

/// All packs of a manifest: what its lines need, and those that hold pieces and nodes. None: something was swept.
async fn needed_packs(inner: &Inner, manifest: &Manifest) -> Result<Reach, Error> {
    let own = manifest.pieces.iter().map(|piece| piece.address);
    let own = packs_of(inner, own.chain(manifest.nodes.iter().copied())).await?;
    Ok(own.map(|own| own.union(&manifest.needed).copied().collect()))
}

/// The packs that hold these objects.
async fn packs_of(inner: &Inner, addresses: impl Iterator<Item = Address>) -> Result<Reach, Error> {
    let mut packs = BTreeSet::new();
    for address in addresses {
        match inner.catalogue.usable_pack(address).await? {
            Some(pack) => packs.insert(pack),
            None => return Ok(None),
        };
    }
    Ok(Some(packs))
}

/// The list of packs, as it was stored.
struct Listed {
    objects: Vec<Address>,
    holders: BTreeSet<PackId>,
    holder_names: Vec<PackName>,
    packs: u64,
}

/// Stores the list of packs. None: something was swept.
async fn list_packs(
    writer: &SnapshotWriter,
    needed: &BTreeSet<PackId>,
) -> Result<Option<Listed>, Error> {
    let inner = &writer.repository.inner;
    let Some(names) = inner
        .catalogue
        .names_of(needed.iter().copied().collect())
        .await?
    else {
        return Ok(None);
    };
    let mut objects = Vec::new();
    for object in packs::cut_list(&names) {
        objects.push(
            writer
                .packer
                .store(Class::Meta, object.into())
                .await?
                .address,
        );
    }
    writer.packer.flush().await?;
    let Some(holders) = packs_of(inner, objects.iter().copied()).await? else {
        return Ok(None);
    };
    let holder_names = inner
        .catalogue
        .names_of(holders.iter().copied().collect())
        .await?;
    Ok(holder_names.map(|holder_names| Listed {
        objects,
        holders,
        holder_names,
        packs: names.len() as u64,
    }))
}

fn record(
    writer: &SnapshotWriter,
    commit: &Commit,
    id: SnapshotId,
    manifest: &Manifest,
    listed: &Listed,
) -> SnapshotRecord {
    let written = writer.written();
    let mut bytes = commit.bytes;
    bytes.new = written.new;
    bytes.stored = written.stored;
    SnapshotRecord {
        id,
        run: writer.run,
        workspace: writer.workspace.clone(),
        identity: writer.identity.clone(),
        started: writer.started,
        finished: commit.finished,
        outcome: commit.outcome,
        items: commit.items.clone(),
        files: commit.files,
        bytes,
        requests: commit.requests,
        tags: commit.tags.clone(),
        program: writer.repository.inner.program.clone(),
        manifest: manifest.root,
        lines: manifest.lines,
        pack_list: listed.objects.clone(),
        pack_list_packs: listed.holder_names.clone(),
        packs: listed.packs,
        original: commit.copy.map(|(original, _)| original),
        more: commit.more.clone(),
    }
}

/// Puts the log entry. False: packs that it needs were swept, everything must be computed anew.
async fn put(
    inner: &Inner,
    run: SnapshotId,
    now: Timestamp,
    record: &SnapshotRecord,
    needed: &BTreeSet<PackId>,
) -> Result<bool, Error> {
    let needed: Vec<PackId> = needed.iter().copied().collect();
    // W3 and W5 with the next number after each "exists"; W4 is a new round of the commit.
    let unless_swept = || {
        async {
            let unusable = inner.catalogue.unusable_of(needed.clone()).await?;
            let body = Body::Snapshot(Box::new(record.clone()));
            Ok(unusable.is_empty().then_some(body))
        }
        .boxed()
    };
    inner.append(run, now, unless_swept).await
}

/// Packs were swept under this run: the next sweeps are asked to spare what is left, until its snapshot is committed.
async fn hold(
    writer: &SnapshotWriter,
    needed: &BTreeSet<PackId>,
    now: Timestamp,
) -> Result<(), Error> {
    let inner = &writer.repository.inner;
    let needed = needed.iter().copied().collect();
    let names = inner.catalogue.usable_names_of(needed).await?;
    inner.hold(writer.run, &names, now).await
}

/// Tells the catalogue which pieces the snapshot has: the last step, and no harm where it is missed.
async fn keep(inner: &Inner, record: &SnapshotRecord, manifest: &Manifest) -> Result<(), Error> {
    let pieces = manifest.pieces.iter().map(|piece| piece.address).collect();
    inner.catalogue.hold(record.id, pieces).await
}
