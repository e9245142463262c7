// Excalidraw as the view of a board: dressed in our theme and language, without what needs another host, and joined to
// the room by a session.
import "./assets";
import { Excalidraw, MainMenu } from "@excalidraw/excalidraw";
import "@excalidraw/excalidraw/index.css";
import type { ExcalidrawImperativeAPI } from "@excalidraw/excalidraw/types";
import { ListTree, StickyNote } from "lucide-react";
import { useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import type { Fate } from "../documents/picture-fate";
import { pictureProblem } from "../documents/picture-words";
import type { Room } from "../sync/room";
import { isLive } from "../sync/status";
import { openLayer } from "../ui/layers";
import { savePicture } from "../ui/save-file";
import { showToast } from "../ui/toast";
import { bringIn } from "./file";
import { isWriting, passKeys, takenFrom } from "./keys";
import { NOTE, pickNoteTool, putNote } from "./note";
import type { OwnPicture } from "./images";
import { openSession, type BoardSession } from "./session";
import { undoActions } from "./undo";
import { useDarkness } from "./use-darkness";

/** From here on a board becomes slow on an ordinary machine, and saying so early leaves time to split it. */
const MANY = 5_000;

/** Pictures dropped together lie this far from each other, so that each is seen. In px. */
const APART = 40;

/** A board of less width has no room for its tools, their properties and our buttons in one line. In px. */
const NARROW = 960;

/** What stands on the page around the board needs of it. */
export interface OpenBoard {
  readonly api: ExcalidrawImperativeAPI;
  readonly session: BoardSession;
  /** Gives the keyboard back to the board. */
  readonly focus: () => void;
}

export function Board(props: {
  readonly room: Room;
  /** The same one for as long as the room. */
  readonly sendPicture: (file: Blob, signal: AbortSignal) => Promise<Fate>;
  readonly title: string;
  readonly editable: boolean;
  readonly outlined: boolean;
  readonly onOutline: () => void;
  /** A drawing was dropped. */
  readonly onFile: (board: OpenBoard, file: Blob) => void;
  readonly onOpen: (board: OpenBoard | null) => void;
}): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const { room, sendPicture, editable, onOpen } = props;
  const place = useRef<HTMLDivElement>(null);
  const [api, setApi] = useState<ExcalidrawImperativeAPI | null>(null);
  const [open, setOpen] = useState<OpenBoard | null>(null);
  const session = open?.session ?? null;
  const dark = useDarkness();
  const [linked] = useState(takeLink);
  const words = useRef(t);
  useEffect(() => {
    words.current = t;
  });

  // Before the view is taken down, so that what is still in hand can be written.
  useLayoutEffect(() => {
    const element = place.current;
    if (api === null || element === null) return;
    let opened: BoardSession | null = null;
    const begin = (): void => {
      if (opened !== null || api.getAppState().isLoading) return;
      opened = openSession({
        api,
        room,
        place: element,
        sendPicture,
        nameless: () => words.current("people.nameless"),
        failed: (text) => showToast({ text }),
      });
      for (const action of undoActions(opened.history)) api.registerAction(action);
      api.refresh();
      const meant = linked === null ? [] : api.getSceneElements().filter(({ id, groupIds }) => id === linked || groupIds.includes(linked));
      api.scrollToContent(meant.length > 0 ? meant : undefined, { fitToViewport: true, viewportZoomFactor: 0.8, maxZoom: 1 });
      if (meant.length > 0) api.updateScene({ appState: { selectedElementIds: Object.fromEntries(meant.map(({ id }) => [id, true as const])) } });
      else if (linked !== null) showToast({ text: words.current("board.notThere") });
      const board = { api, session: opened, focus: () => element.querySelector<HTMLElement>(".excalidraw")?.focus() };
      setOpen(board);
      onOpen(board);
    };
    // Excalidraw loads an empty scene first, and that must not come after ours.
    const waiting = api.onChange(begin);
    begin();
    return () => {
      waiting();
      onOpen(null);
      setOpen(null);
      opened?.dispose();
    };
  }, [api, room, sendPicture, onOpen, linked]);

  useEffect(() => session?.allow(editable), [session, editable]);
  useEffect(() => room.subscribe(() => isLive(room.state().status) && session?.retry()), [room, session]);

  useEffect(() => {
    // A picture that neither the server nor this device has would be gone with the tab.
    const ask = (event: BeforeUnloadEvent): void => {
      if (session !== null && session.unsent() > 0) event.preventDefault();
    };
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [session]);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const watch = new ResizeObserver(() => element.toggleAttribute("data-narrow", element.clientWidth < NARROW));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  useEffect(() => passKeys(() => place.current?.querySelector<HTMLElement>(".excalidraw") ?? null), []);

  return (
    <div
      ref={place}
      className="board"
      data-open={session === null ? undefined : ""}
      onDropCapture={(event) => {
        const files = [...event.dataTransfer.files];
        if (files.length === 0 || !event.isTrusted) return;
        // Excalidraw takes the first of several, and shows a drawing instead of what everybody is working on.
        event.preventDefault();
        event.stopPropagation();
        if (!open || !editable) return;
        const { clientX, clientY, target } = event;
        const dropPicture = (file: File, at: number): void => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(file);
          const place = { clientX: clientX + at * APART, clientY: clientY + at * APART };
          target.dispatchEvent(new DragEvent("drop", { dataTransfer, ...place, bubbles: true, cancelable: true }));
        };
        for (const [at, file] of files.entries()) {
          if (/\.excalidrawlib$/i.test(file.name)) showToast({ text: t("board.noLibrary") });
          else if (/\.(excalidraw|json)$/i.test(file.name)) props.onFile(open, file);
          else if (["image/png", "image/svg+xml"].includes(file.type)) bringIn(open.api, file).catch(() => dropPicture(file, at));
          else if (file.type.startsWith("image/")) dropPicture(file, at);
          else showToast({ text: t("board.notAPicture", { name: file.name }) });
        }
      }}
      onKeyDownCapture={(event) => {
        if (!api || isWriting(event.target) || event.nativeEvent.isComposing) return;
        const taken = takenFrom(event, { selected: Object.keys(api.getAppState().selectedElementIds).length, editable });
        if (taken === null) return;
        event.stopPropagation();
        if (taken === "browser") return;
        event.preventDefault();
        if (taken === "note") pickNoteTool(api);
        else if (taken !== "nothing") openLayer.set(taken);
      }}
      onClickCapture={(event) => {
        if (!(event.target instanceof Element && event.target.closest(".help-icon"))) return;
        event.stopPropagation();
        openLayer.set("help");
      }}
    >
      <Excalidraw
        excalidrawAPI={(made) => queueMicrotask(() => setApi(made))}
        theme={dark ? "dark" : "light"}
        langCode={i18n.language.startsWith("zh") ? "zh-TW" : "en"}
        name={props.title}
        isCollaborating
        viewModeEnabled={!editable}
        autoFocus
        aiEnabled={false}
        validateEmbeddable={false}
        UIOptions={{ canvasActions: { loadScene: false, saveToActiveFile: false, export: false, saveAsImage: false, clearCanvas: false, toggleTheme: false, changeViewBackgroundColor: false } }}
        onPointerUpdate={({ pointer, button }) => session?.pointed({ ...pointer, button })}
        onPointerDown={(tool, { origin }) => {
          const element = place.current;
          // A turn later, when Excalidraw has put away what it remembers of this press.
          if (api && element && tool.type === "custom" && tool.customType === NOTE) whenUp(() => putNote(api, element, origin.x, origin.y));
        }}
        renderTopRightUI={(isPhone, { activeTool }) => (
          <>
          {editable && (
            <button
              type="button"
              className={isPhone ? "board-tool board-tool-phone" : "board-tool"}
              aria-label={t("board.note")}
              aria-pressed={activeTool.type === "custom" && activeTool.customType === NOTE}
              title={`${t("board.note")} — N`}
              onClick={() => api && pickNoteTool(api)}
            >
              <StickyNote aria-hidden="true" />
            </button>
          )}
          {!isPhone && (
            <button type="button" className="board-tool" aria-label={t("board.outline")} aria-pressed={props.outlined} title={t("board.outline")} onClick={props.onOutline}>
              <ListTree aria-hidden="true" />
            </button>
          )}
          </>
        )}
      >
        {/* Its entries are in the menu of the document. */}
        <MainMenu>{null}</MainMenu>
      </Excalidraw>
      {session && <Hint session={session} editable={editable} />}
      {session && <Crowded session={session} />}
      {session && <Pictures session={session} />}
      {session && <RefusedPictures session={session} />}
      {session && <StrandedPictures session={session} />}
    </div>
  );
}

