// The menu over a selection: the marks for words, a description for an image.
import type { Editor } from "@tiptap/core";
import { NodeSelection } from "@tiptap/pm/state";
import { Bold, Code, Italic, Link2, Strikethrough, Underline } from "lucide-react";
import { useEffect } from "react";
import { createPortal } from "react-dom";
import { Toolbar as Bar } from "radix-ui";
import { useTranslation } from "react-i18next";
import { MOD } from "../ui/platform";
import { placeBubble } from "./bubble-place";
import { Tool } from "./toolbar";
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
    image: current.state.selection instanceof NodeSelection && current.state.selection.node.type.name === "image",
    at: current.state.selection.from,
  }));
  // Fetched after the place was chosen for an empty element, or of another width than before.
  useEffect(() => placeBubble(editor), [editor, state.image]);
  if (state.image) return <Description key={state.at} editor={editor} />;
  const marks = [
    ["bold", <Bold key="b" />, `${MOD} B`, () => editor.chain().focus().toggleBold().run()],
    ["italic", <Italic key="i" />, `${MOD} I`, () => editor.chain().focus().toggleItalic().run()],
    ["underline", <Underline key="u" />, `${MOD} U`, () => editor.chain().focus().toggleUnderline().run()],
    ["strike", <Strikethrough key="s" />, `${MOD} ⇧ S`, () => editor.chain().focus().toggleStrike().run()],
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
    </Bar.Root>
  );
}

/** What an image shows, for those who cannot see it. */
function Description(props: { readonly editor: Editor }): React.JSX.Element {
  const { t } = useTranslation();
  const { editor } = props;
  const alt: unknown = editor.getAttributes("image")["alt"];
  const keep = (text: string): void => {
    if (text.trim() !== alt) editor.commands.updateAttributes("image", { alt: text.trim() });
  };
  return (
    <div className="tools bubble" role="group" aria-label={t("image.describe")}>
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
