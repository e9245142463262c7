// The editor's document as the blocks that the sequence should hold: each with the containers it stands in, and what its
// boundary would say of it.
import type { Node } from "@tiptap/pm/model";
import type { Frame } from "./fold";
import { type BlockType, BOXES, type BoxKind, type FieldRule, ITEM_FIELDS, LEAF_FIELDS, LEAVES, type LeafKind, LIST_FIELDS, LISTS, type ListKind } from "./model";

export interface Standing {
  readonly frame: Frame;
  /** No two containers have the same. */
  readonly id: number;
  readonly list: number;
  readonly item: Node;
  readonly listNode: Node | null;
}

export interface Wanted {
  readonly node: Node;
  readonly leaf: LeafKind;
  /** Where what it holds begins in the document; of what holds nothing, where it stands. */
  readonly at: number;
  readonly standing: readonly Standing[];
  /** How many of the containers it stands in the block before stands in too. */
  readonly kept: number;
  /** Whether the first container it opens is one more item of a list that the block before stands in. */
  readonly next: boolean;
}

const BOX_OF = new Map<string, BoxKind>(Object.entries(BOXES).map(([kind, node]) => [node, kind as BoxKind]));
const LIST_OF = new Map<string, ListKind>(Object.entries(LISTS).map(([kind, { list }]) => [list, kind as ListKind]));
const LEAF_OF = new Map<string, LeafKind>(Object.entries(LEAVES).map(([kind, node]) => [node, kind as LeafKind]));

/** The blocks of these children; in a cell, those of a table in it too, which has no place there. */
export function wantedOf(children: readonly Node[], at: number, inCell: boolean): readonly Wanted[] {
  const all: Wanted[] = [];
  let ids = 0;
  const walk = (node: Node, position: number, standing: readonly Standing[]): void => {
    const box = BOX_OF.get(node.type.name);
    const list = LIST_OF.get(node.type.name);
    const leaf = LEAF_OF.get(node.type.name);
    if (node.isTextblock || (leaf !== undefined && !(leaf === "table" && inCell))) {
      const before = all.at(-1)?.standing ?? [];
      let kept = 0;
      while (kept < standing.length && standing[kept]?.id === before[kept]?.id) kept += 1;
      const next = standing[kept]?.frame.kind === "item" && standing[kept]?.list === before[kept]?.list;
      all.push({ node, leaf: leaf ?? "paragraph", at: node.isTextblock ? position + 1 : position, standing, kept, next });
      return;
    }
    const listId = ids++;
    node.forEach((child, offset) => {
      const inside = position + 1 + offset;
      if (list !== undefined) {
        const item = { frame: { kind: "item", list } as const, id: ids++, list: listId, item: child, listNode: node };
        child.forEach((block, within) => walk(block, inside + 1 + within, [...standing, item]));
      } else walk(child, inside, box === undefined ? standing : [...standing, { frame: { kind: box }, id: listId, list: -1, item: node, listNode: null }]);
    });
  };
  let position = at;
  for (const child of children) {
    walk(child, position, []);
    position += child.nodeSize;
  }
  return all;
}

/** What a boundary says where nothing is said yet. */
export function spelled(wanted: Wanted): { readonly type: BlockType; readonly parents: readonly string[] } {
  const { standing, kept, leaf } = wanted;
  const last = standing.at(-1);
  const parents = standing.map(({ frame }) => frame.kind);
  if (last === undefined || kept === standing.length || leaf !== "paragraph") return { type: leaf, parents };
  return { type: last.frame.kind === "item" ? last.frame.list : last.frame.kind, parents: parents.slice(0, -1) };
}

/** The fields of its boundary beside type and parents; `undefined` for what counts as absent. */
export function fieldsWanted(wanted: Wanted, type: BlockType): ReadonlyMap<string, { readonly rule: FieldRule; readonly value: unknown }> {
  const { node, leaf, standing, next } = wanted;
  const last = standing.at(-1);
  const fields = new Map<string, { rule: FieldRule; value: unknown }>();
  const add = (rules: Readonly<Record<string, FieldRule>>, { attrs }: Pick<Node, "attrs">): void => {
    for (const [field, rule] of Object.entries(rules)) {
      // What the schema has no attribute for is left as it is.
      if (Object.hasOwn(attrs, rule.attribute)) fields.set(field, { rule, value: rule.read(attrs[rule.attribute]) });
    }
  };
  add(LEAF_FIELDS[leaf], node);
  if (last?.frame.kind === "item" && type === last.frame.list) {
    add(ITEM_FIELDS[last.frame.list], last.item);
    const first = !next;
    if (last.listNode !== null && first) add(LIST_FIELDS[last.frame.list], last.listNode);
    else for (const [field, rule] of Object.entries(LIST_FIELDS[last.frame.list])) fields.set(field, { rule, value: rule.absent });
  }
  return fields;
}
