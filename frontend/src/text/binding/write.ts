// From the editor's document to the smallest change of the sequences: the blocks that differ are laid flat as they are and
// as they should be, and compared. A character that stays is never deleted and inserted again, a boundary that stays keeps
// its fields but for those that changed, and a boundary is only written where its reading would not be what is shown.
import type { Node } from "@tiptap/pm/model";
import { Map as YMap } from "yjs";
import { difference, differenceBetween, type Edit, type Pair } from "./difference";
import { after, type Frame, type Placed, place, said } from "./fold";
import { BODY, type Attributes, type Fields } from "./model";
import type { Spot } from "./places";
import type { Reader, Reading } from "./read";
import { type Embed, type Kept, type Line, sameAttributes, sameValue } from "./sequence";
import { type Between, Codes, type Meant, meantUnits, reformat, type Stored, storedUnits, attributesFor } from "./units";
import { fieldsWanted, spelled, type Wanted, wantedOf } from "./wanted";
import { differing } from "./window";

/** A change of one root, as the shared data takes it. */
export type Operation =
  | { readonly retain: number; readonly attributes?: Attributes }
  | { readonly delete: number }
  | { readonly insert: string | Readonly<Record<string, unknown>> | YMap<unknown>; readonly attributes: Attributes };

export interface FieldChange {
  readonly map: YMap<unknown>;
  readonly field: string;
  /** `undefined` takes the field away. */
  readonly value: unknown;
}

export interface Change {
  readonly root: string;
  readonly operations: readonly Operation[];
  readonly fields: readonly FieldChange[];
  /** Tables that are to be put in after that, each at its place in what the sequence then is. */
  readonly tables: readonly NewTable[];
  /** Tables that stay, as they should be. */
  readonly kept: readonly { readonly line: Line; readonly node: Node }[];
  /** Tables that go. */
  readonly gone: readonly Line[];
  /** Whether only letters came or went. */
  readonly plain: boolean;
}

export interface NewTable {
  readonly index: number;
  readonly node: Node;
  /** The table it was, if it is one that moved, and where that stands before any of the new are put in. */
  readonly was: { readonly line: Line; readonly index: number } | null;
  readonly attributes: Attributes;
}

/** What stayed of the old document in the new one, as the editor's steps say; `null` where nobody knows. */
export type Stayed = readonly Kept[] | null;

/** The change of the body that makes `reading` what `now` shows; `null` if nothing differs. */
export function bodyChange(reader: Reader, reading: Reading, now: Node, caret: number | null, stayed: Stayed): Change | null {
  const { doc, index } = reading;
  const window = differing(doc, now);
  if (window === null) return null;
  let { oldTo, newTo } = window;
  const { from } = window;
  const start = startOfChild(doc, from);
  let end = startOfChild(doc, oldTo);
  // Words without a boundary of their own would become part of whatever came before them.
  for (; oldTo < doc.childCount && index.bodyFrom(end)?.boundary === null; end = startOfChild(doc, oldTo)) {
    oldTo += 1;
    newTo += 1;
  }
  const children = Array.from({ length: newTo - from }, (_, at) => now.child(from + at));
  const spots = index.bodyBetween(start, end);
  // Where nothing of the old is in between.
  const gap = index.bodyBefore(start)?.to ?? startOf(index.bodyFrom(0));
  return rootChange({
    reader,
    root: BODY,
    ...index.linesAround(spots[0] === undefined ? gap : startOf(spots[0]), spots.at(-1)?.to ?? gap),
    spots,
    gap,
    // What is before it is the same in both.
    wanted: wantedOf(children, start, false),
    caret,
    stayed,
    isFirst: from === 0,
    isWhole: now.childCount === 1,
  });
}

/** The blocks that a cell should hold. */
export interface CellBlocks {
  readonly wanted: readonly Wanted[];
  /** Whether they are all that is in the cell one sees, which may be merged of several. */
  readonly isWhole: boolean;
}

/** The same for the words of a cell. */
export function cellChange(reader: Reader, reading: Reading, root: string, { wanted, isWhole }: CellBlocks, caret: number | null, stayed: Stayed): Change {
  const { index } = reading;
  return rootChange({
    reader,
    root,
    lines: index.sequences.cells.get(root) ?? [],
    start: 0,
    spots: index.spotsIn(root),
    gap: 0,
    wanted,
    caret,
    stayed,
    isFirst: true,
    isWhole: isWhole && wanted.length === 1,
  });
}

