// The sequence of one root as immutable lines, kept in step with the shared data by its events: a line is a boundary with
// what stands behind it. A line that nobody touched stays the same object, so that what was made of it can be kept.
import { AbstractType, Doc, Map as YMap, type Text as YText } from "yjs";
import { type Attributes, embedKind, type EmbedKind, type Fields } from "./model";

export type Embed = YMap<unknown> | Readonly<Record<string, unknown>>;

export interface TextRun {
  readonly text: string;
  readonly attributes: Attributes;
}

export interface EmbedRun {
  readonly embed: Embed;
  readonly kind: EmbedKind;
  readonly fields: Fields;
  readonly attributes: Attributes;
}

export type Run = TextRun | EmbedRun;

export interface Line {
  /** `null` for what stands before the first boundary. */
  readonly boundary: Embed | null;
  readonly fields: Fields;
  readonly attributes: Attributes;
  readonly runs: readonly Run[];
  /** How many places it takes in the sequence, its boundary's among them. */
  readonly length: number;
}

export type Delta = readonly {
  readonly insert?: unknown;
  readonly retain?: number;
  readonly delete?: number;
  readonly attributes?: Attributes;
}[];

/** A stretch of a sequence that is still there: where it was, where it is, and how long. */
export interface Kept {
  readonly was: number;
  readonly is: number;
  readonly length: number;
}

const NONE: Attributes = {};

/** Without those of no length, and one where one follows the other. */
export function joinedKept(all: readonly Kept[]): readonly Kept[] {
  const joined: Kept[] = [];
  for (const one of all) {
    const last = joined.at(-1);
    if (one.length <= 0) continue;
    if (last !== undefined && last.was + last.length === one.was && last.is + last.length === one.is) joined[joined.length - 1] = { ...last, length: last.length + one.length };
    else joined.push(one);
  }
  return joined;
}

export function linesOf(text: YText): readonly Line[] {
  return new Writer().insertAll(text.toDelta() as Delta).end();
}

/** The lines after a change, and what of the sequence stayed. */
export function changed(lines: readonly Line[], delta: Delta): { readonly lines: readonly Line[]; readonly kept: readonly Kept[] } {
  const writer = new Writer();
  const reader = new Reader(lines);
  const kept: Kept[] = [];
  let [was, is] = [0, 0];
  const keep = (length: number): void => {
    const last = kept.at(-1);
    if (last !== undefined && last.was + last.length === was && last.is + last.length === is) kept[kept.length - 1] = { ...last, length: last.length + length };
    else if (length > 0) kept.push({ was, is, length });
    was += length;
    is += length;
  };
  for (const { insert, retain, delete: removed, attributes } of delta) {
    if (insert !== undefined) is += writer.insert(insert, attributes ?? NONE);
    else if (retain !== undefined) {
      reader.take(retain, attributes === undefined ? writer : { lines: (lines) => lines.forEach((line) => writer.reformatted(line, attributes)), run: (run) => writer.run(reformatted(run, attributes)), boundary: (line) => writer.boundary({ ...line, attributes: merged(line.attributes, attributes) }) });
      keep(retain);
    } else if (removed !== undefined) {
      reader.take(removed, NOWHERE);
      was += removed;
    }
  }
  reader.takeAll(writer);
  keep(Infinity);
  return { lines: writer.end(), kept };
}

/** The lines with the fields of some embeds read again. */
export function refreshed(lines: readonly Line[], touched: ReadonlySet<unknown>): readonly Line[] {
  return lines.map((line) => {
    const own = touched.has(line.boundary);
    const inside = line.runs.some((run) => "embed" in run && touched.has(run.embed));
    if (!own && !inside) return line;
    const runs = inside ? line.runs.map((run) => ("embed" in run && touched.has(run.embed) ? embedded(run.embed, run.attributes) : run)) : line.runs;
    return { ...line, runs, fields: own && line.boundary !== null ? fieldsOf(line.boundary) : line.fields };
  });
}

/**
 * A field is a plain value, or a map of such, as the rows of a table are. Other shared types are nothing there: the server
 * does not even look at them, because there are such of which reading never ends.
 */
export function fieldsOf(embed: Embed): Fields {
  return embed instanceof YMap ? plain(embed, MAPS) : embed;
}

/** How deep maps lie in the map of a boundary: the rows of a table, and each of them. */
const MAPS = 2;

function plain(map: YMap<unknown>, maps: number): Fields {
  const fields: [string, unknown][] = [];
  for (const [field, value] of map.entries()) {
    if (value instanceof YMap) {
      if (maps > 0) fields.push([field, plain(value as YMap<unknown>, maps - 1)]);
    } else if (!(value instanceof AbstractType || value instanceof Doc)) fields.push([field, value]);
  }
  return Object.fromEntries(fields);
}

export function lengthOf(lines: readonly Line[]): number {
  let all = 0;
  for (const { length } of lines) all += length;
  return all;
}

export const runLength = (run: Run): number => ("text" in run ? run.text.length : 1);

function embedded(embed: Embed, attributes: Attributes): EmbedRun {
  const fields = fieldsOf(embed);
  return { embed, fields, kind: embedKind(fields, embed instanceof YMap), attributes };
}

