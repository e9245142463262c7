//! Tells an update that is large from one that is dear.
//!
//! yrs takes most structs in a few steps, whatever else there is. It does not where it has to compare a struct with all others
//! that claim the same place, or to cut one that is there, because all that its author wrote later is then moved. Neither
//! happens to what a client encodes of a whole document in which people took turns: each struct was put between two that were
//! neighbours, and stands in as many pieces as later ones have cut it into. Where two wrote at one spot at the same moment
//! a few are compared, and a few are cut, because one was joined with what came after the spot that the other knew. How many, is
//! found out by putting each struct in its place once more, in the order and by the rules of yrs.
//!
//! When a transaction ends, yrs joins what stands side by side and belongs together, and for each row of such moves all that
//! its author wrote later. Clients have joined it before they send it, so that little is left to be joined; but an update can be made
//! in which every second struct is.
//!
//! What is not told here for certain counts as dear, and is measured: the answer may be no where nothing would be dear.

use std::collections::{BTreeMap, HashMap};

use super::{
    Update,
    readiness::Deletions,
    structs::{self, Block, Id, Kind, Parent},
};
use crate::protocol::wire::Reader;

/// No struct.
const NONE: u32 = u32::MAX;

/// What yrs does besides taking one struct after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Structs that others are compared with.
    pub compared: u64,
    /// Structs that are moved by cutting others, and by joining.
    pub moved: u64,
}

/// The steps, if no more than `most` are compared.
pub(super) fn steps(update: &Update, most: u64, is_new_root: &impl Fn(&str) -> bool) -> Option<Steps> {
    let mut sequence = Sequence::new(update, most)?;
    sequence.put_all(is_new_root)?;
    Some(Steps { compared: sequence.compared, moved: sequence.moved + sequence.moves() })
}

/// All structs that have been put in their places.
struct Sequence<'a> {
    update: &'a Update,
    deletions: Deletions<'a>,
    /// By section, one after the other; behind all of them, what was cut off.
    places: Vec<Place>,
    /// Where each ended before it was cut.
    ends: Vec<u32>,
    /// Of those that were cut: where their parts begin, and which they are.
    cuts: HashMap<u32, BTreeMap<u32, u32>>,
    moved: u64,
    lines: Vec<Line<'a>>,
    /// Where each list begins, and where each chain of the values of a key, and how long it is.
    starts: Vec<u32>,
    lengths: Vec<u32>,
    begun: HashMap<(Parent<'a>, &'a str), u32>,
    compared: u64,
    most: u64,
}

/// The structs of one section.
struct Line<'a> {
    reader: Reader<'a>,
    /// Structs that are still to be read.
    unread: usize,
    /// Where they begin among the places.
    first: usize,
    /// How many there are.
    structs: usize,
    /// How many have been put.
    put: usize,
    /// Up to which clock.
    reached: u32,
}

#[derive(Clone, Copy)]
struct Place {
    section: u32,
    start: u32,
    end: u32,
    /// What it was written behind and in front of.
    origin: Spot,
    right_origin: Spot,
    /// Of which list it is.
    list: u32,
    /// What stands behind it there.
    next: u32,
    what: What,
    is_keyed: bool,
    is_deleted: bool,
}

/// A clock in a section; of [`NONE`], none.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Spot {
    section: u32,
    clock: u32,
}

const NOWHERE: Spot = Spot { section: NONE, clock: 0 };

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Gc,
    Text,
    Value,
    Type,
    Other,
}