interface RootChange {
  readonly reader: Reader;
  readonly root: string;
  /** Those that matter, and where the first of them begins. */
  readonly lines: readonly Line[];
  readonly start: number;
  readonly spots: readonly Spot[];
  readonly gap: number;
  readonly wanted: readonly Wanted[];
  readonly caret: number | null;
  readonly stayed: Stayed;
  readonly isFirst: boolean;
  readonly isWhole: boolean;
}

const startOf = (spot: Spot | null): number => (spot === null ? 0 : spot.boundary === null ? spot.from : spot.from - 1);

/** Where a child begins; behind the last one, the end. */
function startOfChild(doc: Node, child: number): number {
  let start = 0;
  for (let at = 0; at < child; at++) start += doc.child(at).nodeSize;
  return start;
}

function rootChange({ reader, root, lines, start, spots, gap, wanted, caret, stayed, isFirst, isWhole }: RootChange): Change {
  const [first, last] = [spots[0], spots.at(-1)];
  const between: Between = first === undefined || last === undefined ? { from: gap, to: gap } : { from: startOf(first), to: last.to };
  const shown = new Set(spots.flatMap(({ boundary, line }) => (boundary !== null && line !== null ? [line] : [])));
  const isTable = (line: Line): boolean => line.fields["type"] === "table" && shown.has(line);
  const codes = new Codes();
  const stored = storedUnits(lines, start, between, codes, isTable, (line) => line.fields["type"] === "table" && !shown.has(line));
  const visible = stored.units.flatMap((unit, at) => (unit.kind === "hidden" ? [] : [at]));
  const ids = new Set(visible.flatMap((at) => tableOf(stored.units[at])));
  const used = new Set<string>();
  const withoutFirst = isFirst && (first === undefined ? lines.length === 0 : first.boundary === null) && canBeImplicit(wanted[0], isWhole);
  const meant = meantUnits(wanted, codes, withoutFirst, ({ node }) => {
    const id: unknown = node.attrs["table"];
    if (typeof id !== "string" || used.has(id) || !ids.has(id)) return `new ${used.size} ${String(id)}`;
    used.add(id);
    return id;
  });
  const old = visible.map((at) => stored.codes[at]).join("");
  const cost = (was: number, is: number, length: number): number => costOf(stored.units, visible, meant.units, was, is, length);
  const pairs = stayed === null ? null : pairsOf(positionsOf(spots), meant.positions, old, meant.codes, stayed);
  const edits =
    pairs === null
      ? difference(old, meant.codes, { caret: caret === null ? null : meant.at(caret), cost, isBoundary: (is) => meant.units[is]?.kind === "boundary" })
      : differenceBetween(old, meant.codes, pairs, { cost });

  const moving = movingTables(edits, old, meant.codes, (at) => stored.units[visible[at] ?? -1]);

  const out = new Operations(between.from);
  const written = new Boundaries();
  const fields: FieldChange[] = [];
  const tables: (Omit<NewTable, "was"> & { readonly was: Line | null })[] = [];
  const left = new Map<Line, number>();
  const kept: { line: Line; node: Node }[] = [];
  const gone: Line[] = [];
  let plain = true;
  let [full, was, is] = [0, 0, 0];
  let attributes: Attributes = attributesBefore(lines, between.from - start);
  let removing = false;

  /** What nobody sees goes with what stood on both sides of it; a table that may come back does not. */
  const skipHidden = (): void => {
    for (; full < (visible[was] ?? stored.units.length); full++) {
      const unit = stored.units[full];
      if (unit?.kind !== "hidden") continue;
      if (removing && unit.fields["type"] !== "table") out.remove(1);
      else out.keep(1);
      attributes = unit.attributes;
    }
  };
  const keep = (unit: Stored, wantedUnit: Meant): boolean => {
    if (unit.kind === "table" && wantedUnit.kind === "table") {
      kept.push({ line: unit.line, node: wantedUnit.block.node });
      fields.push(...written.keep(unit.line.boundary, unit.line.fields, wantedUnit.block));
      out.keep(1);
    } else if (unit.kind === "boundary" && wantedUnit.kind === "boundary") {
      if (!(unit.line.boundary instanceof YMap)) {
        // A value that cannot be changed, of another program.
        const changes = written.keep(new YMap(), unit.line.fields, wantedUnit.block);
        if (changes.length === 0) out.keep(1);
        else {
          out.insert(written.map({ ...unit.line.fields, ...Object.fromEntries(changes.map(({ field, value }) => [field, value])) }), unit.attributes);
          out.remove(1);
        }
      } else {
        fields.push(...written.keep(unit.line.boundary, unit.line.fields, wantedUnit.block));
        out.keep(1, "boundary");
      }
    } else if (unit.kind === "text" || unit.kind === "inline") {
      // A break is one whether it is written as an object or as a letter.
      if (unit.kind !== wantedUnit.kind && (wantedUnit.kind === "boundary" || wantedUnit.kind === "table" || meant.codes[is] !== "\n")) return false;
      const marks = reader.marks(unit.attributes, wantedUnit.block.node.type);
      const same = marks.length === wantedUnit.marks.length && marks.every((mark, at) => mark.eq(wantedUnit.marks[at] ?? mark));
      const change = same || wantedUnit.block.leaf === "code" ? {} : reformat(unit.attributes, wantedUnit.marks);
      if (Object.keys(change).length > 0) plain = false;
      out.keep(1, Object.keys(change).length > 0 ? change : "letter");
      if (unit.kind === "inline" && wantedUnit.kind === "inline") fields.push(...inlineChanges(unit.embed, unit.fields, wantedUnit.fields));
    } else return false;
    attributes = unit.attributes;
    return true;
  };
  const insert = (unit: Meant, text: string): void => {
    if (unit.kind === "text") {
      // Code shows no formatting, and goes on in what there is: a word is not divided by where that ends.
      if (unit.block.leaf !== "code") attributes = attributesFor(unit.marks);
      out.insert(text, attributes);
    } else if (unit.kind === "inline") {
      attributes = attributesFor(unit.marks);
      // An image can be described later; a mention and a break are what they are.
      out.insert(unit.fields["type"] === "image" ? written.map(unit.fields) : unit.fields, attributes);
    } else if (unit.kind === "table") {
      tables.push({ index: out.index + tables.length, node: unit.block.node, was: moving.get(text) ?? null, attributes });
      written.insert(unit.block);
    } else {
      plain = false;
      // A boundary goes on in the formatting it stands in: it has none, and saying so would cost bytes.
      out.insert(written.map(written.insert(unit.block)), attributes);
    }
  };
  const remove = (unit: Stored): void => {
    if (unit.kind !== "text") plain = false;
    if (unit.kind === "table") {
      // A deleted table stays unseen in its place. One that moves stays until it is there again: carets are in it.
      if ([...moving.values()].includes(unit.line)) left.set(unit.line, out.index);
      else gone.push(unit.line);
      out.keep(1);
    } else out.remove(1);
  };

  for (const { kind, length } of edits) {
    for (let count = 0; count < length; count++) {
      const at = visible[was];
      const [unit, wantedUnit] = [at === undefined ? undefined : stored.units[at], meant.units[is]];
      if (kind !== "insert") skipHidden();
      if (kind === "insert") {
        if (wantedUnit !== undefined) insert(wantedUnit, meant.codes[is] ?? "");
        is += 1;
        continue;
      }
      if (unit === undefined) break;
      if (kind === "remove") remove(unit);
      else if (wantedUnit !== undefined && !keep(unit, wantedUnit)) {
        // Two codes that happen to be equal.
        remove(unit);
        insert(wantedUnit, meant.codes[is] ?? "");
      }
      removing = kind === "remove";
      was += 1;
      full += 1;
      if (kind === "keep") is += 1;
    }
  }
  was = visible.length;
  removing = false;
  skipHidden();
  if (fields.length > 0 || tables.length > 0 || gone.length > 0) plain = false;
  const moved = tables.map((table): NewTable => ({ ...table, was: table.was === null ? null : { line: table.was, index: left.get(table.was) ?? 0 } }));
  return { root, operations: out.end(), fields, tables: moved, kept, gone, plain };
}

