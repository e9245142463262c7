// Blocks as they are seen: lines of the sequence, without those that are there only to be brought back. The boundary of a
// deleted table stays in its place, unseen; what stands behind it belongs to the block before.
import { type EmbedKind, type Fields, INLINES, isInline } from "./model";
import { type Embed, type Line, type Run, runLength } from "./sequence";

export interface Block {
  readonly root: string;
  /** The boundary that begins it; `null` for words at the beginning, and behind a rule or a table. */
  readonly boundary: Embed | null;
  readonly fields: Fields;
  /** The line it is, if it is exactly one. What was made of that can be kept. */
  readonly line: Line | null;
  /** The lines it is made of. */
  readonly parts: readonly Line[];
  readonly runs: readonly Run[];
  /** Where what it holds begins in the sequence, behind its boundary, and where it ends. */
  readonly from: number;
  readonly to: number;
  /** Offsets in it of what is in the sequence and not in the document. Known when that is made. */
  hidden: readonly number[];
}

const NONE: readonly number[] = [];

/** Whether nothing is to be seen of a line whose boundary is a table's. */
export type Unseen = (line: Line) => boolean;

export function blocksOf(root: string, lines: readonly Line[], unseen: Unseen): readonly Block[] {
  const blocks: Block[] = [];
  let at = 0;
  // What is put behind the block before: boundaries nobody sees, and the words behind them.
  let more: Run[] = [];
  let others: Line[] = [];
  const push = (boundary: Embed | null, fields: Fields, line: Line | null, parts: readonly Line[], runs: readonly Run[], from: number, to: number): void => {
    blocks.push({ root, boundary, fields, line, parts, runs, from, to, hidden: NONE });
  };
  const flush = (): void => {
    if (more.length === 0) return;
    const before = blocks.at(-1);
    const seen = more.some(isSeen);
    const length = more.reduce((sum, run) => sum + runLength(run), 0);
    if (before !== undefined && !isAtom(before)) blocks[blocks.length - 1] = { ...before, line: null, parts: [...before.parts, ...others], runs: [...before.runs, ...more], to: before.to + length };
    else if (seen) push(null, {}, null, others, more, at - length, at);
    [more, others] = [[], []];
  };
  const join = (line: Line, ...runs: readonly Run[]): void => {
    more.push(...runs);
    others.push(line);
  };
  for (const line of lines) {
    const { boundary, fields, runs, length } = line;
    const isUnseen = boundary !== null && fields["type"] === "table" && unseen(line);
    if (boundary !== null && !isUnseen) flush();
    at += length;
    if (isUnseen) join(line, { embed: boundary, fields, kind: "unknown", attributes: line.attributes }, ...runs);
    else if (boundary === null && !runs.some(isSeen)) join(line, ...runs);
    else if (boundary === null) push(boundary, fields, line, [line], runs, at - length, at);
    else {
      const from = at - length + 1;
      const atom = isAtom(line);
      push(boundary, fields, line, [line], atom ? [] : runs, from, atom ? from : at);
      if (atom && runs.length > 0) join(line, ...runs);
    }
  }
  flush();
  return blocks;
}

/** Nothing stands in a rule or a table itself. */
export function isAtom({ fields }: Pick<Block, "fields">): boolean {
  return fields["type"] === "rule" || fields["type"] === "table";
}

const isSeen = (run: Run): boolean => "text" in run || isShown(run.kind);

export const isShown = (kind: EmbedKind): boolean => isInline(kind) && Object.hasOwn(INLINES, kind);

/** Whether there is anything one would miss in it: an empty line is not. */
export function hasWords(lines: readonly Line[]): boolean {
  return lines.some(({ runs }) => runs.some(isSeen));
}
