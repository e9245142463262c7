// From a table of the editor to the fields of its boundary and the words of its cells. Rows and columns are known by their
// ids, which the editor's nodes carry along; what has none, or somebody else's, is new.
import type { Node } from "@tiptap/pm/model";
import { TableMap } from "@tiptap/pm/tables";
import { between } from "./order";
import { type Entry, type Grid, gridOf, inOrder } from "./table";
import { sameValue } from "./sequence";
import type { Fields } from "./model";

export type EntryChange = readonly [id: string, entry: Entry];
export type SpanChange = readonly [cell: string, span: { readonly row: string; readonly column: string } | undefined];

export interface TableChange {
  readonly rows: readonly EntryChange[];
  readonly columns: readonly EntryChange[];
  readonly spans: readonly SpanChange[];
  /** Each cell one sees, and where it is in the table's node. */
  readonly cells: readonly CellNode[];
}

export interface CellNode {
  /** `[row, column]` of each cell it covers, in reading order, by their ids; the first is its own. */
  readonly covers: readonly (readonly [string, string])[];
  readonly node: Node;
  readonly offset: number;
}

interface Anchor {
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
  readonly node: Node;
  readonly offset: number;
}

/** `shown` is the table as it was read, and `fields` what its boundary says; of a new one both are empty. */
export function tableChange(fields: Fields, shown: Grid | null, table: Node, newId: () => string): TableChange {
  const anchors = anchorsOf(table);
  const height = table.childCount;
  const width = Math.max(1, ...anchors.map(({ column, columns }) => column + columns));
  const rowIds = idsOfRows(table, shown, newId);
  const columnIds = idsOfColumns(anchors, width, shown, newId);
  const stored = { rows: entries(fields["rows"]), columns: entries(fields["columns"]) };

  const knownRows = new Map(shown?.rows.map((row) => [row.id, row]));
  const knownColumns = new Map(shown?.columns.map((column) => [column.id, column]));
  const isHeader = (at: (anchor: Anchor) => boolean): boolean => {
    const found = anchors.filter(at);
    return found.length > 0 && found.every(({ node }) => node.type.name === "tableHeader");
  };
  const asStored = anchors.every(({ row, column, node }) => (node.type.name === "tableHeader") === ((knownRows.get(rowIds[row] ?? "")?.header ?? false) || (knownColumns.get(columnIds[column] ?? "")?.header ?? false)));
  const headerRows = rowIds.map((id, at) => (asStored ? (knownRows.get(id)?.header ?? false) : isHeader(({ row }) => row === at)));
  const headerColumns = columnIds.map((id, at) => (asStored || headerRows.every(Boolean) ? (knownColumns.get(id)?.header ?? false) : isHeader(({ row, column }) => column === at && !headerRows[row])));

  const rows = listed(rowIds, stored.rows, shown?.rows.map(({ id }) => id) ?? [], (_, at) => ({ header: headerRows[at] ? true : undefined }));
  const columns = listed(columnIds, stored.columns, shown?.columns.map(({ id }) => id) ?? [], (id, at) => {
    const known = knownColumns.get(id);
    const own = anchors.filter(({ column }) => column === at);
    const old = known === undefined ? own : own.filter(({ row }) => knownRows.has(rowIds[row] ?? ""));
    const align = old.map(({ node }) => (node.attrs["align"] as unknown) ?? null).find((value) => value !== (known?.align ?? null));
    const widths = anchors.filter(({ column, columns: span }) => column <= at && at < column + span).map(({ node, column }) => (node.attrs["colwidth"] as readonly number[] | null)?.[at - column] ?? 0);
    const drawn = widths.find((value) => value !== (known?.width ?? 0) && value > 0) ?? known?.width ?? widths.find((value) => value > 0);
    return { header: headerColumns[at] ? true : undefined, width: drawn ?? undefined, align: (align === undefined ? known?.align : align) ?? undefined };
  });

  const now = { id: "x", rows: { ...stored.rows, ...Object.fromEntries(rows) }, columns: { ...stored.columns, ...Object.fromEntries(columns) }, spans: fields["spans"] };
  const read = new Map(gridOf(now, [])?.cells.map((cell) => [`${rowIds[cell.row]}/${columnIds[cell.column]}`, cell]));
  const spans = anchors.flatMap((anchor): SpanChange[] => {
    const name = `${rowIds[anchor.row]}/${columnIds[anchor.column]}`;
    const there = read.get(name);
    if (there !== undefined && there.rows === anchor.rows && there.columns === anchor.columns) return [];
    const last = { row: rowIds[anchor.row + anchor.rows - 1] ?? "", column: columnIds[anchor.column + anchor.columns - 1] ?? "" };
    return [[name, anchor.rows > 1 || anchor.columns > 1 ? last : undefined]];
  });
  return {
    rows,
    columns,
    spans: height > 0 ? spans : [],
    cells: anchors.map(({ node, offset, ...at }) => ({
      covers: rowIds.slice(at.row, at.row + at.rows).flatMap((row) => columnIds.slice(at.column, at.column + at.columns).map((column) => [row, column] as const)),
      node,
      offset,
    })),
  };
}

