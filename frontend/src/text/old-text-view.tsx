// A text of an earlier version, until the server has taken it over; or one of another program: there to be read. One of ours
// is written in where there is no server, as it was in its version.
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import type { Doc } from "yjs";
import type { ViewProps } from "../documents/view";
import { TitleField } from "../documents/title-field";
import { fetched } from "../ui/fetched";
import type { OldText } from "./old-text";
import { oldWords } from "./old-words";

// Ahead, because it is wanted where nothing can be fetched.
const OldEditor = fetched(() => import("./old-editor").then(({ OldEditor }) => OldEditor), { ahead: true });

interface OldTextProps {
  readonly room: ViewProps["room"];
  readonly editable: boolean;
  readonly whose: NonNullable<OldText>;
}

export function OldTextView({ room, editable, whose }: OldTextProps): React.JSX.Element {
  const { t } = useTranslation();
  const alone = useAlone(room) && editable && whose === "ours";
  const read = <OldWords doc={room.doc} />;
  return (
    <article className="sheet">
      <TitleField doc={room.doc} editable={alone} onLeave={() => undefined} />
      <p role="note">{t(alone ? "oldText.alone" : `oldText.${whose}`)}</p>
      {alone ? <OldEditor doc={room.doc} fallback={read} /> : read}
    </article>
  );
}

/** What is written in it, by whatever program and while it is read. */
function OldWords({ doc }: { readonly doc: Doc }): React.JSX.Element {
  const { subscribe, lines } = useMemo(() => {
    let known: readonly string[] | null = null;
    return {
      subscribe: (listener: () => void) => {
        const onUpdate = (): void => {
          known = null;
          listener();
        };
        // It may have changed since it was drawn.
        onUpdate();
        doc.on("update", onUpdate);
        return () => doc.off("update", onUpdate);
      },
      lines: () => (known ??= oldWords(doc)),
    };
  }, [doc]);
  return (
    <div className="prose">
      {useSyncExternalStore(subscribe, lines).map((line, at) => (
        <p key={at} style={{ whiteSpace: "pre-wrap" }}>
          {line}
        </p>
      ))}
    </div>
  );
}

/** Whether the server could not be reached. It goes on to be so until the text is taken over: nobody loses the caret twice. */
function useAlone(room: ViewProps["room"]): boolean {
  const [alone, setAlone] = useState(false);
  useEffect(() => {
    const look = (): void => {
      const { kind } = room.state().status;
      if (kind === "offline" || kind === "reconnecting") setAlone(true);
    };
    look();
    return room.subscribe(look);
  }, [room]);
  return alone;
}
