// The link button. Ctrl/⌘ K opens the form behind it from the text; it is fetched with the first selection,
// so that the first letter of an address does not come before it.
import type { Editor } from "@tiptap/core";
import { Toolbar as Bar } from "radix-ui";
import { cloneElement, useEffect, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { fetched } from "../ui/fetched";
import { useEditorState } from "./use-editor";

const LinkPopover = fetched(() => import("./link-popover").then(({ LinkPopover }) => LinkPopover), { ahead: true });

export function LinkButton(props: {
  readonly editor: Editor;
  readonly disabled: boolean;
  readonly hint: string;
  readonly open: boolean;
  readonly onOpen: (open: boolean) => void;
  readonly children: ReactNode;
}): React.JSX.Element {
  const { t } = useTranslation();
  const { editor, open, onOpen: setOpen } = props;
  const { href, selected } = useEditorState(editor, (current) => {
    const value: unknown = current.getAttributes("link")["href"];
    return { href: typeof value === "string" ? value : null, selected: !current.state.selection.empty };
  });

  useEffect(() => {
    const dom = editor.view.dom;
    const onKey = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
      // Without words to link, the key opens the command palette, as everywhere.
      if (!editor.isEditable || (editor.state.selection.empty && !editor.isActive("link"))) return;
      event.preventDefault();
      setOpen(true);
    };
    dom.addEventListener("keydown", onKey);
    return () => dom.removeEventListener("keydown", onKey);
  }, [editor, setOpen]);

  const button = (
    <Bar.Button
      className="tool"
      aria-label={t("tools.link")}
      aria-pressed={href !== null}
      data-tip={`${t("tools.link")}  ${props.hint}`}
      disabled={props.disabled}
    >
      {props.children}
    </Bar.Button>
  );
  const [used, setUsed] = useState(false);
  useEffect(() => {
    if (open) setUsed(true);
    else if (selected) LinkPopover.prefetch();
  }, [open, selected]);
  const waiting = cloneElement(button, { "aria-haspopup": "dialog", "aria-expanded": false, onClick: () => setOpen(true), onPointerEnter: LinkPopover.prefetch, onFocus: LinkPopover.prefetch });
  const missing = (): void => {
    setUsed(false);
    setOpen(false);
  };
  return used ? <LinkPopover editor={editor} href={href} open={open} onOpen={setOpen} button={button} fallback={waiting} onMissing={missing} /> : waiting;
}
