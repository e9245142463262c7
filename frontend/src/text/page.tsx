// A text document: opens its room, shows where it stands, and puts title, toolbar and text around the shared data.
import type { Editor } from "@tiptap/core";
import { ArrowLeft, Ellipsis, Link2, Printer, Trash2, TriangleAlert } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { ApiError, type Api } from "../documents/api";
import { rememberKept } from "../documents/device";
import type { DocumentName } from "../documents/name";
import { Others } from "../presence/others";
import { useAnnouncement, useArrivals, usePeople } from "../presence/use-people";
import { You } from "../presence/you";
import { socketBase } from "../sync/address";
import { connectByHocuspocus } from "../sync/connection";
import { openIndexedDbCopy } from "../sync/copy";
import { openRoom, type Room } from "../sync/room";
import { isEditable, isLive, isReadable } from "../sync/status";
import { copyToClipboard } from "../ui/clipboard";
import { Menu } from "../ui/menu";
import { browserSignals } from "../ui/signals";
import { showToast } from "../ui/toast";
import { caretOf } from "./carets";
import { createEditor } from "./editor";
import { StatusPill } from "./status-pill";
import { TitleField, useTitle } from "./title-field";
import { Toolbar } from "./toolbar";
import { useEditorState } from "./use-editor";
import { Unreachable } from "./unreachable";
import { countWords } from "./words";
import "./text.css";

const Gone = lazy(() => import("./ended").then(({ Gone }) => ({ default: Gone })));
const Denied = lazy(() => import("./ended").then(({ Denied }) => ({ default: Denied })));

export function TextPage(props: { readonly api: Api; readonly name: DocumentName }): React.JSX.Element | null {
  const room = useRoom(props.name);
  return room && <OpenDocument api={props.api} name={props.name} room={room} />;
}

function useRoom(name: DocumentName): Room | null {
  const [room, setRoom] = useState<Room | null>(null);
  useEffect(() => {
    const opened = openRoom(name, {
      base: socketBase(location),
      signals: browserSignals,
      connect: connectByHocuspocus,
      reachable: () => fetch("/livez").then(({ ok }) => ok, () => false),
      openCopy: openIndexedDbCopy,
    });
    setRoom(opened);
    return () => opened.dispose();
  }, [name]);
  return room;
}

function OpenDocument(props: { readonly api: Api; readonly name: DocumentName; readonly room: Room }): React.JSX.Element {
  const { t } = useTranslation();
  const { api, name, room } = props;
  const { status, onlyInThisTab } = useSyncExternalStore(room.subscribe, room.state);
  const readable = isReadable(status);
  const editable = isEditable(status);
  const title = useTitle(room.doc);
  const people = usePeople(room.awareness);
  const [editor, setEditor] = useState<Editor | null>(null);
  const [titleHidden, titleMark] = useScrolledPast();
  const moveToTrash = useMoveToTrash(api, name, title);

  useAnnouncement(room.awareness);
  useArrivals(people, isLive(status));
  useLeaveGuard(onlyInThisTab);
  useEffect(() => {
    document.title = `${title || t("doc.untitled")} · Weft`;
  }, [title, t]);
  useEffect(() => {
    if (readable) rememberKept(name, title || null);
  }, [readable, name, title]);

  return (
    <div className="frame doc-frame" data-title-hidden={titleHidden ? "" : undefined}>
      <header className="bar doc-bar">
        <Link className="icon-button back" href="/" aria-label={t("doc.back")} data-tip={t("doc.back")}>
          <ArrowLeft />
        </Link>
        <span className="bar-title" aria-hidden="true">
          {title || t("doc.untitled")}
        </span>
        <StatusPill status={status} />
        <div className="bar-end">
          <Others people={people} onGoTo={({ client }) => goToCaret(editor, client)} />
          <You />
          <Menu
            button={
              <button type="button" className="icon-button" aria-label={t("doc.menu")}>
                <Ellipsis />
              </button>
            }
            items={[
              { label: t("row.copyLink"), icon: <Link2 />, run: () => void copyToClipboard(location.href) },
              { label: t("doc.print"), icon: <Printer />, run: () => window.print() },
              { label: t("row.trash"), icon: <Trash2 />, danger: true, run: moveToTrash },
            ]}
          />
        </div>
      </header>
      {onlyInThisTab && (
        <div className="banner banner-top danger" role="alert">
          <TriangleAlert aria-hidden="true" />
          <p>{t("status.onlyInThisTab")}</p>
        </div>
      )}
      {(status.kind === "full" || status.kind === "too-large" || status.kind === "no-websocket") && (
        <div className="banner banner-top" role="alert">
          <TriangleAlert aria-hidden="true" />
          <p>{t(`status.${status.kind}Hint`)}</p>
        </div>
      )}
      {status.kind === "gone" || status.kind === "denied" || status.kind === "unreachable" ? (
        <main id="content" className="home" tabIndex={-1}>
          <Suspense>
            {status.kind === "gone" && <Gone api={api} name={name} doc={room.doc} onRestored={room.retry} />}
            {status.kind === "denied" && <Denied reason={status.reason} doc={room.doc} />}
          </Suspense>
          {status.kind === "unreachable" && <Unreachable onRetry={room.retry} />}
        </main>
      ) : (
        <main id="content" className="page" tabIndex={-1}>
          {editor && <Toolbar editor={editor} disabled={!editable} />}
          <article className="sheet">
            <div ref={titleMark}>
              <TitleField doc={room.doc} editable={editable} onLeave={() => editor && writeFromStart(editor)} />
            </div>
            {!readable && <Opening />}
            <Writing room={room} shown={readable} editable={editable} onEditor={setEditor} />
            {editor && readable && <WordCount editor={editor} />}
          </article>
        </main>
      )}
    </div>
  );
}

