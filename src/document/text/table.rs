//! What a table's boundary and the words in its cells make of it: which rows and columns there are, in which order, and
//! which cells are merged. A row or column that was deleted is there as long as somebody's words are in it: whoever deletes
//! one takes away the words they saw, so what is left was written meanwhile by somebody else. The same as
//! `frontend/src/text/binding/table.ts`.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
};

use super::{
    model::{Fields, number},
    room::{Room, TooLarge},
};

/// A row or a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Track {
    pub id: String,
    pub header: bool,
    /// Of a column, in px.
    pub width: Option<f64>,
    /// Of a column.
    pub align: Option<String>,
}

/// A cell one sees, with as many rows and columns as it covers. Its words are those of all the cells there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Covering {
    pub row: usize,
    pub column: usize,
    pub rows: usize,
    pub columns: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    pub id: String,
    pub rows: Vec<Track>,
    pub columns: Vec<Track>,
    /// In reading order.
    pub cells: Vec<Covering>,
}

/// `[row, column]` of each cell of a table that has words in it.
pub(super) type Worded = HashSet<[String; 2]>;

/// What room a cell takes with the empty line in it, and a look at one for a cell that would cover it.
const CELL: usize = 256;
const LOOK: usize = 8;

/// `None` for a table of which nothing is to be seen.
pub(super) fn grid_of(fields: &Fields, worded: &Worded, room: &Room) -> Result<Option<Grid>, TooLarge> {
    let Some(id) = fields.some_text("id") else { return Ok(None) };
    let gone = fields.is_true("deleted");
    let rows = Tracks::of(fields.entries("rows"), worded.iter().map(|[row, _]| row).collect(), gone);
    let columns =
        Tracks::of(fields.entries("columns"), worded.iter().map(|[_, column]| column).collect(), gone);
    if rows.there.is_empty() || columns.there.is_empty() {
        return Ok(None);
    }
    let sides = columns.there.iter().map(|(_, entry)| entry.text("align").map_or(0, str::len)).sum::<usize>();
    let cells = rows.there.len().saturating_mul(columns.there.len());
    room.take(cells.saturating_mul(CELL).saturating_add(rows.there.len().saturating_mul(sides)))?;
    let cells = cells_of(&rows, &columns, fields, room)?;
    let track = |(id, entry): &Listed| Track {
        id: id.clone(),
        header: entry.is_true("header"),
        width: entry.get("width").and_then(number).filter(|width| *width > 0.0),
        align: entry.text("align").map(str::to_owned),
    };
    let (rows, columns) = (rows.there.iter().map(track).collect(), columns.there.iter().map(track).collect());
    Ok(Some(Grid { id, rows, columns, cells }))
}

type Listed = (String, Fields);

/// The rows of a table, or its columns.
struct Tracks {
    /// Those one sees, in their order.
    there: Vec<Listed>,
    /// Of each that is named: how many of those stand before it, and whether it is one of them.
    places: HashMap<String, (usize, bool)>,
}

impl Tracks {
    fn of(entries: HashMap<String, Fields>, worded: HashSet<&String>, gone: bool) -> Self {
        let unlisted = worded.iter().filter(|id| !entries.contains_key(**id));
        let unlisted: Vec<Listed> = unlisted.map(|id| ((*id).clone(), Fields::default())).collect();
        let mut all: Vec<Listed> = entries.into_iter().chain(unlisted).collect();
        all.sort_by(in_order);
        let (mut there, mut places) = (Vec::new(), HashMap::new());
        for (id, entry) in all {
            let is_there = worded.contains(&id) || (!gone && !entry.is_true("deleted"));
            places.insert(id.clone(), (there.len(), is_there));
            there.extend(is_there.then_some((id, entry)));
        }
        Self { there, places }
    }

    /// Where one stands, if one sees it.
    fn at(&self, id: &str) -> Option<usize> {
        self.places.get(id).filter(|(_, is_there)| *is_there).map(|(at, _)| *at)
    }

    /// Where the one named stands; if it is gone, the last that stood before it.
    fn last_of(&self, named: Option<&str>, first: usize) -> usize {
        let Some((before, is_there)) = named.and_then(|named| self.places.get(named)) else { return first };
        let last = if *is_there { Some(*before) } else { before.checked_sub(1) };
        last.map_or(first, |last| last.max(first))
    }
}

/// The cells that are called so. More than one only if there are slashes in the ids, which nobody makes.
fn named<'a>(
    cell: &'a str,
    place: impl Fn(&str, &str) -> Option<usize> + 'a,
) -> impl Iterator<Item = usize> + 'a {
    const SLASHES: usize = 8;
    let splits = cell.match_indices('/').take(SLASHES);
    splits.filter_map(move |(at, slash)| place(&cell[..at], &cell[at + slash.len()..]))
}

/// By order, then by id. What has no order comes last.
fn in_order((one, first): &Listed, (other, second): &Listed) -> Ordering {
    compare(first.text("order").unwrap_or("~"), second.text("order").unwrap_or("~"))
        .then_with(|| compare(one, other))
}

/// As JavaScript compares strings: by their UTF-16 units.
fn compare(one: &str, other: &str) -> Ordering {
    one.encode_utf16().cmp(other.encode_utf16())
}

/// A merged cell names the last row and the last column it covers. Of two that would cover the same, the first does.
fn cells_of(
    rows: &Tracks,
    columns: &Tracks,
    fields: &Fields,
    room: &Room,
) -> Result<Vec<Covering>, TooLarge> {
    let spans = fields.entries("spans");
    let (height, width) = (rows.there.len(), columns.there.len());
    let mut covered = vec![false; height * width];
    let at = |row: usize, column: usize| row * width + column;
    let place = |row: &str, column: &str| Some(at(rows.at(row)?, columns.at(column)?));
    // Ids may be long, so each is looked up once.
    let spans: HashMap<usize, &Fields> =
        spans.iter().flat_map(|(cell, span)| named(cell, place).map(move |at| (at, span))).collect();
    let mut cells = Vec::new();
    for row in 0..height {
        for column in 0..width {
            if covered[at(row, column)] {
                continue;
            }
            let span = spans.get(&at(row, column));
            let last_row = span.map_or(row, |span| rows.last_of(span.text("row"), row));
            let last_column = span.map_or(column, |span| columns.last_of(span.text("column"), column));
            room.take((last_row - row + 1).saturating_mul(last_column - column + 1).saturating_mul(LOOK))?;
            let inside = || (row..=last_row).flat_map(|y| (column..=last_column).map(move |x| (y, x)));
            let free = inside().all(|(y, x)| !covered[at(y, x)]);
            let (mut height, mut width) = (1, 1);
            if free {
                inside().for_each(|(y, x)| covered[at(y, x)] = true);
                (height, width) = (last_row - row + 1, last_column - column + 1);
            }
            cells.push(Covering { row, column, rows: height, columns: width });
        }
    }
    Ok(cells)
}
