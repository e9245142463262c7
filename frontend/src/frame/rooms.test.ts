import { expect, test } from "vitest";
import type { Room, RoomState } from "../sync/room";
import { enterRoom, leaveRoom, leftUnkept } from "./rooms";

function scripted(document: string): { readonly room: Room; readonly become: (state: Partial<RoomState>) => void; readonly disposed: () => number } {
  let state: RoomState = { status: { kind: "saved" }, onlyInThisTab: false, stores: true };
  let disposed = 0;
  const listeners = new Set<() => void>();
  const room = {
    document,
    state: () => state,
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    dispose: () => (disposed += 1),
  } as unknown as Room;
  const become = (next: Partial<RoomState>): void => {
    state = { ...state, ...next };
    for (const listener of [...listeners]) listener();
  };
  return { room, become, disposed: () => disposed };
}

const unkept: RoomState = { status: { kind: "offline", kept: 3 }, onlyInThisTab: true, stores: false };
const never = (): Room => {
  throw new Error("a second room of the same document");
};

test("a room that is stored elsewhere ends when it is left", () => {
  const { room, disposed } = scripted("a");
  leaveRoom(room);
  expect([disposed(), leftUnkept.get()]).toEqual([1, 0]);
});

test("one that is stored nowhere stays until the server has everything", () => {
  const { room, become, disposed } = scripted("a");
  become(unkept);
  leaveRoom(room);
  expect([disposed(), leftUnkept.get()]).toEqual([0, 1]);
  become({ status: { kind: "saving", slow: false }, onlyInThisTab: false });
  expect(disposed()).toBe(0);
  become({ status: { kind: "saved" } });
  expect([disposed(), leftUnkept.get()]).toEqual([1, 0]);
});

test("who comes back finds it, and it ends with the page then", () => {
  const { room, become, disposed } = scripted("a");
  become(unkept);
  leaveRoom(room);
  expect(enterRoom("a", never)).toBe(room);
  expect(leftUnkept.get()).toBe(0);
  become({ status: { kind: "saved" }, onlyInThisTab: false, stores: true });
  expect(disposed()).toBe(0);
  leaveRoom(room);
  expect(disposed()).toBe(1);
  const other = scripted("a").room;
  expect(enterRoom("a", () => other)).toBe(other);
});
