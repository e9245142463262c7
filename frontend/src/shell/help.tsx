// The sheet of keys.
import { X } from "lucide-react";
import { Dialog } from "radix-ui";
import { useTranslation } from "react-i18next";
import { ALT, MOD } from "../ui/platform";
import { useReturnFocus } from "../ui/return-focus";
import "./shell.css";

const EVERYWHERE = [
  ["palette", `${MOD} K`],
  ["new", `${MOD} ${ALT} N`],
  ["search", "/"],
  ["help", "?"],
  ["close", "Esc"],
  ["regions", "F6"],
  ["people", `${MOD} ${ALT} P`],
] as const;

const TEXT = [
  ["slash", "/"],
  ["mention", "@"],
  ["heading", `${MOD} ${ALT} 1 – 3`],
  ["paragraph", `${MOD} ${ALT} 0`],
  ["bold", `${MOD} B`],
  ["italic", `${MOD} I`],
  ["underline", `${MOD} U`],
  ["strike", `${MOD} ⇧ X`],
  ["code", `${MOD} E`],
  ["link", `${MOD} K`],
  ["numbers", `${MOD} ⇧ 7`],
  ["bullets", `${MOD} ⇧ 8`],
  ["tasks", `${MOD} ⇧ 9`],
  ["find", `${MOD} F`],
  ["undo", `${MOD} Z`],
  ["redo", `${MOD} ⇧ Z`],
  ["toolbar", `${ALT} F10`],
  ["leave", "Esc, Tab"],
] as const;

const PLAIN = [
  ["find", `${MOD} F`],
  ["findNext", `${MOD} G`],
  ["goToLine", `${MOD} ${ALT} G`],
  ["moveLine", `${ALT} ↑ ↓`],
  ["comment", `${MOD} /`],
  ["indent", "Tab"],
  ["undo", `${MOD} Z`],
  ["redo", `${MOD} ⇧ Z`],
  ["leave", "Esc, Tab"],
] as const;

const BOARD = [
  ["select", "V"],
  ["hand", "H"],
  ["rectangle", "R"],
  ["diamond", "D"],
  ["ellipse", "O"],
  ["arrow", "A"],
  ["line", "L"],
  ["pen", "P"],
  ["words", "T"],
  ["note", "N"],
  ["image", "9"],
  ["frame", "F"],
  ["eraser", "E"],
  ["laser", "K"],
  ["keepTool", "Q"],
  ["writeIn", "Enter"],
  ["linkShape", `${MOD} K`],
  ["duplicate", `${MOD} D`],
  ["group", `${MOD} G`],
  ["ungroup", `${MOD} ⇧ G`],
  ["order", `${MOD} [ ]`],
  ["delete", "Del"],
  ["find", `${MOD} F`],
  ["fitAll", "⇧ 1"],
  ["fitSelection", "⇧ 2"],
  ["undo", `${MOD} Z`],
  ["redo", `${MOD} ⇧ Z`],
] as const;

export function Help(props: { readonly onClose: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const giveBack = useReturnFocus();
  return (
    <Dialog.Root open onOpenChange={(open) => !open && props.onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="dialog help" aria-describedby={undefined} onCloseAutoFocus={giveBack}>
          <header className="dialog-head">
            <Dialog.Title className="dialog-title">{t("help.title")}</Dialog.Title>
            <Dialog.Close className="icon-button" aria-label={t("app.dismiss")}>
              <X />
            </Dialog.Close>
          </header>
          <div className="help-columns">
            <section>
              <h3 className="help-group">{t("help.everywhere")}</h3>
              <Keys rows={EVERYWHERE.map(([key, keys]) => [t(`help.${key}`), keys])} />
              <h3 className="help-group">{t("help.plain")}</h3>
              <Keys rows={PLAIN.map(([key, keys]) => [t(`help.${key}`), keys])} />
            </section>
            <section>
              <h3 className="help-group">{t("help.text")}</h3>
              <Keys rows={TEXT.map(([key, keys]) => [t(`help.${key}`), keys])} />
            </section>
            <section>
              <h3 className="help-group">{t("help.board")}</h3>
              <Keys rows={BOARD.map(([key, keys]) => [t(`help.${key}`), keys])} />
            </section>
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Keys(props: { readonly rows: readonly (readonly [string, string])[] }): React.JSX.Element {
  return (
    <dl className="keys">
      {props.rows.map(([what, keys]) => (
        <div key={what}>
          <dt>{what}</dt>
          <dd>
            <kbd>{keys}</kbd>
          </dd>
        </div>
      ))}
    </dl>
  );
}
