// A view for tests, with the habits of Excalidraw that matter to the binding: it changes its shapes in place and raises
// their version, it mends equal or missing indices whenever it is shown something, it keeps deleted shapes, and it keeps
// both ends of every tie by itself.
import { bindBoard, type BoardBinding } from "./binding";
import type { BoardElement } from "./element";
import type { ViewPort } from "./view-port";
import type { Doc } from "yjs";

type Mutable = { -readonly [K in keyof BoardElement]: BoardElement[K] } & Record<string, unknown>;

export interface FakeView extends ViewPort {
  /** As the person sees it. */
  readonly alive: () => readonly BoardElement[];
  readonly get: (id: string) => BoardElement | undefined;
  /** Creates a shape on top, or changes one in place, as an editor does. */
  readonly put: (id: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Deletes, and unties what was tied to it. */
  readonly remove: (id: string) => void;
  /** Moves to the top or the bottom of the pile. */
  readonly toEnd: (id: string, end: "top" | "bottom") => void;
  /** How many shapes became other objects by what was shown since the last question. */
  readonly replaced: () => number;
}

export function fakeView(random: () => number = Math.random): FakeView {
  let scene: Mutable[] = [];
  let replaced = 0;
  const nonce = (): number => Math.floor(random() * 2 ** 31);
  const find = (id: string): Mutable | undefined => scene.find((element) => element.id === id);
  const change = (element: Mutable, fields: Readonly<Record<string, unknown>>): void => {
    Object.assign(element, fields);
    element.version += 1;
    element.versionNonce = nonce();
  };
  const mendIndices = (): void => {
    for (const [at, element] of scene.entries()) {
      const below = scene[at - 1]?.index ?? null;
      if (typeof element.index === "string" && (below === null || below < element.index)) continue;
      const above = scene.slice(at + 1).find(({ index }) => typeof index === "string" && (below === null || index > below))?.index ?? null;
      change(element, { index: between(below, above) });
    }
  };

  return {
    elements: () => scene,
    alive: () => scene.filter(({ isDeleted }) => !isDeleted),
    get: find,
    show: (next) => {
      const before = new Set(scene);
      replaced += next.filter((element) => !before.has(element)).length;
      scene = [...next];
      mendIndices();
    },
    replaced: () => {
      const count = replaced;
      replaced = 0;
      return count;
    },
    put: (id, fields) => {
      const known = find(id);
      if (known) return change(known, fields);
      const index = between(scene.at(-1)?.index ?? null, null);
      scene = [...scene, { ...shape(id), versionNonce: nonce(), index, ...fields } as unknown as Mutable];
    },
    remove: (id) => {
      const element = find(id);
      if (element === undefined || element.isDeleted) return;
      change(element, { isDeleted: true });
      for (const other of scene) {
        if (other.isDeleted) continue;
        const bound = other["boundElements"] as { id: string }[] | null;
        if (bound?.some((entry) => entry.id === id)) change(other, { boundElements: bound.filter((entry) => entry.id !== id) });
        if (other["containerId"] === id) change(other, { isDeleted: true });
        if (other["frameId"] === id) change(other, { frameId: null });
        for (const end of ["startBinding", "endBinding"]) {
          if ((other[end] as { elementId: string } | null)?.elementId === id) change(other, { [end]: null });
        }
      }
    },
    toEnd: (id, end) => {
      const element = find(id);
      if (element === undefined) return;
      const rest = scene.filter((other) => other !== element);
      const index = end === "top" ? between(rest.at(-1)?.index ?? null, null) : between(null, rest[0]?.index ?? null);
      scene = end === "top" ? [...rest, element] : [element, ...rest];
      change(element, { index });
    },
  };
}

/** One person's document, view and binding. */
export interface Replica {
  readonly doc: Doc;
  readonly view: FakeView;
  readonly binding: BoardBinding;
}

export function replica(doc: Doc, random: () => number = Math.random, retypes = false): Replica {
  const fake = fakeView(random);
  const retype = (id: string, words: string): boolean => {
    fake.put(id, { text: words, originalText: words });
    return true;
  };
  const view = retypes ? { ...fake, retype } : fake;
  return { doc, view, binding: bindBoard({ doc, view, nonce: () => Math.floor(random() * 2 ** 31) }) };
}

/** A rectangle as Excalidraw would make it. */
export function shape(id: string, type = "rectangle"): Record<string, unknown> {
  return {
    id,
    type,
    x: 10,
    y: 20,
    width: 100,
    height: 60,
    angle: 0,
    strokeColor: "#1e1e1e",
    backgroundColor: "transparent",
    fillStyle: "solid",
    strokeWidth: 2,
    strokeStyle: "solid",
    roughness: 1,
    opacity: 100,
    seed: 1_968_410_350,
    groupIds: [],
    frameId: null,
    roundness: null,
    boundElements: null,
    link: null,
    locked: false,
    isDeleted: false,
    version: 1,
    updated: 1,
  };
}

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A fractional index strictly between two others. All share one whole part; the place is in the digits behind it. */
export function between(below: string | null, above: string | null): string {
  const [low, high] = [below?.slice(2) ?? "", above?.slice(2) ?? null];
  let digits = "";
  for (let at = 0; ; at += 1) {
    const from = DIGITS.indexOf(low[at] ?? "0");
    const bounded = high !== null && high.startsWith(digits);
    const to = bounded ? DIGITS.indexOf(high[at] ?? "0") : DIGITS.length;
    // Appending is the common case: a small step leaves room, as the real thing does.
    const middle = above === null && low.startsWith(digits) ? from + 1 : from + Math.floor((to - from) / 2);
    if (middle > from && middle < to) return `a0${digits}${DIGITS[middle] ?? "V"}`;
    digits += DIGITS[from] ?? "0";
  }
}
