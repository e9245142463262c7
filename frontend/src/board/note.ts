// A sticky note: a yellow square with a text bound into it, and a word about what it is, for those who list the board.
import { CaptureUpdateAction, convertToExcalidrawElements } from "@excalidraw/excalidraw";
import type { ExcalidrawImperativeAPI } from "@excalidraw/excalidraw/types";
import { placedIn } from "./frames";

/** The name of the tool, for Excalidraw, which knows it as one of our own. */
export const NOTE = "note";

/** In scene units: a hand of words in the usual size. */
const SIDE = 200;

export function pickNoteTool(api: ExcalidrawImperativeAPI): void {
  api.setActiveTool({ type: "custom", customType: NOTE });
  (api.setCursor as (cursor: string) => void)("crosshair");
}

/** Puts a note with its middle at a place of the scene, and opens it for writing. */
export function putNote(api: ExcalidrawImperativeAPI, place: HTMLElement, x: number, y: number): void {
  const [note] = convertToExcalidrawElements([
    {
      type: "rectangle",
      x: x - SIDE / 2,
      y: y - SIDE / 2,
      width: SIDE,
      height: SIDE,
      strokeColor: "#1e1e1e",
      // Deep enough to be a yellow also when the dark theme turns all colours round.
      backgroundColor: "#ffd43b",
      fillStyle: "solid",
      strokeWidth: 1,
      roughness: 0,
      customData: { kind: NOTE },
    },
  ]);
  if (!note) return;
  api.updateScene({
    elements: placedIn(api.getSceneElementsIncludingDeleted(), note, x, y),
    appState: { selectedElementIds: { [note.id]: true } },
    captureUpdate: CaptureUpdateAction.EVENTUALLY,
  });
  api.setActiveTool({ type: "selection" });
  openForWriting(api, place, note.id, TRIES);
}

/** A frame is enough nearly always; while the board is busy, Excalidraw has not yet heard of the selection. */
const TRIES = 12;

/** With a shape selected, Enter means: write in it. There is no other way in from outside. */
function openForWriting(api: ExcalidrawImperativeAPI, place: HTMLElement, id: string, tries: number): void {
  requestAnimationFrame(() => {
    const { editingTextElement, activeTool } = api.getAppState();
    // Until it is open, letters are keys of tools. Whoever has chosen a tool meanwhile has gone on by themselves.
    if (editingTextElement !== null || !["selection", "custom"].includes(activeTool.type) || tries === 0) return;
    if (activeTool.type === "custom") api.setActiveTool({ type: "selection" });
    api.updateScene({ appState: { selectedElementIds: { [id]: true } } });
    requestAnimationFrame(() => {
      const canvas = place.querySelector<HTMLElement>(".excalidraw");
      canvas?.focus();
      canvas?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", code: "Enter", bubbles: true, cancelable: true }));
      openForWriting(api, place, id, tries - 1);
    });
  });
}
