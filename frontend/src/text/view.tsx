// The view of a text: toolbar, title, the editor, and what surrounds it.
import type { Editor } from "@tiptap/core";
import { Printer } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ViewProps } from "../documents/view";
import { caretOf } from "../presence/caret";
import type { Room } from "../sync/room";
import { WordCount } from "./word-count";
import { createEditor } from "./editor";
import { TitleField } from "./title-field";
import { Toolbar } from "./toolbar";
import { useEditorState } from "./use-editor";
import "./text.css";

export function TextView(props: ViewProps): React.JSX.Element {
  const { t } = useTranslation();
  const { room, editable, onHandle } = props;
  const [editor, setEditor] = useState<Editor | null>(null);

  useEffect(() => {
    if (editor === null) return;
    onHandle({
      goTo: (client) => goToCaret(editor, client),
      items: () => [{ label: t("doc.print"), icon: <Printer />, run: () => window.print() }],
    });
    return () => onHandle(null);
  }, [editor, onHandle, t]);

  return (
    <>
      {editor && <Toolbar editor={editor} disabled={!editable} />}
      <article className="sheet">
        <TitleField doc={room.doc} editable={editable} onLeave={() => editor && writeFromStart(editor)} />
        <Writing room={room} editable={editable} onEditor={setEditor} />
        {editor && <TextWordCount editor={editor} />}
      </article>
    </>
  );
}

function TextWordCount(props: { readonly editor: Editor }): React.JSX.Element {
  const { editor } = props;
  // Any change of the text changes its size or, rarely, leaves the count as it was.
  const { size } = useEditorState(editor, (current) => ({ size: current.state.doc.content.size }));
  const read = useCallback(() => editor.state.doc.textBetween(0, editor.state.doc.content.size, "\n", " "), [editor]);
  return <WordCount version={size} read={read} />;
}

/** The editor's place on the page. It is made once per room and told whether it may be written in. */
function Writing(props: {
  readonly room: Room;
  readonly editable: boolean;
  readonly onEditor: (editor: Editor | null) => void;
}): React.JSX.Element {
  const { t, i18n } = useTranslation();
  const { room, editable, onEditor } = props;
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
      hidden={!editable}
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

function goToCaret(editor: Editor, client: number): void {
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  caretOf(editor.view.dom, client)?.scrollIntoView({ block: "center", behavior: calm ? "auto" : "smooth" });
}
