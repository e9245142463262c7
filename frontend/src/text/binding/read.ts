// From the sequence to the editor's document, with an index from places in the one to places in the other. Reading never
// writes, and what did not change is the same node again, which the editor passes over.
import { Fragment, type Mark, type MarkType, type Node, type NodeType, type Schema } from "@tiptap/pm/model";
import { type Block, blocksOf, isShown } from "./blocks";
import { after, type Frame, place, type Placed, PLAIN, said } from "./fold";
import { gridsOf, isTable, type Sequences, type TableLine } from "./grids";
import { hasSpot, Index, lastAt, type Section, type Spot } from "./places";
import {
  type Attributes,
  BODY,
  BOXES,
  cellName,
  type FieldRule,
  type Fields,
  INLINES,
  isInline,
  ITEM_FIELDS,
  LEAF_FIELDS,
  LEAVES,
  LIST_FIELDS,
  LISTS,
  MARKS,
} from "./model";
import { type Line, lengthOf, type Run } from "./sequence";
import { type Cell, coveredBy, type Grid } from "./table";
import { differing, differingIn } from "./window";

export interface Reading {
  readonly doc: Node;
  readonly index: Index;
}

interface Made {
  readonly node: Node;
  /** What is in the sequence and not in the node, by its offset in the block. */
  readonly hidden: readonly number[];
}

/** A container that is being filled. A list is filled together with its last item. */
interface Open {
  readonly frame: Frame | null;
  children: Node[];
  /** Of an item: those before it in its list. */
  items: Node[];
  fields: Fields;
  listFields: Fields;
}

export class Reader {
  private readonly made = new WeakMap<Line, Made>();
  /** Of blocks that are not one line, by their first. Where that begins a table, it is among the runs only while that is not seen. */
  private readonly joined = new WeakMap<Line, Made & Pick<Block, "parts" | "runs">>();
  /** Of roots that hold nothing. */
  private readonly empty = new Map<string, Node>();
  private offered: Node[] = [];
  private readonly around = new WeakMap<Node, Node>();
  /** What was read last, unless nothing is to be seen of it. */
  private last: Reading | null = null;

  constructor(readonly schema: Schema) {}

  /** Sections outside of the lines that differ from what was read last are taken as they are. */
  read(sequences: Sequences): Reading {
    const { body, cells } = sequences;
    const last = this.last?.index ?? UNREAD;
    const { sections: old, starts, sequences: before, tables: known } = last;
    const window = differingIn(before.body, body);
    const shift = body.length - before.body.length;
    const lines = [
      ...known.filter(({ number }) => number < window.from),
      ...body.slice(window.from, window.newTo).flatMap((line, at) => (isTable(line) ? [{ line, number: window.from + at }] : [])),
      ...known.filter(({ number }) => number >= window.oldTo).map((one) => ({ ...one, number: one.number + shift })),
    ];
    const grids = gridsOf(lines.map(({ line }) => line), cells);
    const tables = lines.map((one): TableLine => ({ ...one, grid: grids.get(one.line) }));
    let [from, oldTo] = [window.from, window.oldTo];
    // A table is another if what stands in its cells is, although its line is the same.
    for (const { line, number, grid } of known) {
      if (number >= window.from && number < window.oldTo) continue;
      const section = old[lastAt(starts.line, number)];
      if (grids.get(line) === grid && [...(section?.cells ?? [])].every(([name, words]) => cells.get(name) === words)) continue;
      [from, oldTo] = [Math.min(from, number), Math.max(oldTo, number + 1)];
    }
    const placed = (open: readonly Frame[], line: Line): Placed | null => (line.boundary === null || (isTable(line) && !grids.has(line)) ? null : place(open, said(line.fields)));
    const begins = (where: Placed | null): boolean => where?.kept === 0 && !where.next;
    if (this.last !== null && from === oldTo && shift === 0) return (this.last = { doc: this.last.doc, index: new Index(old, starts, sequences, tables) });
    let head = Math.max(lastAt(starts.line, from), 0);
    // What begins there now may go on in what is before it.
    const next = body[from];
    if (head > 0 && starts.line[head] === from && next !== undefined && !begins(placed(old[head - 1]?.open ?? NOTHING, next))) head -= 1;
    let tail = lastAt(starts.line, oldTo - 1) + 1;
    const made: Section[] = [];
    const endOf = (section: number): number => (starts.line[section] ?? before.body.length) + shift;
    for (let at = starts.line[head] ?? 0; at < endOf(tail); ) {
      let [end, open] = [at, NOTHING];
      for (let line = body[end]; line !== undefined; line = body[++end]) {
        const where = placed(open, line);
        if (end > at && begins(where)) break;
        if (where !== null) open = after(open, where);
      }
      made.push(this.section(body.slice(at, end), open, grids, sequences));
      at = end;
      // What was something by itself before may have become part of this.
      while (tail < old.length && endOf(tail) < at) tail += 1;
    }
    this.last = this.spliced(last, head, tail, made, sequences, tables);
    return this.last ?? this.nothing(sequences);
  }

