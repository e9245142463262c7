// Making documents, for every place that offers it: the first page, the palette, the keyboard.
import type { TFunction } from "i18next";
import { useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { ApiError, type Api } from "../documents/api";
import { rememberJustMade } from "../documents/just-made";
import type { Kind } from "../documents/kind";
import { documentPath } from "../documents/name";
import { problemWords } from "../documents/problem-words";
import type { ViewOf } from "../documents/view";
import { MissingPart, tellMissing, whyMissing } from "../ui/missing";
import { showToast } from "../ui/toast";
import { IMPORTABLE, ImportError, createDocument, importDocument, type Created, type ImportedFile } from "./create";

export interface Creating {
  readonly busy: boolean;
  /** Makes an empty document and goes there. */
  readonly create: (kind: Kind) => void;
  /** Lets the person choose files and imports them. */
  readonly pick: () => void;
  /** Imports files, each by itself; one is opened, several are announced, and each that fails is named. */
  readonly take: (files: readonly File[]) => void;
}

export function useCreate(api: Api, viewOf: ViewOf, onMade?: () => void): Creating {
  const { t, i18n } = useTranslation();
  const [, navigate] = useLocation();
  const [busy, setBusy] = useState(false);
  // Keys come faster than the page is drawn anew.
  const working = useRef(false);
  const shown = useRef(true);
  useEffect(() => {
    shown.current = true;
    return () => void (shown.current = false);
  }, []);

  const drawable = useCallback(async (kind: Kind) => await viewOf(kind)?.ready(), [viewOf]);
  const work = useCallback(async (doing: () => Promise<void>): Promise<void> => {
    if (working.current) return;
    working.current = true;
    setBusy(true);
    try {
      await doing();
    } finally {
      working.current = false;
      setBusy(false);
    }
  }, []);

  const create = useCallback(
    (kind: Kind) => {
      // A failure is left to the drawing of the view, which asks again.
      viewOf(kind)?.prefetch();
      void work(async () => {
        try {
          const made = await createDocument(api, kind, drawable);
          // Whoever has gone on meanwhile is not called back.
          if (shown.current) {
            rememberJustMade(made.name);
            navigate(documentPath(made.name));
          }
          onMade?.();
        } catch (error) {
          if (error instanceof MissingPart) tellMissing(await whyMissing());
          else if (error instanceof ApiError) showToast({ text: problemWords(error.problem, t) });
          else throw error;
        }
      });
    },
    [api, drawable, navigate, onMade, t, viewOf, work],
  );
  const take = useCallback(
    (files: readonly File[]) => {
      if (files.length === 0) return;
      void work(async () => {
        const { made, troubles } = await importFiles(files, (file) => importDocument(api, file, drawable, [i18n.language, ...navigator.languages]), t);
        const [first] = made;
        if (files.length === 1 && first && shown.current) navigate(documentPath(first.name));
        if (made.length > 0) onMade?.();
        const said = [...(made.length > 0 && (files.length > 1 || !shown.current) ? [t("home.imported", { count: made.length })] : []), ...troubles];
        if (said.length > 0) showToast({ text: said.join(" ") });
      });
    },
    [api, drawable, i18n, navigate, onMade, t, work],
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

/** More troubles than these are counted instead of named: a message is no list. */
const NAMED = 3;

/** Reads files one after the other, so that the order on the shelf is the order they were given in. One that fails stops none. */
export async function importFiles(
  files: readonly File[],
  read: (file: File) => Promise<ImportedFile>,
  t: TFunction<"words">,
): Promise<{ readonly made: readonly Created[]; readonly troubles: readonly string[] }> {
  const made: Created[] = [];
  const troubles: string[] = [];
  for (const file of files) {
    try {
      const one = await read(file);
      made.push(one);
      if (one.lostPictures > 0) troubles.push(t("home.importPictures", { name: file.name, count: one.lostPictures }));
    } catch (error) {
      troubles.push(t("home.importFailed", { name: file.name, reason: failureWords(error, t) }));
    }
  }
  const unnamed = troubles.length - NAMED;
  return { made, troubles: unnamed > 0 ? [...troubles.slice(0, NAMED), t("home.importMoreFailed", { count: unnamed })] : troubles };
}

function failureWords(error: unknown, t: TFunction<"words">): string {
  if (error instanceof ApiError) return problemWords(error.problem, t);
  if (error instanceof MissingPart) return t("missing.notHere");
  if (!(error instanceof ImportError)) {
    // Ours to mend; the person is told what it means for them, and the other files are not held up.
    reportError(error);
    return t("home.importUnreadable");
  }
  switch (error.reason) {
    case "too-large":
      return t("home.importTooLarge");
    case "not-text":
      return t("home.importNotText");
    case "not-a-drawing":
      return t("board.notAScene");
  }
}
