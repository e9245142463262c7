//! What is written into the tree of earlier versions after it was taken over, by pages that are still open or come back
//! with what they wrote offline: found by comparing the tree with what it was, and put into the text at the same words.
//!
//! The text has gone its own way meanwhile. What was inserted in the tree comes right behind the word it was inserted
//! behind, or behind what is left before that; what was deleted in the tree is deleted where it still stands. Nothing that
//! was inserted on either side is left out.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    ops::Range,
};

use yrs::{
    Any, GetString as _, In, MapPrelim, Out, ReadTxn, Snapshot, Text as _, TextRef, TransactionMut,
    types::{
        Attrs, Delta,
        text::{Diff, YChange},
    },
};

use super::{
    model::{EmbedKind, Fields, MarkKind, Marks, ObjectKind},
    room::{Room, TooLarge},
    writing::{Op, Put, attribute},
};

/// Comparisons of one place with another that a difference may take; where it would be more, what lies between what is the
/// same at both ends is taken as replaced.
const LOOKS: usize = 1 << 22;

/// One place of a sequence: a character, or an object.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    /// What it shows.
    pub seen: u64,
    /// That and how: formatting, or the fields of a boundary.
    exact: u64,
    pub begins_block: bool,
    pub is_table: bool,
    /// In the units of Yjs.
    pub length: u32,
    pub op: usize,
    /// The character, if it is one.
    pub sign: Option<char>,
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A sequence place by place.
pub(super) fn units(ops: &[Op]) -> Vec<Unit> {
    let mut units = Vec::new();
    for (op, what) in ops.iter().enumerate() {
        match what {
            Op::Text(words, marks) => {
                let formatted = hash(format!("{marks:?}"));
                units.extend(words.chars().map(|sign| Unit {
                    seen: hash(sign),
                    exact: hash((sign, formatted)),
                    begins_block: false,
                    is_table: false,
                    length: sign.len_utf16() as u32,
                    op,
                    sign: Some(sign),
                }));
            }
            what => {
                let begins_block = what.is_boundary();
                let kind = what.text_field("type");
                let shown =
                    if begins_block { hash("boundary") } else { hash((&kind, what.text_field("src"))) };
                units.push(Unit {
                    seen: shown,
                    exact: hash(super::writing::Written(vec![(String::new(), vec![what.clone()])]).key()),
                    begins_block,
                    is_table: kind == "table",
                    length: 1,
                    op,
                    sign: None,
                });
            }
        }
    }
    units
}

