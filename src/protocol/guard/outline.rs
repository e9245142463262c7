//! How the shared types of an update lie in each other, and what they hold.
//!
//! yrs recurses over nested types when it reads or deletes them, so twenty thousand of them, one inside the
//! other in 123 KB, overflow the stack and end the process. Only updates with more types than the limit
//! have to be looked at for that; types that were in the document before count as the top.
//!
//! The same look at the state of a whole document says what can be read from it, and how; and beneath which types so much lies
//! that to delete one of them is to delete much, however few bytes say so.

use std::{cmp::Reverse, collections::BTreeMap};

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::protocol::{
    ClientId,
    wire::{self, Reader},
};

use super::{
    Limits, Refusal, Summary,
    contents::{TEXT, XML_ELEMENT, XML_HOOK, XML_TEXT},
    structs::{self, Block, Id, Kind, Parent, Visitor},
};

/// What a document shows, told from its state, because yrs does not know what a root is until somebody asks
/// for it as something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The types at the root of the document, by name, and how each is to be read.
    pub roots: BTreeMap<String, Shape>,
    /// Whether values that hold other types may be read at all. yrs 0.28 never returns from reading an
    /// array, or the children of an XML node, that holds a piece of text with characters beyond U+FFFF: it
    /// counts them as two and finds one. No Yjs 13 application makes such a thing; a hostile one does, and
    /// Yjs 14 has but one type and puts texts everywhere.
    ///
    /// If this is false, only roots of [`Shape::Text`] may be read, as text.
    pub is_readable: bool,
}

/// What a root has been used as. Where uses are mixed, the one that is safe to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// Only keys with values.
    Map,
    /// A sequence of values and types.
    Array,
    /// A sequence of XML nodes.
    Xml,
    /// Text. Must never be read as an array or as XML: see [`Outline::is_readable`].
    Text,
}

/// Refuses an update in which a type lies deeper than [`Limits::type_depth`].
pub(super) fn check_depth(bytes: &[u8], summary: &Summary, limits: &Limits) -> Result<(), Refusal> {
    let mut tree = Tree::read(bytes, summary, limits)?;
    let is_type = |node: &Node<'_>| matches!(node.kind, Kind::Type(_));
    let too_deep = (0..tree.nodes.len())
        .any(|index| is_type(&tree.nodes[index]) && tree.place(index).depth > limits.type_depth as u32);
    if too_deep { Err(Refusal::TypeDepth) } else { Ok(()) }
}

/// What the document shows of which these bytes are the state.
pub(super) fn of(bytes: &[u8], summary: &Summary, limits: &Limits) -> Result<Outline, Refusal> {
    let mut tree = Tree::read(bytes, summary, limits)?;
    let mut outline = Outline { is_readable: true, ..Outline::default() };
    for index in 0..tree.nodes.len() {
        let place = tree.place(index);
        let kind = tree.nodes[index].kind;
        if matches!(kind, Kind::Type(_)) && place.depth > limits.type_depth as u32 {
            return Err(Refusal::TypeDepth);
        }
        match place.container {
            Container::Type(TEXT | XML_TEXT) => {}
            // What lies nowhere in the bytes may still lie somewhere in the document they were made from.
            Container::Type(_) | Container::Unknown => {
                outline.is_readable &= place.is_keyed || !matches!(kind, Kind::Text { is_plain: false });
            }
            Container::Root(name) => {
                let shape = match kind {
                    Kind::Gc | Kind::Skip | Kind::Deleted => continue,
                    _ if place.is_keyed => Shape::Map,
                    Kind::Text { .. } | Kind::InText => Shape::Text,
                    Kind::Type(XML_ELEMENT | XML_HOOK | XML_TEXT) => Shape::Xml,
                    Kind::Type(_) | Kind::Value => Shape::Array,
                };
                match outline.roots.get_mut(name) {
                    Some(known) => *known = shape.max(*known),
                    None => drop(outline.roots.insert(name.to_owned(), shape)),
                }
            }
        }
    }
    Ok(outline)
}

/// The types beneath which more than `most` structs lie, those beneath types in them included.
pub(super) fn heavy(bytes: &[u8], summary: &Summary, limits: &Limits, most: u32) -> Result<Vec<Id>, Refusal> {
    let mut tree = Tree::read(bytes, summary, limits)?;
    let mut beneath = vec![0u32; tree.nodes.len()];
    for index in 0..tree.nodes.len() {
        if let Some(home) = tree.home(index) {
            beneath[home] += 1;
        }
    }
    let mut types = tree.types();
    types.sort_unstable_by_key(|&index| Reverse(tree.place(index).depth));
    for &index in &types {
        if let Some(home) = tree.home(index) {
            beneath[home] += beneath[index];
        }
    }
    types.retain(|&index| beneath[index] > most);
    Ok(types.into_iter().filter_map(|index| tree.id(index)).collect())
}

