//! A text that was taken over twice, from trees that did not say the same: a server with an older copy of a document took it
//! over once more, and then a page brought what had become of the first. Everything would stand there twice. What was
//! written into one of the two copies is put into the other, and the one is taken away.
//!
//! Each copy is a stretch of its own, because whoever takes over writes all of it at one place, and what two wrote so is never
//! mixed. What belongs to which is told by the client id that it was written under.

use std::collections::{BTreeMap, HashMap, HashSet};

use yrs::{
    Any, Assoc, BranchID, IndexedSequence, Map, MapRef, Out, ReadTxn, Snapshot, Text as _, TextRef,
    TransactionMut, WriteTxn, types::text::YChange,
};

use super::{
    blocks::Text,
    carrying::{Hunk, Unit, alignment, carry, ops_of, told_op_of, units},
    conversion::{CONVERTED, Copied, copies},
    model::{BODY, Marks, cell_name, cell_place},
    room::{Room, TooLarge},
    writing::{Op, Put, Written},
};

/// Objects whose author is looked up one by one. Of more it is taken to be that of what stands before them: to look one up is
/// a walk.
const LOOKED_UP: usize = 1_000;

/// A copy that is no longer in the text, and what was written into it is not in another yet.
#[derive(Debug)]
pub struct TakenOut {
    copy: Copied,
    words: Vec<Op>,
    told: Told,
}

/// Takes a copy out of the text, with what was written into it. `None`, and it stays, if it is mixed with another or something
/// in it cannot be written once more.
pub fn take_out(txn: &mut TransactionMut<'_>, other: &Copied) -> Option<TakenOut> {
    let (body, converted) = (txn.get_text(BODY)?, txn.get_map(CONVERTED)?);
    let all = Told::of(&body, txn).ok()?;
    // Whatever stands there that is no text: it is not known where anything is.
    if all.length(0..all.0.len()) != body.len(txn) {
        return None;
    }
    let stretch = all.stretch_of(other, &copies(txn))?;
    let told = all.part(stretch.clone());
    let words = told.ops()?;
    body.remove_range(txn, all.length(0..stretch.start), told.length(0..words.len()));
    converted.remove(txn, &other.names);
    Some(TakenOut { copy: other.clone(), words, told })
}

impl TakenOut {
    /// Puts what was written into it into the copy that is kept, whose tables are called by `tables`. What the tree says now is
    /// `tree`, and all of it is in there; `None` if nobody knows whether it is.
    pub fn put_into(&self, txn: &mut TransactionMut<'_>, tables: &str, tree: Option<&Text>) {
        // Where nothing is left of it, nobody can tell whether all of it was deleted or it was never there.
        let Some(body) = txn.get_text(BODY).filter(|_| !self.words.is_empty()) else { return };
        let was = match tree {
            Some(tree) => tree.written(tables),
            None => {
                let Ok(ops) = ops_of(&body, txn, &Room::of(0)) else { return };
                Written(vec![(BODY.to_owned(), ops)])
            }
        };
        let mut was: BTreeMap<String, Vec<Op>> = was.0.into_iter().collect();
        let body_was = was.remove(BODY).unwrap_or_default();
        // Whether it was made of what the tree says now, so that whatever of that is not in it was deleted.
        let is_same = tree.is_some_and(|tree| tree.conversion().client == self.copy.client);
        let known = |start, end| if is_same { Known::All } else { Known::Numbers(&self.copy, start, end) };
        let numbers = known(Some(0), Some(self.copy.length));
        let (is, tables) = merged(&body_was, &self.words, &self.told, &numbers);
        carry(&body, txn, &body_was, &is);
        let (maps, mut cells) =
            if tables.is_empty() { Default::default() } else { (tables_in(&body, txn), cells_in(txn)) };
        for (table_was, table_is) in tables {
            let (id, from) = (table_was.text_field("id"), table_is.text_field("id"));
            if let Some(table) = maps.get(&id) {
                change_table(table, txn, &table_was, &table_is);
            }
            for (cell, row, column) in cells.remove(&from).unwrap_or_default() {
                let Ok(mut told) = Told::of(&cell, txn) else { continue };
                // The words beside what cannot be written once more can.
                told.0.retain(|piece| piece.op.is_some());
                let Some(words) = told.ops() else { continue };
                let name = cell_name(&id, &row, &column);
                let cell_was = was.remove(&name).unwrap_or_default();
                let (is, _) = merged(&cell_was, &words, &told, &known(None, None));
                let kept = txn.get_or_insert_text(name.as_str());
                carry(&kept, txn, &cell_was, &is);
            }
        }
    }
}

