// Shapes from a file become new shapes: the same file may be brought in twice, and a file may hold shapes that are on the
// board already, changed since. Whatever the shapes say of each other goes with them.
import type { BoardElement } from "./element";

type Values = Readonly<Record<string, unknown>>;

export function withNewIds(elements: readonly BoardElement[], newId: () => string): BoardElement[] {
  const ids = new Map(elements.map(({ id }) => [id, newId()]));
  const groups = new Map<string, string>();
  const group = (id: string): string => {
    const known = groups.get(id) ?? newId();
    groups.set(id, known);
    return known;
  };
  const other = (id: unknown): string | null => (typeof id === "string" ? (ids.get(id) ?? null) : null);
  const binding = (value: unknown): unknown => {
    const target = isValues(value) ? other(value["elementId"]) : null;
    return target === null ? null : { ...(value as Values), elementId: target };
  };
  return elements.map((element) => {
    const { groupIds, boundElements, containerId, frameId, startBinding, endBinding } = element;
    const copy: Record<string, unknown> = {
      ...element,
      id: ids.get(element.id),
      // Its place is on top of what is there, which the view counts out.
      index: null,
      groupIds: Array.isArray(groupIds) ? groupIds.filter((id) => typeof id === "string").map(group) : [],
      frameId: other(frameId),
      boundElements: Array.isArray(boundElements)
        ? boundElements.flatMap((bound: unknown) => {
            const target = isValues(bound) ? other(bound["id"]) : null;
            return target === null ? [] : [{ ...(bound as Values), id: target }];
          })
        : null,
    };
    if (containerId !== undefined) copy["containerId"] = other(containerId);
    if (startBinding !== undefined) copy["startBinding"] = binding(startBinding);
    if (endBinding !== undefined) copy["endBinding"] = binding(endBinding);
    return copy as unknown as BoardElement;
  });
}

/** Moves all by the same way, so that their middle is at a place. */
export function centredAt(elements: readonly BoardElement[], bounds: readonly [number, number, number, number], x: number, y: number): BoardElement[] {
  const [left, top, right, bottom] = bounds;
  const [dx, dy] = [x - (left + right) / 2, y - (top + bottom) / 2];
  return elements.map((element) => ({ ...element, x: Number(element["x"]) + dx, y: Number(element["y"]) + dy }));
}

function isValues(value: unknown): value is Values {
  return typeof value === "object" && value !== null;
}