/// Puts into `text` what `theirs` has and `base` had not, and takes away what `base` had and `theirs` has not. Whether
/// anything was changed; nothing is if it is more than anybody would compare.
pub(super) fn carry(text: &TextRef, txn: &mut TransactionMut<'_>, base: &[Op], theirs: &[Op]) -> bool {
    let (base, new) = (units(base), units(theirs));
    let hunks = differences(&places(&base, |unit| unit.exact), &places(&new, |unit| unit.exact));
    if hunks.is_empty() {
        return false;
    }
    let Some(ours) = ops_in_place(text, txn) else { return false };
    let own = units(&ours);
    // Where each place of what the tree was is in the text now.
    let mut place: Vec<Option<usize>> = vec![None; base.len()];
    let (mut was, mut is) = (0, 0);
    let end = (base.len()..base.len(), own.len()..own.len());
    for (gone, come) in alignment(&base, &own).into_iter().chain([end]) {
        while was < gone.start {
            place[was] = Some(is);
            (was, is) = (was + 1, is + 1);
        }
        (was, is) = (gone.end, come.end);
    }
    // The last place there is before each, and where the next block begins: looked for from each, both would be a walk.
    let mut before_each = Vec::with_capacity(place.len() + 1);
    before_each.push(None);
    place.iter().for_each(|place| before_each.push(place.or(before_each[before_each.len() - 1])));
    let mut next_block = vec![own.len(); own.len() + 1];
    for at in (0..own.len()).rev() {
        next_block[at] = if own[at].begins_block { at } else { next_block[at + 1] };
    }
    let mut deleted = vec![false; own.len()];
    let mut inserted: HashMap<usize, Vec<Range<usize>>> = HashMap::new();
    for (gone, come) in hunks {
        for at in gone.clone() {
            if let Some(at) = place[at].filter(|at| !own[*at].is_table) {
                deleted[at] = true;
            }
        }
        if !come.is_empty() {
            // In place of what is taken away, or right behind what it was written behind.
            let before = before_each[gone.start];
            let behind = place[gone.clone()].iter().find_map(|place| *place);
            let behind = behind.unwrap_or(before.map_or(0, |at| at + 1));
            // Whole blocks come behind the block, with whatever has been written at its end meanwhile.
            let ends_block = base.get(gone.end).is_none_or(|unit| unit.begins_block);
            let first = come.clone().find(|at| ends_block && new[*at].begins_block).unwrap_or(come.end);
            let end = next_block[behind];
            for (at, range) in [(behind, come.start..first), (end, first..come.end)] {
                if !range.is_empty() {
                    let next = (at..own.len()).find(|at| !deleted[*at]).map(|at| &own[at]);
                    let before = (0..at).rev().find(|at| !deleted[*at]).map(|at| &own[at]);
                    let here = inserted.entry(at).or_default();
                    let before = here.last().map_or(before, |before| new.get(before.end - 1));
                    let range = apart(&new, range, before, next);
                    here.push(range);
                }
            }
        }
    }
    keep_apart(&own, &place, &inserted, &mut deleted);
    let mut delta: Vec<Delta<In>> = Vec::new();
    let places = own.iter().zip(deleted).map(Some).chain([None]);
    for (at, place) in places.enumerate() {
        for range in inserted.remove(&at).unwrap_or_default() {
            insert(theirs, &new[range], &mut delta);
        }
        let Some((unit, deleted)) = place else { break };
        match (deleted, delta.last_mut()) {
            (true, Some(Delta::Deleted(length))) => *length += unit.length,
            (true, _) => delta.push(Delta::Deleted(unit.length)),
            (false, Some(Delta::Retain(length, None))) => *length += unit.length,
            (false, _) => delta.push(Delta::Retain(unit.length, None)),
        }
    }
    // What stays at the end need not be walked over.
    if matches!(delta.last(), Some(Delta::Retain(..))) {
        delta.pop();
    }
    let changes = !delta.is_empty();
    text.apply_delta(txn, delta);
    changes
}

/// A blank stays where it stands between words that were not there both when the other was taken away with what was.
fn keep_apart(
    own: &[Unit],
    place: &[Option<usize>],
    inserted: &HashMap<usize, Vec<Range<usize>>>,
    deleted: &mut [bool],
) {
    let mut was_there = vec![false; own.len()];
    place.iter().flatten().for_each(|at| was_there[*at] = true);
    let is_letter =
        |at: usize| own.get(at).and_then(|unit| unit.sign).is_some_and(|sign| !sign.is_whitespace());
    let mut at = 0;
    while at < own.len() {
        let end = (at..own.len()).find(|at| !deleted[*at]).unwrap_or(own.len());
        if let Some(before) = at.checked_sub(1).filter(|_| end > at)
            && is_letter(before)
            && is_letter(end)
            && !(was_there[before] && was_there[end])
            && !(at..=end).any(|at| inserted.contains_key(&at))
            && let Some(blank) = (at..end).find(|at| own[*at].sign.is_some_and(char::is_whitespace))
        {
            deleted[blank] = false;
        }
        at = end + 1;
    }
}