/**
 * The shape or the group that a link means, taken out of the address: Excalidraw would look for it on the empty scene that
 * it begins with, and say that it is not there.
 */
function takeLink(): string | null {
  const address = new URL(location.href);
  const linked = address.searchParams.get("element");
  if (linked === null) return null;
  address.searchParams.delete("element");
  history.replaceState(history.state, "", address);
  return linked;
}

/** Calls back once the pointer is up and everybody has heard of it. */
function whenUp(act: () => void): void {
  const up = (): void => {
    window.removeEventListener("pointerup", up);
    window.removeEventListener("pointercancel", up);
    setTimeout(act);
  };
  window.addEventListener("pointerup", up);
  window.addEventListener("pointercancel", up);
}

function useCount(session: BoardSession): number {
  return useSyncExternalStore(session.subscribe, () => session.elements().reduce((count, { isDeleted }) => count + (isDeleted ? 0 : 1), 0));
}

/** An empty board says how to begin. */
function Hint(props: { readonly session: BoardSession; readonly editable: boolean }): React.JSX.Element | null {
  const { t } = useTranslation();
  if (useCount(props.session) > 0) return null;
  if (!props.editable) {
    return (
      <div className="board-hint">
        <p>{t("board.emptyToRead")}</p>
      </div>
    );
  }
  const keys = ["R", "A", "T", "N", "P"] as const;
  return (
    <div className="board-hint">
      <p>
        {t("board.empty")} <span className="board-hint-keys">{t("board.orKey")}</span>
      </p>
      <ul className="board-hint-keys">
        {keys.map((key) => (
          <li key={key}>
            <kbd>{key}</kbd> {t(`board.key.${key}`)}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** All else may be saved; these are not, and nobody else sees them. */
function Pictures(props: { readonly session: BoardSession }): React.JSX.Element | null {
  const { t } = useTranslation();
  const count = useSyncExternalStore(props.session.subscribe, props.session.pictures);
  if (count === 0) return null;
  return (
    <div className="banner board-crowded" role="status">
      <p>{t("board.pictures", { count })}</p>
    </div>
  );
}

/** They stay where they were put, for their author alone, who decides what becomes of them. */
function RefusedPictures(props: { readonly session: BoardSession }): React.JSX.Element | null {
  const { t } = useTranslation();
  const { session } = props;
  const refused = useSyncExternalStore(session.subscribe, session.refused);
  const [first] = refused;
  if (first === undefined) return null;
  return (
    <OwnPictures
      pictures={refused}
      urgent
      words={t("board.refused", { count: refused.length, reason: pictureProblem(first.problem, t) })}
      other={{ label: t("board.takeOff"), run: () => session.takeOff(refused) }}
    />
  );
}

/** Their shapes are gone, by whomever; only their author can say that they may go too. */
function StrandedPictures(props: { readonly session: BoardSession }): React.JSX.Element | null {
  const { t } = useTranslation();
  const { session } = props;
  const stranded = useSyncExternalStore(session.subscribe, session.stranded);
  if (stranded.length === 0) return null;
  return <OwnPictures pictures={stranded} words={t("board.stranded", { count: stranded.length })} other={{ label: t("image.discard"), run: () => session.discard(stranded) }} />;
}

/** Pictures that no server has, to be saved as files or dealt with otherwise. */
function OwnPictures(props: {
  readonly pictures: readonly OwnPicture[];
  readonly urgent?: boolean;
  readonly words: string;
  readonly other: { readonly label: string; readonly run: () => void };
}): React.JSX.Element {
  const { t } = useTranslation();
  const { pictures, urgent, words, other } = props;
  return (
    <div className={`banner board-crowded board-refused${urgent ? "" : " board-stranded"}`} role={urgent ? "alert" : "status"}>
      <p>{words}</p>
      <button type="button" className="button small" onClick={() => pictures.forEach(({ file }) => savePicture(t("image.name"), file))}>
        {t("image.save")}
      </button>
      <button type="button" className="button small" onClick={other.run}>
        {other.label}
      </button>
    </div>
  );
}

function Crowded(props: { readonly session: BoardSession }): React.JSX.Element | null {
  const { t } = useTranslation();
  const count = useCount(props.session);
  const [noted, setNoted] = useState(false);
  if (noted || count < MANY) return null;
  return (
    <div className="banner board-crowded" role="status">
      <p>{t("board.crowded", { count })}</p>
      <button type="button" className="button small" onClick={() => setNoted(true)}>
        {t("app.dismiss")}
      </button>
    </div>
  );
}
