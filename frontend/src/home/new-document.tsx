// The ways to begin a document, from the first page.
import { FileCode2, Import, Plus, Shapes } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Creating } from "./use-create";

/** The most common first. */
export function NewDocument(props: { readonly creating: Creating }): React.JSX.Element {
  const { t } = useTranslation();
  const { busy, create, pick } = props.creating;
  return (
    <div className="begin">
      <button type="button" className="button primary large" onClick={() => create("text")} disabled={busy}>
        <Plus aria-hidden="true" />
        {t("home.newText")}
      </button>
      <button type="button" className="button large" onClick={() => create("board")} disabled={busy}>
        <Shapes aria-hidden="true" />
        {t("home.newBoard")}
      </button>
      <button type="button" className="button large" onClick={() => create("plain")} disabled={busy}>
        <FileCode2 aria-hidden="true" />
        {t("home.newPlain")}
      </button>
      <button type="button" className="button large" onClick={pick} disabled={busy}>
        <Import aria-hidden="true" />
        {t("home.import")}
      </button>
    </div>
  );
}
