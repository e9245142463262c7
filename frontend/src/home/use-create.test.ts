// Several files at once: what becomes of each, and what the person is told.
import type { TFunction } from "i18next";
import { expect, test, vi } from "vitest";
import { ApiError } from "../documents/api";
import type { DocumentName } from "../documents/name";
import { ImportError, type ImportedFile } from "./create";
import { importFiles } from "./use-create";

/** The key, and what is filled in. */
const t = ((key: string, blanks?: object) => (blanks ? `${key} ${Object.values(blanks).join(" | ")}` : key)) as unknown as TFunction<"words">;
const file = (name: string): File => new File(["x"], name);
const imported = (name: string, lostPictures = 0): ImportedFile => ({ name: name as DocumentName, kind: "text", lostPictures });

test("a file that fails is named with its reason, and stops no other", async () => {
  const read = vi.fn(({ name }: File) => {
    if (name === "photo.png") return Promise.reject(new ImportError("not-text"));
    if (name === "big.md") return Promise.reject(new ApiError({ kind: "refused", status: 413, code: "too_large", message: "the body was not read: payload reached size limit" }));
    return Promise.resolve(imported(name, name === "board.excalidraw" ? 2 : 0));
  });
  const { made, troubles } = await importFiles(["a.md", "photo.png", "big.md", "board.excalidraw"].map(file), read, t);
  expect(made.map(({ name }) => name)).toEqual(["a.md", "board.excalidraw"]);
  expect(troubles).toEqual(["home.importFailed photo.png | home.importNotText", "home.importFailed big.md | refusals.too_large", "home.importPictures board.excalidraw | 2"]);
});

test("many troubles are counted", async () => {
  const { troubles } = await importFiles(["1", "2", "3", "4", "5"].map(file), () => Promise.reject(new ApiError({ kind: "unreachable" })), t);
  expect(troubles).toHaveLength(4);
  expect(troubles[3]).toBe("home.importMoreFailed 2");
});

test("what nobody foresaw is said, and reported, and stops no other either", async () => {
  const reported = vi.fn();
  vi.stubGlobal("reportError", reported);
  const odd = new RangeError("ours to mend");
  const { made, troubles } = await importFiles(["a", "b"].map(file), ({ name }) => (name === "a" ? Promise.reject(odd) : Promise.resolve(imported(name))), t);
  expect([made.length, troubles, reported.mock.calls]).toEqual([1, ["home.importFailed a | home.importUnreadable"], [[odd]]]);
  vi.unstubAllGlobals();
});
