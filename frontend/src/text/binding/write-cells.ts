// From the cells of a table in the editor to the words of its cells in the data. A merged cell shows the words of all it
// covers, one behind the other, and each block stays with the cell whose words it are: to merge cells and to split them
// moves nothing, so that what somebody else writes in one of them meanwhile goes on there.
import type { Node } from "@tiptap/pm/model";
import type { EditorState } from "@tiptap/pm/state";
import { cellName } from "./model";
import type { Reader, Reading } from "./read";
import { coveredBy, type Grid } from "./table";
import { type Wanted, wantedOf } from "./wanted";
import { differingIn } from "./window";
import { cellChange, type Change, type Stayed } from "./write";
import type { CellNode } from "./write-table";

interface Ports {
  readonly reader: Reader;
  readonly shown: Reading;
}

interface TableCells {
  readonly id: string;
  /** As it was read, and the node that was made of that. */
  readonly grid: Grid | null;
  readonly before: Node | null;
  readonly now: readonly CellNode[];
  /** Where the table stands in the document. */
  readonly at: number;
}

/** A block, and the root that its words are in. */
interface Owned {
  readonly root: string;
  readonly node: Node;
}

export function wordChanges({ reader, shown }: Ports, { id, grid, before, now, at: table }: TableCells, { selection: { head } }: EditorState, stayed: Stayed): readonly Change[] {
  const named = (covers: CellNode["covers"]): readonly string[] => covers.map(([row, column]) => cellName(id, row, column));
  const nodes = before === null ? new Map<string, Node>() : cellsIn(before);
  const covered = new Map(grid?.cells.map((cell) => named(coveredBy(grid, cell))).map((roots) => [roots[0] ?? "", roots]));
  const under = new Set([...covered.values()].flatMap((roots) => roots.slice(1)));
  // What comes out from under a merged cell without anything in it has the words that it had.
  const cells = now.map(({ covers, node, offset }) => ({ roots: named(covers), covers, node, offset }));
  const parted = new Set(cells.filter(({ roots, node }) => under.has(roots[0] ?? "") && isEmpty(node)).flatMap(({ roots }) => roots));
  return cells.flatMap(({ roots, covers, node, offset }): readonly Change[] => {
    const [own = ""] = roots;
    const covering = covered.get(own) ?? [];
    const isSame = covering.length === roots.length && covering.every((root, at) => root === roots[at]) && nodes.get(covers[0]?.join("/") ?? "")?.content.eq(node.content);
    if (isSame || parted.has(own)) return [];
    const kept = covering.filter((root) => roots.includes(root) || parted.has(root));
    const all = kept.length > roots.length ? kept : roots;
    const was = all.flatMap((root) => blocksIn(shown, root));
    const at = table + offset + 2;
    const wanted = wantedOf(node.children, at, true);
    // Cells that were merged already, merged with others, stand in another order than the editor puts them in.
    const there = new Set(wanted.map((block) => block.node));
    if (all.length > covering.length && was.length === wanted.length && was.every((block) => there.has(block.node))) return [];
    const owners = ownersOf(wanted, all, was, (block) => ownerOf(shown, stayed, block));
    const caret = head >= at && head <= at + node.content.size ? head : null;
    return all.map((root) => {
      const [first, ...rest] = wanted.filter((_, number) => owners[number] === root);
      return cellChange(reader, shown, root, { wanted: first === undefined ? [] : [{ ...first, kept: 0, next: false }, ...rest], isWhole: wanted.length === 1 }, caret, stayed);
    });
  });
}

/** Whose words each block of a cell is, in the order of the roots. */
function ownersOf(wanted: readonly Wanted[], roots: readonly string[], was: readonly Owned[], ownerOf: (block: Wanted) => string | null): readonly string[] {
  const { from, oldTo, newTo } = differingIn(
    was.map(({ node }) => node),
    wanted.map(({ node }) => node),
  );
  const among = new Set(was.slice(from, oldTo).map(({ root }) => root));
  // What is put in between two goes with what stands before it.
  let last = (among.size === 0 ? was[from - 1] : undefined)?.root ?? was[from]?.root ?? roots[0] ?? "";
  const between = wanted.slice(from, newTo).map((block) => {
    const found = among.size > 1 ? ownerOf(block) : null;
    if (found !== null && among.has(found) && roots.indexOf(found) > roots.indexOf(last)) last = found;
    return last;
  });
  return [...was.slice(0, from).map(({ root }) => root), ...between, ...was.slice(oldTo).map(({ root }) => root)];
}

/** The root of the first that stayed of a block. */
function ownerOf({ index }: Reading, stayed: Stayed, { node, at }: Wanted): string | null {
  const from = node.isTextblock ? at - 1 : at;
  const first = stayed?.find(({ is, length }) => is + length > from);
  if (first === undefined || first.is >= from + node.nodeSize) return null;
  return index.spotAt(first.was + Math.max(0, from - first.is) + 1)?.root ?? null;
}

/** The blocks that are seen of a root, but for the empty line that stands for none. */
function blocksIn({ index }: Reading, root: string): readonly Owned[] {
  return (index.sequences.cells.get(root) ?? []).length === 0 ? [] : index.spotsIn(root).map(({ node }) => ({ root, node }));
}

function cellsIn(table: Node): ReadonlyMap<string, Node> {
  const cells = new Map<string, Node>();
  table.forEach((row) => row.forEach((cell) => cells.set(`${String(row.attrs["row"])}/${String(cell.attrs["column"])}`, cell)));
  return cells;
}

function isEmpty({ firstChild, childCount }: Node): boolean {
  return childCount === 1 && firstChild?.isTextblock === true && firstChild.childCount === 0;
}
