// The menu over a selection: the marks for words, a description for an image; and over a caret in a link, where it leads.
import type { Editor } from "@tiptap/core";
import { NodeSelection } from "@tiptap/pm/state";
import { Bold, Code, ExternalLink, Italic, Link2, MessageSquareQuote, Strikethrough, Underline } from "lucide-react";
import { useEffect } from "react";
import { createPortal } from "react-dom";
import { Toolbar as Bar } from "radix-ui";
import { useTranslation } from "react-i18next";
import { quoteInChat } from "../chat/quote";
import { MOD } from "../ui/platform";
import { linkAtCaret, placeBubble } from "./bubble-place";
import { readable } from "./link";
import { FormatsButton } from "./formats-button";
import { Tool } from "./tool";
import { useEditorState } from "./use-editor";

/** `host` is the place the plugin of bubble-place.ts keeps over the selection. */
export function Bubble(props: { readonly editor: Editor; readonly host: HTMLElement; readonly onLink: () => void }): React.JSX.Element {
  return createPortal(<Marks editor={props.editor} onLink={props.onLink} />, props.host);
}

function Marks(props: { readonly editor: Editor; readonly onLink: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { editor } = props;
  const state = useEditorState(editor, (current) => ({
    bold: current.isActive("bold"),
    italic: current.isActive("italic"),
    underline: current.isActive("underline"),
    strike: current.isActive("strike"),
    code: current.isActive("code"),
    link: current.isActive("link"),
    address: linkAtCaret(current),
    image: current.state.selection instanceof NodeSelection && current.state.selection.node.type.name === "image",
    at: current.state.selection.from,
  }));
  // Fetched after the place was chosen for an empty element, or of another width than before.
  useEffect(() => placeBubble(editor), [editor, state.image, state.address]);
  if (state.image) return <Description key={state.at} editor={editor} />;
  if (state.address !== null) return <LinkCard editor={editor} address={state.address} onEdit={props.onLink} />;
  const quote = (): void => {
    const { from, to } = editor.state.selection;
    quoteInChat(editor.state.doc.textBetween(from, to, "\n", " "));
    // What was selected has been taken; its menu would stay over the text.
    editor.commands.setTextSelection(to);
  };
  const marks = [
    ["bold", <Bold key="b" />, `${MOD} B`, () => editor.chain().focus().toggleBold().run()],
    ["italic", <Italic key="i" />, `${MOD} I`, () => editor.chain().focus().toggleItalic().run()],
    ["underline", <Underline key="u" />, `${MOD} U`, () => editor.chain().focus().toggleUnderline().run()],
    ["strike", <Strikethrough key="s" />, `${MOD} ⇧ X`, () => editor.chain().focus().toggleStrike().run()],
    ["code", <Code key="c" />, `${MOD} E`, () => editor.chain().focus().toggleCode().run()],
  ] as const;
  return (
    <Bar.Root className="tools bubble" aria-label={t("tools.selection")}>
      {marks.map(([name, icon, hint, run]) => (
        <Tool key={name} label={t(`tools.${name}`)} hint={hint} on={state[name]} disabled={false} run={run}>
          {icon}
        </Tool>
      ))}
      <Tool label={t("tools.link")} hint={`${MOD} K`} on={state.link} disabled={false} run={props.onLink}>
        <Link2 />
      </Tool>
      <FormatsButton editor={editor} disabled={false} />
      <Tool label={t("chat.quote")} disabled={false} run={quote}>
        <MessageSquareQuote />
      </Tool>
    </Bar.Root>
  );
}

/** Where a link leads, and what can be done with it. */
export function LinkCard(props: { readonly editor: Editor; readonly address: string; readonly onEdit: () => void; readonly place?: string }): React.JSX.Element {
  const { t } = useTranslation();
  const { editor, address, onEdit, place = "bubble" } = props;
  return (
    <section className={`tools ${place}`} aria-label={t("tools.link")}>
      <a className="link-address" href={address} target="_blank" rel="noopener noreferrer" title={t("link.open")}>
        <span>{readable(address)}</span>
        <ExternalLink aria-hidden="true" />
        <span className="visually-hidden">{t("link.open")}</span>
      </a>
      <button type="button" className="tool tool-word" onMouseDown={(event) => event.preventDefault()} onClick={onEdit}>
        {t("link.edit")}
      </button>
      <button
        type="button"
        className="tool tool-word danger"
        onMouseDown={(event) => event.preventDefault()}
        onClick={() => editor.chain().focus().extendMarkRange("link").unsetLink().run()}
      >
        {t("link.remove")}
      </button>
    </section>
  );
}

/** What an image shows, for those who cannot see it. */
export function Description(props: { readonly editor: Editor; readonly place?: string }): React.JSX.Element {
  const { t } = useTranslation();
  const { editor, place = "bubble" } = props;
  const alt: unknown = editor.getAttributes("image")["alt"];
  const keep = (text: string): void => {
    if (text.trim() !== alt) editor.commands.updateAttributes("image", { alt: text.trim() });
  };
  return (
    <div className={`tools ${place}`} role="group" aria-label={t("image.describe")}>
      <input
        className="input bubble-input"
        aria-label={t("image.describe")}
        placeholder={t("image.describe")}
        defaultValue={typeof alt === "string" ? alt : ""}
        maxLength={300}
        onBlur={(event) => keep(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
          event.preventDefault();
          keep(event.currentTarget.value);
          editor.commands.focus();
        }}
      />
    </div>
  );
}