  /** With some sections in the place of others; `null` if nothing is to be seen. */
  private spliced({ sections: old, starts }: Pick<Index, "sections" | "starts">, head: number, tail: number, made: readonly Section[], sequences: Sequences, tables: readonly TableLine[]): Reading | null {
    const sections = [...old.slice(0, head), ...made, ...old.slice(tail)];
    const spliced = (of: readonly number[], sizeOf: (section: Section) => number): readonly number[] => {
      const all = of.slice(0, head);
      let at = head === 0 ? 0 : (all[head - 1] ?? 0) + sizeOf(old[head - 1] as Section);
      for (const section of made) {
        all.push(at);
        at += sizeOf(section);
      }
      const shift = at - (of[tail] ?? 0);
      for (let section = tail; section < of.length; section++) all.push((of[section] ?? 0) + shift);
      return all;
    };
    const children = this.last?.doc.content.content ?? [];
    const nodes = [...children.slice(0, starts.child[head]), ...made.flatMap((section) => section.nodes), ...(tail < old.length ? children.slice(starts.child[tail]) : [])];
    if (nodes.length === 0) return null;
    const next = { at: spliced(starts.at, ({ size }) => size), child: spliced(starts.child, (section) => section.nodes.length), from: spliced(starts.from, ({ length }) => length), line: spliced(starts.line, ({ lines }) => lines.length) };
    return { doc: this.schema.topNodeType.create(null, nodes), index: new Index(sections, next, sequences, tables) };
  }

  private section(lines: readonly Line[], open: readonly Frame[], grids: ReadonlyMap<Line, Grid>, sequences: Sequences): Section {
    const blocks: Block[] = [];
    const nodes = this.blocks(blocksOf(BODY, lines, (line) => !grids.has(line)), blocks, (line) => {
      const grid = grids.get(line);
      return grid === undefined ? null : this.table(grid, sequences, blocks);
    });
    const tables = lines.flatMap((line) => grids.get(line) ?? []);
    const cells = tables.length === 0 ? NO_CELLS : new Map(tables.flatMap((grid) => namesIn(grid).map((name) => [name, sequences.cells.get(name)] as const)));
    return sectionOf({ lines, open, cells }, nodes, blocks);
  }

  /** A text without anything to be seen in it is an empty paragraph. */
  private nothing(sequences: Sequences): Reading {
    const blocks: Block[] = [];
    const nodes = [this.emptyIn(BODY, blocks)];
    const section = sectionOf({ lines: [], open: NOTHING, cells: NO_CELLS }, nodes, blocks);
    return { doc: this.schema.topNodeType.create(null, nodes), index: new Index([section], { at: [0], child: [0], from: [0], line: [0] }, sequences, []) };
  }

  /** What is read next and is the same as one of these, or something in them, is that very node. */
  offer(nodes: readonly Node[]): void {
    this.offered = [];
    for (const node of nodes) this.keepAround(node, (inner) => void this.offered.push(inner));
  }

