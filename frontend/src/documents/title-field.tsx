// The title, written in place. It grows with its words; Enter goes on to the text.
import { useCallback, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import type { Doc } from "yjs";
import { LONGEST_TITLE, onTitle, readTitle, writeTitle } from "./title";

export function useTitle(doc: Doc): string {
  const subscribe = useCallback((listener: () => void) => onTitle(doc, listener), [doc]);
  return useSyncExternalStore(subscribe, () => readTitle(doc));
}

export function TitleField(props: {
  readonly doc: Doc;
  readonly editable: boolean;
  readonly onLeave: () => void;
}): React.JSX.Element {
  const { t } = useTranslation();
  const title = useTitle(props.doc);
  return (
    <div className="title">
      <h1 className="visually-hidden">{title || t("doc.untitled")}</h1>
      {/* The twin in the background gives the field its height where browsers do not size fields to their content. */}
      <div className="title-twin" aria-hidden="true">
        {title || t("doc.untitled")}{" "}
      </div>
      <textarea
        className="title-field"
        rows={1}
        aria-label={t("doc.title")}
        placeholder={t("doc.untitled")}
        value={title}
        maxLength={LONGEST_TITLE}
        readOnly={!props.editable}
        spellCheck
        onChange={(event) => writeTitle(props.doc, event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Enter" || event.key === "ArrowDown") {
            event.preventDefault();
            props.onLeave();
          }
        }}
      />
    </div>
  );
}
