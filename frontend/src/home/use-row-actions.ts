// What can be done with the document of a row, and what is said when it is done or refused.
import { useTranslation } from "react-i18next";
import { ApiError, type Api, type DocumentSummary } from "../documents/api";
import { documentsChanged } from "../documents/changes";
import { documentPath } from "../documents/name";
import { problemWords } from "../documents/problem-words";
import { copyToClipboard } from "../ui/clipboard";
import { MissingPart, part, tellMissing, whyMissing } from "../ui/missing";
import { showToast } from "../ui/toast";
import type { RowActions } from "./row";

export function useRowActions(
  api: Api,
  page: {
    readonly drop: (name: DocumentSummary["name"]) => void;
    readonly putBack: (document: DocumentSummary) => void;
    readonly askToDelete: (document: DocumentSummary) => void;
    readonly askToRename: (document: DocumentSummary) => void;
  },
): RowActions & { readonly deleteForEver: (document: DocumentSummary) => void; readonly rename: (document: DocumentSummary, title: string) => void } {
  const { t } = useTranslation();
  const titleOf = (document: DocumentSummary): string => document.title ?? t("row.untitled");

  /** The row goes at once; if the server then says no, or nothing, it comes back with the reason. */
  const act = (document: DocumentSummary, work: Promise<void>, done: () => void): void => {
    page.drop(document.name);
    say(work.then(done), () => page.putBack(document));
  };
  const say = (work: Promise<void>, failed?: () => void): void => {
    work
      .catch((error: unknown) => {
        failed?.();
        if (error instanceof MissingPart) return void whyMissing().then(tellMissing);
        if (!(error instanceof ApiError)) throw error;
        showToast({ text: problemWords(error.problem, t) });
      })
      // On this page, or on whichever has come in its place: a message may outlast the page that said it.
      .finally(documentsChanged);
  };
  const restored = (document: DocumentSummary): void => showToast({ text: t("row.restored", { title: titleOf(document) }) });

  return {
    copyLink: (document) => void copyToClipboard(new URL(documentPath(document.name), location.href).href),
    askToRename: page.askToRename,
    rename: (document, title) => say(part(() => import("./from-afar")).then(({ rename }) => rename(api, document.name, title))),
    duplicate: (document) => {
      const title = t("row.copyOf", { title: titleOf(document) });
      say(
        part(() => import("./from-afar"))
          .then(({ duplicate }) => duplicate(api, document.name, title))
          .then(({ shared }) => showToast({ text: shared === 0 ? t("row.duplicated", { title }) : t("row.duplicatedShared", { title, count: shared }) })),
      );
    },
    moveToTrash: (document) =>
      act(document, api.moveToTrash(document.name), () =>
        showToast({
          text: t("row.trashed", { title: titleOf(document) }),
          action: { label: t("row.undo"), run: () => say(api.restore(document.name).then(() => restored(document))) },
        }),
      ),
    restore: (document) => act(document, api.restore(document.name), () => restored(document)),
    askToDelete: page.askToDelete,
    deleteForEver: (document) =>
      act(document, api.deleteForEver(document.name), () => showToast({ text: t("row.deleted", { title: titleOf(document) }) })),
  };
}