/** Where each unit that is seen is in the document. */
function positionsOf(spots: readonly Spot[]): readonly number[] {
  return spots.flatMap(({ node, at, boundary }) => {
    const size = node.isTextblock ? node.content.size : 0;
    return [...(boundary === null ? [] : [node.isTextblock ? at - 1 : at]), ...Array.from({ length: size }, (_, offset) => at + offset)];
  });
}

/** The units that stayed; `null` if the two sides were not counted alike. */
function pairsOf(was: readonly number[], is: readonly number[], old: string, now: string, stayed: readonly Kept[]): readonly Pair[] | null {
  if (was.length !== old.length || is.length !== now.length) return null;
  const places = new Map(is.map((position, at) => [position, at]));
  const pairs: Pair[] = [];
  let next = 0;
  let last = -1;
  was.forEach((position, at) => {
    while (next < stayed.length && (stayed[next]?.was ?? 0) + (stayed[next]?.length ?? 0) <= position) next += 1;
    const kept = stayed[next];
    if (kept === undefined || position < kept.was) return;
    const there = places.get(kept.is + position - kept.was);
    if (there === undefined || there <= last || old[at] !== now[there]) return;
    pairs.push([at, there]);
    last = there;
  });
  return pairs;
}

/** Tables that are taken away in one place and put in in another, by their codes. */
function movingTables(edits: readonly Edit[], old: string, now: string, unitAt: (was: number) => Stored | undefined): ReadonlyMap<string, Line> {
  const gone = new Map<string, Line>();
  const come = new Set<string>();
  let [was, is] = [0, 0];
  for (const { kind, length } of edits) {
    for (let at = 0; at < length; at++) {
      const unit = kind === "remove" ? unitAt(was + at) : undefined;
      if (unit?.kind === "table") gone.set(old[was + at] ?? "", unit.line);
      if (kind === "insert") come.add(now[is + at] ?? "");
    }
    if (kind !== "insert") was += length;
    if (kind !== "remove") is += length;
  }
  return new Map([...gone].filter(([code]) => come.has(code)));
}

