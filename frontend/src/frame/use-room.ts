// The room of the document that is open, for as long as it is.
import { useEffect, useState } from "react";
import { sendSoon } from "../device/sender";
import type { Api } from "../documents/api";
import type { DocumentName } from "../documents/name";
import { expected } from "../documents/part";
import { rememberUnsent } from "../documents/unsent";
import { socketBase } from "../sync/address";
import { connectByHocuspocus } from "../sync/connection";
import { openIndexedDbCopy } from "../sync/copy";
import { openRoom, type Room } from "../sync/room";
import { holdTurn } from "../sync/turn";
import { browserSignals } from "../ui/signals";
import { refusesToStore } from "./readiness";
import { enterRoom, leaveRoom } from "./rooms";

export function useRoom(api: Api, name: DocumentName): Room | null {
  const [room, setRoom] = useState<Room | null>(null);
  useEffect(() => {
    const opened = enterRoom(name, () => {
      const release = holdTurn(name);
      const room = openRoom(name, {
        base: socketBase(location),
        signals: browserSignals,
        connect: connectByHocuspocus,
        reachable: () => fetch("/livez").then(({ ok }) => ok, () => false),
        refusesToStore: () => refusesToStore(),
        read: () => readState(name),
        expect: () => expected(api, name),
        fetchAhead: async (ports) => (await import("../sync/ahead")).fetchAhead({ ...ports, address: `/api/v1/documents/${encodeURIComponent(name)}/state` }),
        openCopy: openIndexedDbCopy,
        onUnsent: rememberUnsent,
      });
      return {
        ...room,
        dispose: () => {
          room.dispose();
          release();
          sendSoon(name);
        },
      };
    });
    setRoom(opened);
    return () => leaveRoom(opened);
  }, [api, name]);
  return room;
}

async function readState(name: DocumentName): Promise<Uint8Array | null> {
  try {
    const response = await fetch(`/api/v1/documents/${encodeURIComponent(name)}/state`);
    // The page of a network that wants a login first comes with a 200, too.
    const ours = response.ok && /^application\/octet-stream\b/.test(response.headers.get("content-type") ?? "");
    return ours ? new Uint8Array(await response.arrayBuffer()) : null;
  } catch {
    return null;
  }
}
