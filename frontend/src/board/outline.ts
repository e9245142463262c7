// The board as a list of words: frames with what is written in them, then what is written beside. For people who cannot
// see the board, and for finding one's way on a large one.
import type { BoardElement } from "./element";

export interface Entry {
  /** The shape to go to: for a text inside a shape, that shape. */
  readonly id: string;
  readonly kind: "frame" | "note" | "text";
  /** Empty for a frame nobody named. */
  readonly words: string;
  readonly inside: readonly Entry[];
}

export interface Outline {
  readonly entries: readonly Entry[];
  /** Shapes that are not mentioned, having no words. */
  readonly silent: number;
}

/** In reading order: by rows from the top, each from the left. */
export function outlineOf(elements: readonly BoardElement[]): Outline {
  const alive = elements.filter(({ isDeleted }) => !isDeleted);
  const byId = new Map(alive.map((element) => [element.id, element]));
  const written = new Set<string>();
  const inFrame = new Map<string | null, { readonly at: BoardElement; readonly entry: Entry }[]>();
  const put = (frame: unknown, at: BoardElement, entry: Entry): void => {
    const key = typeof frame === "string" && byId.get(frame)?.type === "frame" ? frame : null;
    const list = inFrame.get(key);
    if (list) list.push({ at, entry });
    else inFrame.set(key, [{ at, entry }]);
  };

  for (const element of alive) {
    if (element.type !== "text") continue;
    const words = oneLine(element["originalText"] || element["text"]);
    if (words === "") continue;
    const container = typeof element["containerId"] === "string" ? byId.get(element["containerId"]) : undefined;
    const shape = container ?? element;
    written.add(element.id).add(shape.id);
    put(shape["frameId"], shape, { id: shape.id, kind: isNote(shape) ? "note" : "text", words, inside: [] });
  }
  const sorted = (frame: string | null): Entry[] => (inFrame.get(frame) ?? []).sort((a, b) => inReadingOrder(a.at, b.at)).map(({ entry }) => entry);
  const frames = alive.filter(({ type }) => type === "frame").sort(inReadingOrder);
  return {
    entries: [...frames.map(({ id, ["name"]: name }): Entry => ({ id, kind: "frame", words: oneLine(name), inside: sorted(id) })), ...sorted(null)],
    silent: alive.filter(({ id, type }) => type !== "frame" && !written.has(id)).length,
  };
}

export function isNote(element: BoardElement): boolean {
  const data = element["customData"];
  return typeof data === "object" && data !== null && (data as Record<string, unknown>)["kind"] === "note";
}

/** Shapes whose upper edges differ by less than half of the lower one's height stand in one row. */
function inReadingOrder(one: BoardElement, other: BoardElement): number {
  const [a, b] = [box(one), box(other)];
  const row = Math.min(a.height, b.height) / 2;
  return Math.abs(a.y - b.y) > row ? a.y - b.y : a.x - b.x || a.y - b.y;
}

function box(element: BoardElement): { readonly x: number; readonly y: number; readonly height: number } {
  const number = (value: unknown): number => (typeof value === "number" ? value : 0);
  return { x: number(element["x"]), y: number(element["y"]), height: number(element["height"]) };
}

function oneLine(value: unknown): string {
  return typeof value === "string" ? value.replace(/\s+/g, " ").trim() : "";
}
