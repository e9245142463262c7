// The title in the bar, for documents that have no sheet to carry it.
import { useTranslation } from "react-i18next";
import type { Doc } from "yjs";
import { useTitleInput } from "../documents/title-input";

export function BarTitle(props: { readonly doc: Doc; readonly editable: boolean; readonly onLeave: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { title, props: input } = useTitleInput<HTMLInputElement>(props.doc);
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
        {...input}
        readOnly={!props.editable}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.nativeEvent.isComposing) props.onLeave();
        }}
      />
    </div>
  );
}
