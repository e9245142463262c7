// The shapes of the document as they are to be shown: what is stored of each, with what somebody else has in hand of it on
// top, mended (element.ts), with its ties (ties.ts), and broken into lines where the stored lines are of other words. Knows
// nothing of what the view shows.
import type { Map as YMap } from "yjs";
import { mended, WORDS, type Fields } from "./element";
import { sharedWords, storedFields, storedShape } from "./stored";
import { openTies, type Ties } from "./ties";
import type { ViewPort } from "./view-port";
import { sameWords } from "./words";

export class Reading {
  private readonly elements: YMap<unknown>;
  private readonly view: Pick<ViewPort, "fit">;
  private readonly ties: Ties;
  /** What others have in hand. */
  private others: ReadonlyMap<string, Fields> = new Map();

  constructor(elements: YMap<unknown>, view: Pick<ViewPort, "fit">) {
    this.elements = elements;
    this.view = view;
    this.ties = openTies((id) => this.raw(id)?.["boundElements"]);
  }

  readonly isStored = (id: string): boolean => this.elements.has(id);

  /** What others have in hand from now on. Answers which shapes may look different by that. */
  takeInHand(shapes: ReadonlyMap<string, Fields>): readonly string[] {
    const before = this.others;
    this.others = shapes;
    const touched = new Set([...before.keys(), ...shapes.keys()]);
    return [...touched].filter((id) => before.get(id) !== shapes.get(id));
  }

  isInOthersHand(id: string): boolean {
    return this.others.has(id);
  }

  /** These shapes, and those they are tied to, as they are now; `null` for one that is none, or none that can be shown. */
  readAnew(touched: Iterable<string>): Map<string, Record<string, unknown> | null> {
    const ids = new Set<string>();
    for (const id of touched) {
      ids.add(id);
      for (const tied of this.ties.note(id, this.raw(id))) ids.add(tied);
    }
    return new Map([...ids].map((id) => [id, this.shown(id, this.raw(id))]));
  }

  /** A shape without what anybody has in hand of it. */
  readStored(id: string): Record<string, unknown> | null {
    return this.shown(id, this.raw(id, null));
  }

  /** The words of a text that several may write at once; `null` for others. */
  sharedWords(id: string): string | null {
    return sharedWords(storedShape(this.elements, id))?.toJSON() ?? null;
  }

  /** What the document says of a shape, with what somebody has in hand of it on top. */
  private raw(id: string, inHand: Fields | null = this.others.get(id) ?? null): Fields | null {
    const shape = storedShape(this.elements, id);
    if (shape === null) return inHand === null ? null : { ...inHand, isDeleted: false, locked: true };
    const fields = storedFields(shape);
    return inHand === null ? fields : { ...fields, ...inHand, isDeleted: fields["isDeleted"] };
  }

  private shown(id: string, raw: Fields | null): Record<string, unknown> | null {
    const fields = raw && mended(raw);
    if (fields === null) return null;
    const container = this.ties.tie(id, fields);
    // The stored lines are of other words.
    if (sharedWords(storedShape(this.elements, id)) !== null && !sameWords(String(fields["text"]), String(fields[WORDS]))) {
      const around = fields["containerId"] === null || container === null ? null : this.raw(container);
      Object.assign(fields, this.view.fit?.(fields, around && mended(around)) ?? { text: fields[WORDS] });
    }
    return fields;
  }
}