  private keepAround(node: Node, found: (node: Node) => void): void {
    if (node.isTextblock || node.isAtom) return found(node);
    if (node.firstChild !== null) this.around.set(node.firstChild, node);
    node.forEach((child) => this.keepAround(child, found));
  }

  /**
   * What an editor shows now in the place of what was read is the same in other nodes, where it was changed: those are read from
   * here on. Otherwise all lines that others have ever changed would differ for good.
   */
  adopt({ doc, index }: Reading, shown: Node): Reading {
    const window = differing(doc, shown);
    if (window === null) return { doc: shown, index };
    const sections = index.sections.slice();
    for (let at = lastAt(index.starts.child, window.from); at < sections.length; at++) {
      const [section, first] = [sections[at], index.starts.child[at]];
      if (section === undefined || first === undefined || first >= window.newTo) break;
      const adopted = sectionOf({ ...section }, shown.content.content.slice(first, first + section.nodes.length), section.spots.map((spot) => ({ ...spot })));
      for (const spot of adopted.spots) if (spot.node.isTextblock) this.keep(spot, { node: spot.node, hidden: spot.hidden });
      for (const node of adopted.nodes) this.keepAround(node, () => undefined);
      sections[at] = adopted;
    }
    const adopted = { doc: shown, index: new Index(sections, index.starts, index.sequences, index.tables) };
    if (this.last !== null) this.last = adopted;
    return adopted;
  }

  private blocks(blocks: readonly Block[], spots: Block[], table: (line: Line) => Node | null): readonly Node[] {
    const top: Open = { frame: null, children: [], items: [], fields: {}, listFields: {} };
    const open: Open[] = [top];
    let frames: readonly Frame[] = [];
    blocks.forEach((block) => {
      const { fields } = block;
      // Words behind a rule or a table stand where it stands.
      const placed = block.boundary === null ? place(frames, { ...PLAIN, parents: frames.map(({ kind }) => kind) }) : place(frames, said(fields));
      while (open.length - 1 > placed.kept + (placed.next ? 1 : 0)) this.close(open);
      placed.opened.forEach((frame, at) => {
        const last = open.at(-1) ?? top;
        if (at === 0 && placed.next) {
          last.items.push(this.item(last));
          last.children = [];
          last.fields = fields;
        } else open.push({ frame, children: [], items: [], fields, listFields: fields });
      });
      frames = after(frames, placed);
      spots.push(block);
      const into = (open.at(-1) ?? top).children;
      if (placed.leaf === "table" && block.line !== null) {
        const node = table(block.line);
        if (node !== null) into.push(node);
        return;
      }
      const { node, hidden } = this.leaf(block, placed.leaf);
      block.hidden = hidden;
      into.push(node);
    });
    while (open.length > 1) this.close(open);
    return top.children;
  }

  private emptyIn(root: string, spots: Block[]): Node {
    const empty = this.empty.get(root) ?? this.node(LEAVES.paragraph, null, []);
    this.empty.set(root, empty);
    spots.push({ root, boundary: null, fields: {}, line: null, parts: [], runs: [], from: 0, to: 0, hidden: [] });
    return empty;
  }

  private leaf(block: Block, leaf: keyof typeof LEAVES): Made {
    const known = this.knownOf(block);
    if (known !== undefined) return known;
    const type = this.type(LEAVES[leaf]);
    const content: Node[] = [];
    const hidden: number[] = [];
    let offset = 0;
    for (const run of block.runs) {
      const nodes = this.inline(run, leaf === "code", type);
      if (nodes.length === 0) hidden.push(offset);
      content.push(...nodes);
      offset += "text" in run ? run.text.length : 1;
    }
    const read = this.node(type.name, attributesOf(LEAF_FIELDS[leaf], block.fields), Fragment.fromArray(joined(content)));
    const at = this.offered.findIndex((node) => node.eq(read));
    const made = { node: this.offered[at] ?? read, hidden };
    if (at >= 0) this.offered.splice(0, at + 1);
    this.keep(block, made);
    return made;
  }

