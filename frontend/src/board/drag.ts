// What two people's moves of one shape make together. A view counts a drag from where it began and knows nothing of what
// another did meanwhile; here its outcome is taken as a change of place, size or turn, and put on top of theirs.
import { equal, type Fields } from "./element";

/** What a pointer that drags, resizes or turns a shape sets with each move, whether it changes it or not. */
export const PLACE: ReadonlySet<string> = new Set(["x", "y", "width", "height", "angle", "points", "fontSize"]);

type Point = readonly [number, number];

/** How far a shape ends from where it was dragged to here; `null` for one that was not dragged here. */
export type Drift = (id: string) => Point | null;

/** What belongs to the points of a line or a stroke: two people's halves of it would be no line of either. */
const WITH_POINTS = ["x", "y", "width", "height", "points"] as const;

/** A shape that was changed here since it was `from`: in these fields, as they are now. */
export interface Change {
  readonly element: Fields & { readonly id: string };
  readonly from: Fields;
  readonly fields: ReadonlyMap<string, unknown>;
}

/**
 * The same changes, where others changed the place or the size of these shapes meanwhile.
 * @param theirs the shape as the document has it now; `null` if it has none
 */
export function allTogether<Any extends Change>(changes: readonly Any[], theirs: (change: Any) => Fields | null): readonly Any[] {
  const moved = changes.filter(({ fields }) => [...PLACE].some((field) => fields.has(field)));
  const drifts = new Map<string, Point>();
  const one = (change: Any): Any => {
    const { element, from } = change;
    const other = theirs(change);
    if (other === null) return change;
    const fields = together(change.fields, from, element, other, (id) => drifts.get(id) ?? null);
    const drift = (field: "x" | "y"): number => Number(fields.has(field) ? fields.get(field) : other[field]) - Number(element[field]);
    drifts.set(element.id, [drift("x"), drift("y")]);
    return { ...change, fields };
  };
  // Lines last: where their ends are is up to the shapes these are bound to.
  const done = new Map<string, Any>();
  for (const lines of [false, true]) {
    for (const change of moved) if (change.fields.has("points") === lines) done.set(change.element.id, one(change));
  }
  return changes.map((change) => done.get(change.element.id) ?? change);
}

/**
 * What to write for a shape that was changed here, so that what others changed in it since `from` stays.
 * @param changed the fields changed here, as they are now
 * @param from the shape as it was when the change began
 * @param mine the shape as it is here
 * @param theirs the shape as the document has it now
 */
export function together(changed: ReadonlyMap<string, unknown>, from: Fields, mine: Fields, theirs: Fields, drift: Drift): Map<string, unknown> {
  const fields = new Map(changed);
  if (changed.has("points")) {
    const line = isLine(mine) ? linesTogether(from, mine, theirs, drift) : mine;
    for (const field of WITH_POINTS) fields.set(field, line[field]);
    return fields;
  }
  for (const field of ["x", "y", "angle"] as const) {
    const sum = changed.has(field) ? sumOf(field, from, mine, theirs) : null;
    if (sum !== null) fields.set(field, field === "angle" ? turned(sum) : sum);
  }
  // The size of words is what they need, that of points is where they are.
  if (mine["type"] === "text" || "points" in mine) return fields;
  for (const field of ["width", "height"] as const) {
    const sum = changed.has(field) ? sumOf(field, from, mine, theirs) : null;
    if (sum !== null && sum > 0) fields.set(field, sum);
  }
  return fields;
}

/** Their value with the change made here on top; `null` if there is nothing of theirs. */
function sumOf(field: string, from: Fields, mine: Fields, theirs: Fields): number | null {
  const [before, now, other] = [from[field], mine[field], theirs[field]];
  if (typeof before !== "number" || typeof now !== "number" || typeof other !== "number" || other === before) return null;
  return other + (now - before);
}

function turned(angle: number): number {
  const full = 2 * Math.PI;
  return ((angle % full) + full) % full;
}

/** Only straight and bent lines: the corners of an elbow arrow are found anew by the view. */
function isLine({ type, elbowed }: Fields): boolean {
  return (type === "line" || type === "arrow") && elbowed !== true;
}

/**
 * A line both changed, point by point. An end that is bound goes with the shape it is bound to: with one dragged here to
 * where that really ends, with any other to where they have it.
 */
function linesTogether(from: Fields, mine: Fields, theirs: Fields, drift: Drift): Fields {
  const [before, now, other] = [placesOf(from), placesOf(mine), placesOf(theirs)];
  if (now.length < 2 || now.length !== before.length || now.length !== other.length) return mine;
  const places = now.map((place, at): Point => {
    const end = at === 0 ? "startBinding" : at === now.length - 1 ? "endBinding" : null;
    const binding = end && (mine[end] as { readonly elementId?: unknown } | null | undefined);
    const [was, theirPlace] = [before[at] ?? place, other[at] ?? place];
    if (typeof binding?.elementId === "string") {
      const drifted = drift(binding.elementId);
      if (drifted !== null) return [place[0] + drifted[0], place[1] + drifted[1]];
      return equal(theirPlace, was) ? place : theirPlace;
    }
    return equal(place, was) ? theirPlace : place;
  });
  if (places.every((place, at) => equal(place, now[at]))) return mine;
  const [[x, y] = [0, 0]] = places;
  const points = places.map(([left, top]) => [left - x, top - y] as const);
  const extent = (axis: 0 | 1): number => Math.max(...points.map((point) => point[axis])) - Math.min(...points.map((point) => point[axis]));
  return { x, y, width: extent(0), height: extent(1), points };
}

/** The points of a line where they are on the board. */
function placesOf({ x, y, points }: Fields): readonly Point[] {
  if (!Array.isArray(points) || typeof x !== "number" || typeof y !== "number") return [];
  return (points as readonly Point[]).map(([left, top]) => [x + left, y + top]);
}
