// What a text is in the shared data: the names, types and fields that every program agrees on. This is the one place; the
// rules by which a sequence is read are in fold.ts and table.ts, and tests/fixtures/text-model/reading.json has them as cases.
//
// A text is one Y.Text, the root `body`. It holds characters, with marks as formatting attributes; inline objects, as
// embeds; and boundaries, embedded Y.Maps where a block begins. The words of a table's cell are a root of their own.

export const BODY = "body";

const CELL = "cell/";

/** The root that holds the words of one cell. A root needs nobody to create it, so two may write in an empty cell at once. */
export const cellName = (table: string, row: string, column: string): string => `${CELL}${table}/${row}/${column}`;

export interface CellPlace {
  readonly table: string;
  readonly row: string;
  readonly column: string;
}

export function cellPlace(name: string): CellPlace | null {
  if (!name.startsWith(CELL)) return null;
  const [table, row, column, ...more] = name.slice(CELL.length).split("/");
  return table && row && column && more.length === 0 ? { table, row, column } : null;
}

/** The fields of a boundary or an inline object, as plain values. */
export type Fields = Readonly<Record<string, unknown>>;

/** Formatting attributes of a character. */
export type Attributes = Readonly<Record<string, unknown>>;

/** A block whose type is one of these begins an item of a list; blocks that go on in it have `item` among their parents. */
export const LISTS = {
  bullet: { list: "bulletList", item: "listItem" },
  ordered: { list: "orderedList", item: "listItem" },
  task: { list: "taskList", item: "taskItem" },
} as const;
export type ListKind = keyof typeof LISTS;

/** Containers that any block may stand in first. A block whose type is one of these is a paragraph that begins one. */
export const BOXES = { quote: "blockquote" } as const;
export type BoxKind = keyof typeof BOXES;

/** Blocks that are what they are, wherever they stand. */
export const LEAVES = {
  paragraph: "paragraph",
  heading: "heading",
  code: "codeBlock",
  rule: "horizontalRule",
  table: "table",
} as const;
export type LeafKind = keyof typeof LEAVES;

/** What a block stands in: an item that was begun before it, of whatever list, or a box. */
export type Parent = "item" | BoxKind;

/** Containers beyond this many are left out. Nobody writes so; without a limit, whoever reads would run out of stack. As JSON
 * such a text is nested no deeper than every reader takes. */
export const MAX_PARENTS = 24;

export type BlockType = LeafKind | ListKind | BoxKind;

export const isList = (type: unknown): type is ListKind => typeof type === "string" && Object.hasOwn(LISTS, type);
export const isBox = (type: unknown): type is BoxKind => typeof type === "string" && Object.hasOwn(BOXES, type);
export const isLeaf = (type: unknown): type is LeafKind => typeof type === "string" && Object.hasOwn(LEAVES, type);

/** Objects among the characters. `break` ends a line within a block; in code, and in text of others, it is a "\n". */
export const INLINES = {
  break: { node: "hardBreak", fields: [] },
  image: { node: "image", fields: ["src", "alt", "title", "width", "height"] },
  mention: { node: "mention", fields: ["id", "label"] },
} as const;
export type InlineKind = keyof typeof INLINES;
export const isInline = (type: unknown): type is InlineKind => typeof type === "string" && Object.hasOwn(INLINES, type);

/** What an embed is. Maps of unknown types begin blocks, from a newer program; other unknown values are nothing one can show. */
export type EmbedKind = InlineKind | "boundary" | "unknown";

export function embedKind(fields: Fields, isMap: boolean): EmbedKind {
  const { type } = fields;
  if (isInline(type)) return type;
  return isMap || isLeaf(type) || isList(type) || isBox(type) ? "boundary" : "unknown";
}

/**
 * Formatting attributes, and the mark each is in the editor. The value is the first of the attributes named here where it
 * is all there is to say, an object of them where there is more, and `true` where there is nothing.
 */
export const MARKS: Readonly<Record<string, { readonly mark: string; readonly attributes: readonly string[] }>> = {
  bold: { mark: "bold", attributes: [] },
  italic: { mark: "italic", attributes: [] },
  underline: { mark: "underline", attributes: [] },
  strike: { mark: "strike", attributes: [] },
  code: { mark: "code", attributes: [] },
  link: { mark: "link", attributes: ["href", "title"] },
  highlight: { mark: "highlight", attributes: ["color"] },
  color: { mark: "color", attributes: ["color"] },
  sub: { mark: "subscript", attributes: [] },
  sup: { mark: "superscript", attributes: [] },
};

/** A field of a block: which attribute of the editor's node it is, what counts as absent, and what may stand there. */
export interface FieldRule {
  readonly attribute: string;
  readonly absent: unknown;
  readonly read: (value: unknown) => unknown;
}

const ALIGNMENTS: readonly unknown[] = ["left", "center", "right", "justify"];
const text = (value: unknown): unknown => (typeof value === "string" && value !== "" ? value : null);
const align: FieldRule = { attribute: "align", absent: null, read: (value) => (ALIGNMENTS.includes(value) ? value : null) };

/** Which fields a leaf has. Other fields of a boundary are kept and not read. */
export const LEAF_FIELDS: Readonly<Record<LeafKind, Readonly<Record<string, FieldRule>>>> = {
  paragraph: { align },
  heading: { level: { attribute: "level", absent: 1, read: level }, align },
  code: { language: { attribute: "language", absent: null, read: text } },
  rule: {},
  table: {},
};

/** Which fields the boundary that begins an item has for the item. */
export const ITEM_FIELDS: Readonly<Record<ListKind, Readonly<Record<string, FieldRule>>>> = {
  bullet: {},
  ordered: {},
  task: { checked: { attribute: "checked", absent: false, read: (value) => value === true } },
};

/** And for the list it begins. An ordered item with a `start` begins a list of its own. */
export const LIST_FIELDS: Readonly<Record<ListKind, Readonly<Record<string, FieldRule>>>> = {
  bullet: {},
  ordered: {
    start: { attribute: "start", absent: 1, read: (value) => (isWhole(value) && value >= 0 && value < 1e9 ? value : 1) },
    numbering: { attribute: "type", absent: null, read: text },
  },
  task: {},
};

function level(value: unknown): number {
  return isWhole(value) ? Math.min(Math.max(value, 1), 6) : 1;
}

function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value);
}
