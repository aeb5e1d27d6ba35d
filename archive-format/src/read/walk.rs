//! Walks a manifest's tree: its pieces in order, from the beginning or from a key on.

use bytes::Bytes;

use super::objects::Objects;
use crate::manifest::piece;
use crate::manifest::root::{Child, Node};
use crate::{Address, Error, Line, LineKey};

/// A walk under way.
#[derive(Debug)]
pub(crate) struct Walk {
    root: Option<Address>,
    from: Option<LineKey>,
    stack: Vec<(Node, usize)>,
    last: Option<LineKey>,
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
            let node = Node::from_bytes(&objects.get(root).await?, None)?;
            self.enter(node);
        }
        loop {
            let Some((node, next)) = self.stack.last_mut() else {
                return Ok(None);
            };
            let Some(child) = node.children.get(*next).cloned() else {
                self.stack.pop();
                continue;
            };
            *next += 1;
            let level = node.level;
            if level == 0 {
                return Ok(Some(child));
            }
            let node = Node::from_bytes(&sized(objects, &child).await?, Some(level - 1))?;
            let begins_as_said = node
                .children
                .first()
                .is_some_and(|first| first.first == child.first);
            if !begins_as_said || node.count() != child.count {
                return Err(not_as_said(&child));
            }
            self.enter(node);
        }
    }

    fn enter(&mut self, node: Node) {
        let from = self.from.as_ref();
        let begin = from.map_or(0, |from| {
            node.children.partition_point(|child| child.first <= *from)
        });
        self.stack.push((node, begin.saturating_sub(1)));
    }

    /// The lines of a piece that [`Walk::next`] gave, without those before `from`.
    pub(crate) async fn lines(
        &mut self,
        objects: &Objects,
        child: &Child,
    ) -> Result<Vec<Line>, Error> {
        let bytes = sized(objects, child).await?;
        let mut lines = tokio::task::spawn_blocking(move || piece::parse(&bytes))
            .await
            .map_err(|_| Error::Worker {
                what: "reading a manifest",
            })??;
        let first = lines.first().map(Line::key);
        if first.as_ref() != Some(&child.first) || lines.len() as u64 != child.count {
            return Err(not_as_said(child));
        }
        if self.last.is_some() && first <= self.last {
            return Err(Error::Line {
                key: child.first.clone(),
                reason: "its piece is out of order".to_owned(),
            });
        }
        self.last = lines.last().map(Line::key);
        if let Some(from) = &self.from {
            lines.retain(|line| line.key() >= *from);
        }
        Ok(lines)
    }
}

async fn sized(objects: &Objects, child: &Child) -> Result<Bytes, Error> {
    let bytes = objects.get(child.address).await?;
    if bytes.len() as u64 == child.size {
        Ok(bytes)
    } else {
        Err(not_as_said(child))
    }
}

fn not_as_said(child: &Child) -> Error {
    Error::Object {
        address: child.address,
        reason: "it is not what the manifest's root says of it".to_owned(),
    }
}
