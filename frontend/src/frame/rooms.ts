// The rooms of the pages. One that is left while its changes are in this tab only stays open behind the next page until
// the server has them: on a browser that stores nothing, going back to the list must not lose a word.
import type { Room } from "../sync/room";
import { isStalled } from "../sync/status";
import { createStore, type Store } from "../ui/store";

const left = new Map<string, Room>();
const size = createStore(0);

/** How many documents were left with changes that are nowhere else. */
export const leftUnkept: Pick<Store<number>, "get" | "subscribe"> = size;

/** The room of a document that was left so, or a new one. */
export function enterRoom(document: string, open: () => Room): Room {
  const room = left.get(document);
  if (room === undefined) return open();
  forget(document);
  return room;
}

export function leaveRoom(room: Room): void {
  if (!hasOnlyCopy(room)) return room.dispose();
  left.set(room.document, room);
  size.set(left.size);
  const end = room.subscribe(() => {
    if (left.get(room.document) !== room) return end();
    if (hasOnlyCopy(room)) return;
    end();
    forget(room.document);
    room.dispose();
  });
}

function forget(document: string): void {
  left.delete(document);
  size.set(left.size);
}

function hasOnlyCopy(room: Room): boolean {
  const { status, onlyInThisTab, stores } = room.state();
  return onlyInThisTab || ((status.kind === "saving" || isStalled(status)) && !stores);
}
