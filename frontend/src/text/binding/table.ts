// What a table's boundary and the words in its cells make of it: which rows and columns there are, in which order, and
// which cells are merged. A row or column that was deleted is there as long as somebody's words are in it: whoever
// deletes one takes away the words they saw, so what is left was written meanwhile by somebody else.
import type { Fields } from "./model";

export interface Row {
  readonly id: string;
  readonly header: boolean;
}

export interface Column extends Row {
  /** In px, as it was drawn by hand. */
  readonly width: number | null;
  readonly align: string | null;
}

/** A cell one sees, with as many rows and columns as it covers. Its words are those of all the cells there. */
export interface Cell {
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
}

export interface Grid {
  readonly id: string;
  readonly rows: readonly Row[];
  readonly columns: readonly Column[];
  /** In reading order. */
  readonly cells: readonly Cell[];
}

/** The entry of a row or column in the data. */
export interface Entry {
  readonly order?: unknown;
  readonly deleted?: unknown;
  readonly header?: unknown;
  readonly width?: unknown;
  readonly align?: unknown;
}

/** `[row, column]` of each cell of this table that has words in it. */
export type Worded = readonly (readonly [string, string])[];

/** `null` for a table of which nothing is to be seen. */
export function gridOf(fields: Fields, worded: Worded): Grid | null {
  const { id } = fields;
  if (typeof id !== "string" || id === "") return null;
  const gone = fields["deleted"] === true;
  const rows = present(record(fields["rows"]), new Set(worded.map(([row]) => row)), gone);
  const columns = present(record(fields["columns"]), new Set(worded.map(([, column]) => column)), gone);
  if (rows.length === 0 || columns.length === 0) return null;
  return {
    id,
    rows: rows.map(([row, { header }]) => ({ id: row, header: header === true })),
    columns: columns.map(([column, { header, width, align }]) => ({
      id: column,
      header: header === true,
      width: typeof width === "number" && width > 0 ? width : null,
      align: typeof align === "string" ? align : null,
    })),
    cells: cellsOf(rows, columns, fields),
  };
}

type Listed = readonly [id: string, entry: Entry];

function present(entries: Readonly<Record<string, Entry>>, worded: ReadonlySet<string>, gone: boolean): readonly Listed[] {
  const listed: Listed[] = Object.entries(entries).filter(([id, { deleted }]) => worded.has(id) || (!gone && deleted !== true));
  for (const id of worded) if (!Object.hasOwn(entries, id)) listed.push([id, {}]);
  return listed.sort(inOrder);
}

/** By order, then by id. What has no order comes last. */
export function inOrder([one, { order: first }]: Listed, [other, { order: second }]: Listed): number {
  const [a, b] = [typeof first === "string" ? first : "~", typeof second === "string" ? second : "~"];
  return a < b ? -1 : a > b ? 1 : one < other ? -1 : one > other ? 1 : 0;
}

/** A merged cell names the last row and the last column it covers. Of two that would cover the same, the first does. */
function cellsOf(rows: readonly Listed[], columns: readonly Listed[], fields: Fields): readonly Cell[] {
  const covered = new Set<number>();
  const spans = record(fields["spans"]);
  const cells: Cell[] = [];
  const width = columns.length;
  rows.forEach(([row], r) => {
    columns.forEach(([column], c) => {
      if (covered.has(r * width + c)) return;
      const span = spans[`${row}/${column}`] as { readonly row?: unknown; readonly column?: unknown } | undefined;
      const last = span === undefined ? [r, c] as const : [lastOf(rows, record(fields["rows"]), span.row, r), lastOf(columns, record(fields["columns"]), span.column, c)] as const;
      const inside: number[] = [];
      for (let y = r; y <= last[0]; y++) for (let x = c; x <= last[1]; x++) inside.push(y * width + x);
      const free = inside.every((at) => !covered.has(at));
      for (const at of free ? inside : []) covered.add(at);
      cells.push({ row: r, column: c, rows: free ? last[0] - r + 1 : 1, columns: free ? last[1] - c + 1 : 1 });
    });
  });
  return cells;
}

/** Where the one named stands; if it is gone, the last that stood before it. */
function lastOf(there: readonly Listed[], entries: Readonly<Record<string, Entry>>, named: unknown, first: number): number {
  if (typeof named !== "string") return first;
  const entry = entries[named];
  const at = there.findLastIndex((one) => one[0] === named || (entry !== undefined && inOrder(one, [named, entry]) < 0));
  return Math.max(at, first);
}

/** Entries that say nothing are entries all the same. */
function record(value: unknown): Readonly<Record<string, Entry>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  const entries = value as Readonly<Record<string, Entry | null>>;
  return Object.fromEntries(Object.entries(entries).map(([id, entry]) => [id, entry ?? {}]));
}

/** `[row, column]` of each cell that one covers, in reading order, by their ids. */
export function coveredBy({ rows, columns }: Grid, cell: Cell): readonly (readonly [string, string])[] {
  const across = columns.slice(cell.column, cell.column + cell.columns);
  return rows.slice(cell.row, cell.row + cell.rows).flatMap((row) => across.map((column) => [row.id, column.id] as const));
}