/// Something in a sequence, by whom it was written, and as the how manieth of theirs.
#[derive(Debug)]
struct Piece {
    /// `None` if it cannot be written a second time.
    op: Option<Op>,
    by: Option<(u64, u32)>,
    length: u32,
}

#[derive(Debug)]
struct Told(Vec<Piece>);

impl Told {
    fn of(text: &TextRef, txn: &mut TransactionMut<'_>) -> Result<Self, TooLarge> {
        let room = Room::of(0);
        let now = txn.snapshot();
        let mut pieces: Vec<Piece> = Vec::new();
        let (mut at, mut looked_up) = (0, 0);
        for piece in text.diff_range(txn, Some(&now), Some(&Snapshot::default()), YChange::identity) {
            let by = match (&piece.ychange, &piece.insert) {
                (Some(change), _) => Some(change.id),
                (None, Out::YMap(map)) => {
                    let map: &yrs::branch::Branch = map.as_ref();
                    if let BranchID::Nested(id) = map.id() { Some(id) } else { None }
                }
                (None, _) if looked_up < LOOKED_UP => {
                    looked_up += 1;
                    text.sticky_index(txn, at, Assoc::After).and_then(|place| place.id().copied())
                }
                (None, _) => None,
            };
            let by = by.map(|id| (id.client.get(), id.clock)).or_else(|| {
                let before = pieces.last()?;
                before.by.map(|(client, clock)| (client, clock + before.length))
            });
            let marks = Marks::of(piece.attributes.as_deref(), &room)?;
            let op = told_op_of(piece, marks, txn);
            let length = op.as_ref().map_or(1, Op::length);
            pieces.push(Piece { op, by, length });
            at += length;
        }
        Ok(Self(pieces))
    }

    fn part(&self, range: std::ops::Range<usize>) -> Self {
        let piece = |piece: &Piece| Piece { op: piece.op.clone(), ..*piece };
        Self(self.0[range].iter().map(piece).collect())
    }

    /// All of it, if all of it can be written a second time.
    fn ops(&self) -> Option<Vec<Op>> {
        self.0.iter().map(|piece| piece.op.clone()).collect()
    }

    /// The numbers of each of its places.
    fn numbers(&self, units: &[Unit]) -> Vec<Numbers> {
        let mut offset = 0;
        let mut before = None;
        let numbers = |unit: &Unit| {
            if before != Some(unit.op) {
                (before, offset) = (Some(unit.op), 0);
            }
            let start = offset;
            offset += unit.length;
            self.0[unit.op].by.map(|(client, clock)| (client, clock + start, unit.length))
        };
        units.iter().map(numbers).collect()
    }

    fn length(&self, range: std::ops::Range<usize>) -> u32 {
        self.0[range].iter().map(|piece| piece.length).sum()
    }

    /// Where `other` stands, and what was written in it and right behind it. `None` if the two are mixed, which nobody
    /// writes by taking over.
    fn stretch_of(&self, other: &Copied, copies: &[Copied]) -> Option<std::ops::Range<usize>> {
        let is_by = |piece: &Piece, copy: &Copied| piece.by.is_some_and(|(by, _)| by == copy.client.get());
        let Some(start) = self.0.iter().position(|piece| is_by(piece, other)) else { return Some(0..0) };
        let another: HashSet<u64> = copies.iter().map(|copy| copy.client.get()).collect();
        let is_by_another =
            |piece: &Piece| !is_by(piece, other) && piece.by.is_some_and(|(by, _)| another.contains(&by));
        let behind = &self.0[start..];
        let length = behind.iter().position(is_by_another).unwrap_or(behind.len());
        let mixed = behind[length..].iter().any(|piece| is_by(piece, other));
        (!mixed).then_some(start..start + length)
    }
}

