// A text in a form that is easy to read, for people and programs: blocks in blocks, words with what they are marked with,
// and nothing that is what it would be anyway. The same as the server's `GET …/json`.
import type { Node } from "@tiptap/pm/model";
import { BOXES, ITEM_FIELDS, LEAF_FIELDS, LEAVES, LIST_FIELDS, LISTS, type FieldRule, type ListKind } from "./model";
import { attributesFor, inlineFields } from "./units";

export type Json = { readonly [field: string]: unknown };

export function plainJson(doc: Node): readonly Json[] {
  return doc.children.map(block);
}

function block(node: Node): Json {
  const { name } = node.type;
  const list = keyOf(Object.entries(LISTS).map(([kind, { list }]): [ListKind, string] => [kind as ListKind, list]), name);
  if (list !== null) {
    const item = (child: Node): Json => ({ ...told(ITEM_FIELDS[list], child), content: child.children.map(block) });
    return { type: "list", kind: list, ...told(LIST_FIELDS[list], node), items: node.children.map(item) };
  }
  const box = keyOf(Object.entries(BOXES) as [keyof typeof BOXES, string][], name);
  if (box !== null) return { type: box, content: node.children.map(block) };
  if (name === LEAVES.table) return { type: "table", rows: node.children.map((row) => ({ cells: row.children.map(cell) })) };
  const leaf = keyOf(Object.entries(LEAVES) as [keyof typeof LEAVES, string][], name) ?? "paragraph";
  return { type: leaf, ...told(LEAF_FIELDS[leaf], node, leaf === "heading"), ...(node.childCount > 0 ? { content: node.children.map(inline) } : {}) };
}

function inline(node: Node): Json {
  const marks = attributesFor(node.marks);
  const what = node.text === undefined ? (inlineFields(node) ?? { type: "unknown" }) : { text: node.text };
  return Object.keys(marks).length > 0 ? { ...what, marks } : what;
}

function cell(node: Node): Json {
  const { colspan, rowspan, align } = node.attrs as { readonly colspan: number; readonly rowspan: number; readonly align?: string | null };
  return {
    ...(node.type.name === "tableHeader" ? { header: true } : {}),
    ...(colspan > 1 ? { columns: colspan } : {}),
    ...(rowspan > 1 ? { rows: rowspan } : {}),
    ...(align ? { align } : {}),
    content: node.children.map(block),
  };
}

/** A level is said even if it is the first. */
function told(rules: Readonly<Record<string, FieldRule>>, { attrs }: Node, level = false): Json {
  return Object.fromEntries(
    Object.entries(rules).flatMap(([field, { attribute, absent }]) => {
      const value: unknown = attrs[attribute];
      return value === undefined || (value === absent && !(level && field === "level")) ? [] : [[field, value]];
    }),
  );
}

function keyOf<K extends string>(entries: readonly (readonly [K, string])[], node: string): K | null {
  return (entries.find(([, name]) => name === node)?.[0]) ?? null;
}
