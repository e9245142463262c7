// The button for colours, letters above and below the line, and how lines are set; what it opens is fetched then.
import type { Editor } from "@tiptap/core";
import { Baseline } from "lucide-react";
import { Toolbar as Bar } from "radix-ui";
import { cloneElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { fetched } from "../ui/fetched";

const Formats = fetched(() => import("./formats").then(({ Formats }) => Formats), { ahead: true });

export function FormatsButton({ editor, disabled }: { readonly editor: Editor; readonly disabled: boolean }): React.JSX.Element {
  const { t } = useTranslation();
  const [used, setUsed] = useState(false);
  const [open, setOpen] = useState(false);
  const button = (
    <Bar.Button className="tool" aria-label={t("formats.title")} data-tip={t("formats.title")} disabled={disabled} onMouseDown={(event) => event.preventDefault()}>
      <Baseline />
    </Bar.Button>
  );
  const reach = (): void => {
    setUsed(true);
    setOpen(true);
  };
  const waiting = cloneElement(button, { "aria-haspopup": "dialog", "aria-expanded": false, onClick: reach, onPointerEnter: Formats.prefetch, onFocus: Formats.prefetch });
  return used ? <Formats editor={editor} open={open} onOpen={setOpen} button={button} fallback={waiting} onMissing={() => setUsed(false)} /> : waiting;
}
