// Whether anybody ever made the document that is open. A room can be entered at any address; what is found there may be
// nothing at all, and then the page must not pretend that it is an empty text.
import { useEffect, useState } from "react";
import { ApiError, type Api } from "../documents/api";
import type { DocumentName } from "../documents/name";
import type { Room } from "../sync/room";
import { isLive } from "../sync/status";

/** `asking` is the moment between an empty answer and the server's word for it. */
export type Made = "made" | "asking" | "never";

export function useMade(api: Api, name: DocumentName, room: Room): Made {
  const [made, setMade] = useState<Made>("made");
  useEffect(() => {
    const asking = new AbortController();
    let asked = false;
    const look = (): void => {
      if (room.doc.store.clients.size > 0) {
        asking.abort();
        end();
        setMade("made");
      } else if (!asked && isLive(room.state().status)) {
        asked = true;
        setMade("asking");
        // One that was made and holds nothing is a document all the same.
        api.read(name, asking.signal).then(
          () => setMade("made"),
          (error: unknown) => {
            if (asking.signal.aborted) return;
            setMade(error instanceof ApiError && error.problem.kind === "refused" && error.problem.status === 404 ? "never" : "made");
          },
        );
      }
    };
    room.doc.on("update", look);
    const endStates = room.subscribe(look);
    const end = (): void => {
      room.doc.off("update", look);
      endStates();
    };
    look();
    return () => {
      asking.abort();
      end();
    };
  }, [api, name, room]);
  return made;
}