impl<'a> Sequence<'a> {
    fn new(update: &'a Update, most: u64) -> Option<Self> {
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
            let reader = Reader::starting_at(&update.bytes, extent.at);
            lines.push(Line {
                reader,
                unread: extent.structs,
                first,
                structs: extent.structs,
                put: 0,
                reached: 0,
            });
            first += extent.structs;
        }
        let nothing = Place {
            section: NONE,
            start: 0,
            end: 0,
            origin: NOWHERE,
            right_origin: NOWHERE,
            list: NONE,
            next: NONE,
            what: What::Other,
            is_keyed: false,
            is_deleted: false,
        };
        Some(Self {
            update,
            deletions: Deletions::new(update),
            places: vec![nothing; first],
            ends: vec![0; first],
            cuts: HashMap::new(),
            moved: 0,
            lines,
            starts: Vec::new(),
            lengths: Vec::new(),
            begun: HashMap::new(),
            compared: 0,
            most,
        })
    }

    /// Puts all in their places, in the order of yrs, because what is compared depends on it: the greatest client first, and
    /// of others what its structs build upon, one by one.
    fn put_all(&mut self, is_new_root: &impl Fn(&str) -> bool) -> Option<()> {
        let mut waiting: Vec<(usize, Block<'a>)> = Vec::new();
        let mut waits = vec![false; self.lines.len()];
        for latest in 0..self.lines.len() {
            while let Some((section, block)) = waiting.pop().or_else(|| Some((latest, self.read(latest)?))) {
                waits[section] = false;
                let mut needs = block.references().map(|id| (id, self.update.summary.section(id.client)));
                let missing = needs.find(|(id, other)| {
                    other.is_none_or(|other| id.clock >= self.lines[other].reached && other != section)
                });
                let Some((_, other)) = missing else {
                    self.put(section, &block, is_new_root)?;
                    continue;
                };
                let other = other?;
                // It looks through those who wait already.
                self.compare(waiting.len() as u64)?;
                waiting.push((section, block));
                waits[section] = true;
                if waits[other] {
                    return None;
                }
                waiting.push((other, self.read(other)?));
            }
        }
        Some(())
    }

    /// The next struct of a section.
    fn read(&mut self, section: usize) -> Option<Block<'a>> {
        let client = self.update.summary.sections[section].client;
        let line = &mut self.lines[section];
        line.unread = line.unread.checked_sub(1)?;
        structs::read_block_again(&mut line.reader, client, line.reached).ok()
    }

    fn compare(&mut self, others: u64) -> Option<()> {
        self.compared += others;
        (self.compared <= self.most).then_some(())
    }

    /// Puts the next struct of a section in its place, unless it would have to be cut itself.
    fn put(&mut self, section: usize, block: &Block<'a>, is_new_root: &impl Fn(&str) -> bool) -> Option<()> {
        let client = self.update.summary.sections[section].client;
        let is_covered = self.deletions.all_or_nothing(client, block.start, block.end);
        let what = match block.kind {
            Kind::Gc => What::Gc,
            Kind::Text { .. } => What::Text,
            Kind::Value => What::Value,
            Kind::Type(_) => What::Type,
            Kind::Deleted | Kind::InText => What::Other,
            Kind::Skip => return None,
        };
        let is_deleted = matches!(block.kind, Kind::Gc | Kind::Deleted) || is_covered?;
        let line = &self.lines[section];
        let at = line.first + line.put;
        let mut place = Place {
            section: section as u32,
            start: block.start,
            end: block.end,
            origin: self.spot(block.origin)?,
            right_origin: self.spot(block.right_origin)?,
            list: NONE,
            next: NONE,
            what,
            is_keyed: block.is_keyed,
            is_deleted: false,
        };
        if is_deleted {
            delete(&mut place)?;
        }
        if what != What::Gc {
            self.link(at as u32, &mut place, block, is_new_root)?;
        }
        self.places[at] = place;
        self.ends[at] = block.end;
        let line = &mut self.lines[section];
        line.put += 1;
        line.reached = block.end;
        Some(())
    }

    fn spot(&self, id: Option<Id>) -> Option<Spot> {
        let Some(id) = id else { return Some(NOWHERE) };
        Some(Spot { section: self.update.summary.section(id.client)? as u32, clock: id.clock })
    }

    fn link(
        &mut self,
        at: u32,
        place: &mut Place,
        block: &Block<'a>,
        is_new_root: &impl Fn(&str) -> bool,
    ) -> Option<()> {
        let left = match place.origin {
            NOWHERE => NONE,
            spot => {
                let left = self.find(spot)?;
                self.cut(left, spot.clock + 1);
                left
            }
        };
        let right = match place.right_origin {
            NOWHERE => NONE,
            spot => {
                let right = self.find(spot)?;
                self.cut(right, spot.clock)
            }
        };
        place.list = self.list(left, right, place.is_keyed, block, is_new_root)?;
        let mut left = left;
        if place.is_keyed && left == NONE {
            // The first value is found by going back from the last, once to compare and once to be put.
            self.compare(2 * u64::from(self.lengths[place.list as usize]))?;
        }
        self.lengths[place.list as usize] += 1;
        // Where it has no neighbours yrs always looks.
        if self.behind(left, place.list) != right || left == NONE && right == NONE {
            left = self.resolve(place, left, right)?;
        }
        place.next = self.behind(left, place.list);
        match left {
            NONE => self.starts[place.list as usize] = at,
            left => self.places[left as usize].next = at,
        }
        // Of the values of a key only the last is not deleted.
        match (place.is_keyed, place.next, left) {
            (true, NONE, NONE) | (false, ..) => Some(()),
            (true, NONE, left) => delete(&mut self.places[left as usize]),
            (true, ..) => delete(place),
        }
    }

    /// Which list a struct between these two is put into.
    fn list(
        &mut self,
        left: u32,
        right: u32,
        is_keyed: bool,
        block: &Block<'a>,
        is_new_root: &impl Fn(&str) -> bool,
    ) -> Option<u32> {
        let mut neighbours =
            [left, right].into_iter().filter(|&at| at != NONE).map(|at| &self.places[at as usize]);
        if let Some(first) = neighbours.next() {
            let list = first.list;
            let are_alike = |neighbour: &Place| neighbour.list == list && neighbour.is_keyed == is_keyed;
            return (are_alike(first) && neighbours.all(are_alike)).then_some(list);
        }
        let is_there = match block.parent {
            Parent::Inherited => false,
            Parent::Root(name) => is_new_root(name),
            Parent::Item(id) => self.places[self.find(self.spot(Some(id))?)? as usize].what == What::Type,
        };
        let new = self.starts.len() as u32;
        let list = is_there.then(|| *self.begun.entry((block.parent, block.key)).or_insert(new))?;
        if list == new {
            self.starts.push(NONE);
            self.lengths.push(0);
        }
        Some(list)
    }

    /// What stands behind a struct, or first in its list.
    fn behind(&self, left: u32, list: u32) -> u32 {
        match left {
            NONE => self.starts[list as usize],
            left => self.places[left as usize].next,
        }
    }

    /// Behind which struct one belongs that claims a place where others are, as yrs finds it (`Item::resolve_conflict`).
    fn resolve(&mut self, place: &Place, mut left: u32, right: u32) -> Option<u32> {
        // Those it was compared with, and in which round; with each struct that comes before it begins another.
        let (mut seen, mut round) = (HashMap::new(), 0);
        let mut at = self.behind(left, place.list);
        while at != NONE && at != right {
            self.compare(1)?;
            seen.insert(at, round);
            let other = &self.places[at as usize];
            let comes_before = if other.origin == place.origin {
                // Of the smaller client.
                if other.section <= place.section && other.right_origin == place.right_origin {
                    break;
                }
                other.section > place.section
            } else {
                let origin = if other.origin == NOWHERE { None } else { self.find(other.origin) };
                match origin.and_then(|origin| seen.get(&origin)) {
                    Some(&then) => then != round,
                    None => break,
                }
            };
            if comes_before {
                left = at;
                round += 1;
            }
            at = other.next;
        }
        Some(left)
    }

    /// The struct in which this clock lies, if it has been put and is not garbage.
    fn find(&self, spot: Spot) -> Option<u32> {
        let at = self.find_whole(spot)? as u32;
        let parts = self.cuts.get(&at);
        let part =
            parts.and_then(|parts| parts.range(..=spot.clock).next_back()).map_or(at, |(_, &part)| part);
        (self.places[part as usize].what != What::Gc).then_some(part)
    }

    /// The same as if nothing were cut.
    fn find_whole(&self, spot: Spot) -> Option<usize> {
        let line = &self.lines[spot.section as usize];
        let ends = &self.ends[line.first..line.first + line.put];
        // Mostly the last one.
        let at = match ends.len().checked_sub(2) {
            Some(before) if ends[before] <= spot.clock => before + 1,
            _ => ends.partition_point(|&end| end <= spot.clock),
        };
        ends.get(at).filter(|&&end| spot.clock < end).map(|_| line.first + at)
    }

    /// Cuts a struct before a clock, if it begins before and goes on behind it; returns what begins there, if anything does.
    fn cut(&mut self, at: u32, clock: u32) -> u32 {
        let place = self.places[at as usize];
        if clock <= place.start || place.end <= clock {
            return at;
        }
        let origin = Spot { section: place.section, clock: clock - 1 };
        let rest = self.places.len() as u32;
        self.places.push(Place { start: clock, origin, ..place });
        let place = &mut self.places[at as usize];
        (place.end, place.next) = (clock, rest);
        if let Some(whole) = self.find_whole(origin) {
            self.cuts.entry(whole as u32).or_default().insert(clock, rest);
            let line = &self.lines[self.places[at as usize].section as usize];
            // Those behind it that are there, and all if it is joined again.
            self.moved += (2 * line.structs + line.first - whole) as u64;
        }
        rest
    }

    fn moves(&self) -> u64 {
        self.lines.iter().map(|line| self.joins(line) * line.put as u64).sum()
    }

    /// How many structs of a section are joined with the one before.
    fn joins(&self, line: &Line<'_>) -> u64 {
        let is_joined = |at: usize| {
            let parts = self.cuts.get(&(at as u32 - 1));
            let last =
                parts.and_then(|parts| parts.last_key_value()).map_or(at - 1, |(_, &last)| last as usize);
            let (left, right) = (&self.places[last], &self.places[at]);
            if left.what == What::Gc || right.what == What::Gc {
                return left.what == right.what;
            }
            let are_alike = left.is_deleted == right.is_deleted
                && (left.is_deleted
                    || left.what == right.what && matches!(left.what, What::Text | What::Value));
            let goes_on = right.origin == Spot { section: left.section, clock: left.end - 1 }
                && left.right_origin == right.right_origin;
            goes_on && left.next == at as u32 && are_alike
        };
        (line.first + 1..line.first + line.put).filter(|&at| is_joined(at)).count() as u64
    }
}

