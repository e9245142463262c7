//! Which value of a key gives way to which.
//!
//! Each value of a key is written behind the one that its author saw, so that together they are a tree. Yjs and yrs put them in a
//! row: those behind the same one by their clients, the smaller first, and each before all that is written behind it. The last one counts.
//! So a value that comes takes the place of the one that counts if it is written behind that one, or behind one that that one builds
//! upon, and there the way to the one that counts goes on with a smaller client. What else was set at the same moment does not
//! matter.

use std::collections::{BTreeMap, HashMap};

use smallvec::SmallVec;

use super::{
    Limits, Refusal, Update,
    structs::{self, Block, Id, Parent, Visitor},
};
use crate::protocol::{ClientId, wire::Reader};

/// Some values that count, and what they build upon, down to the first of their key.
#[derive(Clone, Debug, Default)]
pub struct Succession {
    /// Each value and all that it builds upon, by where they begin.
    behind: BTreeMap<(ClientId, u32), SmallVec<[Step; 1]>>,
    /// The first ones, by their keys in the roots of these names, and in these types.
    in_roots: HashMap<Box<str>, Keys>,
    in_types: HashMap<Id, Keys>,
    /// Ways that go on in what was not looked at.
    open: Vec<Way>,
}

type Keys = HashMap<Box<str>, SmallVec<[(ClientId, Id); 1]>>;

/// Values of one client, each written behind the one before, on the way to the one that counts.
#[derive(Clone, Copy, Debug)]
struct Step {
    end: u32,
    /// Whose value the way goes on with, unless it ends.
    next: Option<ClientId>,
    value: Id,
}

/// A way from a value that counts, as far back as it is known.
#[derive(Clone, Copy, Debug)]
struct Way {
    at: Id,
    next: Option<ClientId>,
    value: Id,
}

impl Succession {
    /// What is known from an update of these values in it. Those that are no values of keys are left out.
    pub(super) fn of(update: &Update, values: &[Id]) -> Result<Self, Refusal> {
        let open = values.iter().map(|&value| Way { at: value, next: None, value }).collect();
        let mut succession = Self { open, ..Self::default() };
        succession.go_on(update)?;
        Ok(succession)
    }

    /// Whether a struct is one of the values.
    pub fn has(&self, id: Id) -> bool {
        let steps = self.behind.get(&(id.client, id.clock));
        steps.is_some_and(|steps| steps.iter().any(|step| step.value == id))
    }

    /// Whether something that the values build upon was not among what was looked at.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Looks for that in another update.
    ///
    /// # Errors
    /// If the ways have more steps together than the update has structs: they go in a circle, or several values of
    /// one key were said to count.
    pub fn go_on(&mut self, update: &Update) -> Result<(), Refusal> {
        let mut written = Written::default();
        read(update, &mut written)?;
        let most = update.structs();
        let (mut steps, mut firsts) = (0, Vec::new());
        for mut way in std::mem::take(&mut self.open) {
            loop {
                if !holds(update, way.at) {
                    self.open.push(way);
                    break;
                }
                let Some((start, origin)) = written.origin(way.at) else {
                    firsts.push(way);
                    break;
                };
                steps += 1;
                if steps > most {
                    return Err(Refusal::TooMany { what: "values of a key", limit: most });
                }
                self.add(way, start);
                way = Way { at: origin, next: Some(way.at.client), ..way };
            }
        }
        firsts.sort_unstable_by_key(|way| way.at);
        read(update, &mut Firsts { ways: &firsts, succession: self })
    }

