//! The order of a plan's items: what others need comes first; among equals the row's own order, then the name, then the
//! time of creation, so that the newest version of a name is also the last one made.
//!
//! Pure. A circle of needs (which no service makes) is cut at the need that would close it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use workspace::ItemId;

/// What the order of an item depends on.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The item.
    pub(crate) id: ItemId,
    /// The row's order.
    pub(crate) order: u8,
    /// When the source made it.
    pub(crate) created: Option<Timestamp>,
    /// What must be there before it.
    pub(crate) needs: BTreeSet<ItemId>,
    /// What merely comes before it, and may fail.
    pub(crate) after: BTreeSet<ItemId>,
}

/// The nodes in their order, each with the indices (in the result) of those that it needs or follows.
pub(crate) fn sort(mut nodes: Vec<Node>) -> Vec<(Node, Vec<usize>)> {
    nodes.sort_by(|one, two| key(one).cmp(&key(two)));
    chain_versions(&mut nodes);
    let index: BTreeMap<ItemId, usize> = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| (node.id.clone(), index))
        .collect();
    let needs: Vec<Vec<usize>> = nodes
        .iter()
        .map(|node| {
            let before = node.needs.iter().chain(&node.after);
            before.filter_map(|id| index.get(id).copied()).collect()
        })
        .collect();
    let order = depth_first(&needs);
    let mut place = vec![0; nodes.len()];
    for (at, &node) in order.iter().enumerate() {
        place[node] = at;
    }
    let mut nodes: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    order
        .iter()
        .enumerate()
        .filter_map(|(at, &node)| {
            let before = needs[node]
                .iter()
                .map(|&need| place[need])
                .filter(|&need| need < at);
            let mut before: Vec<usize> = before.collect();
            before.sort_unstable();
            Some((nodes[node].take()?, before))
        })
        .collect()
}

fn key(node: &Node) -> (u8, &str, &str, Option<Timestamp>, Option<&str>) {
    let id = &node.id;
    (
        node.order,
        &id.kind,
        &id.name,
        node.created,
        id.version.as_deref(),
    )
}

/// A service takes for the latest version the one that was made last, so versions of a name follow one another.
fn chain_versions(nodes: &mut [Node]) {
    for at in 1..nodes.len() {
        let (before, after) = nodes.split_at_mut(at);
        let (Some(last), Some(node)) = (before.last(), after.first_mut()) else {
            continue;
        };
        let same = last.id.kind == node.id.kind && last.id.name == node.id.name;
        if same && last.id.version.is_some() && node.id.version.is_some() {
            node.after.insert(last.id.clone());
        }
    }
}

/// Each index after those it needs, otherwise in rising order. Without recursion: the needs may be deep.
fn depth_first(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(needs.len());
    let mut entered = vec![false; needs.len()];
    let mut stack: Vec<(usize, usize)> = Vec::new();
    for root in 0..needs.len() {
        if !entered[root] {
            entered[root] = true;
            stack.push((root, 0));
        }
        while let Some((node, next)) = stack.last_mut() {
            match needs[*node].get(*next) {
                Some(&need) => {
                    *next += 1;
                    if !entered[need] {
                        entered[need] = true;
                        stack.push((need, 0));
                    }
                }
                None => {
                    order.push(*node);
                    stack.pop();
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(
        kind: &str,
        name: &str,
        version: &str,
        order: u8,
        second: i64,
        needs: &[&Node],
    ) -> Node {
        Node {
            id: match version {
                "" => ItemId::new(kind, name),
                version => ItemId::versioned(kind, name, version),
            },
            order,
            created: Timestamp::from_second(second).ok(),
            needs: needs.iter().map(|node| node.id.clone()).collect(),
            after: BTreeSet::new(),
        }
    }

    fn names(nodes: Vec<Node>) -> Vec<String> {
        sort(nodes)
            .into_iter()
            .map(|(node, _)| node.id.to_string())
            .collect()
    }

    #[test]
    fn what_is_needed_comes_first_even_against_the_rows_order() {
        let job = node("jobs", "j", "", 80, 0, &[]);
        let model = node("models", "m", "1", 50, 0, &[&job]);
        let environment = node("environments", "e", "1", 30, 0, &[]);
        assert_eq!(
            names(vec![model, job, environment]),
            ["environments/e:1", "jobs/j", "models/m:1"]
        );
    }

    #[test]
    fn versions_of_a_name_follow_the_time_of_their_creation() {
        let nodes = vec![
            node("models", "m", "10", 50, 1, &[]),
            node("models", "m", "9", 50, 3, &[]),
            node("models", "m", "8", 50, 2, &[]),
        ];
        let sorted = sort(nodes);
        let order: Vec<_> = sorted
            .iter()
            .filter_map(|(node, _)| node.id.version.clone())
            .collect();
        assert_eq!(order, ["10", "8", "9"]);
        assert_eq!(sorted[1].1, [0]);
        assert_eq!(sorted[2].1, [1]);
    }

    #[test]
    fn a_circle_is_cut_and_nothing_is_lost() {
        let mut one = node("components", "a", "1", 60, 0, &[]);
        let two = node("components", "b", "1", 60, 0, &[&one]);
        one.needs.insert(two.id.clone());
        let sorted = sort(vec![one, two]);
        assert_eq!(sorted.len(), 2);
        assert!(
            sorted
                .iter()
                .enumerate()
                .all(|(at, (_, needs))| needs.iter().all(|need| *need < at))
        );
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_needs_no_deep_stack() {
        let mut nodes = Vec::new();
        for number in 0..100_000 {
            let name = format!("{number:06}");
            let mut next = node("jobs", &name, "", 80, 0, &[]);
            next.needs
                .insert(ItemId::new("jobs", format!("{:06}", number + 1)));
            nodes.push(next);
        }
        let sorted = sort(nodes);
        assert_eq!(sorted[0].0.id.name, "099999");
        assert_eq!(sorted[99_999].0.id.name, "000000");
    }
}
