// The formatting toolbar: one row of buttons, one tab stop, arrow keys between them (Radix). Alt+F10 leads here from
// the text, Escape leads back. On a touch screen, in a link or on an image, a second row has what elsewhere stands over the
// selection; what can be done to a table stands at the table (table-handles.tsx).
import type { Editor } from "@tiptap/core";
import { NodeSelection } from "@tiptap/pm/state";
import {
  Bold,
  ChevronDown,
  Code,
  Heading1,
  Heading2,
  Heading3,
  Image,
  Italic,
  Link2,
  List,
  ListChecks,
  ListOrdered,
  Minus,
  Redo2,
  SquareCode,
  Strikethrough,
  Table as TableIcon,
  TextQuote,
  Type,
  Underline,
  Undo2,
} from "lucide-react";
import { Toolbar as Bar } from "radix-ui";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { fetched } from "../ui/fetched";
import { LazyMenu } from "../ui/lazy-menu";
import { MOD } from "../ui/platform";
import { isTouched, linkAtCaret } from "./bubble-place";
import { FormatsButton } from "./formats-button";
import { LinkButton } from "./link-button";
import { showToast } from "../ui/toast";
import { asCode, behindSelection, hasPictures } from "./insertions";
import { Tool } from "./tool";
import { useEditorState } from "./use-editor";

const Description = fetched(() => import("./bubble").then(({ Description }) => Description));
// Most texts have no code.
const CodeTools = fetched(() => import("./code-tools").then(({ CodeTools }) => CodeTools), { ahead: true });
const LinkCard = fetched(() => import("./bubble").then(({ LinkCard }) => LinkCard));

