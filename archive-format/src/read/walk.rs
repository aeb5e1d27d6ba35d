//! Walks a manifest's tree: its pieces in order, from the beginning or from a key on.

use std::sync::Arc;

use bytes::Bytes;

use super::lately::Parsed;
use super::objects::Objects;
use crate::manifest::piece;
use crate::manifest::root::{Child, Node};
use crate::{Address, Error, Line, LineKey};

/// A walk under way.
#[derive(Debug)]
pub(crate) struct Walk {
    root: Option<Address>,
    from: Option<LineKey>,
    stack: Vec<(Arc<Node>, usize)>,
    last: Option<LineKey>,
}

/// Lines of a piece, from where the walk began on.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    piece: Arc<Vec<Line>>,
    next: usize,
}

impl Lines {
    /// All lines of the piece, from wherever the walk began.
    pub(crate) fn whole_piece(self) -> Arc<Vec<Line>> {
        self.piece
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let line = self.piece.get(self.next)?.clone();
        self.next += 1;
        Some(line)
    }
}

impl Walk {
    /// All pieces of a manifest that may hold lines at or after `from`.
    pub(crate) fn new(root: Address, from: Option<LineKey>) -> Self {
        Self {
            root: Some(root),
            from,
            stack: Vec::new(),
            last: None,
        }
    }

    /// The next piece, not yet read.
    pub(crate) async fn next(&mut self, objects: &Objects) -> Result<Option<Child>, Error> {
        if let Some(root) = self.root.take() {
            let (node, _) = node(objects, root, None).await?;
            self.enter(node);
        }
        loop {
            let Some((list, next)) = self.stack.last_mut() else {
                return Ok(None);
            };
            let Some(child) = list.children.get(*next).cloned() else {
                self.stack.pop();
                continue;
            };
            *next += 1;
            let level = list.level;
            if level == 0 {
                return Ok(Some(child));
            }
            let (below, bytes) = node(objects, child.address, Some(level - 1)).await?;
            let begins_as_said = below
                .children
                .first()
                .is_some_and(|first| first.first == child.first);
            let sized_as_said = bytes.is_none_or(|bytes| bytes == child.size);
            if !begins_as_said || !sized_as_said || below.count() != child.count {
                return Err(not_as_said(&child));
            }
            self.enter(below);
        }
    }

    /// The piece that [`Walk::next`] gives next, where that is known without reading.
    pub(crate) fn following(&self) -> Option<&Child> {
        let (list, next) = self.stack.last()?;
        list.children.get(*next).filter(|_| list.level == 0)
    }

    /// Whether the root was asked for and did not read.
    pub(crate) fn has_no_root(&self) -> bool {
        self.root.is_none() && self.stack.is_empty()
    }

    fn enter(&mut self, node: Arc<Node>) {
        let from = self.from.as_ref();
        let begin = from.map_or(0, |from| {
            node.children.partition_point(|child| child.first <= *from)
        });
        self.stack.push((node, begin.saturating_sub(1)));
    }

    /// The lines of a piece that [`Walk::next`] gave, without those before `from`.
    pub(crate) async fn lines(&mut self, objects: &Objects, child: &Child) -> Result<Lines, Error> {
        let piece = lines_of(objects, child).await?;
        let first = piece.first().map(Line::sort_key);
        if first != Some(child.first.sort_key()) || piece.len() as u64 != child.count {
            return Err(not_as_said(child));
        }
        if self.last.is_some() && first <= self.last.as_ref().map(LineKey::sort_key) {
            return Err(Error::Object {
                address: child.address,
                reason: format!("its first line {} is out of order", child.first),
            });
        }
        self.last = piece.last().map(Line::key);
        let next = self.from.as_ref().map_or(0, |from| {
            piece.partition_point(|line| line.sort_key() < from.sort_key())
        });
        Ok(Lines { piece, next })
    }
}

/// A node, and its length unless it was read lately.
async fn node(
    objects: &Objects,
    address: Address,
    level: Option<u8>,
) -> Result<(Arc<Node>, Option<u64>), Error> {
    let known = || match objects.lately.get(&address) {
        Some(Parsed::Node(node)) if level.is_none_or(|level| level == node.level) => Some(node),
        _ => None,
    };
    if let Some(node) = known() {
        return Ok((node, None));
    }
    let _turn = objects.lately.turn(&address).await;
    if let Some(node) = known() {
        return Ok((node, None));
    }
    let bytes = objects.get(address).await?;
    let node = Node::from_bytes(&bytes, level).map_err(|error| error.of_object(address))?;
    let node = Arc::new(node);
    objects
        .lately
        .put(address, bytes.len(), Parsed::Node(Arc::clone(&node)));
    Ok((node, Some(bytes.len() as u64)))
}

/// The lines of a piece, which may have been read lately.
pub(crate) async fn lines_of(objects: &Objects, child: &Child) -> Result<Arc<Vec<Line>>, Error> {
    let known = || match objects.lately.get(&child.address) {
        Some(Parsed::Piece(lines)) => Some(lines),
        _ => None,
    };
    if let Some(lines) = known() {
        return Ok(lines);
    }
    let _turn = objects.lately.turn(&child.address).await;
    if let Some(lines) = known() {
        return Ok(lines);
    }
    let bytes: Bytes = objects.get(child.address).await?;
    if bytes.len() as u64 != child.size {
        return Err(not_as_said(child));
    }
    parsed(objects, child.address, bytes).await
}

/// The lines of a piece that is at hand, unless they are. They are kept, as if the piece had been read.
pub(crate) async fn parsed(
    objects: &Objects,
    address: Address,
    bytes: Bytes,
) -> Result<Arc<Vec<Line>>, Error> {
    if let Some(Parsed::Piece(lines)) = objects.lately.get(&address) {
        return Ok(lines);
    }
    let length = bytes.len();
    let lines = tokio::task::spawn_blocking(move || piece::parse(&bytes))
        .await
        .map_err(|_| Error::Worker {
            what: "reading a manifest",
        })?
        .map_err(|error| error.of_object(address))?;
    let lines = Arc::new(lines);
    objects
        .lately
        .put(address, length, Parsed::Piece(Arc::clone(&lines)));
    Ok(lines)
}

fn not_as_said(child: &Child) -> Error {
    Error::Object {
        address: child.address,
        reason: "it is not what the manifest's root says of it".to_owned(),
    }
}
