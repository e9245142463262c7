// Both sides of a change as strings to be compared: one code unit for each place in the sequence.
import type { Mark, Node } from "@tiptap/pm/model";
import { isShown } from "./blocks";
import { INLINES, isInline, type Attributes, type Fields, type InlineKind, MARKS } from "./model";
import { type Embed, type EmbedRun, type Line, sameValue } from "./sequence";
import type { Wanted } from "./wanted";

/** What stands at one place of the sequence as it is. A run of text shares one. */
export type Stored =
  | { readonly kind: "text"; readonly attributes: Attributes }
  | { readonly kind: "inline" | "hidden"; readonly attributes: Attributes; readonly embed: Embed; readonly fields: Fields }
  | { readonly kind: "boundary" | "table"; readonly attributes: Attributes; readonly line: Line };

/** What should stand there. */
export type Meant =
  | { readonly kind: "text"; readonly text: string; readonly marks: readonly Mark[]; readonly block: Wanted }
  | { readonly kind: "inline"; readonly fields: Fields; readonly marks: readonly Mark[]; readonly block: Wanted }
  | { readonly kind: "boundary"; readonly block: Wanted }
  | { readonly kind: "table"; readonly block: Wanted };

export interface Units<T> {
  readonly codes: string;
  readonly units: readonly T[];
}

/** A code that stands for no letter. */
const BOUNDARY = "\ufdd0";
const FIRST_OF_OTHERS = 0xe000;

/** Objects that are the same have the same code. There is room for some thousands; what comes after that is like the last. */
export class Codes {
  private readonly known = new Map<string, string>();

  of(key: string): string {
    const code = this.known.get(key) ?? String.fromCharCode(Math.min(FIRST_OF_OTHERS + this.known.size, 0xf8ff));
    this.known.set(key, code);
    return code;
  }
}

export interface Between {
  readonly from: number;
  readonly to: number;
}

/** What the sequence holds between two places, of lines the first of which begins at `start`; `isTable` tells tables that are seen. */
export function storedUnits(lines: readonly Line[], start: number, { from, to }: Between, codes: Codes, isTable: (line: Line) => boolean, isUnseen: (line: Line) => boolean): Units<Stored> {
  const units: Stored[] = [];
  let all = "";
  let at = start;
  const add = (code: string, unit: Stored): void => {
    for (let offset = 0; offset < code.length; offset++) {
      if (at >= from && at < to) {
        all += code[offset] ?? "";
        units.push(unit);
      }
      at += 1;
    }
  };
  for (const line of lines) {
    if (at >= to) break;
    if (at + line.length <= from) {
      at += line.length;
      continue;
    }
    const { boundary, attributes } = line;
    const inCode = line.fields["type"] === "code";
    if (boundary !== null && isUnseen(line)) add(BOUNDARY, { kind: "hidden", attributes, embed: boundary, fields: line.fields });
    else if (boundary !== null) add(isTable(line) ? codes.of(`table:${String(line.fields["id"])}`) : BOUNDARY, { kind: isTable(line) ? "table" : "boundary", attributes, line });
    for (const run of line.runs) {
      if ("text" in run) add(run.text, { kind: "text", attributes: run.attributes });
      else {
        const { embed, fields } = run;
        const hidden = !isShown(run.kind) || (inCode && run.kind !== "break");
        add(inlineCode(run, codes), { kind: hidden ? "hidden" : "inline", attributes: run.attributes, embed, fields });
      }
    }
  }
  return { codes: all, units };
}

/** What it should hold. `at` answers the place in it of a place in the document. */
export function meantUnits(blocks: readonly Wanted[], codes: Codes, withoutFirst: boolean, tableId: (block: Wanted) => string | null): Units<Meant> & { readonly positions: readonly number[]; readonly at: (position: number) => number | null } {
  const units: Meant[] = [];
  const positions: number[] = [];
  const starts: { readonly at: number; readonly end: number; readonly index: number }[] = [];
  let all = "";
  blocks.forEach((block, number) => {
    const table = block.leaf === "table" ? tableId(block) : null;
    if (number > 0 || !withoutFirst) {
      all += table === null ? BOUNDARY : codes.of(`table:${table}`);
      units.push(table === null ? { kind: "boundary", block } : { kind: "table", block });
      positions.push(block.node.isTextblock ? block.at - 1 : block.at);
    }
    starts.push({ at: block.at, end: block.at + (block.node.isTextblock ? block.node.content.size : 0), index: units.length });
    if (!block.node.isTextblock) return;
    for (let offset = 0; offset < block.node.content.size; offset++) positions.push(block.at + offset);
    block.node.forEach((node) => {
      if (node.text !== undefined) {
        const unit = { kind: "text", text: node.text, marks: node.marks, block } as const;
        all += node.text;
        for (let offset = 0; offset < node.text.length; offset++) units.push(unit);
      } else {
        const fields = inlineFields(node);
        all += fields === null ? "\ufffc" : inlineCode({ kind: fields["type"] as InlineKind, fields }, codes);
        units.push({ kind: "inline", fields: fields ?? { type: "unknown" }, marks: node.marks, block });
      }
    });
  });
  const at = (position: number): number | null => {
    const start = starts.findLast((one) => one.at <= position);
    return start === undefined || position > start.end ? null : start.index + position - start.at;
  };
  return { codes: all, units, positions, at };
}

/** An object is known by what it shows; the rest are fields that can be changed. A break is a break however it is written. */
function inlineCode({ kind, fields }: { readonly kind: EmbedRun["kind"]; readonly fields: Fields }, codes: Codes): string {
  if (kind === "break") return "\n";
  if (kind === "image") return codes.of(`image:${String(fields["src"])}`);
  return codes.of(`${kind}:${JSON.stringify(fields)}`);
}

const NODES = new Map<string, InlineKind>(Object.entries(INLINES).map(([kind, { node }]) => [node, kind as InlineKind]));

export function inlineFields(node: Node): Fields | null {
  const kind = NODES.get(node.type.name);
  if (kind === undefined || !isInline(kind)) return null;
  return { type: kind, ...Object.fromEntries(INLINES[kind].fields.flatMap((field) => (node.attrs[field] == null ? [] : [[field, node.attrs[field]]]))) };
}

/** The formatting attributes that say these marks. */
export function attributesFor(marks: readonly Mark[]): Attributes {
  const attributes: Record<string, unknown> = {};
  for (const [name, { mark, attributes: names }] of Object.entries(MARKS)) {
    const found = marks.find(({ type }) => type.name === mark);
    if (found === undefined) continue;
    const given = names.filter((attribute) => found.attrs[attribute] != null);
    if (given.length === 0) attributes[name] = true;
    else if (given.length === 1 && given[0] === names[0]) attributes[name] = found.attrs[given[0] ?? ""];
    else attributes[name] = Object.fromEntries(given.map((attribute) => [attribute, found.attrs[attribute]]));
  }
  return attributes;
}

/** What to change so that these attributes say those marks; attributes of other programs stay. */
export function reformat(attributes: Attributes, marks: readonly Mark[]): Attributes {
  const wanted = attributesFor(marks);
  return Object.fromEntries(
    Object.keys(MARKS).flatMap((name): [string, unknown][] => {
      if (wanted[name] !== undefined) return sameValue(wanted[name], attributes[name]) ? [] : [[name, wanted[name]]];
      return attributes[name] === undefined || attributes[name] === null ? [] : [[name, null]];
    }),
  );
}
