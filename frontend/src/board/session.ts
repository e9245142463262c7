// An open board: Excalidraw on one side, the room on the other, and between them the binding, presence and pictures. Not
// a component: it is made once Excalidraw stands and ended with it, and what changes is asked for by subscription.
import { CaptureUpdateAction } from "@excalidraw/excalidraw";
import type { ExcalidrawElement, OrderedExcalidrawElement } from "@excalidraw/excalidraw/element/types";
import type { AppState, BinaryFileData, Collaborator, ExcalidrawImperativeAPI, NormalizedZoomValue, SocketId } from "@excalidraw/excalidraw/types";
import type { Fate } from "../documents/picture-fate";
import { browserPictures } from "../documents/pictures";
import type { Room } from "../sync/room";
import { bindBoard } from "./binding";
import type { BoardElement } from "./element";
import type { BoardHistory } from "./history";
import { syncImages, type OwnPicture, type Picture, type RefusedPicture } from "./images";
import { fitted, retype } from "./lines";
import { handsOf, othersIn, publisher, type Bounds, type OnBoard, type Pointer } from "./presence";
import type { Unfinished } from "./under-way";

/** A writer who rests this long is shown to others with what is there, in ms. */
const WRITING_PAUSE = 500;

/** Excalidraw's own limits. */
const [LEAST_ZOOM, MOST_ZOOM] = [0.1, 30];

export interface BoardSession {
  readonly history: BoardHistory;
  /** Whether this person may change the board. */
  readonly allow: (writing: boolean) => void;
  /** What Excalidraw reports of the pointer. */
  readonly pointed: (pointer: Pointer) => void;
  /** Shows what this person sees. */
  readonly goTo: (client: number) => void;
  /** Shapes on the board; calls back when they changed. Returns the end of it. */
  readonly elements: () => readonly BoardElement[];
  readonly subscribe: (listener: () => void) => () => void;
  /** The connection is back: what waited for it is tried again. */
  readonly retry: () => void;
  /** Pictures that exist in this tab only: neither the server nor this device could take them yet. */
  readonly unsent: () => number;
  /** Pictures put in here that no server has, because it did not take them when it was last asked. */
  readonly pictures: () => number;
  /** Pictures on the board that the server will not take, and a way to be rid of them. */
  readonly refused: () => readonly RefusedPicture[];
  readonly takeOff: (pictures: readonly RefusedPicture[]) => void;
  /** Pictures that lie on this device and nowhere else, not on the board either, and a way to be rid of them. */
  readonly stranded: () => readonly OwnPicture[];
  readonly discard: (pictures: readonly OwnPicture[]) => void;
  readonly dispose: () => void;
}