    /// Which of the values give way to what an update sets, in ascending order.
    pub(super) fn displaced_by(&self, update: &Update) -> Result<Vec<Id>, Refusal> {
        let mut displaced = Displaced { succession: self, found: Vec::new() };
        read(update, &mut displaced)?;
        let mut found = displaced.found;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn add(&mut self, way: Way, start: u32) {
        let step = Step { end: way.at.clock + 1, next: way.next, value: way.value };
        self.behind.entry((way.at.client, start)).or_default().push(step);
    }

    /// Which of the values give way to a struct.
    fn giving_way<'a>(&'a self, client: ClientId, block: &Block<'a>, found: &mut Vec<Id>) {
        let mut compare = |next: Option<ClientId>, value: Id| {
            if next.is_none_or(|next| client > next) {
                found.push(value);
            }
        };
        if let Some(last) = block.end.checked_sub(2).filter(|&last| last >= block.start) {
            // Of several values in one struct each is written behind the one before.
            let steps = self.behind.range((client, 0)..=(client, last)).rev();
            let steps = steps.take_while(|(_, steps)| steps.iter().any(|step| step.end > block.start));
            for step in steps.flat_map(|(_, steps)| steps).filter(|step| step.end - 1 <= last) {
                compare(step.next, step.value);
            }
        }
        if let Some(origin) = block.origin {
            let before = self.behind.range(..=(origin.client, origin.clock)).next_back();
            let Some((_, steps)) = before.filter(|((client, _), _)| *client == origin.client) else { return };
            for step in steps.iter().filter(|step| origin.clock < step.end) {
                let is_last = origin.clock + 1 == step.end;
                compare(if is_last { step.next } else { Some(origin.client) }, step.value);
            }
        } else {
            let keys = match block.parent {
                Parent::Root(name) => self.in_roots.get(name),
                Parent::Item(id) => self.in_types.get(&id),
                Parent::Inherited => None,
            };
            for &(first, value) in keys.and_then(|keys| keys.get(block.key)).into_iter().flatten() {
                compare(Some(first), value);
            }
        }
    }
}

fn holds(update: &Update, id: Id) -> bool {
    let section = update.summary.section(id.client).map(|at| update.summary.sections[at]);
    section.is_some_and(|section| (section.start..section.end).contains(&id.clock))
}

fn read<'a>(update: &'a Update, visitor: &mut impl Visitor<'a>) -> Result<(), Refusal> {
    structs::read_sections(&mut Reader::new(&update.bytes), &Limits::unlimited(), visitor)
}

/// What the values of keys are written behind, unless it is nothing.
#[derive(Default)]
struct Written(HashMap<ClientId, Vec<(u32, u32, Id)>>);

impl Written {
    /// Where the value begins that holds `id`, and what it is written behind.
    fn origin(&self, id: Id) -> Option<(u32, Id)> {
        let values = self.0.get(&id.client)?;
        let after = values.partition_point(|(start, ..)| *start <= id.clock);
        let &(start, end, origin) = values.get(after.checked_sub(1)?)?;
        (id.clock < end).then_some((start, origin))
    }
}

impl Visitor<'_> for Written {
    fn open(&mut self, _: ClientId, _: u32, _: usize, _: usize) -> Result<(), Refusal> {
        Ok(())
    }

    fn block(&mut self, client: ClientId, block: &Block<'_>) -> Result<(), Refusal> {
        if let (true, Some(origin)) = (block.is_keyed, block.origin) {
            self.0.entry(client).or_default().push((block.start, block.end, origin));
        }
        Ok(())
    }
}

/// Looks under which keys the first values stand.
struct Firsts<'s> {
    /// In ascending order.
    ways: &'s [Way],
    succession: &'s mut Succession,
}

impl Visitor<'_> for Firsts<'_> {
    fn open(&mut self, _: ClientId, _: u32, _: usize, _: usize) -> Result<(), Refusal> {
        Ok(())
    }

    fn block(&mut self, client: ClientId, block: &Block<'_>) -> Result<(), Refusal> {
        if !block.is_keyed || block.origin.is_some() {
            return Ok(());
        }
        let from = self.ways.partition_point(|way| way.at < Id { client, clock: block.start });
        let here = self.ways[from..].iter().take_while(|way| way.at < Id { client, clock: block.end });
        for way in here {
            let keys = match block.parent {
                Parent::Root(name) => self.succession.in_roots.entry(name.into()).or_default(),
                Parent::Item(id) => self.succession.in_types.entry(id).or_default(),
                Parent::Inherited => continue,
            };
            keys.entry(block.key.into()).or_default().push((client, way.value));
            self.succession.add(*way, block.start);
        }
        Ok(())
    }
}

/// Gathers what gives way.
struct Displaced<'s> {
    succession: &'s Succession,
    found: Vec<Id>,
}

impl Visitor<'_> for Displaced<'_> {
    fn open(&mut self, _: ClientId, _: u32, _: usize, _: usize) -> Result<(), Refusal> {
        Ok(())
    }

    fn block(&mut self, client: ClientId, block: &Block<'_>) -> Result<(), Refusal> {
        if block.is_keyed {
            self.succession.giving_way(client, block, &mut self.found);
        }
        Ok(())
    }
}
