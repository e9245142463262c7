// Where each block of a sequence stands. Blocks are read one behind the other; what is open after one, the next may go on
// in. Whatever the fields say has exactly one reading: parents that cannot be are left out, unknown types are paragraphs.
import { type BlockType, type BoxKind, type Fields, isBox, isLeaf, isList, type LeafKind, type ListKind, MAX_PARENTS, type Parent } from "./model";

/** One of the containers that are open, outermost first. */
export type Frame = { readonly kind: "item"; readonly list: ListKind } | { readonly kind: BoxKind };

/** What a boundary says of its block. */
export interface Said {
  readonly type: BlockType;
  readonly parents: readonly Parent[];
  /** Whether it begins a list of its own although it could go on in one. */
  readonly apart: boolean;
}

/** Where a block stands: how many of the open containers it goes on in, which it opens, and what it is itself. */
export interface Placed {
  readonly kept: number;
  readonly opened: readonly Frame[];
  /** Whether the first of those opened is one more item of the list that is open there. */
  readonly next: boolean;
  readonly leaf: LeafKind;
}

/** Before the first boundary stands a paragraph, and behind a rule or a table if there are words. */
export const PLAIN: Said = { type: "paragraph", parents: [], apart: false };

export function said(fields: Fields): Said {
  const { type, parents, start } = fields;
  if (parents === undefined && type === "paragraph") return PLAIN;
  return {
    type: isLeaf(type) || isList(type) || isBox(type) ? type : "paragraph",
    parents: Array.isArray(parents) ? parents.filter((parent): parent is Parent => parent === "item" || isBox(parent)).slice(0, MAX_PARENTS) : [],
    apart: type === "ordered" && typeof start === "number",
  };
}

const TOP: Placed = { kept: 0, opened: [], next: false, leaf: "paragraph" };

export function place(open: readonly Frame[], what: Said): Placed {
  // Most blocks of most texts.
  if (what === PLAIN) return TOP;
  const { type, parents, apart } = what;
  let kept = 0;
  const opened: Frame[] = [];
  for (const parent of parents) {
    if (opened.length === 0 && open[kept]?.kind === parent) kept += 1;
    // An item is begun by its own boundary. Nobody began this one: what it was part of is gone.
    else if (parent !== "item") opened.push({ kind: parent });
  }
  if (isBox(type)) return { kept, opened: [...opened, { kind: type }], next: false, leaf: "paragraph" };
  if (!isList(type)) return { kept, opened, next: false, leaf: type };
  const there = open[kept];
  const next = opened.length === 0 && !apart && there?.kind === "item" && there.list === type;
  return { kept, opened: [...opened, { kind: "item", list: type }], next, leaf: "paragraph" };
}

/** What is open after it. */
export function after(open: readonly Frame[], { kept, opened }: Placed): readonly Frame[] {
  return opened.length === 0 && kept === open.length ? open : [...open.slice(0, kept), ...opened];
}