/// With the blank before it and behind it, if it would come between the letters of words that it stood apart from.
fn apart(all: &[Unit], range: Range<usize>, before: Option<&Unit>, next: Option<&Unit>) -> Range<usize> {
    let is = |unit: Option<&Unit>, is_blank: bool| {
        unit.and_then(|unit| unit.sign).is_some_and(|sign| sign.is_whitespace() == is_blank)
    };
    let at = |at: Option<usize>| at.and_then(|at| all.get(at));
    let (first, last) = (range.start.checked_sub(1), range.end.checked_sub(1));
    let glued_before = is(before, false) && is(at(Some(range.start)), false) && is(at(first), true);
    let glued_behind = is(next, false) && is(at(last), false) && is(at(Some(range.end)), true);
    range.start - usize::from(glued_before)..range.end + usize::from(glued_behind)
}

fn places(units: &[Unit], value: fn(&Unit) -> u64) -> Vec<Place> {
    let place = |unit: &Unit| Place {
        value: value(unit),
        begins_block: unit.begins_block,
        is_blank: unit.sign.is_none_or(char::is_whitespace),
    };
    units.iter().map(place).collect()
}

/// Where two sequences do not show the same.
pub(super) fn alignment(one: &[Unit], other: &[Unit]) -> Vec<Hunk> {
    differences(&places(one, |unit| unit.seen), &places(other, |unit| unit.seen))
}

fn insert(ops: &[Op], units: &[Unit], delta: &mut Vec<Delta<In>>) {
    for run in units.chunk_by(|one, next| one.op == next.op) {
        let op = &ops[run[0].op];
        let attributes = attributes_of(op.marks());
        let value = match op {
            Op::Text(..) => In::Any(Any::from(run.iter().filter_map(|unit| unit.sign).collect::<String>())),
            Op::Object(fields, _) => In::Any(Any::Map(std::sync::Arc::new(fields.iter().cloned().collect()))),
            Op::Map(fields, _) => {
                let put = |put: &Put| match put {
                    Put::Value(value) => In::Any(value.clone()),
                    Put::Map(entries) => {
                        let entries = entries.iter().map(|(id, value)| (id.clone(), In::Any(value.clone())));
                        In::Map(entries.collect::<MapPrelim>())
                    }
                };
                In::Map(
                    fields.iter().map(|(field, value)| (field.clone(), put(value))).collect::<MapPrelim>(),
                )
            }
        };
        delta.push(Delta::Inserted(value, attributes));
    }
}

fn attributes_of(marks: &Marks) -> Option<Box<Attrs>> {
    let attributes: Attrs = MarkKind::ALL
        .into_iter()
        .filter_map(|kind| Some((kind.name().into(), attribute(marks, kind)?)))
        .collect();
    (!attributes.is_empty()).then(|| Box::new(attributes))
}

/// What a sequence holds now, as far as it takes to compare it.
pub(super) fn ops_of(text: &TextRef, txn: &impl ReadTxn, room: &Room) -> Result<Vec<Op>, TooLarge> {
    let op = |piece: Diff<YChange>| {
        let marks = Marks::of(piece.attributes.as_deref(), room)?;
        let unknown = || Op::Object(Vec::new(), Marks::default());
        Ok(op_of(piece.insert, marks, txn).unwrap_or_else(unknown))
    };
    text.diff(txn, YChange::identity).into_iter().map(op).collect()
}

/// The same where places are counted: an embedded string looks like text there and is one place, however long it is. `None`
/// if it is no text, so that nothing can be said about where something stands.
fn ops_in_place(text: &TextRef, txn: &mut TransactionMut<'_>) -> Option<Vec<Op>> {
    let room = Room::of(0);
    let length = text.len(txn);
    let adds_up = |ops: &[Op]| ops.iter().map(Op::length).sum::<u32>() == length;
    let ops = ops_of(text, txn, &room).ok()?;
    let words =
        ops.iter().filter_map(|op| if let Op::Text(words, _) = op { Some(words.as_str()) } else { None });
    if adds_up(&ops) && words.collect::<String>() == text.get_string(txn) {
        return Some(ops);
    }
    // Only this way of reading says of each piece whether it is characters: it tells who added them.
    let now = txn.snapshot();
    let pieces = text.diff_range(txn, Some(&now), Some(&Snapshot::default()), YChange::identity);
    let op = |piece: Diff<YChange>| {
        let marks = Marks::of(piece.attributes.as_deref(), &room)?;
        Ok(told_op_of(piece, marks, txn).unwrap_or_else(|| Op::Object(Vec::new(), Marks::default())))
    };
    let ops = pieces.into_iter().map(op).collect::<Result<Vec<_>, TooLarge>>().ok()?;
    adds_up(&ops).then_some(ops)
}

