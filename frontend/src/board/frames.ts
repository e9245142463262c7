// Which frame a new shape belongs to. Excalidraw asks itself this for the shapes that its own tools draw.

interface Shape {
  readonly id: string;
  readonly type: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly isDeleted: boolean;
  readonly frameId: string | null;
  readonly index: unknown;
}

/** All shapes and a new one put at a place: into the topmost frame there, right below it in the pile, or on top of all. */
export function placedIn<T extends Shape>(elements: readonly T[], shape: T, x: number, y: number): readonly T[] {
  const at = elements.findLastIndex((one) => one.type === "frame" && !one.isDeleted && isWithin(one, x, y));
  const frame = elements[at];
  if (frame === undefined) return [...elements, shape];
  // Without a place of its own, it is given the one between its neighbours.
  return elements.toSpliced(at, 0, { ...shape, frameId: frame.id, index: null });
}

function isWithin({ x: left, y: top, width, height }: Shape, x: number, y: number): boolean {
  return x >= left && x <= left + width && y >= top && y <= top + height;
}
