// Making documents, for every place that offers it: the first page, the palette, the keyboard.
import { useCallback, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { showToast } from "../ui/toast";
import { ApiError, type Api } from "./api";
import { IMPORTABLE, ImportError, createDocument, importDocument, type Created } from "./create";
import type { Kind } from "./kind";
import { documentPath } from "./name";
import { fetchView } from "./views";

export interface Creating {
  readonly busy: boolean;
  /** Makes an empty document and goes there. */
  readonly create: (kind: Kind) => void;
  /** Lets the person choose files and imports them. */
  readonly pick: () => void;
  /** Imports files; one is opened, several are announced. */
  readonly take: (files: readonly File[]) => void;
}

export function useCreate(api: Api, onMade?: () => void): Creating {
  const { t } = useTranslation();
  const [, navigate] = useLocation();
  const [busy, setBusy] = useState(false);

  const work = useCallback(
    (doing: Promise<readonly Created[]>): void => {
      setBusy(true);
      doing
        .then((made) => {
          const [first] = made;
          if (made.length === 1 && first) navigate(documentPath(first.name));
          else if (made.length > 1) showToast({ text: t("home.imported", { count: made.length }) });
          onMade?.();
        })
        .catch((error: unknown) => {
          if (error instanceof ImportError) showToast({ text: error.reason === "too-large" ? t("home.importTooLarge") : t("home.importNotText") });
          else if (!(error instanceof ApiError)) throw error;
          else if (error.problem.kind === "refused") showToast({ text: t("problem.refused", { message: error.problem.message }) });
          else showToast({ text: t("problem.unreachable") });
        })
        .finally(() => setBusy(false));
    },
    [navigate, onMade, t],
  );

  const create = useCallback(
    (kind: Kind) => {
      fetchView(kind);
      work(createDocument(api, kind).then((made) => [made]));
    },
    [api, work],
  );
  const take = useCallback(
    (files: readonly File[]) => {
      if (files.length === 0) return;
      work(
        (async () => {
          const made: Created[] = [];
          // One after the other: the order on the shelf is then the order they were given in.
          for (const file of files) made.push(await importDocument(api, file));
          return made;
        })(),
      );
    },
    [api, work],
  );
  const pick = useCallback(() => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = IMPORTABLE;
    input.multiple = true;
    input.onchange = () => take([...(input.files ?? [])]);
    input.click();
  }, [take]);

  return { busy, create, pick, take };
}
