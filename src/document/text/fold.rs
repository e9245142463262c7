//! Where each block of a sequence stands. Blocks are read one behind the other; what is open after one, the next may go on
//! in. Whatever the fields say has exactly one reading: parents that cannot be are left out, unknown types are paragraphs.
//! The same as `frontend/src/text/binding/fold.ts`.

use yrs::Any;

use super::model::{BlockType, Fields, LeafKind, ListKind, MAX_PARENTS};

/// One of the containers that are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Item(ListKind),
    Quote,
}

/// What a block stands in: an item that was begun before it, of whatever list, or a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    Item,
    Quote,
}

impl From<Frame> for Parent {
    fn from(frame: Frame) -> Self {
        match frame {
            Frame::Item(_) => Self::Item,
            Frame::Quote => Self::Quote,
        }
    }
}

/// What a boundary says of its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BoundaryFields {
    pub kind: BlockType,
    pub parents: Vec<Parent>,
    /// Whether it begins a list of its own although it could go on in one.
    pub apart: bool,
}

impl BoundaryFields {
    pub(super) fn of(fields: &Fields) -> Self {
        let parents = match fields.get("parents") {
            Some(Any::Array(parents)) => {
                let read = |parent: &Any| match parent {
                    Any::String(name) if **name == *"item" => Some(Parent::Item),
                    Any::String(name) if **name == *"quote" => Some(Parent::Quote),
                    _ => None,
                };
                parents.iter().filter_map(read).take(MAX_PARENTS).collect()
            }
            _ => Vec::new(),
        };
        let kind = fields.block_type();
        let apart = kind == BlockType::List(ListKind::Ordered) && fields.says_start();
        Self { kind, parents, apart }
    }

    /// A paragraph that stands in what is open: before the first boundary, and behind a rule or a table.
    pub(super) fn plain_in(open: &[Frame]) -> Self {
        let parents = open.iter().map(|frame| Parent::from(*frame)).collect();
        Self { kind: BlockType::Leaf(LeafKind::Paragraph), parents, apart: false }
    }
}

/// Where a block stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// How many of the open containers it goes on in.
    pub kept: usize,
    /// Which it opens.
    pub opened: Vec<Frame>,
    /// Whether the first of those opened is one more item of the list that is open there.
    pub next: bool,
    /// What it is itself.
    pub leaf: LeafKind,
}

pub(super) fn place(open: &[Frame], said: &BoundaryFields) -> Placed {
    let mut kept = 0;
    let mut opened = Vec::new();
    for parent in &said.parents {
        let is_open = open.get(kept).is_some_and(|frame| Parent::from(*frame) == *parent);
        if opened.is_empty() && is_open {
            kept += 1;
        } else if *parent == Parent::Quote {
            opened.push(Frame::Quote);
        }
        // An item is begun by its own boundary. Nobody began this one: what it was part of is gone.
    }
    let paragraph = LeafKind::Paragraph;
    match said.kind {
        BlockType::Quote => {
            opened.push(Frame::Quote);
            Placed { kept, opened, next: false, leaf: paragraph }
        }
        BlockType::Leaf(leaf) => Placed { kept, opened, next: false, leaf },
        BlockType::List(list) => {
            let next = opened.is_empty() && !said.apart && open.get(kept) == Some(&Frame::Item(list));
            opened.push(Frame::Item(list));
            Placed { kept, opened, next, leaf: paragraph }
        }
    }
}