export function openSession(ports: {
  readonly api: ExcalidrawImperativeAPI;
  readonly room: Room;
  /** The element around Excalidraw, where pointers go down. */
  readonly place: HTMLElement;
  readonly sendPicture: (file: Blob, signal: AbortSignal) => Promise<Fate>;
  readonly nameless: () => string;
  /** Something Excalidraw could not do, in its own words. */
  readonly failed: (words: string) => void;
}): BoardSession {
  const { api, room, place } = ports;
  const { doc, awareness } = room;
  const listeners = new Set<() => void>();
  const ends: (() => void)[] = [];
  const listen = <E extends Event>(target: EventTarget, types: readonly string[], listener: (event: E) => void): void => {
    for (const type of types) {
      target.addEventListener(type, listener as (event: Event) => void, { capture: true });
      ends.push(() => target.removeEventListener(type, listener as (event: Event) => void, { capture: true }));
    }
  };

  // ---- shapes ---------------------------------------------------------------------------------------------

  const elements = (): readonly BoardElement[] => api.getSceneElementsIncludingDeleted();
  const binding = bindBoard({
    doc,
    view: {
      elements,
      show: (next) =>
        api.updateScene({ elements: next as unknown as readonly OrderedExcalidrawElement[], captureUpdate: CaptureUpdateAction.NEVER }),
      fit: fitted,
      retype: (id, words) => {
        const area = place.querySelector<HTMLTextAreaElement>("textarea.excalidraw-wysiwyg");
        // What an input method is composing belongs to it until it has finished.
        if (area === null || composing || api.getAppState().editingTextElement?.id !== id) return false;
        retype(area, words);
        return true;
      },
    },
  });
  let composing = false;
  listen(place, ["compositionstart"], () => (composing = true));
  listen(place, ["compositionend"], () => (composing = false));

  let resting: ReturnType<typeof setTimeout> | undefined;
  let writtenVersion = -1;
  const onChange = (all: readonly ExcalidrawElement[], state: AppState): void => {
    const text = state.editingTextElement?.id;
    const line = state.multiElement?.id;
    const unfinished: Unfinished = { ...(text === undefined ? {} : { text }), ...(line === undefined ? {} : { line }) };
    binding.unfinished(unfinished);
    binding.changed();
    const version = text === undefined ? -1 : (all.find(({ id }) => id === text)?.version ?? -1);
    if (version !== writtenVersion) {
      writtenVersion = version;
      clearTimeout(resting);
      if (text !== undefined) resting = setTimeout(binding.pause, WRITING_PAUSE);
    }
    // Its dialog could not be closed by a key, and says in a window what needs a line.
    if (state.errorMessage !== null) {
      if (typeof state.errorMessage === "string") ports.failed(state.errorMessage);
      api.updateScene({ appState: { errorMessage: null } });
    }
    // Undo is the binding's. What Excalidraw remembers of its own would only grow.
    (api.history.clear as () => void)();
    lookForPictures();
    publish();
    for (const listener of listeners) listener();
  };
  const deaf = api.onChange(onChange);
  ends.push(() => deaf(), () => clearTimeout(resting));

  // What was copied from a page names pictures of other hosts, which must not be asked; Excalidraw would then take nothing
  // at all. Its words are what can be had.
  listen<ClipboardEvent>(document, ["paste"], (event) => {
    const data = event.clipboardData;
    const words = data?.getData("text/plain") ?? "";
    if (data === null || words === "" || data.files.length > 0 || !/<img[^>]+src\s*=\s*["']?(?!data:)/i.test(data.getData("text/html"))) return;
    if (!(event.target instanceof Node) || !(place.contains(event.target) || event.target === document.body)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", words);
    event.target.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  });

  // The pointer is down until all fingers are up, and Excalidraw has had its turn: it listens for the same events.
  const down = new Set<number>();
  const lift = (): void => {
    down.clear();
    setTimeout(() => {
      if (down.size === 0) binding.release();
    });
  };
  listen<PointerEvent>(place, ["pointerdown"], ({ pointerId }) => {
    down.add(pointerId);
    binding.hold();
  });
  listen<PointerEvent>(window, ["pointerup", "pointercancel"], ({ pointerId }) => {
    if (down.delete(pointerId) && down.size === 0) lift();
  });
  // A pointer that came up where nobody could hear it.
  listen<PointerEvent>(window, ["pointermove"], ({ buttons }) => {
    if (buttons === 0 && down.size > 0) lift();
  });
  listen(window, ["blur"], () => down.size > 0 && lift());
  // The page may be frozen or closed next, without another word.
  listen(window, ["pagehide"], () => binding.flush());
  listen(document, ["visibilitychange"], () => document.visibilityState === "hidden" && down.size === 0 && binding.flush());

  // ---- pictures -------------------------------------------------------------------------------------------

  const images = syncImages({
    doc,
    send: ports.sendPicture,
    fetch: (...request) => fetch(...request),
    waiting: {
      keep: (picture) => browserPictures.keep(room.document, picture),
      all: () => browserPictures.of(room.document),
      drop: (id) => browserPictures.drop(room.document, id),
    },
    show: ({ id, mimeType, dataURL }) => api.addFiles([{ id, mimeType, dataURL, created: Date.now() } as BinaryFileData]),
    changed: () => {
      for (const listener of listeners) listener();
    },
  });
  const pictureOf = (id: string): Picture | null => api.getFiles()[id] ?? null;
  let pictured: string | null = null;
  const lookForPictures = (): void => {
    const named = new Set<string>();
    for (const element of elements()) {
      if (element.type === "image" && !element.isDeleted && typeof element["fileId"] === "string") named.add(element["fileId"]);
    }
    // The bytes arrive in the view a moment after the shape that names them.
    const now = [...named].map((id) => `${id}${pictureOf(id) ? "+" : "-"}`).join();
    if (now === pictured) return;
    pictured = now;
    images.look(named, pictureOf);
  };

  // ---- people ---------------------------------------------------------------------------------------------

  const { publish: say, dispose: fallSilent } = publisher(awareness);
  let pointer: Pointer | null = null;
  const own = (): OnBoard => {
    const state = api.getAppState();
    return {
      pointer,
      selected: Object.keys(state.selectedElementIds),
      inHand: down.size > 0 || state.editingTextElement !== null || state.multiElement !== null ? binding.inHand() : new Map(),
      view: boundsOf(state),
      following: led,
    };
  };
  const publish = (): void => say(own);

  let frame = 0;
  const onAwareness = ({ added, updated, removed }: Record<"added" | "updated" | "removed", readonly number[]>): void => {
    if ([...added, ...updated, ...removed].every((client) => client === awareness.clientID)) return;
    if (frame === 0) frame = requestAnimationFrame(showOthers);
  };
  const showOthers = (): void => {
    frame = 0;
    const others = othersIn(awareness.getStates(), awareness.clientID);
    const collaborators = new Map<SocketId, Collaborator>();
    for (const [client, { person, pointer, selected }] of others) {
      collaborators.set(socketOf(client), {
        id: String(client),
        socketId: socketOf(client),
        username: person.name || ports.nameless(),
        color: { background: tinted(person.colour), stroke: tinted(person.colour) },
        selectedElementIds: Object.fromEntries(selected.map((id) => [id, true as const])),
        ...(pointer ? { pointer: { x: pointer.x, y: pointer.y, tool: pointer.tool }, button: pointer.button } : {}),
      });
    }
    api.updateScene({ collaborators });
    binding.showInHand(handsOf(others));
  };
  /** Whose view we took last, until we move by ourselves. */
  let led: number | null = null;
  const goTo = (client: number): void => {
    // Not what is drawn: that is a frame old, and on a busy machine so late that the last movement would be missed.
    const leader = othersIn(awareness.getStates(), awareness.clientID).get(client);
    // Two who follow each other would lead each other out of sight.
    if (!leader?.view || leader.following === awareness.clientID) return;
    led = client;
    const state = api.getAppState();
    const [left, top, right, bottom] = leader.view;
    const zoom = Math.min(Math.max(Math.min(state.width / (right - left), state.height / (bottom - top)), LEAST_ZOOM), MOST_ZOOM);
    const scrollX = state.width / zoom / 2 - (left + right) / 2;
    const scrollY = state.height / zoom / 2 - (top + bottom) / 2;
    if (Math.abs(scrollX - state.scrollX) + Math.abs(scrollY - state.scrollY) < 1 && Math.abs(zoom / state.zoom.value - 1) < 0.005) return;
    api.updateScene({ appState: { scrollX, scrollY, zoom: { value: zoom as NormalizedZoomValue } } });
  };
  listen(place, ["wheel", "pointerdown", "keydown"], () => {
    led = null;
  });
  awareness.on("change", onAwareness);
  ends.push(() => {
    awareness.off("change", onAwareness);
    cancelAnimationFrame(frame);
    fallSilent();
  });
  const still = api.onScrollChange(publish);
  ends.push(() => still());

  showOthers();
  publish();
  lookForPictures();

  return {
    history: binding.history,
    allow: (writing) => {
      binding.allow(writing);
      images.allow(writing);
    },
    pointed: (next) => {
      pointer = next;
      publish();
    },
    goTo,
    elements,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    retry: images.retry,
    unsent: images.unsent,
    pictures: images.waits,
    refused: images.refused,
    takeOff: (pictures) => {
      const files = new Set<unknown>(pictures.map(({ id }) => id));
      const without = elements().map((element) =>
        files.has(element["fileId"]) && !element.isDeleted ? { ...element, isDeleted: true, version: element.version + 1, versionNonce: element.versionNonce + 1 } : element,
      );
      api.updateScene({ elements: without as unknown as readonly OrderedExcalidrawElement[], captureUpdate: CaptureUpdateAction.NEVER });
      images.discard(pictures.map(({ id }) => id));
    },
    stranded: images.stranded,
    discard: (pictures) => images.discard(pictures.map(({ id }) => id)),
    dispose: () => {
      binding.dispose();
      images.dispose();
      for (const end of ends) end();
      listeners.clear();
    },
  };
}

function socketOf(client: number): SocketId {
  return String(client) as SocketId;
}

/** Excalidraw writes names in black on this; people's colours are made for white letters. */
function tinted(colour: string): string {
  const part = (at: number): string => Math.round(255 - (255 - parseInt(colour.slice(at, at + 2), 16)) * 0.5).toString(16).padStart(2, "0");
  return `#${part(1)}${part(3)}${part(5)}`;
}

function boundsOf({ scrollX, scrollY, width, height, zoom }: AppState): Bounds {
  return [-scrollX, -scrollY, -scrollX + width / zoom.value, -scrollY + height / zoom.value];
}
