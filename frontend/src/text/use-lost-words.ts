// Offering lost words to their author for as long as a document is open: from before the server is first heard, and not only
// when its view has been fetched. What was written without a server is lost with the very first words of the server.
import type { TFunction } from "i18next";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Room } from "../sync/room";
import { copyToClipboard } from "../ui/clipboard";
import { showToast } from "../ui/toast";
import { offerLostWords, type LostWords } from "./lost-words";

export function useLostWords(room: Room): void {
  const { t } = useTranslation();
  const words = useRef(t);
  useEffect(() => {
    words.current = t;
  });
  useEffect(() => offerLostWords({ doc: room.doc, isUnacknowledged: room.isUnacknowledged, offer: (lost) => offerWords(lost, words.current) }), [room]);
}

/** Says which words have lost their place, until somebody has decided. */
function offerWords(lost: LostWords, t: TFunction<"words">): void {
  showToast({
    text: t("lost.words", { words: lost.text }),
    stays: true,
    action: { label: t("lost.putBack"), run: lost.putBack },
    other: { label: t("lost.copy"), run: () => void copyToClipboard(lost.text) },
  });
}