/** The cells of a table by where they begin. */
function anchorsOf(table: Node): readonly Anchor[] {
  const map = TableMap.get(table);
  const seen = new Set<number>();
  const anchors: Anchor[] = [];
  map.map.forEach((offset, at) => {
    const node = table.nodeAt(offset);
    if (seen.has(offset) || node === null) return;
    seen.add(offset);
    const [row, column] = [Math.floor(at / map.width), at % map.width];
    let [rows, columns] = [1, 1];
    while (column + columns < map.width && map.map[at + columns] === offset) columns += 1;
    while (row + rows < map.height && map.map[at + rows * map.width] === offset) rows += 1;
    anchors.push({ row, column, rows, columns, node, offset });
  });
  return anchors;
}

function idsOfRows(table: Node, shown: Grid | null, newId: () => string): readonly string[] {
  const known = new Set(shown?.rows.map(({ id }) => id));
  return table.children.map(({ attrs }) => {
    const id: unknown = attrs["row"];
    return typeof id === "string" && known.delete(id) ? id : newId();
  });
}

/** A column has no node of its own: it is the one that most of its cells say they are of. */
function idsOfColumns(anchors: readonly Anchor[], width: number, shown: Grid | null, newId: () => string): readonly string[] {
  const known = shown?.columns.map(({ id }) => id) ?? [];
  const votes: { readonly column: number; readonly id: string; count: number }[] = [];
  for (const { column, node } of anchors) {
    const id: unknown = node.attrs["column"];
    if (typeof id !== "string" || !known.includes(id)) continue;
    const vote = votes.find((one) => one.column === column && one.id === id);
    if (vote === undefined) votes.push({ column, id, count: 1 });
    else vote.count += 1;
  }
  const ids: (string | undefined)[] = Array.from({ length: width });
  const used = new Set<string>();
  for (const { column, id } of votes.sort((one, other) => other.count - one.count || one.column - other.column)) {
    if (ids[column] !== undefined || used.has(id)) continue;
    ids[column] = id;
    used.add(id);
  }
  // One that lies all under merged cells, but for those of a new row, is the one that was between its neighbours.
  for (let at = 0; at < width; at++) {
    if (ids[at] !== undefined || votes.some(({ column }) => column === at)) continue;
    const before = at === 0 ? -1 : known.indexOf(ids[at - 1] ?? "");
    const next = known[before + 1];
    if (next === undefined || used.has(next) || (at > 0 && before < 0)) continue;
    ids[at] = next;
    used.add(next);
  }
  return ids.map((id) => id ?? newId());
}

/** The entries that have to be written so that exactly these are there, in this order, each with what is its own. */
function listed(ids: readonly string[], stored: Readonly<Record<string, Entry>>, shown: readonly string[], own: (id: string, at: number) => Partial<Entry>): readonly EntryChange[] {
  const changes: EntryChange[] = [];
  let last: readonly [string, Entry] | null = null;
  ids.forEach((id, at) => {
    const there = stored[id];
    const { header, width, align } = own(id, at);
    let order = typeof there?.order === "string" ? there.order : null;
    if (order === null || (last !== null && inOrder(last, [id, { order }]) >= 0)) {
      const floor: string | null = last === null ? null : String(last[1].order);
      const behind = ids.slice(at + 1).flatMap((next) => (typeof stored[next]?.order === "string" ? [String(stored[next].order)] : [])).find((next) => floor === null || next > floor);
      order = between(floor, behind ?? null);
    }
    const entry: Entry = { order, ...(header === undefined ? {} : { header }), ...(width === undefined ? {} : { width }), ...(align === undefined ? {} : { align }) };
    if (!sameEntry(there, entry)) changes.push([id, entry]);
    last = [id, entry];
  });
  for (const id of shown) if (!ids.includes(id)) changes.push([id, { ...stored[id], deleted: true }]);
  return changes;
}

function sameEntry(one: Entry | undefined, other: Entry): boolean {
  return one !== undefined && (["order", "deleted", "header", "width", "align"] as const).every((field) => sameValue(one[field], other[field]));
}

function entries(value: unknown): Readonly<Record<string, Entry>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, Entry>>) : {};
}