/// The same as [`op_of`] for a piece of which it was asked who added it: what is embedded does not say so.
pub(super) fn told_op_of(piece: Diff<YChange>, marks: Marks, txn: &impl ReadTxn) -> Option<Op> {
    let is_embedded = piece.ychange.is_none();
    if is_embedded && matches!(piece.insert, Out::Any(Any::String(_))) {
        return None;
    }
    op_of(piece.insert, marks, txn)
}

/// A piece of a sequence as it would be written once more; `None` if it is somebody else's and no map.
pub(super) fn op_of(insert: Out, marks: Marks, txn: &impl ReadTxn) -> Option<Op> {
    let (fields, is_map) = match insert {
        Out::Any(Any::String(words)) => return Some(Op::Text(words.to_string(), marks)),
        Out::YMap(map) => (Fields::of_map(&map, txn), true),
        Out::Any(value @ Any::Map(_)) => (Fields::of(&value), false),
        _ => return None,
    };
    let mut told: Vec<(String, Any)> = fields.0.into_iter().collect();
    // What it is comes first.
    told.sort_by(|(one, _), (other, _)| (one != "type", one).cmp(&(other != "type", other)));
    let kind = match told.first() {
        Some((field, Any::String(kind))) if field == "type" => Some(kind.to_string()),
        _ => None,
    };
    let put = |(field, value): (String, Any)| match value {
        Any::Map(entries) if ["rows", "columns", "spans"].contains(&field.as_str()) => {
            let mut entries: Vec<_> = entries.iter().map(|(id, entry)| (id.clone(), entry.clone())).collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            (field, Put::Map(entries))
        }
        value => (field, Put::Value(value)),
    };
    Some(match EmbedKind::of(kind.as_deref(), is_map) {
        // How a boundary is formatted means nothing.
        EmbedKind::Boundary => Op::Map(told.into_iter().map(put).collect(), Marks::default()),
        EmbedKind::Object(ObjectKind::Image) if is_map => Op::Map(told.into_iter().map(put).collect(), marks),
        EmbedKind::Object(_) | EmbedKind::Unknown => Op::Object(told, marks),
    })
}

/// Two stretches that are not the same, of one sequence and of the other.
pub(super) type Hunk = (Range<usize>, Range<usize>);

