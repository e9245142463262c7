// The page of an address at which nothing was ever made: says so, and offers to make it.
import { FileQuestion } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Doc } from "yjs";
import { rememberJustMade } from "../documents/just-made";
import { KINDS, sayKind } from "../documents/kind";
import type { DocumentName } from "../documents/name";
import { Panel } from "../ui/panel";
import { BackHome } from "./unreachable";

const WORDS = { text: "home.newText", plain: "home.newPlain", board: "home.newBoard" } as const;

export function UnmadePanel(props: { readonly name: DocumentName; readonly doc: Doc; readonly editable: boolean }): React.JSX.Element {
  const { t } = useTranslation();
  const { name, doc, editable } = props;
  return (
    <Panel level={1} icon={<FileQuestion />} title={t("doc.unmade")} body={t(editable ? "doc.unmadeHint" : "doc.unmadeOnly")}>
      {editable &&
        KINDS.map((kind) => (
          <button
            key={kind}
            type="button"
            className={kind === "text" ? "button primary" : "button"}
            onClick={() => {
              rememberJustMade(name);
              sayKind(doc, kind);
            }}
          >
            {t(WORDS[kind])}
          </button>
        ))}
      <BackHome />
    </Panel>
  );
}