/// What is known of a copy, so that words which are not in it can be told from words which were taken out of it.
enum Known<'a> {
    /// It had everything.
    All,
    /// Who wrote it, and with which number of theirs this sequence of it begins and ends, where that is known. Where numbers
    /// are missing, so much was taken out.
    Numbers(&'a Copied, Option<u32>, Option<u32>),
}

/// A place in one sequence, in the other, or in both.
type Column<'a> = (Option<&'a Unit>, Option<(&'a Unit, Numbers)>);

/// By whom a place was written, and their numbers for it.
type Numbers = Option<(u64, u32, u32)>;

/// What `was` has become by what was written into another copy of it, and the tables that are in both.
fn merged(was: &[Op], words: &[Op], theirs: &Told, known: &Known<'_>) -> (Vec<Op>, Vec<(Op, Op)>) {
    let (old, new) = (units(was), units(words));
    let numbers = theirs.numbers(&new);
    let new: Vec<_> = new.iter().zip(numbers).collect();
    let mut columns: Vec<Column<'_>> = Vec::new();
    let (mut from, mut to) = (0, 0);
    let end = (old.len()..old.len(), new.len()..new.len());
    let plain: Vec<Unit> = new.iter().map(|(unit, _)| **unit).collect();
    let mut hunks = alignment(&old, &plain);
    if let Known::Numbers(copy, ..) = known {
        settle(&mut hunks, &old, &new, copy);
    }
    for (gone, come) in hunks.into_iter().chain([end]) {
        let both = old[from..gone.start].iter().zip(&new[to..come.start]);
        columns.extend(both.map(|(one, other)| (Some(one), Some(*other))));
        columns.extend(old[gone.clone()].iter().map(|one| (Some(one), None)));
        columns.extend(new[come.clone()].iter().map(|other| (None, Some(*other))));
        (from, to) = (gone.end, come.end);
    }
    let mut made = Made { was, words, ops: Vec::new(), tables: Vec::new() };
    match known {
        Known::All => columns.iter().filter(|(_, new)| new.is_some()).for_each(|column| made.push(column)),
        Known::Numbers(copy, start, end) => {
            let own = |(_, numbers): &(&Unit, Numbers)| numbers.filter(|(by, ..)| *by == copy.client.get());
            let mut before = *start;
            let is_anchor =
                |column: &Column<'_>| column.0.is_some() && column.1.as_ref().and_then(own).is_some();
            for stretch in columns.split_inclusive(is_anchor) {
                let (anchor, between) = match stretch.split_last() {
                    Some((last, between)) if is_anchor(last) => (Some(last), between),
                    _ => (None, stretch),
                };
                let at = anchor.and_then(|(_, new)| new.as_ref().and_then(own));
                let behind = at.map(|(_, number, _)| number).or(*end);
                let lost = before.zip(behind).and_then(|(before, behind)| {
                    let own: u32 = between
                        .iter()
                        .filter_map(|(_, new)| own(new.as_ref()?))
                        .map(|(.., length)| length)
                        .sum();
                    behind.checked_sub(before)?.checked_sub(own)
                });
                made.push_between(between, lost);
                anchor.into_iter().for_each(|anchor| made.push(anchor));
                before = at.map(|(_, number, length)| number + length).or(before);
            }
        }
    }
    (made.ops, made.tables)
}

/// What is put in between words can often be said to begin in several places, and so can what is taken out: where it does is
/// told by who wrote what, and by the numbers that are missing.
fn settle(hunks: &mut [Hunk], old: &[Unit], new: &[(&Unit, Numbers)], copy: &Copied) {
    let own =
        |at: usize| new.get(at).and_then(|(_, numbers)| *numbers).filter(|(by, ..)| *by == copy.client.get());
    for at in 0..hunks.len() {
        let (gone, come) = hunks[at].clone();
        if gone.is_empty() == come.is_empty() {
            continue;
        }
        let before = at.checked_sub(1).map_or(0, |at| hunks[at].1.end);
        let after = hunks.get(at + 1).map_or(new.len(), |next| next.1.start);
        let seen = |at: usize| if gone.is_empty() { new[at].0.seen } else { old[at].seen };
        let range = if gone.is_empty() { come.clone() } else { gone.clone() };
        let back =
            (1..=come.start - before).take_while(|by| seen(range.start - by) == seen(range.end - by)).count();
        let ahead =
            (0..after - come.end).take_while(|by| seen(range.start + by) == seen(range.end + by)).count();
        // The less of it is of the copy itself, the better; or no numbers are missing elsewhere.
        let cost = |by: &isize| {
            let start = come.start.wrapping_add_signed(*by);
            let amiss = if gone.is_empty() {
                (start..start + come.len()).filter(|at| own(*at).is_some()).count()
            } else {
                let length: u32 = old[gone.clone()].iter().map(|unit| unit.length).sum();
                let behind = start.checked_sub(1).and_then(own).map(|(_, number, length)| number + length);
                let is_gap =
                    behind.zip(own(start)).is_some_and(|(end, (_, number, _))| end + length == number);
                usize::from(!is_gap)
            };
            (amiss, by.unsigned_abs())
        };
        let by = (-(back as isize)..=ahead as isize).min_by_key(cost).unwrap_or_default();
        let moved = |range: &std::ops::Range<usize>| {
            range.start.wrapping_add_signed(by)..range.end.wrapping_add_signed(by)
        };
        hunks[at] = (moved(&gone), moved(&come));
    }
}

/// A sequence that is being put together of two.
struct Made<'a> {
    was: &'a [Op],
    words: &'a [Op],
    ops: Vec<Op>,
    tables: Vec<(Op, Op)>,
}