function tableOf(unit: Stored | undefined): string[] {
  return unit?.kind === "table" ? [String(unit.line.fields["id"])] : [];
}

/** Before the first boundary stands a paragraph that is nothing else, and has words or is all there is. */
function canBeImplicit(wanted: Wanted | undefined, isWhole: boolean): boolean {
  if (wanted === undefined || wanted.leaf !== "paragraph" || wanted.standing.length > 0) return false;
  const plain = [...fieldsWanted(wanted, "paragraph").values()].every(({ rule, value }) => value === rule.absent);
  return plain && (isWhole || wanted.node.content.size > 0);
}

function costOf(stored: readonly Stored[], visible: readonly number[], meant: readonly Meant[], was: number, is: number, length: number): number {
  let cost = 0;
  for (let at = 0; at < length; at++) {
    const place = visible[was + at];
    const [unit, wanted] = [place === undefined ? undefined : stored[place], meant[is + at]];
    if (unit?.kind !== "boundary" || wanted?.kind !== "boundary") continue;
    const { type, parents } = spelled(wanted.block);
    const says = said(unit.line.fields);
    if (says.type !== type || says.parents.join() !== parents.join()) cost += 1;
    for (const [field, { rule, value }] of fieldsWanted(wanted.block, type)) if (!sameValue(readField(rule, unit.line.fields[field]), value)) cost += 1;
  }
  return cost;
}

const readField = (rule: { readonly absent: unknown; readonly read: (value: unknown) => unknown }, value: unknown): unknown => (value === undefined ? rule.absent : rule.read(value));

function attributesBefore(lines: readonly Line[], index: number): Attributes {
  let at = 0;
  let attributes: Attributes = {};
  for (const line of lines) {
    if (at >= index) break;
    if (at + line.length < index) {
      at += line.length;
      continue;
    }
    if (line.boundary !== null) {
      attributes = line.attributes;
      at += 1;
    }
    for (const run of line.runs) {
      if (at >= index) break;
      attributes = run.attributes;
      at += "text" in run ? run.text.length : 1;
    }
  }
  return attributes;
}

function inlineChanges(embed: Embed, stored: Fields, wanted: Fields): FieldChange[] {
  if (!(embed instanceof YMap)) return [];
  const names = new Set([...Object.keys(wanted), "alt", "title", "width", "height"]);
  return [...names].flatMap((field) => (sameValue(stored[field] ?? undefined, wanted[field]) ? [] : [{ map: embed, field, value: wanted[field] }]));
}

/** What the boundaries of the new blocks have to say, told one behind the other as they will be read. */
class Boundaries {
  private open: readonly Frame[] = [];

  /** What to change of one that stays. */
  keep(boundary: Embed | null, stored: Fields, wanted: Wanted): FieldChange[] {
    const changes = new Map<string, unknown>();
    let now: Fields = stored;
    const read = place(this.open, said(stored));
    if (!isAsWanted(read, wanted)) {
      const { type, parents } = spelled(wanted);
      const plain = { ...stored, type, parents };
      const again = place(this.open, said(plain));
      // Where even that is read as it is read now, the view follows the sequence.
      if (!samePlace(read, again)) {
        if (stored["type"] !== type) changes.set("type", type);
        if (!sameValue(Array.isArray(stored["parents"]) ? stored["parents"] : [], parents)) changes.set("parents", parents.length > 0 ? parents : undefined);
        now = plain;
      }
    }
    const { type } = said(now);
    for (const [field, { rule, value }] of fieldsWanted(wanted, type)) {
      const there = now[field];
      // An ordered item that goes on in its list says no number, not even the right one.
      if (field === "start" && there !== undefined && wanted.next) changes.set(field, undefined);
      else if (!sameValue(readField(rule, there), value)) changes.set(field, sameValue(value, rule.absent) ? undefined : value);
    }
    this.open = after(this.open, place(this.open, said(applied(now, changes))));
    if (!(boundary instanceof YMap)) return [];
    return [...changes].map(([field, value]) => ({ map: boundary, field, value }));
  }

