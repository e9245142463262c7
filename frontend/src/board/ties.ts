// How the shapes of a board are tied to each other: a text to its container, a shape to its frame, the ends of a line to
// what they are bound to. Every tie is stored at one end, and the other end looks different by it; they are followed in
// both directions, because one end may arrive before the other. Knows of a shape what was noted of it, and nothing else.
import { isContainer, isShown, type Fields } from "./element";

export interface Ties {
  /** Notes anew to whom a stored shape is tied; `null` if there is none. Answers which others look different by that. */
  readonly note: (id: string, stored: Fields | null) => ReadonlySet<string>;
  /** Puts into a shape's fields what its ties really are. Answers the container it is in. */
  readonly tie: (id: string, fields: Record<string, unknown>) => string | null;
}

/** What a stored shape says about others. */
interface Links {
  readonly alive: boolean;
  readonly type: unknown;
  readonly container: string | null;
  readonly frame: string | null;
  readonly start: string | null;
  readonly end: string | null;
}

const NO_LINKS: Links = { alive: false, type: null, container: null, frame: null, start: null, end: null };
const ENDS = ["container", "frame", "start", "end"] as const;

/** `listed` is what the document lists as bound to a shape. */
export function openTies(listed: (id: string) => unknown): Ties {
  const links = new Map<string, Links>();
  /** From a shape to those that point to it. */
  const pointing = new Map<string, Set<string>>();

  const linksOf = (id: string): Links => links.get(id) ?? NO_LINKS;
  const sourcesOf = (id: string): ReadonlySet<string> => pointing.get(id) ?? NOBODY;
  const isFrame = (id: string): boolean => linksOf(id).alive && linksOf(id).type === "frame";
  const textsOf = (container: string): readonly string[] => [...sourcesOf(container)].filter((source) => linksOf(source).container === container);

  /**
   * A text goes where its container goes. What says otherwise, such as a text moved into a frame while its container was
   * moved out, would be torn apart by the next move of the frame.
   */
  const frameOf = (container: string): string | null => {
    const { frame } = linksOf(container);
    return frame !== null && isFrame(frame) ? frame : null;
  };

  /** Of several texts that say they are inside a container, the one it lists first; the others stand free. */
  const textIn = (container: string): string | null => {
    const { alive, type } = linksOf(container);
    if (!alive || !isContainer(type)) return null;
    const texts = textsOf(container).filter((id) => linksOf(id).alive).sort();
    if (texts.length < 2) return texts[0] ?? null;
    const place = placesIn(listed(container));
    return texts.reduce((best, text) => ((place.get(text) ?? Infinity) < (place.get(best) ?? Infinity) ? text : best));
  };

  /**
   * The list of what is bound to a shape, made from the other ends. The stored list gives the order only: it is replaced
   * whole, so of two arrows bound at the same time it remembers one.
   */
  const boundTo = (id: string, type: unknown, stored: unknown): unknown => {
    const text = isContainer(type) ? textIn(id) : null;
    const bound: { readonly id: string; readonly type: string }[] = [];
    for (const source of sourcesOf(id)) {
      const { alive, type, start, end } = linksOf(source);
      if (source === text) bound.push({ id: source, type: "text" });
      else if (alive && type === "arrow" && (start === id || end === id)) bound.push({ id: source, type: "arrow" });
    }
    if (bound.length === 0) return Array.isArray(stored) ? [] : null;
    const place = placesIn(stored);
    return bound.sort((a, b) => (place.get(a.id) ?? Infinity) - (place.get(b.id) ?? Infinity) || (a.id < b.id ? -1 : 1));
  };

  return {
    note: (id, stored) => {
      const before = linksOf(id);
      const now = linksIn(stored);
      links.set(id, now);
      const affected = new Set<string>();
      const appeared = before.alive !== now.alive || before.type !== now.type;
      for (const end of ENDS) if (before[end] !== null) pointing.get(before[end])?.delete(id);
      for (const end of ENDS) {
        const target = now[end];
        if (target !== null) pointing.set(target, (pointing.get(target) ?? new Set()).add(id));
        if (!appeared && before[end] === target) continue;
        for (const other of [before[end], target]) {
          if (other === null) continue;
          affected.add(other);
          if (end === "container") for (const rival of sourcesOf(other)) affected.add(rival);
        }
      }
      const sources = sourcesOf(id);
      // Two texts in one container: which of them stays is the container's to say.
      if (appeared || textsOf(id).length > 1) for (const source of sources) affected.add(source);
      // A text is in the frame its container is in: it looks different when that changes, or when the frame comes or goes.
      if (before.frame !== now.frame) for (const text of textsOf(id)) affected.add(text);
      if (appeared) for (const source of sources) for (const text of textsOf(source)) affected.add(text);
      affected.delete(id);
      return affected;
    },
    tie: (id, fields) => {
      const { container, frame, start, end } = linksOf(id);
      const stays = container !== null && textIn(container) === id;
      if (frame !== null && !isFrame(frame)) fields["frameId"] = null;
      if (stays) fields["frameId"] = frameOf(container);
      else if (container !== null) fields["containerId"] = null;
      if (start !== null && !linksOf(start).alive) fields["startBinding"] = null;
      if (end !== null && !linksOf(end).alive) fields["endBinding"] = null;
      fields["boundElements"] = boundTo(id, fields["type"], fields["boundElements"]);
      return stays ? container : null;
    },
  };
}

const NOBODY: ReadonlySet<string> = new Set();

function linksIn(fields: Fields | null): Links {
  if (fields === null) return NO_LINKS;
  const id = (value: unknown): string | null => (typeof value === "string" ? value : null);
  const boundId = (value: unknown): string | null => (typeof value === "object" && value !== null ? id((value as Fields)["elementId"]) : null);
  const { type } = fields;
  const isLine = type === "arrow" || type === "line";
  return {
    alive: isShown(type) && fields["isDeleted"] !== true,
    type,
    container: type === "text" ? id(fields["containerId"]) : null,
    frame: id(fields["frameId"]),
    start: isLine ? boundId(fields["startBinding"]) : null,
    end: isLine ? boundId(fields["endBinding"]) : null,
  };
}

/** Where each id stands in a stored list of bound shapes. */
function placesIn(listed: unknown): ReadonlyMap<unknown, number> {
  if (!Array.isArray(listed)) return new Map();
  return new Map(listed.map((entry: unknown, place) => [typeof entry === "object" && entry !== null ? (entry as Fields)["id"] : null, place]));
}
