// The question before something that cannot be undone.
import { AlertDialog } from "radix-ui";
import { useTranslation } from "react-i18next";
import { useReturnFocus } from "./return-focus";

export function Confirm(props: {
  readonly title: string;
  readonly body: string;
  readonly yes: string;
  readonly onYes: () => void;
  readonly onClose: () => void;
}): React.JSX.Element {
  const { t } = useTranslation();
  const giveBack = useReturnFocus();
  return (
    <AlertDialog.Root open onOpenChange={(open) => !open && props.onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="overlay" />
        <AlertDialog.Content className="dialog" onCloseAutoFocus={giveBack}>
          <AlertDialog.Title className="dialog-title">{props.title}</AlertDialog.Title>
          <AlertDialog.Description className="dialog-body">{props.body}</AlertDialog.Description>
          <div className="dialog-actions">
            <AlertDialog.Cancel className="button">{t("app.cancel")}</AlertDialog.Cancel>
            <AlertDialog.Action className="button danger-solid" onClick={props.onYes}>
              {props.yes}
            </AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
