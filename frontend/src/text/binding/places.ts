// Where a place in a sequence is in the document, and back. A place is the gap before the character or object with that
// number; a caret is told by the one before it.
import type { Node } from "@tiptap/pm/model";
import type { Block } from "./blocks";
import type { Line } from "./sequence";

/** A block of the document and its part of a sequence. */
export type Spot = Readonly<Block>;

export interface Place {
  readonly root: string;
  readonly index: number;
}

/** Whether a node of the document is a block with a part of a sequence, rather than what stands around some. */
export const hasSpot = ({ isTextblock, type }: Node): boolean => isTextblock || type.name === "table" || type.name === "horizontalRule";

export class Index {
  private known: { readonly spots: readonly Spot[]; readonly nodes: readonly Node[]; readonly byRoot: ReadonlyMap<string, readonly Spot[]> } | null = null;

  constructor(
    private readonly doc: Node,
    private readonly raw: readonly Block[],
    readonly sequences: { readonly body: readonly Line[]; readonly cells: ReadonlyMap<string, readonly Line[]> },
  ) {}

  /** In the order of the document. */
  get spots(): readonly Spot[] {
    return this.all().spots;
  }

  /** Those of a root. */
  spotsIn(root: string): readonly Spot[] {
    return this.all().byRoot.get(root) ?? [];
  }

  nodeOf(at: number): Node | undefined {
    return this.all().nodes[at];
  }

  /** The last block that begins at or before this place in the document. */
  spotAt(position: number): number {
    const { spots } = this.all();
    let [low, high] = [0, spots.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((spots[middle]?.at ?? 0) <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  toSequence(position: number): Place | null {
    const { spots, nodes } = this.all();
    const at = this.spotAt(position);
    const [spot, node] = [spots[at], nodes[at]];
    if (spot === undefined || node === undefined) return null;
    if (!node.isTextblock) return { root: spot.root, index: spot.from };
    let index = spot.from + Math.min(Math.max(position - spot.at, 0), node.content.size);
    // What nobody sees stands behind the caret.
    for (const hidden of spot.hidden) if (spot.from + hidden < index) index += 1;
    return { root: spot.root, index: Math.min(index, spot.to) };
  }

  /** The block that begins there in its sequence. */
  spotOf(root: string, from: number): Spot | null {
    const spots = this.spotsIn(root);
    let [low, high] = [0, spots.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((spots[middle]?.from ?? 0) < from) low = middle + 1;
      else high = middle;
    }
    const found = spots[low];
    return found?.from === from ? found : null;
  }

  nodeAt(spot: Spot): Node | undefined {
    const { spots, nodes } = this.all();
    let [low, high] = [0, spots.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((spots[middle]?.at ?? 0) < spot.at) low = middle + 1;
      else high = middle;
    }
    return spots[low] === spot ? nodes[low] : undefined;
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

  /** The last block of a root that begins at or before a place. */
  private holder(root: string, index: number): Spot | null {
    const spots = this.spotsIn(root);
    let [low, high] = [0, spots.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((spots[middle]?.from ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return spots[low] ?? null;
  }

  private all(): NonNullable<typeof this.known> {
    if (this.known !== null) return this.known;
    const spots: Spot[] = [];
    const nodes: Node[] = [];
    const byRoot = new Map<string, Spot[]>();
    this.doc.descendants((node, position) => {
      if (!hasSpot(node)) return true;
      const raw = this.raw[spots.length];
      if (raw === undefined) return false;
      raw.at = node.isTextblock ? position + 1 : position;
      const spot: Spot = raw;
      spots.push(spot);
      nodes.push(node);
      const of = byRoot.get(raw.root);
      if (of === undefined) byRoot.set(raw.root, [spot]);
      else of.push(spot);
      return !node.isTextblock;
    });
    return (this.known = { spots, nodes, byRoot });
  }
}