/// The deletion of all that lies beneath some types, and how many structs that is.
pub(super) fn deletion_beneath(
    bytes: &[u8],
    summary: &Summary,
    limits: &Limits,
    tops: &[Id],
) -> Result<(Bytes, usize), Refusal> {
    let mut tree = Tree::read(bytes, summary, limits)?;
    let mut types = tree.types();
    types.sort_unstable_by_key(|&index| tree.place(index).depth);
    let mut is_gone = vec![false; tree.nodes.len()];
    for top in tops.iter().filter_map(|&top| tree.find(top)) {
        is_gone[top] = true;
    }
    for index in types {
        is_gone[index] |= tree.home(index).is_some_and(|home| is_gone[home]);
    }
    let (mut structs, mut clients, mut body) = (0, 0, BytesMut::new());
    for section in 0..tree.firsts.len() {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for index in tree.range(section) {
            if tree.home(index).is_none_or(|home| !is_gone[home]) {
                continue;
            }
            structs += 1;
            let (start, end) = (tree.nodes[index].start, tree.end(section, index));
            match ranges.last_mut() {
                Some((_, last)) if *last == start => *last = end,
                _ => ranges.push((start, end)),
            }
        }
        if !ranges.is_empty() {
            clients += 1;
            wire::put_uint(&mut body, summary.sections[section].client.get());
            wire::put_uint(&mut body, ranges.len() as u64);
            for (start, end) in ranges {
                wire::put_uint(&mut body, u64::from(start));
                wire::put_uint(&mut body, u64::from(end - start));
            }
        }
    }
    let mut deletion = BytesMut::new();
    deletion.put_u8(0);
    wire::put_uint(&mut deletion, clients);
    deletion.put(body);
    Ok((deletion.freeze(), structs))
}

/// Every struct of the update with where it belongs, in the order of the bytes.
struct Tree<'a> {
    summary: &'a Summary,
    /// The index of each section's first node.
    firsts: Vec<usize>,
    nodes: Vec<Node<'a>>,
    /// The way that is being followed, kept for its memory.
    path: Vec<usize>,
}

struct Node<'a> {
    /// The clock of the struct, by which a node is found.
    start: u32,
    kind: Kind,
    link: Link<'a>,
    /// It is or was on the way that is being followed.
    is_followed: bool,
}

/// Where a struct lies.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// In how many nested types; those at the root do not count, nor those that were there before.
    depth: u32,
    container: Container<'a>,
    is_keyed: bool,
    /// The node of the nested type, if it is in these bytes.
    home: Option<u32>,
}

#[derive(Clone, Copy)]
enum Container<'a> {
    Root(&'a str),
    /// A nested type, by its number.
    Type(u8),
    /// Nothing, or something that is not in these bytes.
    Unknown,
}

/// Where a struct lies, known or to be known from others.
#[derive(Clone, Copy)]
enum Link<'a> {
    Known(Place<'a>),
    /// In what that one holds.
    Inside {
        parent: Id,
        is_keyed: bool,
    },
    /// Where its left neighbour lies or, if that is nowhere, its right one.
    Beside {
        left: Option<Id>,
        right: Option<Id>,
    },
}

const NOWHERE: Place<'static> =
    Place { depth: 0, container: Container::Unknown, is_keyed: false, home: None };

impl<'a> Visitor<'a> for Tree<'a> {
    fn open(&mut self, _: ClientId, _: u32, _: usize, _: usize) -> Result<(), Refusal> {
        self.firsts.push(self.nodes.len());
        Ok(())
    }

    fn block(&mut self, _: ClientId, block: &Block<'a>) -> Result<(), Refusal> {
        let is_keyed = block.is_keyed;
        let link = match block.parent {
            Parent::Root(name) => {
                Link::Known(Place { container: Container::Root(name), is_keyed, ..NOWHERE })
            }
            Parent::Item(parent) => Link::Inside { parent, is_keyed },
            Parent::Inherited => Link::Beside { left: block.origin, right: block.right_origin },
        };
        self.nodes.push(Node { start: block.start, kind: block.kind, link, is_followed: false });
        Ok(())
    }
}

