// A board's file straight from its shared data, without Excalidraw: for those who may only take their copy with them.
// Pictures are not in it; their bytes are on the server. And back: a file becomes a board without one being open.
import { Map as YMap, type Doc } from "yjs";
import { bindBoard } from "./binding";
import { isOrderKey, sharedFields, type BoardElement } from "./element";
import { ELEMENTS } from "./stored";

export function hasShapes(doc: Doc): boolean {
  return doc.getMap(ELEMENTS).size > 0;
}

export function sceneFile(doc: Doc): string {
  let elements: readonly BoardElement[] = [];
  const binding = bindBoard({ doc, view: { elements: () => elements, show: (next) => (elements = next) } });
  binding.dispose();
  return JSON.stringify({ type: "excalidraw", version: 2, source: "weft", elements, appState: {}, files: {} });
}

/** A picture that a file brings along, under the id that its shapes name it by. */
export interface ScenePicture {
  readonly id: string;
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Writes the shapes of a file into a board that has none, and answers with its pictures. `null` for what is no drawing. */
export function readScene(doc: Doc, text: string): readonly ScenePicture[] | null {
  let scene: unknown;
  try {
    scene = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRecord(scene) || scene["type"] !== "excalidraw" || !Array.isArray(scene["elements"])) return null;
  const shapes = scene["elements"].filter((shape): shape is BoardElement => isRecord(shape) && typeof shape["id"] === "string" && typeof shape["type"] === "string" && shape["isDeleted"] !== true);
  // Files of old versions know no order but that of the list.
  const ordered = shapes.every(({ index }, at) => isOrderKey(index) && (at === 0 || index > (shapes[at - 1]?.index ?? "")));
  const elements = doc.getMap<YMap<unknown>>(ELEMENTS);
  doc.transact(() => {
    for (const [at, shape] of shapes.entries()) {
      elements.set(shape.id, new YMap(Object.entries({ ...sharedFields(shape), isDeleted: false, index: ordered ? shape.index : orderKey(at) })));
    }
  });
  const named = new Set(shapes.map(({ fileId }) => fileId));
  const files = isRecord(scene["files"]) ? Object.entries(scene["files"]) : [];
  return files.flatMap(([id, file]) => {
    const picture = named.has(id) && isRecord(file) ? bytesOf(file["dataURL"]) : null;
    return picture === null ? [] : [{ id, ...picture }];
  });
}

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The keys of a list in its order: whole parts of five digits, which is more shapes than a file can hold. */
function orderKey(at: number): string {
  let digits = "";
  for (let rest = at, place = 0; place < 5; place++, rest = Math.floor(rest / DIGITS.length)) digits = `${DIGITS[rest % DIGITS.length]}${digits}`;
  return `e${digits}`;
}

function bytesOf(address: unknown): Omit<ScenePicture, "id"> | null {
  const [, type, encoded] = (typeof address === "string" && /^data:(image\/[\w.+-]+);base64,([\w+/=\s]*)$/.exec(address)) || [];
  if (type === undefined || encoded === undefined) return null;
  try {
    return { type, bytes: Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0)) };
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
