// @vitest-environment happy-dom
// Where a sign calls a menu, and where it is part of a word.
import { expect, test, vi } from "vitest";
import { Awareness } from "y-protocols/awareness";
import { Doc } from "yjs";
import { textSchema } from "./blocks";
import { createEditor } from "./editor";
import { suggest } from "./suggest";
import { createSuggestStore, type Offer } from "./suggest-store";
import { calledAt } from "./suggest-menu";

/** What is looked for with the caret at the end of `words`; `null` if no menu is called. */
function query(words: string, char: "/" | "@", ...more: { type: string }[]): string | null {
  const schema = textSchema();
  const doc = schema.nodeFromJSON({ type: "doc", content: [{ type: "paragraph", content: [...more, ...(words === "" ? [] : [{ type: "text", text: words }])] }] });
  const called = calledAt(doc.resolve(doc.content.size - 1), { char, spaces: char === "@" });
  if (called === null) return null;
  expect(doc.textBetween(called.range.from, called.range.to)).toBe(called.text);
  return called.query;
}

test("a sign calls its menu at the start, behind a blank or a bracket, and behind a letter of a script without blanks", () => {
  for (const before of ["", "see ", "cc (", "「", "請", "請通知", "、", "ทำ", "a\u00a0"]) {
    expect(query(`${before}@`, "@"), before).toBe("");
    expect(query(`${before}@Bo Smi`, "@"), before).toBe("Bo Smi");
    expect(query(`${before}/h2`, "/"), before).toBe("h2");
    expect(query(`${before}／標題`, "/"), before).toBe("標題");
    expect(query(`${before}＠Bo`, "@"), before).toBe("Bo");
  }
  expect(query("/", "/", { type: "hardBreak" })).toBe("");
});

test("it calls none within a word, an address, a path or a tag", () => {
  for (const words of ["und/", "и/", "1/", "https:/", "https://", "./", "~a/", "</", "é/", "a/b/", "//"]) expect(query(words, "/"), words).toBeNull();
  for (const words of ["ann@", "ann.lee@ex"]) expect(query(words, "@"), words).toBeNull();
  expect(query("/h2 and on", "/")).toBeNull();
  expect(query("", "/")).toBeNull();
});

test("an address before it does not hide a later call", () => {
  expect(query("ann@example.org 請@Bo", "@")).toBe("Bo");
  expect(query("（@Ann） @B", "@")).toBe("B");
});

test("what Escape has closed stays closed, also behind a blank", async () => {
  const doc = new Doc();
  const awareness = new Awareness(doc);
  const element = document.createElement("div");
  document.body.append(element);
  const store = createSuggestStore();
  const people = { char: "@", label: () => "People", spaces: true, offers: () => [{ id: "bo", label: "Bo Smith", run: () => undefined }] };
  const editor = createEditor({ element, doc, awareness, editable: true, additions: [suggest(store, [people])], words: () => ({ label: "Text", placeholder: "Write", nameless: "Guest", task: (text) => text }) });
  const type = (words: string): void => editor.view.dispatch(editor.state.tr.insertText(words));
  element.querySelector<HTMLElement>(".prose")?.dispatchEvent(new FocusEvent("focus"));
  type("請@Bo");
  await vi.waitFor(() => expect(store.get()).not.toBeNull());
  editor.view.someProp("handleKeyDown", (handle) => handle(editor.view, new KeyboardEvent("keydown", { key: "Escape" })));
  await vi.waitFor(() => expect(store.get()).toBeNull());
  // What is offered comes a moment later; whether anything will be is known at once.
  const isCalled = (): unknown => (editor.state.plugins.find((plugin) => /^suggest @/.test((plugin as unknown as { key: string }).key))?.getState(editor.state) as { active: boolean } | undefined)?.active;
  for (const letter of [" ", "S"]) {
    type(letter);
    expect(isCalled(), letter).toBe(false);
  }
  // A new sign is a new call.
  type(" @");
  await vi.waitFor(() => expect(store.get()).not.toBeNull());
  editor.destroy();
  awareness.destroy();
  element.remove();
});

test("an open menu keeps what is selected in it when others write above, and begins anew with each letter of its own", async () => {
  const doc = new Doc();
  const awareness = new Awareness(doc);
  const element = document.createElement("div");
  document.body.append(element);
  const store = createSuggestStore();
  const chosen: [string, string][] = [];
  const offer = (id: string): Offer => ({ id, label: id, run: ({ state }, { from, to }) => chosen.push([id, state.doc.textBetween(from, to)]) });
  let offered = ["ann", "bo", "cy"];
  const people = { char: "@", label: () => "People", offers: (query: string) => offered.filter((name) => name.includes(query)).map(offer) };
  const editor = createEditor({ element, doc, awareness, editable: true, additions: [suggest(store, [people])], words: () => ({ label: "Text", placeholder: "Write", nameless: "Guest", task: (text) => text }) });
  const type = (words: string): void => editor.view.dispatch(editor.state.tr.insertText(words));
  const press = (key: string): unknown => editor.view.someProp("handleKeyDown", (handle) => handle(editor.view, new KeyboardEvent("keydown", { key })));
  const selected = (): string | undefined => store.get()?.offers[store.get()?.selected ?? 0]?.id;
  const menus: unknown[] = [];
  element.querySelector<HTMLElement>(".prose")?.dispatchEvent(new FocusEvent("focus"));
  type("see @");
  await vi.waitFor(() => expect(selected()).toBe("ann"));
  press("ArrowDown");
  press("ArrowDown");
  expect(selected()).toBe("cy");
  store.subscribe(() => menus.push(store.get()));
  // Somebody writes before it, and somebody who is offered leaves.
  offered = ["bo", "cy"];
  doc.getText("body").insert(0, "please ");
  expect(editor.getText()).toBe("please see @");
  await vi.waitFor(() => expect(store.get()?.offers.length).toBe(2));
  expect(selected()).toBe("cy");
  // It did not close for that.
  expect(menus).not.toContain(null);
  press("Enter");
  expect(chosen).toEqual([["cy", "@"]]);
  type("b");
  await vi.waitFor(() => expect(store.get()?.offers.length).toBe(1));
  expect(selected()).toBe("bo");
  type("z");
  await vi.waitFor(() => expect(store.get()).toBeNull());
  editor.destroy();
  awareness.destroy();
  element.remove();
});
