// The view of a text: toolbar, title, the editor, and what surrounds it.
import type { Editor, Extensions } from "@tiptap/core";
import type { TFunction } from "i18next";
import { Download, ListTree, Printer, Search as SearchIcon } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Api } from "../documents/api";
import type { DocumentName } from "../documents/name";
import { refusalIn } from "../documents/picture-refusal";
import { addressesOf, browserPictures, openPictures, type Pictures } from "../documents/pictures";
import { useSaveKey } from "../documents/save-key";
import type { Upload } from "../documents/upload";
import type { ViewProps } from "../documents/view";
import { Avatar } from "../presence/avatar";
import { caretOf } from "../presence/caret";
import { peopleIn } from "../presence/people";
import { waitAfter } from "../sync/backoff";
import type { Room } from "../sync/room";
import { isEditable, isLive } from "../sync/status";
import { whenAtRest } from "../ui/at-rest";
import { fetched } from "../ui/fetched";
import { isCalm } from "../ui/motion";
import { MOD } from "../ui/platform";
import { useRail } from "../ui/rail";
import { savePicture } from "../ui/save-file";
import { showToast } from "../ui/toast";
import { bubblePlace, createBubbleHost, linkAtCaret } from "./bubble-place";
import { createEditor } from "./editor";
import { Highlight } from "./highlight";
import { images, insertImages, takeDropped, type ImagesPorts } from "./images";
import { pastes } from "./paste";
import type { slashOffers as SlashOffers } from "./slash";
import { suggest } from "./suggest";
import { createSuggestStore, type Offer } from "./suggest-store";
import { SuggestPopup } from "./suggest-popup";
import { readTitle } from "../documents/title";
import { TitleField } from "../documents/title-field";
import { Toolbar } from "./toolbar";
import { useEditorState } from "./use-editor";
import { useOldText } from "./use-old-text";
import { WordCount } from "./word-count";
import "./text.css";

// Not part of opening a text: fetched with the first selection, the first search, the first look at the outline.
const Bubble = fetched(() => import("./bubble").then(({ Bubble }) => Bubble), { ahead: true });
const TableHandles = fetched(() => import("./table-handles").then(({ TableHandles }) => TableHandles), { ahead: true });
const BlockHandle = fetched(() => import("./block-handle").then(({ BlockHandle }) => BlockHandle), { ahead: true });
const FindBar = fetched(() => import("./find-bar").then(({ FindBar }) => FindBar), { ahead: true });
// Ahead, because it is wanted where nothing can be fetched.
const OldTextView = fetched(() => import("./old-text-view").then(({ OldTextView }) => OldTextView), { ahead: true });
const exporting = () => import("./export");
let slashOffers: typeof SlashOffers | null = null;
const slashing = () => import("./slash").then((there) => void (slashOffers = there.slashOffers));
const uploading = () => import("../documents/upload");
const upload = (pictures: Pictures, file: File, t: TFunction<"words">): Promise<Upload> =>
  uploading().then(
    ({ uploadImage }) => uploadImage(pictures, file, t),
    () => ({ refused: t("image.offline") }),
  );
whenAtRest(() => void exporting().catch(() => undefined));
whenAtRest(() => void slashing().catch(() => undefined));
whenAtRest(() => void uploading().catch(() => undefined));
const OutlinePanel = fetched(() => import("./outline-panel").then(({ OutlinePanel }) => OutlinePanel), { ahead: true });

export function TextView(props: ViewProps): React.JSX.Element {
  const whose = useOldText(props.room.doc);
  return whose === null ? <TodaysText {...props} /> : <OldTextView room={props.room} editable={props.editable} whose={whose} />;
}

