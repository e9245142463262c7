// Asks for another title.
import { Dialog } from "radix-ui";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { LONGEST_TITLE } from "../documents/title";
import { useReturnFocus } from "../ui/return-focus";

export function RenameDialog(props: { readonly title: string; readonly onTitle: (title: string) => void; readonly onClose: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const [title, setTitle] = useState(props.title);
  const giveBack = useReturnFocus();
  return (
    <Dialog.Root open onOpenChange={(open) => !open && props.onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="dialog" aria-describedby={undefined} onCloseAutoFocus={giveBack}>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              props.onTitle(title.trim());
              props.onClose();
            }}
          >
            <Dialog.Title className="dialog-title">{t("row.renameTitle")}</Dialog.Title>
            <div className="field">
              <label htmlFor="rename-title">{t("doc.title")}</label>
              <input
                id="rename-title"
                className="input"
                maxLength={LONGEST_TITLE}
                value={title}
                onChange={(event) => setTitle(event.currentTarget.value)}
                onFocus={(event) => event.currentTarget.select()}
              />
            </div>
            <div className="dialog-actions">
              <Dialog.Close className="button">{t("app.cancel")}</Dialog.Close>
              <button type="submit" className="button primary">
                {t("row.rename")}
              </button>
            </div>
          </form>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
