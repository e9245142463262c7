// The outline beside the text: its headings, each a way to its place.
import type { Editor } from "@tiptap/core";
import { X } from "lucide-react";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { isCalm } from "../ui/motion";
import { headingsOf, type Heading } from "./outline";

export function OutlinePanel(props: { readonly editor: Editor; readonly onClose: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { editor, onClose } = props;
  const [headings, setHeadings] = useState<readonly Heading[]>(() => headingsOf(editor.state.doc));

  useEffect(() => {
    let due = false;
    const read = (): void => {
      due = false;
      if (!editor.isDestroyed) setHeadings(headingsOf(editor.state.doc));
    };
    // Walking the whole text for every key would be felt in a long one.
    const onUpdate = (): void => {
      if (due) return;
      due = true;
      setTimeout(read, 300);
    };
    editor.on("update", onUpdate);
    return () => void editor.off("update", onUpdate);
  }, [editor]);

  const go = ({ at }: Heading): void => {
    editor.chain().setTextSelection(at + 1).run();
    editor.view.focus();
    const heading = editor.view.nodeDOM(at);
    if (heading instanceof Element) heading.scrollIntoView({ block: "start", behavior: isCalm() ? "auto" : "smooth" });
  };
  const top = Math.min(...headings.map(({ level }) => level));
  return (
    <aside className="outline" aria-label={t("outline.title")}>
      <header className="outline-head">
        <h2>{t("outline.title")}</h2>
        <button type="button" className="icon-button" aria-label={t("outline.close")} onClick={onClose}>
          <X />
        </button>
      </header>
      {headings.length === 0 ? (
        <p className="outline-empty">{t("outline.empty")}</p>
      ) : (
        <ol className="outline-list">
          {headings.map((heading) => (
            <li key={heading.at} style={{ paddingInlineStart: `${(heading.level - top) * 0.875}rem` }}>
              <button type="button" className="menu-item" onClick={() => go(heading)}>
                {heading.text || t("outline.nameless")}
              </button>
            </li>
          ))}
        </ol>
      )}
    </aside>
  );
}
