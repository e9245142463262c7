// A board as files: pictures of it, and Excalidraw's own format in and out.
import { CaptureUpdateAction, exportToBlob, exportToSvg, getCommonBounds, loadFromBlob, serializeAsJSON } from "@excalidraw/excalidraw";
import type { OrderedExcalidrawElement } from "@excalidraw/excalidraw/element/types";
import type { ExcalidrawImperativeAPI } from "@excalidraw/excalidraw/types";
import { saveBlob } from "../ui/save-file";
import { centredAt, withNewIds } from "./copies";
import { scaleOf } from "./scale";

/** Space around an exported drawing, in scene units. */
const MARGIN = 24;
export async function pngOf(api: ExcalidrawImperativeAPI): Promise<Blob> {
  return exportToBlob({
    elements: api.getSceneElements(),
    appState: { ...api.getAppState(), exportBackground: true, exportWithDarkMode: false },
    files: api.getFiles(),
    mimeType: "image/png",
    exportPadding: MARGIN,
    getDimensions: (width, height) => {
      const scale = scaleOf(width, height);
      return { width: width * scale, height: height * scale, scale };
    },
  });
}

export async function svgOf(api: ExcalidrawImperativeAPI): Promise<Blob> {
  const svg = await exportToSvg({
    elements: api.getSceneElements(),
    appState: { ...api.getAppState(), exportBackground: true, exportWithDarkMode: false, exportEmbedScene: false },
    files: api.getFiles(),
    exportPadding: MARGIN,
  });
  return new Blob([svg.outerHTML], { type: "image/svg+xml" });
}

export function sceneFileOf(api: ExcalidrawImperativeAPI): Blob {
  return new Blob([serializeAsJSON(api.getSceneElements(), api.getAppState(), api.getFiles(), "local")], { type: "application/json" });
}

/** Adds the shapes of a file where one looks, selected, beside all that is there. How many; rejects what is no scene. */
export async function bringIn(api: ExcalidrawImperativeAPI, file: Blob): Promise<number> {
  const { elements, files } = await loadFromBlob(file, null, null);
  const alive = elements.filter(({ isDeleted }) => !isDeleted);
  if (alive.length === 0) return 0;
  const { scrollX, scrollY, width, height, zoom } = api.getAppState();
  const copies = centredAt(
    withNewIds(alive, () => crypto.getRandomValues(new Uint32Array(3)).reduce((id, part) => id + part.toString(36), "")),
    getCommonBounds(alive),
    width / zoom.value / 2 - scrollX,
    height / zoom.value / 2 - scrollY,
  );
  api.addFiles(Object.values(files ?? {}));
  api.updateScene({
    elements: [...api.getSceneElementsIncludingDeleted(), ...(copies as unknown as readonly OrderedExcalidrawElement[])],
    appState: { selectedElementIds: Object.fromEntries(copies.map(({ id }) => [id, true as const])) },
    captureUpdate: CaptureUpdateAction.EVENTUALLY,
  });
  return copies.length;
}

export function save(blob: Blob, title: string, ending: string): void {
  saveBlob(`${title.replace(/\s+/g, " ").trim() || "board"}.${ending}`, blob);
}