export function Toolbar(props: {
  readonly editor: Editor;
  readonly disabled: boolean;
  readonly linkOpen: boolean;
  readonly onLinkOpen: (open: boolean) => void;
  readonly onImage: () => void;
}): React.JSX.Element {
  const { t } = useTranslation();
  const { editor, disabled } = props;
  const bar = useRef<HTMLDivElement>(null);
  const state = useEditorState(editor, (current) => ({
    level: current.isActive("heading") ? Number(current.getAttributes("heading")["level"]) : 0,
    bold: current.isActive("bold"),
    italic: current.isActive("italic"),
    underline: current.isActive("underline"),
    strike: current.isActive("strike"),
    code: current.isActive("code"),
    bullets: current.isActive("bulletList"),
    numbers: current.isActive("orderedList"),
    tasks: current.isActive("taskList"),
    quote: current.isActive("blockquote"),
    codeBlock: current.isActive("codeBlock"),
    language: languageAt(current),
    table: current.isActive("table"),
    image: isTouched() && current.state.selection instanceof NodeSelection && current.state.selection.node.type.name === "image" ? current.state.selection.from : null,
    address: isTouched() ? linkAtCaret(current) : null,
    canUndo: current.can().undo(),
    canRedo: current.can().redo(),
  }));

  useEffect(() => {
    const dom = editor.view.dom;
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== "F10" || !event.altKey) return;
      event.preventDefault();
      bar.current?.querySelector<HTMLElement>("button:not(:disabled)")?.focus();
    };
    dom.addEventListener("keydown", onKey);
    return () => dom.removeEventListener("keydown", onKey);
  }, [editor]);

  const run = (act: (chain: ReturnType<Editor["chain"]>) => ReturnType<Editor["chain"]>) => (): void => {
    act(editor.chain().focus()).run();
  };
  const code = (): void => {
    if (hasPictures(editor.state)) showToast({ text: t("tools.noPicturesInCode") });
    else run(asCode)();
  };
  const styles = [
    { label: t("tools.text"), icon: <Type />, level: 0 as const, hint: `${MOD} Alt 0` },
    { label: t("tools.heading1"), icon: <Heading1 />, level: 1 as const, hint: `${MOD} Alt 1` },
    { label: t("tools.heading2"), icon: <Heading2 />, level: 2 as const, hint: `${MOD} Alt 2` },
    { label: t("tools.heading3"), icon: <Heading3 />, level: 3 as const, hint: `${MOD} Alt 3` },
  ];
  // What stands there may be none of those that are offered.
  const style = state.codeBlock
    ? t("tools.codeBlock")
    : state.level > 3
      ? t("tools.headingOf", { level: state.level })
      : (styles.find(({ level }) => level === state.level) ?? styles[0])?.label ?? "";

  return (
    <div className="tools-place">
      <Bar.Root
        ref={bar}
        className="tools"
        aria-label={t("tools.toolbar")}
        onKeyDown={(event) => {
          if (event.key === "Escape") editor.commands.focus();
        }}
      >
        <LazyMenu
          align="start"
          returnFocus={() => editor.commands.focus()}
          button={
            <Bar.Button className="tool tool-style" disabled={disabled} aria-label={`${t("tools.block")}: ${style}`}>
              <span>{style}</span>
              <ChevronDown aria-hidden="true" />
            </Bar.Button>
          }
          items={styles.map(({ label, icon, level, hint }) => ({
            label,
            icon,
            hint,
            checked: level === state.level && !state.codeBlock,
            run: run((chain) => (level === 0 ? chain.setParagraph() : chain.setHeading({ level }))),
          }))}
        />
        <Bar.Separator className="tools-gap" />
        <Tool label={t("tools.bold")} hint={`${MOD} B`} on={state.bold} disabled={disabled} run={run((chain) => chain.toggleBold())}>
          <Bold />
        </Tool>
        <Tool label={t("tools.italic")} hint={`${MOD} I`} on={state.italic} disabled={disabled} run={run((chain) => chain.toggleItalic())}>
          <Italic />
        </Tool>
        <Tool label={t("tools.underline")} hint={`${MOD} U`} on={state.underline} disabled={disabled} run={run((chain) => chain.toggleUnderline())}>
          <Underline />
        </Tool>
        <Tool label={t("tools.strike")} hint={`${MOD} ⇧ X`} on={state.strike} disabled={disabled} run={run((chain) => chain.toggleStrike())}>
          <Strikethrough />
        </Tool>
        <Tool label={t("tools.code")} hint={`${MOD} E`} on={state.code} disabled={disabled} run={run((chain) => chain.toggleCode())}>
          <Code />
        </Tool>
        <LinkButton editor={editor} disabled={disabled} hint={`${MOD} K`} open={props.linkOpen} onOpen={props.onLinkOpen}>
          <Link2 />
        </LinkButton>
        <FormatsButton editor={editor} disabled={disabled} />
        <Bar.Separator className="tools-gap" />
        <Tool label={t("tools.bullets")} on={state.bullets} disabled={disabled} run={run((chain) => chain.toggleBulletList())}>
          <List />
        </Tool>
        <Tool label={t("tools.numbers")} on={state.numbers} disabled={disabled} run={run((chain) => chain.toggleOrderedList())}>
          <ListOrdered />
        </Tool>
        <Tool label={t("tools.tasks")} on={state.tasks} disabled={disabled} run={run((chain) => chain.toggleTaskList())}>
          <ListChecks />
        </Tool>
        <Bar.Separator className="tools-gap" />
        <Tool label={t("tools.quote")} on={state.quote} disabled={disabled} run={run((chain) => chain.toggleBlockquote())}>
          <TextQuote />
        </Tool>
        <Tool label={t("tools.codeBlock")} on={state.codeBlock} disabled={disabled} run={code}>
          <SquareCode />
        </Tool>
        <Tool
          label={t("tools.table")}
          disabled={disabled || state.table}
          run={run((chain) => behindSelection(chain).insertTable({ rows: 3, cols: 3, withHeaderRow: true }))}
        >
          <TableIcon />
        </Tool>
        <Tool label={t("tools.image")} disabled={disabled} run={props.onImage}>
          <Image />
        </Tool>
        <Tool label={t("tools.divider")} disabled={disabled} run={run((chain) => behindSelection(chain).setHorizontalRule())}>
          <Minus />
        </Tool>
        <Bar.Separator className="tools-gap" />
        <Tool label={t("tools.undo")} hint={`${MOD} Z`} place="tool-back" disabled={disabled || !state.canUndo} run={run((chain) => chain.undo())}>
          <Undo2 />
        </Tool>
        <Tool label={t("tools.redo")} hint={`${MOD} ⇧ Z`} place="tool-back" disabled={disabled || !state.canRedo} run={run((chain) => chain.redo())}>
          <Redo2 />
        </Tool>
      </Bar.Root>
      {!disabled && (
        <div className="tools-more">
          {state.image !== null && <Description key={state.image} editor={editor} place="tools-second" />}
          {state.address !== null && <LinkCard editor={editor} address={state.address} onEdit={() => props.onLinkOpen(true)} place="tools-second" />}
          {state.codeBlock && <CodeTools editor={editor} language={state.language} />}
        </div>
      )}
    </div>
  );
}

function languageAt(editor: Editor): string {
  const language: unknown = editor.getAttributes("codeBlock")["language"];
  return typeof language === "string" ? language : "";
}