function merged(attributes: Attributes, change: Attributes): Attributes {
  const all = { ...attributes, ...change };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
}

function reformatted(run: Run, change: Attributes): Run {
  return { ...run, attributes: merged(run.attributes, change) };
}

/** Where parts of lines go, in order. */
interface Sink {
  readonly lines: (lines: readonly Line[]) => void;
  readonly boundary: (line: Line) => void;
  readonly run: (run: Run) => void;
}

const NOWHERE: Sink = { lines: () => undefined, boundary: () => undefined, run: () => undefined };

/** Walks over lines, whole ones where it can. */
class Reader {
  private at = 0;
  /** How much of the line at `at` is taken already. */
  private inside = 0;

  constructor(private readonly lines: readonly Line[]) {}

  takeAll(sink: Sink): void {
    const line = this.lines[this.at];
    if (this.inside > 0 && line !== undefined) this.take(line.length - this.inside, sink);
    sink.lines(this.lines.slice(this.at));
  }

  take(count: number, sink: Sink): void {
    while (count > 0) {
      const line = this.lines[this.at];
      if (line === undefined) throw new RangeError("the change reaches behind the end of the sequence");
      if (this.inside === 0 && line.length <= count) {
        const first = this.at;
        for (let next: Line | undefined = line; next !== undefined && next.length <= count; next = this.lines[this.at]) {
          count -= next.length;
          this.at += 1;
        }
        sink.lines(this.lines.slice(first, this.at));
        continue;
      }
      const [from, to] = [this.inside, Math.min(line.length, this.inside + count)];
      const head = line.boundary === null ? 0 : 1;
      if (from < head) sink.boundary(line);
      let place = head;
      for (const run of line.runs) {
        const end = place + runLength(run);
        if (end > from && place < to) sink.run("text" in run && (place < from || end > to) ? { ...run, text: run.text.slice(Math.max(from - place, 0), to - place) } : run);
        place = end;
      }
      count -= to - from;
      this.inside = to;
      if (to === line.length) {
        this.at += 1;
        this.inside = 0;
      }
    }
  }
}

/** Puts parts together to lines. */
class Writer implements Sink {
  private readonly done: Line[] = [];
  private open: { boundary: Embed | null; fields: Fields; attributes: Attributes; runs: Run[] } | null = null;
  private whole: Line | null = null;

  insertAll(delta: Delta): this {
    for (const { insert, attributes } of delta) this.insert(insert, attributes ?? NONE);
    return this;
  }

  /** Answers how many places it takes. */
  insert(content: unknown, attributes: Attributes): number {
    if (typeof content === "string") {
      this.run({ text: content, attributes });
      return content.length;
    }
    const run = embedded((typeof content === "object" && content !== null ? content : {}) as Embed, attributes);
    if (run.kind === "boundary") this.boundary({ boundary: run.embed, fields: run.fields, attributes, runs: [], length: 1 });
    else this.run(run);
    return 1;
  }

  readonly lines = (lines: readonly Line[]): void => {
    const [first] = lines;
    if (first === undefined) return;
    // What stands before the first boundary goes on with what was put in before it.
    if (first.boundary === null && !this.isEmpty) {
      first.runs.forEach(this.run);
      return this.lines(lines.slice(1));
    }
    this.close();
    for (let at = 0; at < lines.length - 1; at++) this.done.push(lines[at] as Line);
    this.whole = lines.at(-1) ?? null;
  };

  readonly boundary = ({ boundary, fields, attributes }: Line): void => {
    this.close();
    this.open = { boundary, fields, attributes, runs: [] };
  };

  readonly run = (run: Run): void => {
    if ("text" in run && run.text === "") return;
    if (this.whole !== null) this.open = { ...this.whole, runs: [...this.whole.runs] };
    this.whole = null;
    this.open ??= { boundary: null, fields: {}, attributes: NONE, runs: [] };
    const { runs } = this.open;
    const last = runs.at(-1);
    if (last !== undefined && "text" in last && "text" in run && sameAttributes(last.attributes, run.attributes)) runs[runs.length - 1] = { ...last, text: last.text + run.text };
    else runs.push(run);
  };

  readonly reformatted = (line: Line, attributes: Attributes): void => {
    if (line.boundary !== null) this.boundary({ ...line, attributes: merged(line.attributes, attributes) });
    for (const run of line.runs) this.run(reformatted(run, attributes));
  };

  end(): readonly Line[] {
    this.close();
    return this.done;
  }

  private get isEmpty(): boolean {
    return this.done.length === 0 && this.open === null && this.whole === null;
  }

  private close(): void {
    if (this.whole !== null) this.done.push(this.whole);
    if (this.open !== null) this.done.push({ ...this.open, length: this.open.runs.reduce((sum, run) => sum + runLength(run), this.open.boundary === null ? 0 : 1) });
    this.whole = null;
    this.open = null;
  }
}

export function sameAttributes(one: Attributes, other: Attributes): boolean {
  if (one === other) return true;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => Object.hasOwn(other, key) && sameValue(one[key], other[key]));
}

export function sameValue(one: unknown, other: unknown): boolean {
  return one === other || (typeof one === "object" && typeof other === "object" && JSON.stringify(one) === JSON.stringify(other));
}
