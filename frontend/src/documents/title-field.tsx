// The title, written in place. It grows with its words; Enter goes on to the text.
import { useTranslation } from "react-i18next";
import type { Doc } from "yjs";
import { useTitleInput } from "./title-input";

export function TitleField(props: {
  readonly doc: Doc;
  readonly editable: boolean;
  readonly onLeave: () => void;
}): React.JSX.Element {
  const { t } = useTranslation();
  const { title, props: input } = useTitleInput<HTMLTextAreaElement>(props.doc);
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
        {...input}
        readOnly={!props.editable}
        spellCheck
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          // A long title has lines of its own to go through first.
          const { selectionEnd, value } = event.currentTarget;
          if (event.key === "Enter" || (event.key === "ArrowDown" && selectionEnd === value.length)) {
            event.preventDefault();
            props.onLeave();
          }
        }}
      />
    </div>
  );
}
