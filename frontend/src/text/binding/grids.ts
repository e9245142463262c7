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

/** By their lines. The same table twice, as two who move it leave it, is the first of them that is not deleted. */
export function gridsIn({ body, cells }: Sequences): ReadonlyMap<Line, Grid> {
  const worded = wordedIn(cells);
  const found = new Map<string, { readonly line: Line; readonly grid: Grid }>();
  for (const line of body) {
    if (line.boundary === null || line.fields["type"] !== "table") continue;
    const grid = gridOf(line.fields, worded.get(String(line.fields["id"])) ?? []);
    if (grid === null) continue;
    const before = found.get(grid.id);
    if (before === undefined || (before.line.fields["deleted"] === true && line.fields["deleted"] !== true)) found.set(grid.id, { line, grid });
  }
  return new Map([...found.values()].map(({ line, grid }) => [line, grid]));
}

function wordedIn(cells: Sequences["cells"]): ReadonlyMap<string, Worded> {
  const worded = new Map<string, [string, string][]>();
  for (const [name, lines] of cells) {
    const cell = cellPlace(name);
    if (cell === null || !hasWords(lines)) continue;
    const of = worded.get(cell.table) ?? [];
    of.push([cell.row, cell.column]);
    worded.set(cell.table, of);
  }
  return worded;
}