/// A type would take with it what is in it.
fn delete(place: &mut Place) -> Option<()> {
    place.is_deleted = true;
    (place.what != What::Type).then_some(())
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use yrs::{
        Doc, GetString, Map, OffsetKind, Options, ReadTxn, StateVector, Text, Transact, block::ClientID,
        updates::decoder::Decode,
    };

    use super::*;
    use crate::protocol::guard::Limits;

    /// The letter of this clock of a client.
    fn letter(client: u64, clock: u32) -> char {
        char::from_u32(0xe000 + 1000 * client as u32 + clock).unwrap()
    }

    /// What some people make of a text and a map, who hear of each other only now and then: the text and the state.
    fn at_once(random: &mut ChaCha8Rng, people: u64) -> (String, Update) {
        let person = |client| {
            let client_id = ClientID::new(client);
            Doc::with_options(Options { client_id, offset_kind: OffsetKind::Utf16, ..Options::default() })
        };
        let docs: Vec<Doc> = (0..people).map(person).collect();
        let hears = |doc: &Doc, of: &Doc| {
            let vector = doc.transact().state_vector();
            let news = of.transact().encode_diff_v1(&vector);
            doc.transact_mut().apply_update(yrs::Update::decode_v1(&news).unwrap()).unwrap();
        };
        for _ in 0..random.random_range(1..120) {
            let (client, doc) = docs.iter().enumerate().nth(random.random_range(0..docs.len())).unwrap();
            let (text, map) = (doc.get_or_insert_text("t"), doc.get_or_insert_map("m"));
            let mut txn = doc.transact_mut();
            let length = text.len(&txn);
            // Mostly where others are.
            let at = random.random_range(0..=length.min(3));
            match random.random_range(0..8) {
                0 if at < length => text.remove_range(&mut txn, at, 1),
                1 => _ = map.insert(&mut txn, ["x", "y"][random.random_range(0..2)], 1),
                _ => {
                    let clock = txn.state_vector().get(&ClientID::new(client as u64));
                    let some =
                        (clock..clock + random.random_range(1..4)).map(|clock| letter(client as u64, clock));
                    text.insert(&mut txn, at, &some.collect::<String>());
                }
            }
            drop(txn);
            if random.random_bool(0.2) {
                hears(doc, &docs[random.random_range(0..docs.len())]);
            }
        }
        for other in &docs[1..] {
            hears(&docs[0], other);
        }
        let text = docs[0].get_or_insert_text("t").get_string(&docs[0].transact());
        let state = docs[0].transact().encode_state_as_update_v1(&StateVector::default());
        (text, Update::check(state.into(), &Limits::default()).unwrap())
    }

    #[test]
    fn what_people_wrote_at_once_is_put_where_yrs_puts_it() {
        let seed = rand::rng().random();
        eprintln!("seed {seed}");
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let (mut compared, mut cuts) = (0, 0);
        for _ in 0..2000 {
            let people = random.random_range(1..5);
            let (text, update) = at_once(random, people);
            let mut sequence = Sequence::new(&update, u64::MAX).unwrap();
            sequence.put_all(&|_| true).expect("a state is plain");
            let mut put = String::new();
            let mut at = sequence
                .begun
                .get(&(Parent::Root("t"), ""))
                .map_or(NONE, |&list| sequence.starts[list as usize]);
            while at != NONE {
                let place = sequence.places[at as usize];
                let client = update.summary.sections[place.section as usize].client.get();
                if !place.is_deleted {
                    put.extend((place.start..place.end).map(|clock| letter(client, clock)));
                }
                at = place.next;
            }
            assert_eq!(put, text);
            compared += sequence.compared;
            cuts += sequence.cuts.len();
        }
        assert!(compared > 0 && cuts > 0, "nobody wrote where another did");
    }

    #[test]
    fn no_more_is_compared_than_may_be() {
        let (_, update) = at_once(&mut ChaCha8Rng::seed_from_u64(7), 4);
        let all = steps(&update, u64::MAX, &|_| true).unwrap().compared;
        assert!(all > 1 && steps(&update, all, &|_| true).is_some());
        assert_eq!(steps(&update, all - 1, &|_| true), None);
    }
}
