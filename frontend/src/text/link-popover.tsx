// The form in which a link is given an address, another one, or none.
import type { Editor } from "@tiptap/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { linkFrom, readable } from "./link";
import { ToolPopover, type ToolPopoverProps } from "./tool-popover";

export function LinkPopover(props: ToolPopoverProps & { readonly href: string | null }): React.JSX.Element {
  const { t } = useTranslation();
  const { href, ...popover } = props;
  const { editor, onOpen } = popover;
  const close = (): void => {
    onOpen(false);
    editor.commands.focus();
  };
  return (
    <ToolPopover {...popover} place="link-form" label={t("tools.link")}>
      <LinkForm editor={editor} href={href} onDone={close} />
    </ToolPopover>
  );
}

function LinkForm(props: { readonly editor: Editor; readonly href: string | null; readonly onDone: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { editor, href } = props;
  const [typed, setTyped] = useState(href ?? "");
  const [bad, setBad] = useState(false);
  // A stored address is another person's word, and may be one that must not be followed.
  const followed = href === null ? null : linkFrom(href);

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
          {followed && (
            <a className="button small" href={followed} target="_blank" rel="noopener noreferrer">
              {t("link.open")}
            </a>
          )}
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
    chain.insertContent({ type: "text", text: readable(href), marks: [{ type: "link", attrs: { href } }] }).run();
  } else chain.setLink(href).run();
}
