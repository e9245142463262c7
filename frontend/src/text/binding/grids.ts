// Which tables of a text one sees, told from all its sequences.
import { hasWords } from "./blocks";
import { cellPlace } from "./model";
import type { Line } from "./sequence";
import { type Grid, gridOf, type Worded } from "./table";

/** All the sequences of a text. */
export interface Sequences {
  readonly body: readonly Line[];
  /** The words of cells by the names of their roots. Those without any may be missing. */
  readonly cells: ReadonlyMap<string, readonly Line[]>;
}

/** A line that begins a table, seen or not. */
export interface TableLine {
  readonly line: Line;
  /** Which line of the body it is. */
  readonly number: number;
  /** What is to be seen of it, if anything is. */
  readonly grid: Grid | undefined;
}

export const isTable = ({ boundary, fields }: Line): boolean => boundary !== null && fields["type"] === "table";

export function gridsIn(sequences: Sequences): ReadonlyMap<Line, Grid> {
  return gridsOf(sequences.body.filter(isTable), sequences.cells);
}

/** By their lines. The same table twice, as two who move it leave it, is the first of them that is not deleted. */
export function gridsOf(tables: readonly Line[], cells: Sequences["cells"]): ReadonlyMap<Line, Grid> {
  if (tables.length === 0) return NONE;
  const worded = wordedIn(cells);
  const found = new Map<string, { readonly line: Line; readonly grid: Grid }>();
  for (const line of tables) {
    const grid = sameGrid(line, worded.get(String(line.fields["id"])) ?? []);
    if (grid === null) continue;
    const before = found.get(grid.id);
    if (before === undefined || (before.line.fields["deleted"] === true && line.fields["deleted"] !== true)) found.set(grid.id, { line, grid });
  }
  return new Map([...found.values()].map(({ line, grid }) => [line, grid]));
}

const NONE: ReadonlyMap<Line, Grid> = new Map();

const made = new WeakMap<Line, { readonly words: string; readonly grid: Grid | null }>();

/** What is made of the same line and the same words is the same grid again. */
function sameGrid(line: Line, worded: Worded): Grid | null {
  const words = JSON.stringify(worded);
  const known = made.get(line);
  if (known?.words === words) return known.grid;
  const grid = gridOf(line.fields, worded);
  made.set(line, { words, grid });
  return grid;
}

const known = new WeakMap<Sequences["cells"], ReadonlyMap<string, Worded>>();

function wordedIn(cells: Sequences["cells"]): ReadonlyMap<string, Worded> {
  const before = known.get(cells);
  if (before !== undefined) return before;
  const worded = new Map<string, [string, string][]>();
  for (const [name, lines] of cells) {
    const cell = cellPlace(name);
    if (cell === null || !hasWords(lines)) continue;
    const of = worded.get(cell.table) ?? [];
    of.push([cell.row, cell.column]);
    worded.set(cell.table, of);
  }
  known.set(cells, worded);
  return worded;
}
