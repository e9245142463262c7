// What words can look like beyond the toolbar: their colour and the one behind them, above and below the line, and how the
// lines are set. Fetched when somebody first reaches for it.
import type { Editor } from "@tiptap/core";
import { AlignCenter, AlignJustify, AlignLeft, AlignRight, Subscript, Superscript } from "lucide-react";
import { useTranslation } from "react-i18next";
import { MOD } from "../ui/platform";
import { COLOURS } from "./colours";
import { ALIGNMENTS } from "./marks";
import { ToolPopover, type ToolPopoverProps } from "./tool-popover";
import { useEditorState } from "./use-editor";

const SIGNS = { left: <AlignLeft />, center: <AlignCenter />, right: <AlignRight />, justify: <AlignJustify /> };
const KEYS = { left: "L", center: "E", right: "R", justify: "J" };

export function Formats(props: ToolPopoverProps): React.JSX.Element {
  const { t } = useTranslation();
  return (
    <ToolPopover {...props} place="formats" label={t("formats.title")}>
      <Choices editor={props.editor} onDone={() => props.onOpen(false)} />
    </ToolPopover>
  );
}

function Choices(props: { readonly editor: Editor; readonly onDone: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { editor } = props;
  const state = useEditorState(editor, (current) => ({
    color: textOf(current.getAttributes("color")["color"]),
    highlight: current.isActive("highlight") ? (textOf(current.getAttributes("highlight")["color"]) ?? "yellow") : null,
    sub: current.isActive("subscript"),
    sup: current.isActive("superscript"),
    align: textOf(current.getAttributes("paragraph")["align"]) ?? textOf(current.getAttributes("heading")["align"]) ?? "left",
  }));
  const act = (run: (chain: ReturnType<Editor["chain"]>) => ReturnType<Editor["chain"]>) => (): void => {
    run(editor.chain().focus()).run();
    props.onDone();
  };
  return (
    <>
      {(["color", "highlight"] as const).map((kind) => (
        <div key={kind} role="group" aria-label={t(`formats.${kind}`)} className="format-row">
          <span aria-hidden="true">{t(`formats.${kind}`)}</span>
          <div className="format-colours">
            {COLOURS.map((colour) => (
              <button
                key={colour}
                type="button"
                className="format-colour"
                aria-label={t(`formats.${colour}`)}
                title={t(`formats.${colour}`)}
                aria-pressed={state[kind] === colour}
                onClick={act((chain) => (kind === "color" ? chain.toggleColour(colour) : chain.toggleHighlight(colour)))}
              >
                {kind === "color" ? <span data-color={colour}>A</span> : <mark data-color={colour}>A</mark>}
              </button>
            ))}
          </div>
        </div>
      ))}
      <div role="group" aria-label={t("formats.align")} className="format-row format-signs">
        {ALIGNMENTS.map((align) => (
          <button key={align} type="button" className="tool" aria-label={t(`formats.${align}`)} data-tip={`${t(`formats.${align}`)}  ${MOD} ⇧ ${KEYS[align]}`} aria-pressed={state.align === align} onClick={act((chain) => chain.setAlignment(align))}>
            {SIGNS[align]}
          </button>
        ))}
        <button type="button" className="tool" aria-label={t("formats.sub")} data-tip={`${t("formats.sub")}  ${MOD} ,`} aria-pressed={state.sub} onClick={act((chain) => chain.toggleSub())}>
          <Subscript />
        </button>
        <button type="button" className="tool" aria-label={t("formats.sup")} data-tip={`${t("formats.sup")}  ${MOD} .`} aria-pressed={state.sup} onClick={act((chain) => chain.toggleSup())}>
          <Superscript />
        </button>
      </div>
    </>
  );
}

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);
