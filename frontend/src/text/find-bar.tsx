// Finding, and replacing, in the text. The browser's own search stays within reach: pressing the key again opens it.
import type { Editor } from "@tiptap/core";
import { TextSelection } from "@tiptap/pm/state";
import { ArrowDown, ArrowUp, X } from "lucide-react";
import { SearchQuery, findNext, findPrev, getMatchHighlights, replaceAll, replaceNext } from "prosemirror-search";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { announce } from "../ui/live-region";
import { finder, showFound } from "./finder";
import { useEditorState } from "./use-editor";

export function FindBar(props: { readonly editor: Editor; readonly editable: boolean; readonly onClose: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { editor, editable, onClose } = props;
  const input = useRef<HTMLInputElement>(null);
  const [wanted, setWanted] = useState(() => selected(editor));
  const [instead, setInstead] = useState("");
  /** From where the nearest place is looked for while the words are still being typed. */
  const origin = useRef(editor.state.selection.from);
  // Words are looked for as they stand; case is not what people remember.
  const find = useMemo(() => finder(new SearchQuery({ search: wanted, replace: instead, caseSensitive: false, literal: true })), [wanted, instead]);
  const { count, current } = useEditorState(editor, ({ state }) => {
    const matches = getMatchHighlights(find(state)).find();
    const index = matches.findIndex(({ from, to }) => from === state.selection.from && to === state.selection.to);
    return { count: matches.length, current: index + 1 };
  });

  useEffect(() => input.current?.select(), []);
  useEffect(() => showFound(editor.view, find), [editor, find]);
  /** What the nearest place was looked for of. */
  const sought = useRef("");
  useEffect(() => {
    if (sought.current === wanted) return;
    sought.current = wanted;
    const found = getMatchHighlights(find(editor.state)).find();
    const nearest = found.find(({ from }) => from >= origin.current) ?? found[0];
    if (nearest === undefined) return;
    editor.view.dispatch(editor.state.tr.setSelection(TextSelection.create(editor.state.doc, nearest.from, nearest.to)).setMeta("addToHistory", false));
    show(editor);
  }, [editor, find, wanted]);
  useEffect(() => {
    if (wanted === "") return;
    const timer = setTimeout(() => announce(t("find.count", { count })), 400);
    return () => clearTimeout(timer);
  }, [wanted, count, t]);

  const run = useCallback(
    (command: typeof findNext): void => {
      command(find(editor.state), editor.view.dispatch, editor.view);
      origin.current = editor.state.selection.from;
      show(editor);
    },
    [editor, find],
  );
  const close = useCallback(() => {
    onClose();
    editor.view.focus();
  }, [editor, onClose]);
  useEffect(() => {
    // Wherever the focus went meanwhile: a button that has just done its work may be disabled and have lost it.
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && !event.isComposing && !event.defaultPrevented) close();
      // The browser's keys for the next place, which view.tsx has taken from it.
      const again = event.key === "F3" || ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "g");
      if (again) run(event.shiftKey ? findPrev : findNext);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [close, run]);
  return (
    <div
      className="find"
      role="search"
      aria-label={t("find.open")}
    >
      <div className="find-row">
        <input
          ref={input}
          className="input"
          aria-label={t("find.find")}
          placeholder={t("find.find")}
          value={wanted}
          autoFocus
          onChange={(event) => setWanted(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.nativeEvent.isComposing) return;
            event.preventDefault();
            run(event.shiftKey ? findPrev : findNext);
          }}
        />
        <span className="find-count">{wanted === "" ? "" : t("find.place", { current, count })}</span>
        <button type="button" className="icon-button" aria-label={t("find.previous")} disabled={count === 0} onClick={() => run(findPrev)}>
          <ArrowUp />
        </button>
        <button type="button" className="icon-button" aria-label={t("find.next")} disabled={count === 0} onClick={() => run(findNext)}>
          <ArrowDown />
        </button>
        <button type="button" className="icon-button" aria-label={t("find.close")} onClick={close}>
          <X />
        </button>
      </div>
      {editable && (
        <div className="find-row">
          <input
            className="input"
            aria-label={t("find.replaceWith")}
            placeholder={t("find.replaceWith")}
            value={instead}
            onChange={(event) => setInstead(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || event.nativeEvent.isComposing) return;
              event.preventDefault();
              run(replaceNext);
            }}
          />
          <button type="button" className="button small" disabled={count === 0} onClick={() => run(replaceNext)}>
            {t("find.replace")}
          </button>
          <button type="button" className="button small" disabled={count === 0} onClick={() => run(replaceAll)}>
            {t("find.replaceAll")}
          </button>
        </div>
      )}
    </div>
  );
}

/** What was found comes into sight; the focus stays where it is typed. */
function show(editor: Editor): void {
  editor.view.domAtPos(editor.state.selection.from).node.parentElement?.scrollIntoView({ block: "center" });
}

/** The selected words are what one looks for, if they are of one line. */
function selected(editor: Editor): string {
  const { from, to } = editor.state.selection;
  const text = editor.state.doc.textBetween(from, to, "\n");
  return text.length > 80 || text.includes("\n") ? "" : text;
}
