// Words and the lines they make in Excalidraw, which breaks and measures them.
import { restoreElements } from "@excalidraw/excalidraw";
import type { Fields } from "./element";
import { caretAfter, editsBetween } from "./words";

/** The lines, the size and the place of a text with these words, within its container if it has one. */
export function fitted(text: Fields, container: Fields | null): Fields {
  const shapes = [
    ...(container === null ? [] : [{ ...container, id: "container", boundElements: [{ id: "text", type: "text" }], frameId: null }]),
    { ...text, id: "text", text: text["originalText"], containerId: container === null ? null : "container", frameId: null },
  ];
  const found = restoreElements(shapes as unknown as Parameters<typeof restoreElements>[0], null, { refreshDimensions: true, repairBindings: true }).find(({ type }) => type === "text");
  if (found?.type !== "text") return { text: text["originalText"] };
  const { x, width, height } = found;
  const isInTheMiddle = container !== null && container["type"] !== "arrow" && text["verticalAlign"] === "middle";
  const y = isInTheMiddle ? (container["y"] as number) + ((container["height"] as number) - height) / 2 : found.y;
  return { text: found.text, x, y, width, height };
}

/** Puts words into the field somebody is writing in, as if typed, with the caret where it was among them. */
export function retype(area: HTMLTextAreaElement, words: string): void {
  const { selectionStart, selectionEnd, selectionDirection } = area;
  const edits = editsBetween(area.value, words);
  area.value = words;
  area.setSelectionRange(caretAfter(edits, selectionStart), caretAfter(edits, selectionEnd), selectionDirection);
  area.dispatchEvent(new Event("input", { bubbles: true }));
}