impl Made<'_> {
    /// What stands between two places that were in the copy from the beginning, of which it has `lost` so many.
    fn push_between(&mut self, columns: &[Column<'_>], lost: Option<u32>) {
        let is_word = |at: Option<usize>| {
            let column = at.and_then(|at| columns.get(at));
            column.is_some_and(|(old, new)| {
                let sign = old.and_then(|old| old.sign).filter(|_| new.is_some());
                sign.is_some_and(|sign| !sign.is_whitespace())
            })
        };
        // Blanks are the same everywhere, and mean it only beside words that are.
        let is_same = |at: usize| {
            let (old, new) = &columns[at];
            let is_blank = old.is_some_and(|old| old.sign.is_some_and(char::is_whitespace));
            old.is_some()
                && new.is_some()
                && (!is_blank || is_word(at.checked_sub(1)) || is_word(Some(at + 1)))
        };
        let length = |is_counted: &dyn Fn(usize) -> bool| {
            let old =
                (0..columns.len()).filter(|at| is_counted(*at)).filter_map(|at| Some(columns[at].0?.length));
            old.sum::<u32>()
        };
        // What is not there was taken out, if so much is missing; more cannot be, because all of it stands in the tree. What
        // others wrote into that since would be missing beside it.
        let (missing, all) = (length(&|at| !is_same(at)), length(&|_| true));
        let is_gone = lost.is_some_and(|lost| (missing..=all).contains(&lost));
        let (mut gone, mut come): (Vec<Column<'_>>, Vec<Column<'_>>) = (Vec::new(), Vec::new());
        for (at, column) in columns.iter().enumerate() {
            if is_same(at) {
                self.push_both(&mut gone, &mut come);
                self.push(column);
                continue;
            }
            gone.extend(column.0.filter(|old| !is_gone || old.is_table).map(|old| (Some(old), None)));
            come.extend(column.1.map(|new| (None, Some(new))));
        }
        self.push_both(&mut gone, &mut come);
    }

    /// What was written here and there, line by line and block by block.
    fn push_both(&mut self, gone: &mut Vec<Column<'_>>, come: &mut Vec<Column<'_>>) {
        let begins_block =
            |(old, new): &Column<'_>| old.or(new.map(|(new, _)| new)).is_some_and(|unit| unit.begins_block);
        let line = |columns: &[Column<'_>]| columns.iter().position(begins_block).unwrap_or(columns.len());
        let (gone_blocks, come_blocks) = (gone.split_off(line(gone)), come.split_off(line(come)));
        for columns in [&*come, &*gone, &come_blocks, &gone_blocks] {
            columns.iter().for_each(|column| self.push(column));
        }
        gone.clear();
        come.clear();
    }

    fn push(&mut self, column: &Column<'_>) {
        let (was, words) = (self.was, self.words);
        match column {
            (Some(one), Some((other, _))) if one.is_table && other.is_table => {
                self.tables.push((was[one.op].clone(), words[other.op].clone()));
                self.add(was, one);
            }
            // A table before whatever begins the block that it was taken for.
            (Some(one), Some((other, _))) if one.is_table => {
                self.add(was, one);
                self.add(words, other);
            }
            (Some(one), Some((other, _))) if other.is_table => {
                self.add(words, other);
                self.add(was, one);
            }
            (_, Some((other, _))) => self.add(words, other),
            (Some(one), None) => self.add(was, one),
            (None, None) => {}
        }
    }

    fn add(&mut self, ops: &[Op], unit: &Unit) {
        match (unit.sign, &ops[unit.op], self.ops.last_mut()) {
            (Some(sign), Op::Text(_, marks), Some(Op::Text(words, before))) if before == marks => {
                words.push(sign);
            }
            (Some(sign), Op::Text(_, marks), _) => self.ops.push(Op::Text(sign.into(), marks.clone())),
            (_, op, _) => self.ops.push(op.clone()),
        }
    }
}

/// The tables of a text by their ids; the first of those that are called the same.
fn tables_in(body: &TextRef, txn: &impl ReadTxn) -> HashMap<String, MapRef> {
    let mut tables = HashMap::new();
    for piece in body.diff(txn, YChange::identity) {
        if let Out::YMap(map) = piece.insert
            && let Some(Out::Any(Any::String(id))) = map.get(txn, "id")
        {
            tables.entry(id.to_string()).or_insert(map);
        }
    }
    tables
}

/// Says of a table what is said of it otherwise in another copy.
fn change_table(table: &MapRef, txn: &mut TransactionMut<'_>, was: &Op, is: &Op) {
    let (Op::Map(was, _), Op::Map(is, _)) = (was, is) else { return };
    for (field, put) in is {
        let before = was.iter().find(|(known, _)| known == field).map(|(_, put)| put);
        match put {
            Put::Value(value) if field != "id" && before != Some(put) => {
                table.insert(txn, field.as_str(), value.clone());
            }
            Put::Value(_) => {}
            Put::Map(entries) => {
                let Some(Out::YMap(map)) = table.get(txn, field) else { continue };
                let known = if let Some(Put::Map(known)) = before { known.as_slice() } else { &[] };
                for entry in entries.iter().filter(|entry| !known.contains(entry)) {
                    map.insert(txn, entry.0.as_str(), entry.1.clone());
                }
            }
        }
    }
}

/// By table: a cell with its row and its column.
type Cells = HashMap<String, Vec<(TextRef, String, String)>>;

/// The cells of all tables, in order.
fn cells_in(txn: &impl ReadTxn) -> Cells {
    let mut names: Vec<String> = txn.root_refs().map(|(name, _)| name.to_owned()).collect();
    names.sort_unstable();
    let mut cells = Cells::new();
    for name in &names {
        if let Some([table, row, column]) = cell_place(name)
            && let Some(cell) = txn.get_text(name.as_str())
        {
            let of = cells.entry(table.to_owned()).or_default();
            of.push((cell, row.to_owned(), column.to_owned()));
        }
    }
    cells
}
