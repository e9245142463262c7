// The link button and the small form behind it. Ctrl/⌘ K opens it from the text.
import type { Editor } from "@tiptap/core";
import { Popover, Toolbar as Bar } from "radix-ui";
import { useEffect, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { linkFrom } from "./link";
import { useEditorState } from "./use-editor";

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
  const { href } = useEditorState(editor, (current) => {
    const value: unknown = current.getAttributes("link")["href"];
    return { href: typeof value === "string" ? value : null };
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

  const close = (): void => {
    setOpen(false);
    editor.commands.focus();
  };
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger asChild>
        <Bar.Button
          className="tool"
          aria-label={t("tools.link")}
          aria-pressed={href !== null}
          data-tip={`${t("tools.link")}  ${props.hint}`}
          disabled={props.disabled}
        >
          {props.children}
        </Bar.Button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          className="popover link-form"
          sideOffset={8}
          collisionPadding={8}
          aria-label={t("tools.link")}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            editor.commands.focus();
          }}
        >
          <LinkForm editor={editor} href={href} onDone={close} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function LinkForm(props: { readonly editor: Editor; readonly href: string | null; readonly onDone: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { editor, href } = props;
  const [typed, setTyped] = useState(href ?? "");
  const [bad, setBad] = useState(false);

  const submit = (event: React.FormEvent): void => {
    event.preventDefault();
    const link = linkFrom(typed);
    if (link === null) {
      setBad(true);
      return;
    }
    setLink(editor, link);
    props.onDone();
  };
  return (
    <form onSubmit={submit} noValidate>
      <label htmlFor="link-address" className="visually-hidden">
        {t("link.address")}
      </label>
      <div className="field-row">
        <input
          id="link-address"
          className="input"
          type="url"
          inputMode="url"
          placeholder={t("link.placeholder")}
          autoComplete="off"
          value={typed}
          aria-invalid={bad}
          aria-describedby={bad ? "link-bad" : undefined}
          onChange={(event) => {
            setTyped(event.currentTarget.value);
            setBad(false);
          }}
        />
        <button type="submit" className="button primary">
          {t("link.set")}
        </button>
      </div>
      {bad && (
        <p id="link-bad" className="field-problem" role="alert">
          {t("link.bad")}
        </p>
      )}
      {href !== null && (
        <div className="link-actions">
          <a className="button small" href={href} target="_blank" rel="noopener noreferrer">
            {t("link.open")}
          </a>
          <button
            type="button"
            className="button small danger"
            onClick={() => {
              setLink(editor, "");
              props.onDone();
            }}
          >
            {t("link.remove")}
          </button>
        </div>
      )}
    </form>
  );
}

/** On a selection the words become the link; at a bare caret the address itself is written. */
function setLink(editor: Editor, href: string): void {
  const chain = editor.chain().focus().extendMarkRange("link");
  if (href === "") chain.unsetLink().run();
  else if (editor.state.selection.empty && !editor.isActive("link")) {
    chain.insertContent({ type: "text", text: href.replace(/^(https?:\/\/|mailto:)/, "").replace(/\/$/, ""), marks: [{ type: "link", attrs: { href } }] }).run();
  } else chain.setLink(href).run();
}