impl<'a> Tree<'a> {
    fn read(bytes: &'a [u8], summary: &'a Summary, limits: &Limits) -> Result<Self, Refusal> {
        let structs = summary.extents.iter().map(|extent| extent.structs).sum();
        let mut tree =
            Self { summary, firsts: Vec::new(), nodes: Vec::with_capacity(structs), path: Vec::new() };
        structs::read_sections(&mut Reader::new(bytes), limits, &mut tree)?;
        Ok(tree)
    }

    /// Where the struct at `index` lies. Follows the links without recursion, because there can be as many in
    /// a row as there are structs, and remembers the places of all on the way.
    fn place(&mut self, index: usize) -> Place<'a> {
        self.path.push(index);
        while let Some(&at) = self.path.last() {
            self.nodes[at].is_followed = true;
            let place = match self.nodes[at].link {
                Link::Known(place) => Ok(place),
                Link::Inside { parent, is_keyed } => self.look(parent).map(|found| match found {
                    Some((place, Kind::Type(number))) => {
                        let home = self.find(parent).and_then(|home| u32::try_from(home).ok());
                        Place { depth: place.depth + 1, container: Container::Type(number), is_keyed, home }
                    }
                    _ => Place { is_keyed, ..NOWHERE },
                }),
                Link::Beside { left, right } => self.between(left, right),
            };
            match place {
                Ok(place) => {
                    self.nodes[at].link = Link::Known(place);
                    self.path.pop();
                }
                Err(first) => self.path.push(first),
            }
        }
        match self.nodes[index].link {
            Link::Known(place) => place,
            _ => NOWHERE,
        }
    }

    /// The place beside two neighbours, as yrs finds it: that of the left one, or of the right one if the
    /// left is nowhere. An error is the struct to resolve first.
    fn between(&self, left: Option<Id>, right: Option<Id>) -> Result<Place<'a>, usize> {
        let mut between = None;
        for id in left.into_iter().chain(right) {
            let Some((place, _)) = self.look(id)? else { continue };
            let first = between.unwrap_or(place);
            let found = if matches!(first.container, Container::Unknown) { place } else { first };
            // The value of a key among the elements of a sequence would still be one of them.
            between = Some(Place { is_keyed: first.is_keyed && place.is_keyed, ..found });
        }
        Ok(between.unwrap_or(NOWHERE))
    }

    /// The place and kind of the struct that holds `id`, or none if it is not in these bytes or refers to
    /// itself in a circle (such structs can never be integrated). An error is the struct to resolve first.
    fn look(&self, id: Id) -> Result<Option<(Place<'a>, Kind)>, usize> {
        let Some(index) = self.find(id) else { return Ok(None) };
        let node = &self.nodes[index];
        match node.link {
            Link::Known(place) => Ok(Some((place, node.kind))),
            _ if node.is_followed => Ok(None),
            _ => Err(index),
        }
    }

    /// The type in these bytes in which a struct lies that is not known to be deleted.
    fn home(&mut self, index: usize) -> Option<usize> {
        let is_gone = matches!(self.nodes[index].kind, Kind::Gc | Kind::Skip | Kind::Deleted);
        let home = self.place(index).home.filter(|_| !is_gone)?;
        Some(home as usize)
    }

    fn types(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&index| matches!(self.nodes[index].kind, Kind::Type(_))).collect()
    }

    /// The nodes of a section.
    fn range(&self, section: usize) -> std::ops::Range<usize> {
        self.firsts[section]..self.firsts.get(section + 1).copied().unwrap_or(self.nodes.len())
    }

    /// Up to which clock a struct of this section goes.
    fn end(&self, section: usize, index: usize) -> u32 {
        if index + 1 < self.range(section).end {
            self.nodes[index + 1].start
        } else {
            self.summary.sections[section].end
        }
    }

    fn id(&self, index: usize) -> Option<Id> {
        let section = self.firsts.partition_point(|&first| first <= index).checked_sub(1)?;
        Some(Id { client: self.summary.sections[section].client, clock: self.nodes[index].start })
    }

    /// The node that holds `id`, if it is in this update.
    fn find(&self, id: Id) -> Option<usize> {
        let section = self.summary.section(id.client)?;
        let bounds = self.summary.sections[section];
        if !(bounds.start..bounds.end).contains(&id.clock) {
            return None;
        }
        let range = self.range(section);
        let after = self.nodes[range.clone()].partition_point(|node| node.start <= id.clock);
        Some(range.start + after - 1)
    }
}