/// What stands at one place, as far as it takes to compare it.
#[derive(Clone, Copy)]
struct Place {
    value: u64,
    begins_block: bool,
    is_blank: bool,
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Place {
    /// How much it says that it is the same here and there: blanks are everywhere, words are not.
    fn weight(&self) -> u32 {
        match (self.begins_block, self.is_blank) {
            (true, _) => 3,
            (_, true) => 1,
            _ => 8,
        }
    }
}

/// What has to be replaced in one to make the other of it, in order. Words are compared as wholes, whatever letters they
/// have in common by chance; only where letters were put into one word, or taken out of it, are they told apart.
fn differences(one: &[Place], other: &[Place]) -> Vec<Hunk> {
    let (one_words, other_words) = (Words::of(one), Words::of(other));
    let (first, second) = (one_words.all.as_slice(), other_words.all.as_slice());
    let mut hunks = Vec::new();
    between(first, second, (0, 0), true, &mut hunks);
    for at in 0..hunks.len() {
        let (gone, come) = hunks[at].clone();
        let before = at.checked_sub(1).map_or((0, 0), |at| (hunks[at].0.end, hunks[at].1.end));
        let after =
            hunks.get(at + 1).map_or((first.len(), second.len()), |next| (next.0.start, next.1.start));
        if gone.is_empty() && !come.is_empty() {
            let by = slide(second, &come, (come.start - before.1, after.1 - come.end));
            hunks[at] = moved(&gone, &come, by);
        } else if come.is_empty() && !gone.is_empty() {
            let by = slide(first, &gone, (gone.start - before.0, after.0 - gone.end));
            hunks[at] = moved(&gone, &come, by);
        }
    }
    let places = |(gone, come): Hunk| {
        let is_word = gone.len() == 1 && come.len() == 1;
        let (gone, come) = (one_words.places(gone), other_words.places(come));
        if is_word { within_a_word(one, other, gone, come) } else { (gone, come) }
    };
    hunks.into_iter().map(places).collect()
}

/// Letters that were put into a word, or taken out of it; else one word takes the place of another.
fn within_a_word(one: &[Place], other: &[Place], gone: Range<usize>, come: Range<usize>) -> Hunk {
    let (was, is) = (&one[gone.clone()], &other[come.clone()]);
    let shorter = was.len().min(is.len());
    let start = was.iter().zip(is).take_while(|(one, other)| one == other).count();
    let end = was.iter().rev().zip(is.iter().rev()).take_while(|(one, other)| one == other).count();
    if start + end < shorter || was.len() == is.len() {
        return (gone, come);
    }
    let end = shorter - start;
    (gone.start + start..gone.end - end, come.start + start..come.end - end)
}

/// A sequence word by word, and everything else one by one.
struct Words {
    all: Vec<Place>,
    /// Where each begins, and where the last ends.
    starts: Vec<usize>,
}

impl Words {
    fn of(places: &[Place]) -> Self {
        let (mut all, mut starts) = (Vec::new(), vec![0]);
        for word in places.chunk_by(|one, next| !one.is_blank && !next.is_blank) {
            let value = match word {
                [only] => only.value,
                word => hash(word.iter().map(|place| place.value).collect::<Vec<_>>()),
            };
            all.push(Place { value, ..word[0] });
            starts.push(starts[starts.len() - 1] + word.len());
        }
        Self { all, starts }
    }

    fn places(&self, words: Range<usize>) -> Range<usize> {
        self.starts[words.start]..self.starts[words.end]
    }
}

fn moved(gone: &Range<usize>, come: &Range<usize>, by: isize) -> Hunk {
    let moved = |range: &Range<usize>| range.start.wrapping_add_signed(by)..range.end.wrapping_add_signed(by);
    (moved(gone), moved(come))
}

/// A word that is put in before one that begins with the same letters can be said to begin in several places: how far to
/// move what is put in, or taken away, so that it begins where a word or a block does.
fn slide(all: &[Place], range: &Range<usize>, (back, ahead): (usize, usize)) -> isize {
    let back = (1..=back).take_while(|by| all[range.start - by] == all[range.end - by]).count() as isize;
    let ahead = (0..ahead).take_while(|by| all[range.start + by] == all[range.end + by]).count() as isize;
    let begins = |by: &isize| {
        let at = range.start.wrapping_add_signed(*by);
        all.get(at).is_some_and(|place| place.begins_block)
            || at.checked_sub(1).is_none_or(|before| all[before].is_blank || all[before].begins_block)
    };
    (-back..=ahead).rev().find(begins).unwrap_or(ahead)
}

fn between(one: &[Place], other: &[Place], (x, y): (usize, usize), by_blocks: bool, hunks: &mut Vec<Hunk>) {
    let start = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other, x, y) = (&one[start..], &other[start..], x + start, y + start);
    let end = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    let (one, other) = (&one[..one.len() - end], &other[..other.len() - end]);
    if one.is_empty() && other.is_empty() {
    } else if one.is_empty() || other.is_empty() {
        hunks.push((x..x + one.len(), y..y + other.len()));
    } else if one.len().saturating_mul(other.len()) <= LOOKS {
        step_by_step(one, other, (x, y), hunks);
    } else if by_blocks {
        let (mut was, mut is) = (0, 0);
        for (first, second, length) in
            common_blocks(one, other).into_iter().chain([(one.len(), other.len(), 0)])
        {
            between(&one[was..first], &other[is..second], (x + was, y + is), false, hunks);
            (was, is) = (first + length, second + length);
        }
    } else {
        hunks.push((x..x + one.len(), y..y + other.len()));
    }
}