/** The editor's place on the page. It is made once per room and told whether it may be written in. */
function Writing(props: {
  readonly room: Room;
  readonly shown: boolean;
  readonly editable: boolean;
  readonly onEditor: (editor: Editor | null) => void;
}): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const { room, shown, editable, onEditor } = props;
  const host = useRef<HTMLDivElement>(null);
  const made = useRef<Editor | null>(null);
  const words = useRef(t);

  useEffect(() => {
    if (host.current === null) return;
    const editor = createEditor({
      element: host.current,
      doc: room.doc,
      awareness: room.awareness,
      editable: false,
      words: () => ({
        label: words.current("doc.body"),
        placeholder: words.current("doc.placeholder"),
        nameless: words.current("people.nameless"),
        task: (text) => words.current("doc.task", { text: text || words.current("doc.emptyTask") }),
      }),
    });
    made.current = editor;
    onEditor(editor);
    return () => {
      made.current = null;
      onEditor(null);
      editor.destroy();
    };
  }, [room, onEditor]);

  useEffect(() => {
    made.current?.setEditable(editable, false);
  }, [editable, room]);

  useEffect(() => {
    words.current = t;
    // Label and placeholder are decorations; an empty transaction draws them in the new language.
    const editor = made.current;
    if (editor && !editor.isDestroyed) editor.view.dispatch(editor.state.tr.setMeta("addToHistory", false));
  }, [t, i18n.language]);

  return (
    <div
      ref={host}
      className="writing"
      hidden={!shown}
      onClick={(event) => {
        if (event.target === host.current) writeBelow(made.current);
      }}
    />
  );
}

/** From the title into the text, at once: Tiptap's own focus waits for a frame, and the next key must not be lost to it. */
function writeFromStart(editor: Editor): void {
  editor.commands.setTextSelection(0);
  editor.view.focus();
}

/** A click into the empty space under the text means "go on writing there", also under a table or a code block. */
function writeBelow(editor: Editor | null): void {
  if (editor === null || !editor.isEditable) return;
  const last = editor.state.doc.lastChild;
  if (last !== null && last.type.name !== "paragraph") {
    editor.chain().insertContentAt(editor.state.doc.content.size, { type: "paragraph" }).focus("end").run();
  } else editor.commands.focus("end");
}

function Opening(): React.JSX.Element {
  return (
    <div className="skeleton opening" aria-hidden="true">
      {[92, 97, 88, 64, 0, 95, 90, 41].map((width, line) => (
        <span key={line} className={width === 0 ? "bone-gap" : "bone bone-line"} style={{ inlineSize: `${width}%` }} />
      ))}
    </div>
  );
}

function WordCount(props: { readonly editor: Editor }): React.JSX.Element | null {
  const { t, i18n } = useTranslation();
  const { editor } = props;
  const [count, setCount] = useState(0);
  const { size } = useEditorState(editor, (current) => ({ size: current.state.doc.content.size }));
  useEffect(() => {
    // Counting walks the whole text: do it when the hands rest.
    const timer = setTimeout(() => {
      const { doc } = editor.state;
      setCount(countWords(doc.textBetween(0, doc.content.size, "\n", " "), i18n.language));
    }, 300);
    return () => clearTimeout(timer);
  }, [editor, size, i18n.language]);
  if (count === 0) return null;
  return <p className="word-count">{t("doc.words", { count })}</p>;
}

function useMoveToTrash(api: Api, name: DocumentName, title: string): () => void {
  const { t } = useTranslation();
  const [, navigate] = useLocation();
  const failed = (error: unknown): void => {
    if (!(error instanceof ApiError)) throw error;
    const { problem } = error;
    showToast({ text: problem.kind === "refused" ? t("problem.refused", { message: problem.message }) : t("problem.unreachable") });
  };
  return () => {
    api
      .moveToTrash(name)
      .then(() => {
        navigate("/");
        showToast({
          text: t("row.trashed", { title: title || t("row.untitled") }),
          action: {
            label: t("row.undo"),
            run: () => {
              api
                .restore(name)
                .then(() => showToast({ text: t("row.restored", { title: title || t("row.untitled") }) }))
                .catch(failed);
            },
          },
        });
      })
      .catch(failed);
  };
}

/** Asks before the tab is closed, as long as closing it would lose words. */
function useLeaveGuard(active: boolean): void {
  useEffect(() => {
    if (!active) return;
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [active]);
}

/** Whether the marked element has been scrolled out at the top; the bar then says the title instead. */
function useScrolledPast(): [boolean, (element: HTMLElement | null) => void] {
  const [past, setPast] = useState(false);
  const [mark, setMark] = useState<HTMLElement | null>(null);
  useEffect(() => {
    if (mark === null) return;
    const observer = new IntersectionObserver(([entry]) => {
      if (entry) setPast(!entry.isIntersecting && entry.boundingClientRect.top < 100);
    }, { rootMargin: "-64px 0px 0px 0px" });
    observer.observe(mark);
    return () => observer.disconnect();
  }, [mark]);
  return [past && mark !== null, setMark];
}

function goToCaret(editor: Editor | null, client: number): void {
  if (editor === null) return;
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  caretOf(editor.view.dom, client)?.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
}
