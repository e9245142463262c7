import { expect, test, vi } from "vitest";
import { ApiError, type Api } from "../documents/api";
import type { DocumentName } from "../documents/name";
import { keptDocuments, listedDocuments, rememberKept, rememberListed } from "./kept";
import { remembering } from "./remembering";

test("what this person trashes, restores and deletes is so on this device too, and only if the server did it", async () => {
  const rows = new Map<string, string>();
  vi.stubGlobal("localStorage", { getItem: (key: string) => rows.get(key) ?? null, setItem: (key: string, value: string) => void rows.set(key, value), removeItem: (key: string) => void rows.delete(key) });
  const forgotten: string[] = [];
  vi.doMock("./forget", () => ({ forgetDocument: (name: string) => Promise.resolve(forgotten.push(name)) }));
  try {
    const name = "notes" as DocumentName;
    let answers = true;
    const answer = (): Promise<void> => (answers ? Promise.resolve() : Promise.reject(new ApiError({ kind: "unreachable" })));
    const api = remembering({ moveToTrash: answer, restore: answer, deleteForEver: answer } as unknown as Api);
    const trashed = (): boolean[] => keptDocuments().map((kept) => kept.trashed);
    rememberKept(name, "Notes");
    rememberListed([{ name, title: "Notes", modified: 1 }]);
    answers = false;
    await expect(api.moveToTrash(name)).rejects.toBeInstanceOf(ApiError);
    await expect(api.deleteForEver(name)).rejects.toBeInstanceOf(ApiError);
    expect([trashed(), listedDocuments().length, forgotten]).toEqual([[false], 1, []]);
    answers = true;
    await api.moveToTrash(name);
    // Opened from the copy, it still is in the trash.
    rememberKept(name, "Notes");
    expect(trashed()).toEqual([true]);
    await api.restore(name);
    expect(trashed()).toEqual([false]);
    await api.deleteForEver(name);
    await vi.waitFor(() => expect(forgotten).toEqual(["notes"]));
    expect([trashed(), listedDocuments()]).toEqual([[], []]);
  } finally {
    vi.unstubAllGlobals();
  }
});
