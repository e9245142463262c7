// Which shape lies on which: by `index`, then by id. The view mends missing and equal ones for itself, so what it shows and
// what the document says are two things.
import type { Base } from "./agreed";
import type { BoardElement } from "./element";

type Bases = ReadonlyMap<string, Base>;

/** A shape that was moved up or down here stands where it was put; every other where the document says. */
export function byOrder(bases: Bases): (one: BoardElement, other: BoardElement) => number {
  const keyOf = (element: BoardElement): string => {
    const base = bases.get(element.id);
    return textOf(base === undefined || element.index !== base.fields["index"] ? element.index : base.order);
  };
  return (one, other) => {
    const [a, b] = [keyOf(one), keyOf(other)];
    return a < b ? -1 : a > b ? 1 : one.id < other.id ? -1 : 1;
  };
}

/**
 * The view counts a new `index` between those it shows, which may be its own mended ones. If by the document's a shape
 * would then stand elsewhere for others than it does here, the document gets the view's.
 * @param fresh the shapes that are written with an `index` of their own now
 */
export function orderRepairs(scene: readonly BoardElement[], fresh: ReadonlySet<string>, bases: Bases): readonly BoardElement[] {
  if (fresh.size === 0) return [];
  const known = scene.filter(({ id }) => fresh.has(id) || bases.get(id)?.phantom === false);
  const keyOf = (element: BoardElement): string => textOf(fresh.has(element.id) ? element.index : bases.get(element.id)?.order);
  const ascends = known.every((element, at) => {
    const last = known[at - 1];
    if (last === undefined) return true;
    const [a, b] = [keyOf(last), keyOf(element)];
    return a < b || (a === b && last.id < element.id);
  });
  if (ascends) return [];
  return known.filter(({ id, index }) => !fresh.has(id) && index !== bases.get(id)?.order);
}

/** A shape without a place is below all others. */
function textOf(index: unknown): string {
  return typeof index === "string" ? index : "";
}
