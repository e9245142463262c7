//! Tells an update that is large from one that is dear.
//!
//! yrs takes most structs in a few steps, whatever else there is. It does not where it has to compare a struct with others that
//! claim the same place, or to cut one that is there, because all that its author wrote later is then moved. Neither
//! happens to what a client encodes that has taken turns with others: each struct was put between two that were neighbours, and
//! stands in as many pieces as later ones have cut it into. Whether that is so is seen by putting each in its place once more.
//! Order does not matter: if nothing stood between the neighbours of any struct, then whatever stands there in the end
//! was put there by somebody who knew it, and comes after it in every order.
//!
//! When a transaction ends, yrs joins what stands side by side and belongs together, and for each row of such moves all that
//! its author wrote later. Clients have joined it before they send it, so that nothing is left to be joined; but an update can be made
//! in which every second struct is.
//!
//! What is not told here for certain counts as dear, and is measured: the answer may be no where nothing would be dear.

use std::collections::HashSet;

use super::{
    Update,
    readiness::{Deletions, each_in_order},
    structs::{Block, Id, Kind, Parent},
};

/// No struct.
const NONE: u32 = u32::MAX;

/// How many structs are moved by joining, if nothing is compared and nothing cut.
pub(super) fn moves(update: &Update, is_new_root: &impl Fn(&str) -> bool) -> Option<u64> {
    let mut sequence = Sequence::new(update)?;
    let mut is_linear = true;
    each_in_order(update, &|_| 0, |section, block| {
        is_linear = sequence.put(section, block, is_new_root).is_some();
        is_linear
    });
    (is_linear && sequence.is_whole()).then(|| sequence.moves())
}

/// All structs that have been put in their places.
struct Sequence<'a> {
    update: &'a Update,
    deletions: Deletions<'a>,
    /// By section, one after the other.
    places: Vec<Place>,
    lines: Vec<Line>,
    /// Where the first struct of a list stands, or the first value of a key.
    begun: HashSet<(Parent<'a>, &'a str)>,
}

/// The structs of one section.
struct Line {
    /// Where they begin among the places.
    first: usize,
    /// How many of them there are in the update.
    structs: usize,
    /// How many have been put.
    put: usize,
    /// What the last one was put in front of.
    in_front_of: Option<Id>,
}

#[derive(Clone, Copy)]
struct Place {
    end: u32,
    /// What stands behind it in its list.
    next: u32,
    what: What,
    is_first: bool,
    is_keyed: bool,
    is_deleted: bool,
    /// It was written behind the one before it in its section, in front of the same one.
    continues: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Gc,
    Text,
    Value,
    Type,
    Other,
}

impl<'a> Sequence<'a> {
    fn new(update: &'a Update) -> Option<Self> {
        let summary = &update.summary;
        let is_of_its_own = summary.sections.iter().all(|section| section.start == 0)
            && summary.deletes.iter().all(|mark| {
                summary.section(mark.client).is_some_and(|at| mark.clock <= summary.sections[at].end)
            });
        if !is_of_its_own || u32::try_from(update.structs()).is_err() {
            return None;
        }
        let mut lines = Vec::with_capacity(summary.extents.len());
        let mut first = 0;
        for extent in &summary.extents {
            lines.push(Line { first, structs: extent.structs, put: 0, in_front_of: None });
            first += extent.structs;
        }
        let nothing = Place {
            end: 0,
            next: NONE,
            what: What::Other,
            is_first: false,
            is_keyed: false,
            is_deleted: false,
            continues: false,
        };
        let places = vec![nothing; first];
        Some(Self { update, deletions: Deletions::new(update), places, lines, begun: HashSet::new() })
    }

    fn is_whole(&self) -> bool {
        self.lines.iter().all(|line| line.put == line.structs)
    }

