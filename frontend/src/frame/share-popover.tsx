// What a link to this document allows, and the link. Opens as soon as it is here.
import { Copy, TriangleAlert } from "lucide-react";
import { Popover } from "radix-ui";
import { useTranslation } from "react-i18next";
import { documentPath, type DocumentName } from "../documents/name";
import { copyToClipboard } from "../ui/clipboard";
import { ShareButton } from "./share-button";

export function SharePopover(props: { readonly name: DocumentName; readonly editable: boolean }): React.JSX.Element {
  const { t } = useTranslation();
  const link = new URL(documentPath(props.name), location.href).href;
  return (
    <Popover.Root defaultOpen>
      <Popover.Trigger asChild>
        <ShareButton />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="popover share-card" align="end" sideOffset={8} collisionPadding={8} aria-label={t("share.title")}>
          <p className="popover-title">{t("share.title")}</p>
          <p>{t(props.editable ? "share.allows" : "share.reads", { host: location.host })}</p>
          {isThisComputer(location.hostname) && (
            <p className="share-warning">
              <TriangleAlert aria-hidden="true" />
              <span>{t("share.here")}</span>
            </p>
          )}
          <div className="field-row">
            <input className="input" readOnly value={link} aria-label={t("share.link")} onFocus={(event) => event.currentTarget.select()} />
            <button type="button" className="button primary" onClick={() => void copyToClipboard(link)}>
              <Copy aria-hidden="true" />
              {t("share.copy")}
            </button>
          </div>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** Names by which no other computer reaches this one. */
export function isThisComputer(host: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/i.test(host);
}