  private knownOf({ line, parts, runs }: Block): Made | undefined {
    if (line !== null) return this.made.get(line);
    const known = parts[0] === undefined ? undefined : this.joined.get(parts[0]);
    return known?.parts.length === parts.length && known.runs.length === runs.length && known.parts.every((part, at) => part === parts[at]) ? known : undefined;
  }

  private keep({ root, line, parts, runs }: Readonly<Block>, made: Made): void {
    if (line !== null) this.made.set(line, made);
    else if (parts[0] === undefined) this.empty.set(root, made.node);
    else this.joined.set(parts[0], { ...made, parts, runs });
  }

  private inline(run: Run, code: boolean, parent: NodeType): readonly Node[] {
    const marks = code ? [] : this.marks(run.attributes, parent);
    if ("text" in run) {
      if (code || !run.text.includes("\n")) return [this.schema.text(run.text, marks)];
      // As one character each, so that a line that was code for a while is what it was before.
      return run.text.split("\n").flatMap((part, at) => [
        ...(at === 0 ? [] : [this.type(INLINES.break.node).create(null, null, marks)]),
        ...(part === "" ? [] : [this.schema.text(part, marks)]),
      ]);
    }
    if (!isShown(run.kind) || !isInline(run.kind)) return [];
    if (code) return run.kind === "break" ? [this.schema.text("\n")] : [];
    const { node, fields } = INLINES[run.kind];
    const type = this.type(node);
    const given = Object.fromEntries(fields.flatMap((field) => (run.fields[field] === undefined ? [] : [[field, run.fields[field]]])));
    return [type.create(given, null, marks)];
  }

  /** The marks a character is seen with: those that may stand together in such a block. */
  marks(attributes: Attributes, parent: NodeType): readonly Mark[] {
    let marks: readonly Mark[] = [];
    // In the order of the model, so that of two that cannot stand together everybody sees the same one.
    for (const [name, { mark, attributes: names }] of Object.entries(MARKS)) {
      const value = attributes[name];
      const type = this.schema.marks[mark];
      if (type === undefined || value === undefined || value === null || value === false || !parent.allowsMarkType(type)) continue;
      marks = type.create(markAttributes(type, names, value)).addToSet(marks);
    }
    return marks;
  }

  private table(grid: Grid, { cells }: Sequences, spots: Block[]): Node {
    const rows = grid.rows.map((row, at) =>
      this.node("tableRow", { row: row.id }, grid.cells.filter((cell) => cell.row === at).map((cell) => this.cell(grid, cell, cells, spots))),
    );
    return this.node("table", { table: grid.id }, rows);
  }

  private cell(grid: Grid, cell: Cell, cells: Sequences["cells"], spots: Block[]): Node {
    const row = grid.rows[cell.row];
    const columns = grid.columns.slice(cell.column, cell.column + cell.columns);
    const [column] = columns;
    const names = coveredBy(grid, cell).map(([row, column]) => cellName(grid.id, row, column));
    const words = names.flatMap((name) => this.blocks(blocksOf(name, cells.get(name) ?? [], () => true), spots, () => null));
    const content = words.length === 0 ? [this.emptyIn(names[0] ?? "", spots)] : words;
    const widths = columns.map(({ width }) => width ?? 0);
    return this.node(
      row?.header || column?.header ? "tableHeader" : "tableCell",
      {
        column: column?.id ?? null,
        colspan: cell.columns,
        rowspan: cell.rows,
        colwidth: widths.some((width) => width > 0) ? widths : null,
        align: column?.align ?? null,
      },
      content,
    );
  }

  private close(open: Open[]): void {
    const closed = open.pop();
    const into = open.at(-1);
    if (closed?.frame == null || into === undefined) return;
    if (closed.frame.kind !== "item") into.children.push(this.node(BOXES[closed.frame.kind], null, closed.children));
    else into.children.push(this.node(LISTS[closed.frame.list].list, attributesOf(LIST_FIELDS[closed.frame.list], closed.listFields), [...closed.items, this.item(closed)]));
  }

