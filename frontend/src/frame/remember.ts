// What this device notes of documents, kept true of the one that is open.
import { useEffect } from "react";
import { rememberKept, rememberTrashed } from "../device/kept";
import { forgetMade } from "../device/made";
import { isLive } from "../sync/status";
import type { Opened } from "./opened";

export function useRemembered({ name, room, status, stores, readable, made, title, kind }: Opened): void {
  useEffect(() => {
    let known = false;
    const look = (): void => {
      // Asked of the room itself, and once: a page need not be drawn anew between saving and saved.
      if (known || room.state().status.kind !== "saved") return;
      known = true;
      forgetMade(name);
    };
    look();
    return room.subscribe(look);
  }, [room, name]);
  const where = status.kind === "gone" ? "trash" : isLive(status) ? "live" : null;
  useEffect(() => {
    if (where !== null) rememberTrashed(name, where === "trash");
  }, [name, where]);
  useEffect(() => {
    if (readable && status.kind !== "loading" && stores && made === "made") rememberKept(name, title || null, kind ?? undefined);
  }, [readable, status.kind, stores, made, name, title, kind]);
}
