// Ctrl/⌘ S, which fingers press by themselves. Nothing has to be done: the browser's own window is kept away, and how it
// stands with what was written is said.
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import type { Room } from "../sync/room";
import { announce } from "../ui/live-region";

export function useSaveKey(room: Room): void {
  const { t } = useTranslation();
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
      event.preventDefault();
      const { status } = room.state();
      const kept = "kept" in status && status.kept > 0 ? ` ${t("status.kept", { count: status.kept })}` : "";
      announce(t(`status.${status.kind}`, { host: location.host }) + kept);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [room, t]);
}
