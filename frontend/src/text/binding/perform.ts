// Brings a change into the shared data: the sequences, the fields of what stands in them, and tables. Cells and tables are
// written here only; what is to be written is found in write.ts and write-table.ts.
import type { Node } from "@tiptap/pm/model";
import type { EditorState } from "@tiptap/pm/state";
import { Map as YMap } from "yjs";
import { hasWords } from "./blocks";
import { BODY, cellName, cellPlace } from "./model";
import type { Reader, Reading } from "./read";
import { type Kept, lengthOf, type Line } from "./sequence";
import { gridOf, type Grid } from "./table";
import { cellChange, type Change, type NewTable, type Operation } from "./write";
import { wantedOf } from "./wanted";
import { wordChanges } from "./write-cells";
import { tableChange, type TableChange } from "./write-table";

/** The origin of what is written before it is seen, and never undone. */
export const UNSEEN = Symbol("unseen");

export interface PerformPorts {
  readonly reader: Reader;
  /** What the change was made for. */
  readonly shown: Reading;
  readonly newId: () => string;
  /** One transaction; `undoable` unless nobody is to take it back. */
  readonly transact: (undoable: boolean, act: (put: Put) => void) => void;
}

/** Each root once in a transaction. */
export type Put = (root: string, operations: readonly Operation[]) => void;

export interface Written {
  /** More than letters of one block. */
  readonly structural: boolean;
  readonly before: boolean;
}

export function perform(ports: PerformPorts, change: Change, state: EditorState, stayed: readonly Kept[] | null, written: (change: Written) => void): void {
  // First, while nothing has changed: what is to be done to the cells of tables that stay.
  const tables = change.kept.flatMap(({ line, node }) => tableWrite(ports, line, node, state, stayed) ?? []);
  const changes = [change, ...tables.flatMap(({ cells }) => cells)].filter(isSomething);
  const writes = tables.filter(({ writes }) => writes);
  const structural = writes.length > 0 || changes.some(({ plain }) => !plain) || changes.length > 1;
  if (changes.length === 0 && writes.length === 0) return;
  written({ structural, before: true });
  ports.transact(true, (put) => {
    for (const one of changes) apply(put, one);
    for (const line of change.gone) {
      if (line.boundary instanceof YMap) line.boundary.set("deleted", true);
      for (const [name, lines] of cellsOf(ports.shown, String(line.fields["id"]))) clear(put, name, lines);
    }
    for (const { boundary, change: fields, gone } of writes) {
      applyTable(boundary, fields);
      for (const [name, lines] of gone) clear(put, name, lines);
    }
  });
  insertTables(ports, change.tables);
  written({ structural, before: false });
}

const isSomething = ({ operations, fields, gone, tables }: Change): boolean => operations.length > 0 || fields.length > 0 || gone.length > 0 || tables.length > 0;

function apply(put: Put, { root, operations, fields }: Change): void {
  if (operations.length > 0) put(root, operations);
  for (const { map, field, value } of fields) {
    if (value === undefined) map.delete(field);
    else map.set(field, value);
  }
}

/** What one saw in it goes; what somebody else wrote there meanwhile does not. */
function clear(put: Put, name: string, lines: readonly Line[]): void {
  const length = lengthOf(lines);
  if (length > 0) put(name, [{ delete: length }]);
}

type Cells = readonly (readonly [name: string, lines: readonly Line[]])[];

function cellsOf({ index }: Reading, table: string): Cells {
  return [...index.sequences.cells].filter(([name]) => cellPlace(name)?.table === table);
}

function gridIn(shown: Reading, { fields }: Line): Grid | null {
  const worded = cellsOf(shown, String(fields["id"])).flatMap(([name, lines]) => {
    const place = cellPlace(name);
    return place !== null && hasWords(lines) ? [[place.row, place.column] as const] : [];
  });
  return gridOf(fields, worded);
}

/**
 * A table is put in unseen first, by nobody who could undo it, and then shown: whoever undoes that hides it again, with
 * nothing in it that somebody else wrote.
 */
