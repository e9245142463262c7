// A board's file straight from its shared data, without Excalidraw: for those who may only take their copy with them.
// Pictures are not in it; their bytes are on the server.
import type { Doc } from "yjs";
import { ELEMENTS, bindBoard } from "./binding";
import type { BoardElement } from "./element";

export function hasShapes(doc: Doc): boolean {
  return doc.getMap(ELEMENTS).size > 0;
}

export function sceneFile(doc: Doc): string {
  let elements: readonly BoardElement[] = [];
  const binding = bindBoard({ doc, view: { elements: () => elements, show: (next) => (elements = next) } });
  binding.dispose();
  return JSON.stringify({ type: "excalidraw", version: 2, source: "weft", elements, appState: {}, files: {} });
}
