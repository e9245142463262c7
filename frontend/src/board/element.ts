// A shape as the binding knows it, and how stored fields become one. What comes out of a shared document was written by
// any client in the world: everything here reads without failing, and what is missing or odd becomes something harmless.
// The document itself is never corrected: two clients mending at once would undo each other's work for ever.

/** Plain values by name: a shape without what belongs to one browser only. */
export type Fields = Readonly<Record<string, unknown>>;

/** The part of an Excalidraw element that the binding looks at; the rest passes through. */
export interface BoardElement {
  readonly id: string;
  readonly type: string;
  /** Grows with every change in this browser. It says which copy the view has seen, and is never stored. */
  readonly version: number;
  readonly versionNonce: number;
  readonly isDeleted: boolean;
  readonly index?: string | null;
  readonly [field: string]: unknown;
}

/**
 * What is true in one browser only. `id` is the key under which a shape is stored; versions count what this view has
 * seen; `status` tells whether an image's bytes have arrived here.
 */
const LOCAL: ReadonlySet<string> = new Set(["id", "version", "versionNonce", "updated", "status"]);

export function isShared(field: string): boolean {
  return !LOCAL.has(field);
}

/** The words of a text, as they were written. */
export const WORDS = "originalText";

/** The shared fields of an element, as a copy: the view changes its own in place. */
export function sharedFields(element: BoardElement): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const field of Object.keys(element)) {
    if (isShared(field) && element[field] !== undefined) fields[field] = element[field];
  }
  return fields;
}

/** What every shape has, and what it is when nobody said. Excalidraw's own defaults. */
const COMMON: Fields = {
  x: 0,
  y: 0,
  width: 0,
  height: 0,
  angle: 0,
  strokeColor: "#1e1e1e",
  backgroundColor: "transparent",
  fillStyle: "solid",
  strokeWidth: 2,
  strokeStyle: "solid",
  roughness: 1,
  opacity: 100,
  seed: 1,
  groupIds: [],
  frameId: null,
  roundness: null,
  boundElements: null,
  link: null,
  locked: false,
};

const LINEAR: Fields = { points: [], lastCommittedPoint: null, startBinding: null, endBinding: null, startArrowhead: null, endArrowhead: null };

/** The kinds of shapes that are shown, with what each has besides. Another kind stays in the document, unseen. */
const KINDS: ReadonlyMap<string, Fields> = new Map<string, Fields>([
  ["rectangle", {}],
  ["diamond", {}],
  ["ellipse", {}],
  // Shown as a frame with its address: the page's policy lets nothing foreign in.
  ["embeddable", {}],
  ["line", LINEAR],
  ["arrow", { ...LINEAR, elbowed: false }],
  ["freedraw", { points: [], pressures: [], simulatePressure: true, lastCommittedPoint: null }],
  [
    "text",
    {
      text: "",
      originalText: "",
      fontSize: 20,
      fontFamily: 5,
      textAlign: "left",
      verticalAlign: "top",
      containerId: null,
      autoResize: true,
      lineHeight: 1.25,
    },
  ],
  ["image", { fileId: null, scale: [1, 1], crop: null }],
  ["frame", { name: null }],
]);

/** Whether the board can show this kind of shape. */
export function isShown(type: unknown): type is string {
  return typeof type === "string" && KINDS.has(type);
}

/** What a text can be written into. */
const CONTAINERS: ReadonlySet<string> = new Set(["rectangle", "diamond", "ellipse", "arrow"]);

export function isContainer(type: unknown): boolean {
  return typeof type === "string" && CONTAINERS.has(type);
}

/** Farther out, canvases and their arithmetic break. In scene units. */
const FARTHEST = 1e7;
const PLACE = ["x", "y", "width", "height"] as const;

/**
 * Stored fields made whole: each known field has a value of its type. What points to other shapes is looked at
 * elsewhere. `null` for what is not a shape we can show.
 */