  /** What a new one says. */
  insert(wanted: Wanted): Fields {
    const { type, parents } = spelled(wanted);
    const fields: Record<string, unknown> = { type };
    if (parents.length > 0) fields["parents"] = parents;
    for (const [field, { rule, value }] of fieldsWanted(wanted, type)) if (!sameValue(value, rule.absent)) fields[field] = value;
    const placed = place(this.open, said(fields));
    // A list of numbers right behind another stays its own.
    if (type === "ordered" && placed.next && !wanted.next) fields["start"] = fieldsWanted(wanted, type).get("start")?.value;
    this.open = after(this.open, place(this.open, said(fields)));
    return fields;
  }

  map(fields: Fields): YMap<unknown> {
    return new YMap(Object.entries(fields).filter(([, value]) => value !== undefined));
  }
}

function applied(fields: Fields, changes: ReadonlyMap<string, unknown>): Fields {
  return { ...fields, ...Object.fromEntries(changes) };
}

function isAsWanted({ kept, opened, next, leaf }: Placed, wanted: Wanted): boolean {
  if (leaf !== wanted.leaf || kept !== wanted.kept || next !== wanted.next || kept + opened.length !== wanted.standing.length) return false;
  return opened.every((frame, at) => sameFrame(frame, wanted.standing[kept + at]?.frame));
}

function sameFrame(one: Frame, other: Frame | undefined): boolean {
  return other !== undefined && one.kind === other.kind && (one.kind !== "item" || (other.kind === "item" && one.list === other.list));
}

function samePlace(one: Placed, other: Placed): boolean {
  return one.kept === other.kept && one.next === other.next && one.leaf === other.leaf && one.opened.length === other.opened.length && one.opened.every((frame, at) => sameFrame(frame, other.opened[at]));
}

/** Operations, as few as say it. */
class Operations {
  private readonly all: Operation[] = [];
  /** Where in the sequence as it becomes the next one is. */
  index: number;
  /** Boundaries kept since the last letter: formatting goes on over them, which is one stretch instead of many. */
  private bridge = 0;
  private format: Attributes | null = null;

  constructor(from: number) {
    this.index = from;
    if (from > 0) this.all.push({ retain: from });
  }

  keep(count: number, what: Attributes | "boundary" | "letter" = "letter"): void {
    this.index += count;
    if (what === "boundary" && this.format !== null) {
      this.bridge += count;
      return;
    }
    const format = typeof what === "string" ? null : what;
    if (format !== null && this.format !== null && sameAttributes(format, this.format)) this.push({ retain: this.bridge, attributes: format });
    else this.push({ retain: this.bridge });
    this.bridge = 0;
    this.format = format;
    this.push(format === null ? { retain: count } : { retain: count, attributes: format });
  }

  remove(count: number): void {
    this.settle();
    this.push({ delete: count });
  }

  insert(content: string | Readonly<Record<string, unknown>> | YMap<unknown>, attributes: Attributes): void {
    this.settle();
    this.index += typeof content === "string" ? content.length : 1;
    this.push({ insert: content, attributes });
  }

  end(): readonly Operation[] {
    this.settle();
    while (this.all.length > 0) {
      const last = this.all.at(-1);
      if (last === undefined || !("retain" in last) || last.attributes !== undefined) break;
      this.all.pop();
    }
    return this.all;
  }

  private settle(): void {
    this.push({ retain: this.bridge });
    this.bridge = 0;
    this.format = null;
  }

  private push(next: Operation): void {
    if ("retain" in next && next.retain === 0) return;
    const last = this.all.at(-1);
    const at = this.all.length - 1;
    if (last !== undefined && "retain" in last && "retain" in next && sameAttributes(last.attributes ?? {}, next.attributes ?? {})) this.all[at] = { ...last, retain: last.retain + next.retain };
    else if (last !== undefined && "delete" in last && "delete" in next) this.all[at] = { delete: last.delete + next.delete };
    else if (last !== undefined && "insert" in last && "insert" in next && typeof last.insert === "string" && typeof next.insert === "string" && sameAttributes(last.attributes, next.attributes)) this.all[at] = { ...last, insert: last.insert + next.insert };
    else this.all.push(next);
  }
}