  private item({ frame, fields, children }: Open): Node {
    const list = frame?.kind === "item" ? frame.list : "bullet";
    return this.node(LISTS[list].item, attributesOf(ITEM_FIELDS[list], fields), children);
  }

  private node(name: string, attributes: Readonly<Record<string, unknown>> | null, content: readonly Node[] | Fragment): Node {
    const type = this.type(name);
    const known = type.spec.attrs ?? {};
    const own = attributes === null ? null : Object.fromEntries(Object.entries(attributes).filter(([attribute]) => Object.hasOwn(known, attribute)));
    const fragment = content instanceof Fragment ? content : Fragment.fromArray([...content]);
    const first = fragment.firstChild;
    const before = type.inlineContent || first === null ? undefined : this.around.get(first);
    const node = type.create(own, fragment);
    if (before !== undefined && before.sameMarkup(node) && sameChildren(before, node)) return before;
    if (!type.inlineContent && first !== null) this.around.set(first, node);
    return node;
  }

  private type(name: string): NodeType {
    const type = this.schema.nodes[name];
    if (type === undefined) throw new Error(`the schema has no ${name}`);
    return type;
  }
}

/** The roots of all its cells, those under merged ones too. */
const namesIn = ({ id, rows, columns }: Grid): readonly string[] => rows.flatMap((row) => columns.map((column) => cellName(id, row.id, column.id)));

const NOTHING: readonly Frame[] = [];
const NO_CELLS: Section["cells"] = new Map();
const UNREAD: Pick<Index, "sections" | "starts" | "sequences" | "tables"> = { sections: [], starts: { at: [], child: [], from: [], line: [] }, sequences: { body: [], cells: new Map() }, tables: [] };

/** Of nodes, and the blocks in them in the order of the document. What is given becomes part of it: a copy would cost more than all
 * the rest, for each line of a text that is opened. */
function sectionOf(parts: Pick<Section, "lines" | "open" | "cells">, nodes: readonly Node[], blocks: readonly Readonly<Block>[]): Section {
  const spots: Spot[] = [];
  let size = 0;
  const find = (node: Node, position: number): boolean => {
    const block = hasSpot(node) ? blocks[spots.length] : undefined;
    if (block !== undefined) spots.push(Object.assign(block, { node, at: node.isTextblock ? position + 1 : position }));
    return !node.isTextblock;
  };
  for (const node of nodes) {
    const start = size + 1;
    if (find(node, size)) node.descendants((inner, position) => find(inner, start + position));
    size += node.nodeSize;
  }
  return Object.assign(parts, { nodes, spots, length: lengthOf(parts.lines), size });
}

/** A field that may not be as it is counts as absent. */
export function attributesOf(rules: Readonly<Record<string, FieldRule>>, fields: Fields): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(rules).map(([field, { attribute, absent, read }]) => [attribute, fields[field] === undefined ? absent : read(fields[field])]));
}

function markAttributes(type: MarkType, names: readonly string[], value: unknown): Readonly<Record<string, unknown>> | null {
  const [main] = names;
  const given = typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : main === undefined || value === true ? {} : { [main]: value };
  const known = type.spec.attrs ?? {};
  return Object.fromEntries(names.flatMap((name) => (given[name] !== undefined && Object.hasOwn(known, name) ? [[name, given[name]]] : [])));
}

/** Text beside text of the same marks is one node. */
function joined(nodes: readonly Node[]): Node[] {
  const all: Node[] = [];
  for (const node of nodes) {
    const last = all.at(-1);
    if (last?.isText && node.isText && last.sameMarkup(node)) all[all.length - 1] = node.type.schema.text((last.text ?? "") + (node.text ?? ""), node.marks);
    else all.push(node);
  }
  return all;
}

function sameChildren(one: Node, other: Node): boolean {
  if (one.childCount !== other.childCount) return false;
  for (let at = 0; at < one.childCount; at++) if (one.child(at) !== other.child(at)) return false;
  return true;
}