function TodaysText(props: ViewProps): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const { api, name, room, editable, onHandle } = props;
  const [editor, setEditor] = useState<Editor | null>(null);
  const [suggestions] = useState(createSuggestStore);
  const [bubbleHost] = useState(createBubbleHost);
  const [linkOpen, setLinkOpen] = useState(false);
  const [finding, setFinding] = useState(false);
  const [outline, setOutline] = useRail("outline");
  useSaveKey(room);
  // The editor is made once and asks these when it needs them: words change with the language, people come and go.
  const latest = useRef<Surroundings>({ t, api, name, room, pickImage: () => undefined });

  const pictures = usePictures(api, name, room, t);
  const imagePorts = useMemo<ImagesPorts>(
    () => ({
      upload: (file) => upload(pictures, file, latest.current.t),
      local: pictures.local,
      waiting: pictures.waiting,
      notSent: () => latest.current.t("image.waiting"),
      refusals: pictures.refusals,
      refusal: (message) => latest.current.t("image.onlyHere", { message: refusalIn(message, latest.current.t) }),
      uploading: () => latest.current.t("image.uploading"),
      refused: (text) => showToast({ text }),
      placeless: (file) =>
        showToast({
          text: latest.current.t("image.placeless"),
          stays: true,
          action: { label: latest.current.t("image.save"), run: () => savePicture(latest.current.t("image.name"), file) },
        }),
    }),
    [pictures],
  );
  useEffect(() => (editor === null ? undefined : takeDropped(editor, imagePorts)), [editor, imagePorts]);
  const openLink = useCallback(() => setLinkOpen(true), []);
  const closeFind = useCallback(() => setFinding(false), []);
  const pickImage = useCallback(() => {
    if (!editor) return;
    uploading().then(
      ({ pickImages }) => pickImages((files) => insertImages(editor, files, imagePorts)),
      () => showToast({ text: latest.current.t("image.offline") }),
    );
  }, [editor, imagePorts]);
  useEffect(() => {
    latest.current = { t, api, name, room, pickImage };
  });
  const additions = useCallback(
    (): Extensions => [
      suggest(suggestions, [
        {
          char: "/",
          label: () => latest.current.t("slash.title"),
          prepare: slashing,
          offers: (query) => slashOffers?.(query, latest.current.t, () => latest.current.pickImage()) ?? [],
        },
        { char: "@", label: () => latest.current.t("mention.title"), spaces: true, offers: (query) => mentionOffers(query, latest.current.room, latest.current.t) },
      ]),
      bubblePlace(bubbleHost),
      images(imagePorts),
      pastes({
        // On this device first, so that the words around it need not wait for the server.
        own: addressesOf(name),
        keep: async (file) => {
          const done = await upload(pictures, file, latest.current.t);
          return "address" in done ? done.address : null;
        },
        lost: (count) => showToast({ text: latest.current.t("image.leftOut", { count }) }),
        refused: () => showToast({ text: latest.current.t("tools.pasteRefused") }),
      }),
      Highlight,
    ],
    [suggestions, bubbleHost, imagePorts, pictures, name],
  );

  useEffect(() => {
    if (editor === null) return;
    const onKey = (event: KeyboardEvent): void => {
      const key = (event.ctrlKey || event.metaKey) && !event.altKey ? event.key.toLowerCase() : "";
      // The second press goes on to the browser's own search.
      const find = key === "f" && !event.shiftKey && !(event.target instanceof Element && event.target.closest(".find"));
      // From place to place, once the bar is there (find-bar.tsx).
      if (!find && key !== "g" && event.key !== "F3") return;
      event.preventDefault();
      setFinding(true);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [editor]);

  useEffect(() => {
    if (editor === null) return;
    const save = (format: "markdown" | "html" | "json"): void => {
      const content = editor.getJSON();
      exporting()
        .then(({ exportText }) => exportText(content, readTitle(room.doc), format, i18n.language))
        .catch(() => showToast({ text: t("export.failed") }));
    };
    onHandle({
      goTo: (client) => goToCaret(editor, client),
      focus: () => writeFromStart(editor),
      items: () => [
        { label: t("outline.title"), icon: <ListTree />, checked: outline, run: () => setOutline((open) => !open) },
        { label: t("find.open"), icon: <SearchIcon />, hint: `${MOD} F`, run: () => setFinding(true) },
        { label: t("export.markdown"), icon: <Download />, run: () => save("markdown") },
        { label: t("export.html"), icon: <Download />, run: () => save("html") },
        { label: t("export.json"), icon: <Download />, run: () => save("json") },
        { label: t("doc.print"), icon: <Printer />, run: () => window.print() },
      ],
    });
    return () => onHandle(null);
  }, [editor, onHandle, outline, setOutline, room, t, i18n.language]);

  return (
    <>
      {editor && (
        <Toolbar editor={editor} disabled={!editable} linkOpen={linkOpen} onLinkOpen={setLinkOpen} onImage={pickImage} />
      )}
      {editor && editable && <TableMenus editor={editor} />}
      {editor && editable && <BlockMenu editor={editor} />}
      {editor && <SelectionMenu editor={editor} host={bubbleHost} onLink={openLink} />}
      {editor && finding && <FindBar editor={editor} editable={editable} onClose={closeFind} onMissing={closeFind} />}
      {editor && outline && <OutlinePanel editor={editor} onClose={() => setOutline(false)} onMissing={() => setOutline(false)} />}
      <SuggestPopup store={suggestions} />
      <article className="sheet">
        <TitleField doc={room.doc} editable={editable} onLeave={() => editor && writeFromStart(editor)} />
        <Writing room={room} editable={editable} additions={additions} onEditor={setEditor} />
        {editor && <TextWordCount editor={editor} />}
      </article>
    </>
  );
}

/** Pictures that wait for the server; sent whenever it is there. */
function usePictures(api: Api, name: DocumentName, room: Room, t: TFunction<"words">): Pictures {
  const words = useRef(t);
  useEffect(() => {
    words.current = t;
  });
  const pictures = useMemo(
    () =>
      openPictures({
        api,
        document: name,
        store: browserPictures,
        refused: (message, picture, discard) =>
          showToast({
            text: words.current("image.refused", { message: refusalIn(message, words.current) }),
            stays: true,
            action: { label: words.current("image.save"), run: () => savePicture(words.current("image.name"), picture) },
            other: { label: words.current("image.discard"), run: discard },
          }),
      }),
    [api, name],
  );
  useEffect(() => {
    let was = false;
    const look = (): void => {
      const { status } = room.state();
      const is = isLive(status) && isEditable(status);
      if (is && !was) send(0);
      was = is;
    };
    let again: ReturnType<typeof setTimeout> | undefined;
    // The line is there, and yet they did not get through: asked again with growing waits.
    const send = (tries: number): void => {
      clearTimeout(again);
      void pictures.send().then((all) => {
        if (!all && was) again = setTimeout(() => send(tries + 1), waitAfter(tries + 1));
      });
    };
    look();
    const end = room.subscribe(look);
    return () => {
      was = false;
      clearTimeout(again);
      end();
    };
  }, [room, pictures]);
  return pictures;
}

interface Surroundings {
  readonly t: TFunction<"words">;
  readonly api: Api;
  readonly name: DocumentName;
  readonly room: Room;
  readonly pickImage: () => void;
}

function SelectionMenu(props: { readonly editor: Editor; readonly host: HTMLElement; readonly onLink: () => void }): React.JSX.Element | null {
  const { editor } = props;
  const { selected } = useEditorState(editor, (current) => ({ selected: !current.state.selection.empty || linkAtCaret(current) !== null }));
  const [used, setUsed] = useState(false);
  useEffect(() => {
    if (selected) setUsed(true);
  }, [selected]);
  return used ? <Bubble editor={editor} host={props.host} onLink={props.onLink} /> : null;
}

/** Once there was a caret or a pointer in a table. */
function TableMenus(props: { readonly editor: Editor }): React.JSX.Element | null {
  const { editor } = props;
  const { table } = useEditorState(editor, (current) => ({ table: current.isActive("table") }));
  const [used, setUsed] = useState(false);
  useEffect(() => {
    if (table) setUsed(true);
    if (used) return;
    const onPoint = ({ target }: PointerEvent): void => {
      if (target instanceof Element && target.closest("td, th")) setUsed(true);
    };
    const { dom } = editor.view;
    dom.addEventListener("pointerover", onPoint);
    return () => dom.removeEventListener("pointerover", onPoint);
  }, [editor, table, used]);
  return used ? <TableHandles editor={editor} /> : null;
}

/** Once a pointer has moved over the text; where it was then, the handle begins. */
function BlockMenu({ editor }: { readonly editor: Editor }): React.JSX.Element | null {
  const [at, setAt] = useState<number | null>(null);
  useEffect(() => {
    if (at !== null) return;
    const onPoint = ({ pointerType, clientY }: PointerEvent): void => {
      if (pointerType !== "touch") setAt(clientY);
    };
    const { dom } = editor.view;
    dom.addEventListener("pointermove", onPoint);
    return () => dom.removeEventListener("pointermove", onPoint);
  }, [editor, at]);
  return at === null ? null : <BlockHandle editor={editor} at={at} />;
}

/** The people inside, oneself included: a note to oneself is one too. */
function mentionOffers(query: string, room: Room, t: TFunction<"words">): readonly Offer[] {
  const wanted = query.toLocaleLowerCase();
  return peopleIn(room.awareness.getStates(), room.awareness.clientID)
    .filter(({ name }) => name !== "" && name.toLocaleLowerCase().includes(wanted))
    .map((person) => ({
      id: String(person.client),
      label: person.self ? t("people.you", { name: person.name }) : person.name,
      icon: <Avatar name={person.name} colour={person.colour} />,
      run: (editor, range) => {
        const mention = { type: "mention", attrs: { id: person.name, label: person.name } };
        editor.chain().focus().insertContentAt(range, [mention, { type: "text", text: " " }]).run();
      },
    }));
}

function TextWordCount(props: { readonly editor: Editor }): React.JSX.Element {
  const { editor } = props;
  const read = useCallback(() => editor.state.doc.textBetween(0, editor.state.doc.content.size, "\n", " "), [editor]);
  const onChange = useCallback(
    (listener: () => void) => {
      editor.on("update", listener);
      return () => void editor.off("update", listener);
    },
    [editor],
  );
  return <WordCount read={read} onChange={onChange} />;
}

/** The editor's place on the page. It is made once per room and told whether it may be written in. */
function Writing(props: {
  readonly room: Room;
  readonly editable: boolean;
  readonly additions: () => Extensions;
  readonly onEditor: (editor: Editor | null) => void;
}): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const { room, editable, additions, onEditor } = props;
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
      additions: additions(),
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
  }, [room, additions, onEditor]);

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

function goToCaret(editor: Editor, client: number): boolean {
  const caret = caretOf(editor.view.dom, client);
  caret?.scrollIntoView({ block: "center", behavior: isCalm() ? "auto" : "smooth" });
  return caret !== null;
}
