// An editor over the tree that texts of earlier versions are, for as long as no server is there to take it over. It is bound
// as it was in those versions, so a text that changes hands while this is open loses nothing: the server carries what was
// written into the tree over into the text, wherever it was written.
import { Editor, getSchema } from "@tiptap/core";
import { Collaboration } from "@tiptap/extension-collaboration";
import { Dropcursor } from "@tiptap/extensions/drop-cursor";
import { Gapcursor } from "@tiptap/extensions/gap-cursor";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Doc } from "yjs";
import { blocks } from "./blocks";
import { Ends } from "./ends";
import { Leaving } from "./leaving";
import { TREE } from "./old-text";

export interface OldEditorPorts {
  readonly element?: HTMLElement;
  readonly doc: Doc;
  readonly label: () => string;
  readonly task: (text: string) => string;
}

export function createOldEditor({ element, doc, label, task }: OldEditorPorts): Editor {
  const written = blocks(task);
  const { nodes } = getSchema(written);
  // Undoing that a block was made takes it away only if nobody has written in it.
  const protectedNodes = new Set(Object.values(nodes).filter((type) => type.isBlock).map((type) => type.name));
  return new Editor({
    ...(element ? { element } : {}),
    injectCSS: false,
    extensions: [
      ...written,
      Dropcursor.configure({ color: false, width: 2, class: "drop-cursor" }),
      Gapcursor,
      Collaboration.configure({ document: doc, field: TREE, yUndoOptions: { protectedNodes } }),
      Leaving,
      Ends,
    ],
    editorProps: {
      attributes: () => ({ role: "textbox", "aria-multiline": "true", "aria-label": label(), class: "prose", spellcheck: "true" }),
    },
  });
}

export function OldEditor({ doc }: { readonly doc: Doc }): React.JSX.Element {
  const { t } = useTranslation();
  const host = useRef<HTMLDivElement>(null);
  const words = useRef(t);
  useEffect(() => {
    words.current = t;
  });
  useEffect(() => {
    if (host.current === null) return;
    const editor = createOldEditor({
      element: host.current,
      doc,
      label: () => words.current("doc.body"),
      task: (text) => words.current("doc.task", { text: text || words.current("doc.emptyTask") }),
    });
    return () => editor.destroy();
  }, [doc]);
  return <div ref={host} className="writing" />;
}
