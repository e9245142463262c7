// What is shown instead of a document the server will not open: refused, in the trash, or deleted. Fetched when needed,
// which works because the server has just answered.
import { Lock, Trash2, TriangleAlert } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Doc } from "yjs";
import { hasShapes, sceneFile } from "../board/scene-file";
import { forgetDocument } from "../device/forget";
import { ApiError, problemOf, type Api } from "../documents/api";
import { readKind } from "../documents/kind";
import type { DocumentName } from "../documents/name";
import { problemWords } from "../documents/problem-words";
import { readTitle } from "../documents/title";
import { CONTENT } from "../documents/roots";
import type { Room } from "../sync/room";
import { exportText } from "../text/export";
import { plainText } from "../text/plain-text";
import { Panel } from "../ui/panel";
import { saveFile, textFileName } from "../ui/save-file";
import { showToast } from "../ui/toast";
import { BackHome } from "./unreachable";

/** How long after the last look at a document that is gone the next one is, in ms. */
const LOOK_AGAIN = 5_000;

/** What the server says to programs, in words for people; mirrors `src/auth/mod.rs` and `src/protocol/close.rs`. */
const REASONS = {
  "permission-denied": "doc.forbidden",
  forbidden: "doc.forbidden",
  unauthorized: "doc.unauthorized",
} as const;

export function Denied(props: { readonly reason: string; readonly doc: Doc; readonly kept: number }): React.JSX.Element {
  const { t } = useTranslation();
  const { reason, kept } = props;
  const body = reason in REASONS ? t(REASONS[reason as keyof typeof REASONS]) : t("doc.deniedHint", { reason });
  return (
    <Panel level={1} icon={<Lock />} title={t("doc.denied")} body={kept > 0 ? `${body} ${t("doc.unsent", { count: kept })}` : body}>
      <SaveCopy doc={props.doc} />
      <BackHome />
    </Panel>
  );
}

/**
 * Something written here was refused for good, and whatever was written after it builds upon it: what others write cannot
 * be followed any more without losing that. It can be taken along as a file; a copy of the document without it is had by
 * removing the one on this device.
 */
export function ChangeRefused(props: { readonly reason: string; readonly doc: Doc; readonly kept: number }): React.JSX.Element {
  const { t } = useTranslation();
  const { reason, kept } = props;
  const body = t("doc.changeRefusedHint", { reason });
  return (
    <Panel level={1} icon={<TriangleAlert />} title={t("doc.changeRefused")} body={kept > 0 ? `${body} ${t("doc.unsent", { count: kept })}` : body}>
      <SaveCopy doc={props.doc} />
      <BackHome />
    </Panel>
  );
}

/** In the trash, or deleted for ever: the close code is the same, so the server is asked which. */
export function Gone(props: {
  readonly api: Api;
  readonly name: DocumentName;
  readonly room: Room;
  readonly kept: number;
  readonly onRestored: () => void;
}): React.JSX.Element {
  const { t } = useTranslation();
  const { api, name, kept, room } = props;
  const { doc } = room;
  const [deleted, setDeleted] = useState(false);
  const [removed, setRemoved] = useState(false);

  const restored = useRef(props.onRestored);
  useEffect(() => {
    restored.current = props.onRestored;
  });
  // Somebody else may restore it, or delete it for ever, while this is read.
  useEffect(() => {
    const controller = new AbortController();
    const look = (): void => {
      api
        .read(name, controller.signal)
        .then(({ state }) => {
          setDeleted(false);
          if (state === "live") restored.current();
        })
        .catch((error: unknown) => {
          if (error instanceof ApiError && error.problem.kind === "refused") setDeleted([404, 410].includes(error.problem.status));
        });
    };
    look();
    const again = setInterval(look, LOOK_AGAIN);
    return () => {
      clearInterval(again);
      controller.abort();
    };
  }, [api, name]);

  const restore = (): void => {
    api
      .restore(name)
      .then(props.onRestored)
      .catch((error: unknown) => {
        showToast({ text: problemWords(problemOf(error), t) });
      });
  };

  if (!deleted) {
    return (
      <Panel level={1} icon={<Trash2 />} title={t("doc.gone")} body={kept > 0 ? `${t("doc.goneHint")} ${t("doc.unsent", { count: kept })}` : t("doc.goneHint")}>
        <button type="button" className="button primary" onClick={restore}>
          {t("row.restore")}
        </button>
        {kept > 0 && <SaveCopy doc={doc} second />}
        <BackHome />
      </Panel>
    );
  }
  const hasCopy = !removed && hasContent(doc);
  return (
    <Panel
      level={1}
      icon={<Trash2 />}
      title={t("doc.deleted")}
      body={[t("doc.deletedHint"), hasCopy && kept > 0 && t("doc.unsent", { count: kept }), hasCopy && t("doc.copyLeft")].filter(Boolean).join(" ")}
    >
      {hasCopy && (
        <>
          <SaveCopy doc={doc} />
          <button
            type="button"
            className="button danger"
            onClick={() => {
              // Said when it is so: whoever leaves the page before would find it again.
              room.letGoOfCopy();
              forgetDocument(name)
                .then(() => setRemoved(true))
                .catch(() => undefined);
            }}
          >
            {t("doc.removeCopy")}
          </button>
        </>
      )}
      <BackHome />
    </Panel>
  );
}

function SaveCopy(props: { readonly doc: Doc; readonly second?: boolean }): React.JSX.Element | null {
  const { t, i18n } = useTranslation();
  if (!hasContent(props.doc)) return null;
  return (
    <button type="button" className={props.second ? "button" : "button primary"} onClick={() => void saveAsFile(props.doc, i18n.language)}>
      {t("doc.saveCopy")}
    </button>
  );
}

function hasContent(doc: Doc): boolean {
  return plainText(doc).trim() !== "" || readTitle(doc) !== "" || hasShapes(doc);
}

/** As its menu would save it. */
async function saveAsFile(doc: Doc, language: string): Promise<void> {
  const title = readTitle(doc);
  switch (readKind(doc)) {
    case "board":
      return saveFile(`${title.trim() || "board"}.excalidraw`, "application/json", sceneFile(doc));
    case "plain":
      return saveFile(textFileName(title), "text/plain", doc.getText(CONTENT).toJSON());
    default:
      try {
        const { contentOf } = await import("../text/convert");
        await exportText(contentOf(doc), title, "markdown", language);
      } catch {
        // The conversion could not be fetched, or does not know what is in there: the words at least.
        saveFile(textFileName(title), "text/plain", `${title === "" ? "" : `${title}\n\n`}${plainText(doc)}`);
      }
  }
}
