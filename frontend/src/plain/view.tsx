// The view of a plain text: the title and CodeMirror.
import { Download, Printer, Search } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSaveKey } from "../documents/save-key";
import type { ViewProps } from "../documents/view";
import { TitleField } from "../documents/title-field";
import { useTitle } from "../documents/title-input";
import { WordCount } from "../text/word-count";
import { saveFile, textFileName } from "../ui/save-file";
import { CONTENT } from "../documents/roots";
import { createPlainEditor, type PlainEditor, type PlainWords } from "./editor";
import "./plain.css";

export function PlainView(props: ViewProps): React.JSX.Element {
  const { t } = useTranslation();
  const { room, editable, onHandle } = props;
  const host = useRef<HTMLDivElement>(null);
  const [editor, setEditor] = useState<PlainEditor | null>(null);
  const title = useTitle(room.doc);
  const words = usePlainWords();
  const firstWords = useRef(words);
  const read = useCallback(() => room.doc.getText(CONTENT).toJSON(), [room]);
  const onChange = useCallback(
    (listener: () => void) => {
      const content = room.doc.getText(CONTENT);
      content.observe(listener);
      return () => content.unobserve(listener);
    },
    [room],
  );

  useEffect(() => {
    if (host.current === null) return;
    const made = createPlainEditor({
      parent: host.current,
      doc: room.doc,
      awareness: room.awareness,
      words: firstWords.current,
    });
    setEditor(made);
    return () => {
      setEditor(null);
      made.dispose();
    };
  }, [room]);
  useSaveKey(room);
  useEffect(() => editor?.setEditable(editable), [editor, editable]);
  useEffect(() => editor?.setWords(words), [editor, words]);
  useEffect(() => editor?.setTitle(title), [editor, title]);

  useEffect(() => {
    if (editor === null) return;
    onHandle({
      goTo: editor.goTo,
      focus: () => editor.view.focus(),
      items: () => [
        { label: t("find.open"), icon: <Search />, run: editor.find },
        { label: t("export.plain"), icon: <Download />, run: () => saveFile(textFileName(title), "text/plain", read()) },
        { label: t("doc.print"), icon: <Printer />, run: () => window.print() },
      ],
    });
    return () => onHandle(null);
  }, [editor, onHandle, read, t, title]);

  return (
    <article className="sheet">
      <TitleField doc={room.doc} editable={editable} onLeave={() => editor?.view.focus()} />
      <div
        ref={host}
        className="writing plain"
        onClick={(event) => {
          if (event.target === host.current) editor?.view.focus();
        }}
      />
      <PrintedText read={read} />
      {editor && <WordCount read={read} onChange={onChange} />}
    </article>
  );
}

/** The editor draws only what is in sight; paper gets everything. */
function PrintedText(props: { readonly read: () => string }): React.JSX.Element | null {
  const { read } = props;
  const [text, setText] = useState<string | null>(null);
  useEffect(() => {
    const before = (): void => setText(read());
    const after = (): void => setText(null);
    window.addEventListener("beforeprint", before);
    window.addEventListener("afterprint", after);
    return () => {
      window.removeEventListener("beforeprint", before);
      window.removeEventListener("afterprint", after);
    };
  }, [read]);
  return text === null ? null : <pre className="plain-printed">{text}</pre>;
}

function usePlainWords(): PlainWords {
  const { t } = useTranslation();
  return useMemo(
    () => ({
      label: t("doc.body"),
      placeholder: t("doc.plainPlaceholder"),
      nameless: t("people.nameless"),
      find: {
        Find: t("find.find"),
        Replace: t("find.replaceWith"),
        next: t("find.next"),
        previous: t("find.previous"),
        all: t("find.all"),
        "match case": t("find.case"),
        "by word": t("find.byWord"),
        regexp: t("find.regexp"),
        replace: t("find.replace"),
        "replace all": t("find.replaceAll"),
        close: t("find.close"),
        "current match": t("find.current"),
        "on line": t("find.onLine"),
        "replaced $ matches": t("find.replacedMany"),
        "replaced match on line $": t("find.replacedOne"),
        "Go to line": t("find.goToLine"),
        go: t("find.go"),
      },
    }),
    [t],
  );
}
