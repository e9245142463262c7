// Where a place in a sequence is in the document, and back. A place is the gap before the character or object with that
// number; a caret is told by the one before it.
import type { Node } from "@tiptap/pm/model";
import type { Block } from "./blocks";
import type { Frame } from "./fold";
import type { Sequences, TableLine } from "./grids";
import { BODY, cellPlace } from "./model";
import type { Line } from "./sequence";

/** A block of the document and its part of a sequence. */
export interface Spot extends Readonly<Block> {
  readonly node: Node;
  /** Where what it holds begins in the document; of what holds nothing, where it stands. */
  readonly at: number;
}

/**
 * Lines that are read by themselves, because nothing that stands before them goes on in them: most are one line and one child
 * of the document. Whatever stays the same is used again as it is, so that nothing in it may say where it stands.
 */
export interface Section {
  readonly lines: readonly Line[];
  readonly nodes: readonly Node[];
  /** In the order of the document, those in its tables too; where they are is told from where the section begins. */
  readonly spots: readonly Spot[];
  /** What is open behind it. */
  readonly open: readonly Frame[];
  /** What else was read for it: the words of cells. */
  readonly cells: ReadonlyMap<string, readonly Line[] | undefined>;
  /** How many places it takes in the sequence, and in the document. */
  readonly length: number;
  readonly size: number;
}

/** Whether a node of the document is a block with a part of a sequence, rather than what stands around some. */
export const hasSpot = ({ isTextblock, type }: Node): boolean => isTextblock || type.name === "table" || type.name === "horizontalRule";

export interface Place {
  readonly root: string;
  readonly index: number;
}

/** Where each section begins: in the document and among its children, in the sequence and among its lines. */
export interface Starts {
  readonly at: readonly number[];
  readonly child: readonly number[];
  readonly from: readonly number[];
  readonly line: readonly number[];
}

export class Index {
  private readonly placed = new Map<number, readonly Spot[]>();

  constructor(
    readonly sections: readonly Section[],
    readonly starts: Starts,
    readonly sequences: Sequences,
    /** Those there are, with the number of their line. */
    readonly tables: readonly TableLine[],
  ) {}

  /** The last block that begins at or before this place in the document, and those behind it. */
  *spotsFrom(position: number): Generator<Spot> {
    const first = this.spotAt(position);
    let found = false;
    for (let section = first === null ? 0 : this.sectionOf(first); section < this.sections.length; section++) {
      for (const spot of this.spotsOf(section)) {
        found ||= spot === first;
        if (found) yield spot;
      }
    }
  }

  /** Where a place is before every block, the first one. */
  spotAt(position: number): Spot | null {
    return this.last(lastAt(this.starts.at, position), 0, ({ at }) => at <= position) ?? this.next(0, () => true);
  }

  /** The blocks of the body that begin between two places of the document. */
  bodyBetween(from: number, to: number): readonly Spot[] {
    const found: Spot[] = [];
    const { at } = this.starts;
    for (let section = Math.max(lastAt(at, from), 0); (at[section] ?? Infinity) < to; section++) {
      found.push(...this.spotsOf(section).filter((spot) => spot.root === BODY && spot.at >= from && spot.at < to));
    }
    return found;
  }

  /** The lines that stand around a part of the body, and where the first of them begins. */
  linesAround(from: number, to: number): { readonly lines: readonly Line[]; readonly start: number } {
    const { from: starts, line } = this.starts;
    // One more before it: what is put in goes on in its formatting.
    const [first, last] = [Math.max(lastAt(starts, from) - 1, 0), lastAt(starts, to) + 1];
    return { lines: this.sequences.body.slice(line[first] ?? 0, line[last]), start: starts[first] ?? 0 };
  }

  /** The first block of the body that begins at a place of the document or behind it. */
  bodyFrom(position: number): Spot | null {
    return this.next(Math.max(lastAt(this.starts.at, position), 0), ({ root, at }) => root === BODY && at >= position);
  }

  /** The last one that begins before it. */
  bodyBefore(position: number): Spot | null {
    return this.last(lastAt(this.starts.at, position), 0, ({ root, at }) => root === BODY && at < position);
  }

  /** Those of a cell. */
  spotsIn(root: string): readonly Spot[] {
    return this.spotsOf(this.sectionIn(root, 0)).filter((spot) => spot.root === root);
  }

  toSequence(position: number): Place | null {
    const spot = this.spotAt(position);
    if (spot === null) return null;
    const { root, node, from, to, at } = spot;
    if (!node.isTextblock) return { root, index: from };
    let index = from + Math.min(Math.max(position - at, 0), node.content.size);
    // What nobody sees stands behind the caret.
    for (const hidden of spot.hidden) if (from + hidden < index) index += 1;
    return { root, index: Math.min(index, to) };
  }

  /** The block whose boundary stands at a place of a sequence. */
  begunAt(root: string, index: number): Spot | null {
    const section = this.sectionIn(root, index);
    return this.spotsOf(section).find((spot) => spot.root === root && spot.boundary !== null && spot.from === index + 1) ?? null;
  }

  /** Whether what stands at this place of a sequence is something one sees in a block. */
  isSeen(root: string, index: number): boolean {
    const spot = this.holder(root, index);
    return spot !== null && index >= spot.from && index < spot.to && !spot.hidden.includes(index - spot.from);
  }

  /** `null` where the sequence has no place in the document. */
  toDocument({ root, index }: Place): number | null {
    const spot = this.holder(root, index);
    if (spot === null) return null;
    const offset = Math.min(Math.max(index, spot.from), spot.to) - spot.from;
    return spot.at + offset - spot.hidden.filter((hidden) => hidden < offset).length;
  }

  /** The last block of a root that begins at or before a place; before every block, the first one. */
  private holder(root: string, index: number): Spot | null {
    const section = this.sectionIn(root, index);
    const first = root === BODY ? 0 : section;
    return section < 0 ? null : (this.last(section, first, (spot) => spot.root === root && spot.from <= index) ?? this.next(first, (spot) => spot.root === root));
  }

  /** The last there is in sections up to one. */
  private last(section: number, first: number, is: (spot: Spot) => boolean): Spot | null {
    for (let at = section; at >= first; at--) {
      const found = this.spotsOf(at).findLast(is);
      if (found !== undefined) return found;
    }
    return null;
  }

  private next(section: number, is: (spot: Spot) => boolean): Spot | null {
    for (let at = section; at < this.sections.length; at++) {
      const found = this.spotsOf(at).find(is);
      if (found !== undefined) return found;
    }
    return null;
  }

  private sectionOf({ at }: Spot): number {
    return lastAt(this.starts.at, at);
  }

  private sectionIn(root: string, index: number): number {
    if (root === BODY) return lastAt(this.starts.from, index);
    const line = this.tables.find(({ grid }) => grid !== undefined && grid.id === cellPlace(root)?.table)?.number;
    return line === undefined ? -1 : lastAt(this.starts.line, line);
  }

  /** Where they are in all. */
  private spotsOf(section: number): readonly Spot[] {
    const known = this.placed.get(section);
    if (known !== undefined) return known;
    const { at: start = 0, from = 0 } = { at: this.starts.at[section], from: this.starts.from[section] };
    const spots = (this.sections[section]?.spots ?? []).map((spot) => ({ ...spot, at: spot.at + start, ...(spot.root === BODY ? { from: spot.from + from, to: spot.to + from } : {}) }));
    this.placed.set(section, spots);
    return spots;
  }
}

/** The last of several places, in order, that is at or before one; -1 if there is none. */
export function lastAt(starts: readonly number[], place: number): number {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? Infinity) <= place) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