    /// Puts the next struct of a section in its place, if that is plain.
    fn put(&mut self, section: usize, block: &Block<'a>, is_new_root: &impl Fn(&str) -> bool) -> Option<()> {
        let client = self.update.summary.sections[section].client;
        let is_covered = self.deletions.all_or_nothing(client, block.start, block.end);
        let what = match block.kind {
            Kind::Gc => What::Gc,
            Kind::Text { .. } => What::Text,
            Kind::Value => What::Value,
            Kind::Type(_) => What::Type,
            Kind::Deleted | Kind::InText | Kind::Skip => What::Other,
        };
        let is_deleted = matches!(block.kind, Kind::Gc | Kind::Deleted) || is_covered?;
        // What is in it goes with it.
        if what == What::Type && is_deleted {
            return None;
        }
        let line = &self.lines[section];
        let at = line.first + line.put;
        let before = block.start.checked_sub(1).map(|clock| Id { client, clock });
        let continues = before.is_some() && block.origin == before && line.in_front_of == block.right_origin;
        let mut place = Place {
            end: block.end,
            next: NONE,
            what,
            is_first: false,
            is_keyed: block.is_keyed,
            is_deleted,
            continues,
        };
        if what != What::Gc {
            self.link(at as u32, &mut place, block, is_new_root)?;
        }
        self.places[at] = place;
        let line = &mut self.lines[section];
        line.put += 1;
        line.in_front_of = block.right_origin;
        Some(())
    }

    fn link(
        &mut self,
        at: u32,
        place: &mut Place,
        block: &Block<'a>,
        is_new_root: &impl Fn(&str) -> bool,
    ) -> Option<()> {
        let right = match block.right_origin {
            Some(id) => self.find(id).filter(|&right| self.start(right) == id.clock)? as u32,
            None => NONE,
        };
        place.next = right;
        if let Some(id) = block.origin {
            let left = self.find(id)?;
            let left = &mut self.places[left];
            let are_neighbours = left.end == id.clock + 1 && left.next == right;
            // The value before is deleted, and with a type what is in it.
            let is_beneath = left.is_keyed && left.what == What::Type;
            if !are_neighbours || left.is_keyed != place.is_keyed || is_beneath {
                return None;
            }
            left.next = at;
            left.is_deleted |= left.is_keyed;
            return Some(());
        }
        place.is_first = true;
        if right != NONE {
            let right = &mut self.places[right as usize];
            return (std::mem::take(&mut right.is_first) && !right.is_keyed && !place.is_keyed).then_some(());
        }
        let is_there = match block.parent {
            Parent::Inherited => false,
            Parent::Root(name) => is_new_root(name),
            Parent::Item(id) => self.places[self.find(id)?].what == What::Type,
        };
        (is_there && self.begun.insert((block.parent, block.key))).then_some(())
    }

    /// The struct in which this clock lies, if it has been put and is not garbage.
    fn find(&self, id: Id) -> Option<usize> {
        let line = &self.lines[self.update.summary.section(id.client)?];
        let places = &self.places[line.first..line.first + line.put];
        // Mostly the last one.
        let at = match places.len().checked_sub(2) {
            Some(before) if places[before].end <= id.clock => before + 1,
            _ => places.partition_point(|place| place.end <= id.clock),
        };
        let place = places.get(at).filter(|place| id.clock < place.end)?;
        (place.what != What::Gc).then_some(line.first + at)
    }

    /// The clock with which a struct begins.
    fn start(&self, at: usize) -> u32 {
        let is_first_of_line = self.lines.binary_search_by_key(&at, |line| line.first).is_ok();
        if is_first_of_line { 0 } else { self.places[at - 1].end }
    }

    fn moves(&self) -> u64 {
        self.lines.iter().map(|line| self.joins(line) * line.structs as u64).sum()
    }

    /// How many structs of a section are joined with the one before.
    fn joins(&self, line: &Line) -> u64 {
        let is_joined = |at: usize| {
            let (left, right) = (&self.places[at - 1], &self.places[at]);
            if left.what == What::Gc || right.what == What::Gc {
                return left.what == right.what;
            }
            let are_alike = left.is_deleted == right.is_deleted
                && (left.is_deleted
                    || left.what == right.what && matches!(left.what, What::Text | What::Value));
            right.continues && left.next == at as u32 && are_alike
        };
        (line.first + 1..line.first + line.structs).filter(|&at| is_joined(at)).count() as u64
    }
}
