// What the toolbar adds in a block of code. Fetched with the first of them.
import type { Editor } from "@tiptap/core";
import { useTranslation } from "react-i18next";
import { CODE_LANGUAGES } from "./code-languages";

/** Which language a code block is coloured as. One that is not in the list was written by hand, and stays. */
export function CodeTools(props: { readonly editor: Editor; readonly language: string }): React.JSX.Element {
  const { t } = useTranslation();
  const { editor, language } = props;
  const known = language === "" || CODE_LANGUAGES.some(([id]) => id === language);
  return (
    <div className="tools tools-second">
      <select
        className="tool-select"
        aria-label={t("tools.codeLanguage")}
        value={language}
        onChange={(event) => editor.chain().focus().updateAttributes("codeBlock", { language: event.currentTarget.value || null }).run()}
      >
        <option value="">{t("tools.codePlain")}</option>
        {!known && <option value={language}>{language}</option>}
        {CODE_LANGUAGES.map(([id, name]) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}
