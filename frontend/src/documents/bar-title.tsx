// The title in the bar, for documents that have no sheet to carry it.
import { useTranslation } from "react-i18next";
import type { Doc } from "yjs";
import { LONGEST_TITLE, writeTitle } from "./title";
import { useTitle } from "./title-field";

export function BarTitle(props: { readonly doc: Doc; readonly editable: boolean; readonly onLeave: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const title = useTitle(props.doc);
  return (
    <div className="bar-title-place">
      <h1 className="visually-hidden">{title || t("doc.untitled")}</h1>
      <span className="bar-title-twin" aria-hidden="true">
        {title || t("doc.untitled")}
      </span>
      <input
        className="bar-title-field"
        // As wide as its twin, not as browsers like inputs to be.
        size={1}
        aria-label={t("doc.title")}
        placeholder={t("doc.untitled")}
        value={title}
        maxLength={LONGEST_TITLE}
        readOnly={!props.editable}
        onChange={(event) => writeTitle(props.doc, event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.nativeEvent.isComposing) props.onLeave();
        }}
      />
    </div>
  );
}
