//! How deep the shared types of one update are nested in each other.
//!
//! yrs recurses over nested types when it reads or deletes them, so twenty thousand of them, one inside the
//! other in 123 KB, overflow the stack and end the process. Only updates with more types than the limit
//! have to be looked at; types that were in the document before count as the top.

use crate::protocol::{message::ClientId, wire::Reader};

use super::{
    Limits, Refusal, Summary,
    structs::{self, Block, Id, Kind, Parent, Visitor},
};

/// Refuses an update in which a type lies deeper than [`Limits::type_depth`].
pub(super) fn check(bytes: &[u8], summary: &Summary, limits: &Limits) -> Result<(), Refusal> {
    let mut tree = Tree { summary, firsts: Vec::new(), nodes: Vec::new() };
    structs::read_sections(&mut Reader::new(bytes), limits, &mut tree)?;
    if tree.deepest_type() > limits.type_depth as u32 { Err(Refusal::TypeDepth) } else { Ok(()) }
}

/// Every struct of the update with where it belongs, in the order of the bytes.
struct Tree<'a> {
    summary: &'a Summary,
    /// The index of each section's first node.
    firsts: Vec<usize>,
    nodes: Vec<Node>,
}

struct Node {
    /// The clock of the struct, by which a node is found.
    start: u32,
    is_type: bool,
    link: Link,
}

/// How deep a struct lies: known, or known from another struct.
#[derive(Clone, Copy)]
enum Link {
    Depth(u32),
    /// As deep as that one: it is a neighbour.
    Beside(Id),
    /// One deeper than that one: it is inside.
    Inside(Id),
    /// On the way that is being followed. Meeting it again is a circle, which can never be integrated.
    Following,
}

impl Visitor for Tree<'_> {
    fn open(&mut self, _: ClientId, _: u32, _: usize, _: usize) -> Result<(), Refusal> {
        self.firsts.push(self.nodes.len());
        Ok(())
    }

    fn block(&mut self, _: ClientId, block: &Block) -> Result<(), Refusal> {
        let link = match (block.parent, block.origin.or(block.right_origin)) {
            (Parent::Item(parent), _) => Link::Inside(parent),
            (Parent::Inherited, Some(neighbour)) => Link::Beside(neighbour),
            _ => Link::Depth(0),
        };
        self.nodes.push(Node { start: block.start, is_type: block.kind == Kind::Type, link });
        Ok(())
    }
}

impl Tree<'_> {
    /// The greatest depth of a type; one that lies in the document itself, or in what was there before,
    /// has depth 0.
    fn deepest_type(&mut self) -> u32 {
        let mut path = Vec::new();
        let mut deepest = 0;
        for index in 0..self.nodes.len() {
            let depth = self.resolve(index, &mut path);
            if self.nodes[index].is_type {
                deepest = deepest.max(depth);
            }
        }
        deepest
    }

    /// Follows the links from `index` without recursion, and remembers the depth of all on the way.
    fn resolve(&mut self, index: usize, path: &mut Vec<(usize, u32)>) -> u32 {
        let mut at = index;
        let mut depth = loop {
            let (next, step) = match self.nodes[at].link {
                Link::Depth(depth) => break depth,
                Link::Following => break 0,
                Link::Beside(id) => (self.find(id), 0),
                Link::Inside(id) => (self.find(id), 1),
            };
            self.nodes[at].link = Link::Following;
            path.push((at, step));
            match next {
                Some(next) => at = next,
                None => break 0,
            }
        };
        while let Some((at, step)) = path.pop() {
            depth += step;
            self.nodes[at].link = Link::Depth(depth);
        }
        depth
    }

    /// The node that holds `id`, if it is in this update.
    fn find(&self, id: Id) -> Option<usize> {
        let section = self.summary.section(id.client)?;
        let bounds = self.summary.sections[section];
        if !(bounds.start..bounds.end).contains(&id.clock) {
            return None;
        }
        let first = self.firsts[section];
        let end = self.firsts.get(section + 1).copied().unwrap_or(self.nodes.len());
        let after = self.nodes[first..end].partition_point(|node| node.start <= id.clock);
        Some(first + after - 1)
    }
}
