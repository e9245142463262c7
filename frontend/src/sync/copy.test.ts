// The copy on this device must not be able to harm the document it is of.
import "fake-indexeddb/auto";
import { expect, test, vi } from "vitest";
import { Doc } from "yjs";
import { openIndexedDbCopy, type LocalCopy } from "./copy";

test("a store that fails at once is noticed, and the document goes on to tell of its changes", async () => {
  const doc = new Doc();
  const tell = vi.fn();
  const copy = openIndexedDbCopy("fails at once", doc, { tell, wanted: () => true });
  expect(await copy.loaded).not.toBeNull();
  const told = vi.fn();
  doc.on("update", told);
  const failing = vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(() => {
    throw new DOMException("the connection is closing", "InvalidStateError");
  });
  doc.getText("body").insert(0, "one");
  failing.mockRestore();
  doc.getText("body").insert(3, " two");
  expect(tell).toHaveBeenCalledWith("refused");
  expect(told).toHaveBeenCalledTimes(2);
  copy.dispose();
});

test("a part is not taken for the document, also in another visit, until the rest has come", async () => {
  const visit = async (act: (copy: LocalCopy, doc: Doc) => Promise<void> | void): Promise<void> => {
    const doc = new Doc();
    const copy = openIndexedDbCopy("in parts", doc);
    await copy.loaded;
    await act(copy, doc);
    copy.dispose();
  };
  await visit((copy, doc) => {
    copy.part(true);
    doc.getText("body").insert(0, "a part");
    copy.keep(1);
  });
  await visit(async (copy, doc) => {
    expect(await copy.loaded).toEqual({ known: false, kept: 1 });
    expect(doc.getText("body").toJSON()).toBe("a part");
    copy.part(false);
    copy.keep(0);
  });
  await visit(async (copy) => expect(await copy.loaded).toEqual({ known: true, kept: 0 }));
});