/// By the most that both have in common.
fn step_by_step(one: &[Place], other: &[Place], (x, y): (usize, usize), hunks: &mut Vec<Hunk>) {
    let width = other.len() + 1;
    let mut longest = vec![0_u32; (one.len() + 1) * width];
    for i in (0..one.len()).rev() {
        for j in (0..other.len()).rev() {
            longest[i * width + j] = if one[i] == other[j] {
                longest[(i + 1) * width + j + 1] + one[i].weight()
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < one.len() || j < other.len() {
        let (first, second) = (i, j);
        while i < one.len() || j < other.len() {
            if i < one.len() && j < other.len() && one[i] == other[j] {
                break;
            }
            let skip_one = i < one.len()
                && (j == other.len() || longest[(i + 1) * width + j] >= longest[i * width + j + 1]);
            if skip_one { i += 1 } else { j += 1 }
        }
        if i > first || j > second {
            hunks.push((x + first..x + i, y + second..y + j));
        }
        while i < one.len() && j < other.len() && one[i] == other[j] {
            (i, j) = (i + 1, j + 1);
        }
    }
}

/// Blocks that both have, each once, in the same order: where they are in one, where in the other, and how long.
fn common_blocks(one: &[Place], other: &[Place]) -> Vec<(usize, usize, usize)> {
    let (first, second) = (blocks(one), blocks(other));
    let once = |blocks: &[(usize, usize, u64)]| {
        let mut seen: HashMap<u64, (usize, usize)> = HashMap::new();
        for (at, _, hash) in blocks {
            seen.entry(*hash).or_insert((*at, 0)).1 += 1;
        }
        seen
    };
    let (of_one, of_other) = (once(&first), once(&second));
    let common = first.iter().filter_map(|(at, length, hash)| {
        let (there, count) = of_other.get(hash)?;
        (*count == 1 && of_one[hash].1 == 1).then_some((*at, *there, *length))
    });
    ascending(&common.collect::<Vec<_>>())
}

fn blocks(places: &[Place]) -> Vec<(usize, usize, u64)> {
    let mut blocks = Vec::new();
    let mut at = 0;
    for block in places.chunk_by(|_, next| !next.begins_block) {
        blocks.push((at, block.len(), hash(block.iter().map(|place| place.value).collect::<Vec<_>>())));
        at += block.len();
    }
    blocks
}

/// As many as can be chosen so that they stand in the same order on both sides.
fn ascending(pairs: &[(usize, usize, usize)]) -> Vec<(usize, usize, usize)> {
    // The last pair of the best run of each length, and what comes before each pair in its run.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; pairs.len()];
    for (at, (_, there, _)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].1 < *there);
        before[at] = length.checked_sub(1).map(|length| ends[length]);
        if length == ends.len() { ends.push(at) } else { ends[length] = at }
    }
    let mut chosen = Vec::new();
    let mut last = ends.last().copied();
    while let Some(at) = last {
        chosen.push(pairs[at]);
        last = before[at];
    }
    chosen.reverse();
    chosen
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use yrs::{Doc, OffsetKind, Options, Transact};

    use super::*;
    use crate::document::text::writing::Written;

    const SEEDS: u64 = 400;

    /// A sequence of words, some of them bold, in blocks.
    fn sequence(random: &mut ChaCha8Rng, words: &mut u32) -> Vec<Op> {
        (0..random.random_range(0..12)).map(|_| op(random, words, 'b')).collect()
    }

    /// A word that there is once, or a boundary. Who wrote it shows.
    fn op(random: &mut ChaCha8Rng, words: &mut u32, who: char) -> Op {
        *words += 1;
        match random.random_range(0..10) {
            0..=2 => {
                let kind = ["paragraph", "heading", "bullet"][random.random_range(0..3)];
                Op::Map(vec![("type".to_owned(), Put::Value(Any::from(kind)))], Marks::default())
            }
            3 => Op::Object(vec![("type".to_owned(), Any::from("break"))], Marks::default()),
            _ => {
                let is_bold = random.random_bool(0.2);
                let marks = Marks::read(|name| (is_bold && name == "bold").then_some(&Any::Bool(true)));
                Op::Text(format!("{who}{words}😀 "), marks)
            }
        }
    }

    /// What somebody makes of it: things put in, taken away, and made something else.
    fn edited(random: &mut ChaCha8Rng, before: &[Op], words: &mut u32, who: char) -> Vec<Op> {
        let mut after = before.to_vec();
        for _ in 0..random.random_range(0..6) {
            let at = random.random_range(0..=after.len());
            match random.random_range(0..4) {
                0 if at < after.len() => drop(after.remove(at)),
                1 if at < after.len() => {
                    if let Op::Map(fields, _) = &mut after[at] {
                        fields[0].1 = Put::Value(Any::from("quote"));
                    }
                }
                _ => after.insert(at, op(random, words, who)),
            }
        }
        after
    }

    fn doc_with(ops: &[Op]) -> (Doc, TextRef) {
        let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
        let text = doc.get_or_insert_text("body");
        let mut delta = Vec::new();
        insert(ops, &units(ops), &mut delta);
        text.apply_delta(&mut doc.transact_mut(), delta);
        (doc, text)
    }

    /// All of it; pieces that are formatted alike are one.
    fn key(text: &TextRef, doc: &Doc) -> String {
        let mut ops: Vec<Op> = Vec::new();
        for op in ops_of(text, &doc.transact(), &Room::of(0)).unwrap() {
            match (ops.last_mut(), op) {
                (Some(Op::Text(before, known)), Op::Text(words, marks)) if *known == marks => {
                    before.push_str(&words);
                }
                (_, op) => ops.push(op),
            }
        }
        Written(vec![(String::new(), ops)]).key()
    }

    fn words_in(ops: &[Op]) -> Vec<String> {
        let all: String = ops
            .iter()
            .filter_map(|op| if let Op::Text(text, _) = op { Some(text.as_str()) } else { None })
            .collect();
        all.split_terminator(' ').map(str::to_owned).collect()
    }

    #[test]
    fn what_either_wrote_is_there_once_and_whole() {
        for seed in 0..SEEDS {
            let random = &mut ChaCha8Rng::seed_from_u64(seed);
            let mut words = 0;
            let base = sequence(random, &mut words);
            let theirs = edited(random, &base, &mut words, 't');
            let ours = edited(random, &base, &mut words, 'o');
            let (doc, text) = doc_with(&ours);
            carry(&text, &mut doc.transact_mut(), &base, &theirs);
            let ops = ops_of(&text, &doc.transact(), &Room::of(0)).unwrap();
            let now: String =
                ops.iter().map(|op| if let Op::Text(text, _) = op { text.as_str() } else { "|" }).collect();
            let (was, own, new) = (words_in(&base), words_in(&ours), words_in(&theirs));
            let story = || format!("seed {seed}: {now:?}, of {was:?} to {new:?} and {own:?}");
            let written = own.iter().filter(|word| word.starts_with('o'));
            let there: Vec<&str> = now.split([' ', '|']).collect();
            let count = |word: &String| there.iter().filter(|one| *one == word).count();
            for word in written.chain(new.iter().filter(|word| word.starts_with('t'))) {
                assert_eq!(count(word), 1, "{word} in {}", story());
            }
            // What both left is there.
            for word in was.iter().filter(|word| own.contains(word) && new.contains(word)) {
                assert_eq!(count(word), 1, "{word} in {}", story());
            }
        }
    }

    #[test]
    fn where_nobody_else_wrote_it_becomes_what_the_tree_says() {
        for seed in 0..SEEDS {
            let random = &mut ChaCha8Rng::seed_from_u64(seed);
            let mut words = 0;
            let base = sequence(random, &mut words);
            let theirs = edited(random, &base, &mut words, 't');
            let (doc, text) = doc_with(&base);
            carry(&text, &mut doc.transact_mut(), &base, &theirs);
            let (wanted, other) = doc_with(&theirs);
            assert_eq!(key(&text, &doc), key(&other, &wanted), "seed {seed}: {base:?} to {theirs:?}");
            assert!(!carry(&text, &mut doc.transact_mut(), &theirs, &theirs), "seed {seed}");
        }
    }

    /// To some programs an embedded string is an object: it is one place, however long it is.
    #[test]
    fn embedded_strings_are_one_place() {
        let words = |words: &str| vec![Op::Text(words.to_owned(), Marks::default())];
        for embedded in ["0123456789", "", "a"] {
            let (doc, text) = doc_with(&words("ab"));
            {
                let txn = &mut doc.transact_mut();
                text.insert_embed(txn, 0, Any::from(embedded));
                text.insert_embed(txn, 1, Any::from(7));
                text.push(txn, " !");
            }
            assert!(carry(&text, &mut doc.transact_mut(), &words("ab"), &words("a")));
            assert!(carry(&text, &mut doc.transact_mut(), &words("a"), &words("ac")));
            let txn = doc.transact();
            assert_eq!((text.get_string(&txn).as_str(), text.len(&txn)), ("ac !", 6), "{embedded:?}");
            let first = text.diff(&txn, YChange::identity).swap_remove(0).insert;
            assert_eq!(first, Out::Any(Any::from(embedded)));
        }
        // What is no text is left alone.
        let doc = Doc::new();
        let array = doc.get_or_insert_array("body");
        yrs::Array::insert_range(&array, &mut doc.transact_mut(), 0, [1, 2, 3]);
        let text = doc.transact().get_text("body").unwrap();
        assert!(!carry(&text, &mut doc.transact_mut(), &words("ab"), &words("a")));
    }

    /// Too long to be compared place by place: by blocks that there are once.
    #[test]
    fn a_long_text_is_compared_by_its_blocks() {
        let block = |n: usize, word: &str| {
            [
                Op::Map(vec![("type".to_owned(), Put::Value(Any::from("paragraph")))], Marks::default()),
                Op::Text(format!("block {n} {word}"), Marks::default()),
            ]
        };
        let base: Vec<Op> = (0..2_000).flat_map(|n| block(n, "was")).collect();
        let theirs: Vec<Op> =
            (0..2_000).flat_map(|n| block(n, if n % 500 == 7 { "is" } else { "was" })).collect();
        let ours: Vec<Op> = (0..2_000).filter(|n| n % 400 != 3).flat_map(|n| block(n, "was")).collect();
        let (doc, text) = doc_with(&ours);
        carry(&text, &mut doc.transact_mut(), &base, &theirs);
        let expected: Vec<Op> = (0..2_000)
            .filter(|n| n % 400 != 3)
            .flat_map(|n| block(n, if n % 500 == 7 { "is" } else { "was" }))
            .collect();
        let key = |text: &TextRef, doc: &Doc| {
            let ops = ops_of(text, &doc.transact(), &Room::of(0)).unwrap();
            Written(vec![(String::new(), ops)]).key()
        };
        let (wanted, other) = doc_with(&expected);
        assert_eq!(key(&text, &doc), key(&other, &wanted));
    }
}