function insertTables(ports: PerformPorts, tables: readonly NewTable[]): void {
  if (tables.length === 0) return;
  const { shown, newId, reader } = ports;
  const made = tables.map(({ was: moved, node, index, attributes }) => {
    const was = moved?.line ?? null;
    const boundary = new YMap<unknown>([["type", "table"], ["id", was === null ? newId() : String(was.fields["id"])]]);
    return { changes: tableChange(was?.fields ?? {}, was === null ? null : gridIn(shown, was), node, newId), was, index, attributes, boundary };
  });
  let end = 0;
  const operations = made.flatMap(({ index, boundary, attributes, was }): Operation[] => {
    for (const part of ["rows", "columns", "spans"]) boundary.set(part, new YMap(Object.entries((was?.fields[part] ?? {}) as Record<string, unknown>)));
    boundary.set("deleted", true);
    const skip = index - end;
    end = index + 1;
    return [...(skip > 0 ? [{ retain: skip }] : []), { insert: boundary, attributes }];
  });
  ports.transact(false, (put) => put(BODY, operations));
  const left = tables.flatMap(({ was }) => (was === null ? [] : [was.index + tables.filter(({ index }, at) => index - at <= was.index).length])).sort((one, other) => one - other);
  ports.transact(true, (put) => {
    // In one with showing it in its new place: nobody sees the text without it.
    if (left.length > 0) put(BODY, left.flatMap((index, at) => [{ retain: index - (left[at - 1] ?? -1) - 1 }, { delete: 1 }]).filter((one) => !("retain" in one) || one.retain > 0));
    for (const { boundary, changes, was } of made) {
      applyTable(boundary, changes);
      const id = String(boundary.get("id"));
      for (const { covers: [[row, column] = ["", ""]], node } of was === null ? changes.cells : [])
        apply(put, cellChange(reader, shown, cellName(id, row, column), { wanted: wantedOf(node.children, 0, true), isWhole: true }, null, null));
      boundary.delete("deleted");
    }
  });
}

function applyTable(boundary: YMap<unknown>, { rows, columns, spans }: TableChange): void {
  const part = (name: string): YMap<unknown> => {
    const there = boundary.get(name);
    if (there instanceof YMap) return there as YMap<unknown>;
    const made = new YMap<unknown>(Object.entries((there ?? {}) as Record<string, unknown>));
    boundary.set(name, made);
    return made;
  };
  for (const [id, entry] of rows) part("rows").set(id, entry);
  for (const [id, entry] of columns) part("columns").set(id, entry);
  for (const [cell, span] of spans) {
    if (span === undefined) part("spans").delete(cell);
    else part("spans").set(cell, span);
  }
}

interface TableWrite {
  readonly boundary: YMap<unknown>;
  readonly change: TableChange;
  /** The words of its cells, and those of cells that are not there any more. */
  readonly cells: readonly Change[];
  readonly gone: Cells;
  /** Whether there is more to write than words. */
  readonly writes: boolean;
}

function tableWrite(ports: PerformPorts, line: Line, node: Node, state: EditorState, stayed: readonly Kept[] | null): TableWrite | null {
  const { shown, newId } = ports;
  const id = String(line.fields["id"]);
  const { boundary } = line;
  const before = tableIn(shown.doc, id);
  if (before === node || !(boundary instanceof YMap)) return null;
  const grid = gridIn(shown, line);
  const change = tableChange(line.fields, grid, node, newId);
  const cells = wordChanges(ports, { id, grid, before, now: change.cells, at: placeOfNode(state.doc, node) }, state, stayed);
  const there = new Set(change.cells.flatMap(({ covers }) => covers.map(([row, column]) => cellName(id, row, column))));
  const gone = cellsOf(shown, id).filter(([name, lines]) => !there.has(name) && hasWords(lines));
  return { boundary: boundary, change, cells, gone, writes: gone.length + change.rows.length + change.columns.length + change.spans.length > 0 };
}

function tableIn(doc: Node, id: string): Node | null {
  let found: Node | null = null;
  doc.descendants((node) => {
    if (node.type.name === "table" && node.attrs["table"] === id) found ??= node;
    return found === null && !node.isTextblock;
  });
  return found;
}

function placeOfNode(doc: Node, wanted: Node): number {
  let found = 0;
  doc.descendants((node, position) => {
    if (node === wanted) found = position;
    return !node.isTextblock;
  });
  return found;
}
