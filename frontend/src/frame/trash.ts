// To the trash with the document that is open, and back.
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { ApiError, type Api } from "../documents/api";
import { documentsChanged } from "../documents/changes";
import type { DocumentName } from "../documents/name";
import { problemWords } from "../documents/problem-words";
import { showToast } from "../ui/toast";

export function useMoveToTrash(api: Api, name: DocumentName, title: string): () => void {
  const { t } = useTranslation();
  const [, navigate] = useLocation();
  const failed = (error: unknown): void => {
    if (!(error instanceof ApiError)) throw error;
    showToast({ text: problemWords(error.problem, t) });
  };
  return () => {
    api
      .moveToTrash(name)
      .then(() => {
        documentsChanged();
        navigate("/");
        showToast({
          text: t("row.trashed", { title: title || t("row.untitled") }),
          action: {
            label: t("row.undo"),
            run: () => {
              api
                .restore(name)
                .then(() => showToast({ text: t("row.restored", { title: title || t("row.untitled") }) }))
                .catch(failed)
                .finally(documentsChanged);
            },
          },
        });
      })
      .catch(failed);
  };
}
