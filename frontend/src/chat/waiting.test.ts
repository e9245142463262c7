// @vitest-environment happy-dom
// The browser's stores are fake-indexeddb's and happy-dom's.
import "fake-indexeddb/auto";
import { beforeEach, expect, test, vi } from "vitest";
import { unsentDocuments } from "../documents/unsent";
import { keyOf, readKept, writeKept } from "./kept";
import { adoptWaiting, browserMessages, channelOf, forgetChat, waitingOf } from "./waiting";

const waits = (id: string, at: number, refused: string | null = null) => ({ id, text: `text of ${id}`, at, refused });

beforeEach(async () => {
  localStorage.clear();
  for (const document of await browserMessages.documents()) await browserMessages.forget(document);
});

test("messages come back as they were, in the order in which they were written, each under its document", async () => {
  await browserMessages.put("notes", [waits("b-waiting", 2), waits("a-waiting", 3), waits("c-waiting", 1, "too_long")], "Ann");
  await browserMessages.put("other", [waits("d-waiting", 1)], "Bo");
  await browserMessages.put("notes", [], "Ann");
  const rows = await browserMessages.of("notes");
  expect(rows).toEqual([waits("c-waiting", 1, "too_long"), waits("b-waiting", 2), waits("a-waiting", 3)].map((one) => ({ ...one, name: "Ann" })));
  expect(await browserMessages.documents()).toEqual(["notes", "other"]);
  expect(unsentDocuments()).toEqual(["notes", "other"]);
  await browserMessages.put("notes", [waits("c-waiting", 1)], "Ann Lee");
  await browserMessages.drop("notes", ["a-waiting", "b-waiting", "d-waiting"]);
  await browserMessages.drop("notes", []);
  expect(await browserMessages.of("notes")).toEqual([{ ...waits("c-waiting", 1), name: "Ann Lee" }]);
  expect(await browserMessages.of("other")).toHaveLength(1);
});

test("what only pages can read counts, is moved with its refusals, and leaves the rest of the record alone", async () => {
  await browserMessages.put("notes", [waits("a-waiting", 2), waits("b-waiting", 3)], "Ann");
  writeKept("notes", { waiting: [waits("b-waiting", 3, "too_long"), waits("c-waiting", 1)], read: "r", said: [] });
  const all = [waits("c-waiting", 1), waits("a-waiting", 2), waits("b-waiting", 3, "too_long")];
  expect(await waitingOf("notes")).toEqual(all);
  expect(await waitingOf("other")).toEqual([]);
  await adoptWaiting("notes", "Ann");
  expect((await browserMessages.of("notes")).map(({ id, refused }) => [id, refused])).toEqual(all.map(({ id, refused }) => [id, refused]));
  expect([await waitingOf("notes"), readKept("notes")]).toEqual([all, { waiting: [], read: "r", said: [] }]);
});

test("a store that takes nothing leaves what waits where it was", async () => {
  writeKept("notes", { waiting: [waits("a-waiting", 1)], read: null, said: [] });
  const full = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  const adopted = adoptWaiting("notes", "Ann");
  await expect(adopted).rejects.toThrow("full");
  full.mockRestore();
  expect(await waitingOf("notes")).toEqual([waits("a-waiting", 1)]);
});

test("what is forgotten is gone from both, and open tabs are told", async () => {
  const told = vi.fn();
  const tab = new BroadcastChannel(channelOf("notes"));
  tab.onmessage = told;
  await browserMessages.put("notes", [waits("a-waiting", 1)], "Ann");
  writeKept("notes", { waiting: [waits("b-waiting", 2)], read: null, said: [] });
  await forgetChat("notes");
  expect([await waitingOf("notes"), localStorage.getItem(keyOf("notes"))]).toEqual([[], null]);
  await vi.waitFor(() => expect(told).toHaveBeenCalled());
  tab.close();
});