export function mended(stored: Fields): Record<string, unknown> | null {
  const type = stored["type"];
  if (!isShown(type)) return null;
  const fields: Record<string, unknown> = { ...stored };
  // Words that somebody stored in lines only.
  if (type === "text" && typeof stored["originalText"] !== "string") fields["originalText"] = stored["text"];
  for (const defaults of [COMMON, KINDS.get(type) ?? {}]) {
    for (const [field, fallback] of Object.entries(defaults)) {
      if (!alike(fields[field], fallback)) fields[field] = fallback;
    }
  }
  for (const field of PLACE) fields[field] = Math.min(Math.max(fields[field] as number, -FARTHEST), FARTHEST);
  fields["isDeleted"] = stored["isDeleted"] === true;
  fields["index"] = isOrderKey(stored["index"]) ? stored["index"] : null;
  fields["groupIds"] = (fields["groupIds"] as unknown[]).filter((id) => typeof id === "string");
  fields["link"] = harmlessLink(fields["link"]);
  if ("points" in fields) mendPoints(fields);
  if (type === "line" || type === "arrow") {
    for (const end of ["startBinding", "endBinding"]) if (!isBinding(fields[end])) fields[end] = null;
  }
  if (type === "text") {
    // A size of nothing divides by nothing.
    for (const size of ["fontSize", "lineHeight"]) if ((fields[size] as number) <= 0) fields[size] = KINDS.get("text")?.[size];
  }
  return fields;
}

/** Same kind of value as the example. `null` in the example also takes whatever belongs there: text, or an object. */
function alike(value: unknown, example: unknown): boolean {
  if (value === undefined) return false;
  if (example === null) return true;
  if (typeof example === "number") return typeof value === "number" && Number.isFinite(value);
  if (Array.isArray(example)) return Array.isArray(value);
  return typeof value === typeof example;
}

/** A line needs two points, a stroke one. Missing ones are taken from the shape's size. */
function mendPoints(fields: Record<string, unknown>): void {
  const points = fields["points"] as unknown[];
  const sound = points.every(isPoint) ? points : points.filter(isPoint);
  const least = fields["type"] === "freedraw" ? 1 : 2;
  fields["points"] = sound.length >= least ? sound : [[0, 0], [fields["width"], fields["height"]]].slice(0, least);
  const pressures = fields["pressures"];
  if (Array.isArray(pressures) && !pressures.every((pressure) => typeof pressure === "number")) fields["pressures"] = [];
}

function isPoint(value: unknown): boolean {
  return Array.isArray(value) && value.length >= 2 && value.slice(0, 2).every((part) => Number.isFinite(part) && Math.abs(part as number) <= FARTHEST);
}

function isBinding(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as Fields)["elementId"] === "string" &&
    Number.isFinite((value as Fields)["focus"]) &&
    Number.isFinite((value as Fields)["gap"])
  );
}

/** The address a click may open. Anything that could run as script is none; what names a host and no scheme is on the web. */
function harmlessLink(value: unknown): string | null {
  if (typeof value !== "string") return null;
  if (/^(https?:|mailto:|\/(?!\/))/i.test(value)) return value;
  return /^[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)+(:\d+)?([/?#]\S*)?$/u.test(value) ? `https://${value}` : null;
}

/**
 * A well-formed fractional index: a first letter that says how many digits the whole part has, digits, and no trailing
 * zero after them. The package that makes new ones throws at anything else.
 */
export function isOrderKey(value: unknown): value is string {
  if (typeof value !== "string" || !/^[0-9A-Za-z]+$/.test(value) || value.length > 1_000) return false;
  const head = value.charCodeAt(0);
  const whole = head >= 97 ? head - 97 + 2 : head >= 65 ? 90 - head + 2 : Infinity;
  if (whole > value.length || value === `A${"0".repeat(26)}`) return false;
  return !(value.length > whole && value.endsWith("0"));
}

/** Whether two plain values say the same. */
export function equal(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) || Array.isArray(other)) {
    return Array.isArray(one) && Array.isArray(other) && one.length === other.length && one.every((value, at) => equal(value, other[at]));
  }
  const [left, right] = [one as Fields, other as Fields];
  const fields = Object.keys(left).filter((field) => left[field] !== undefined);
  return (
    fields.length === Object.keys(right).filter((field) => right[field] !== undefined).length &&
    fields.every((field) => field in right && equal(left[field], right[field]))
  );
}
