// What is known of the document that is open, in one piece: the parts of the page say what they make of it.
import { useCallback, useSyncExternalStore } from "react";
import type { Api } from "../documents/api";
import { onKind, readKind, type Kind } from "../documents/kind";
import type { DocumentName } from "../documents/name";
import type { Room, RoomState } from "../sync/room";
import { isEditable, isReadable } from "../sync/status";
import { useCalled } from "./first-line";
import { useMade, type Made } from "./unmade";

export interface Opened extends RoomState {
  readonly api: Api;
  readonly name: DocumentName;
  readonly room: Room;
  readonly title: string;
  /** `null` for one that this app does not know. */
  readonly kind: Kind | null;
  readonly made: Made;
  readonly readable: boolean;
  readonly editable: boolean;
  /** It cannot be shown, and why is shown in its place. */
  readonly ended: boolean;
}

export function useOpened(api: Api, name: DocumentName, room: Room): Opened {
  const state = useRoomState(room);
  const title = useCalled(room.doc);
  const kind = useKind(room);
  const made = useMade(api, name, room);
  const { status } = state;
  const ended = status.kind === "gone" || status.kind === "denied" || status.kind === "change-refused" || status.kind === "unreachable";
  return { ...state, api, name, room, title, kind, made, readable: isReadable(status), editable: isEditable(status), ended };
}

/** Saved or being saved makes no difference to the page; that changes twice with every key, and the pill follows it alone. */
function useRoomState(room: Room): RoomState {
  useSyncExternalStore(room.subscribe, () => {
    const { status, onlyInThisTab, stores } = room.state();
    return `${status.kind === "saving" ? "saved" : status.kind} ${isReadable(status)} ${onlyInThisTab} ${stores}`;
  });
  return room.state();
}

function useKind(room: Room): Kind | null {
  const subscribe = useCallback((listener: () => void) => onKind(room.doc, listener), [room]);
  return useSyncExternalStore(subscribe, () => readKind(room.doc));
}
