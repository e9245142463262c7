// What is asked about the document of a row before anything is done with it.
import { useTranslation } from "react-i18next";
import type { DocumentSummary } from "../documents/api";
import { fetched } from "../ui/fetched";

const Rename = fetched(() => import("./rename-dialog").then(({ RenameDialog }) => RenameDialog), { ahead: true });

// The question before deleting is rare; its dialog is fetched when it is asked.
const Confirm = fetched(() => import("../ui/confirm").then(({ Confirm }) => Confirm), { ahead: true });

interface QuestionProps {
  readonly document: DocumentSummary;
  readonly onClose: () => void;
}

export function AskForTitle(props: QuestionProps & { readonly onTitle: (title: string) => void }): React.JSX.Element {
  const { document, onTitle, onClose } = props;
  return <Rename title={document.title ?? ""} onTitle={onTitle} onClose={onClose} onMissing={onClose} />;
}

export function AskToDelete(props: QuestionProps & { readonly onYes: () => void }): React.JSX.Element {
  const { t } = useTranslation();
  const { document, onYes, onClose } = props;
  return (
    <Confirm
      title={t("confirm.title", { title: document.title ?? t("row.untitled") })}
      body={t("confirm.body")}
      yes={t("confirm.yes")}
      onYes={onYes}
      onClose={onClose}
      onMissing={onClose}
    />
  );
}
