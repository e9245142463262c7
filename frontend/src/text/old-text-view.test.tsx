// @vitest-environment happy-dom
// A text of another program on the page: there to be read, as it is now.
import { act } from "react";
import { createRoot } from "react-dom/client";
import { beforeAll, expect, test } from "vitest";
import { Doc, XmlElement, XmlText } from "yjs";
import type { Room } from "../sync/room";
import { OldTextView } from "./old-text-view";

beforeAll(() => Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true }));

const paragraph = (words: string): XmlElement => {
  const made = new XmlElement("paragraph");
  made.insert(0, [new XmlText(words)]);
  return made;
};

test("what another program writes in its text is read here while it is written", async () => {
  const doc = new Doc();
  const tree = doc.getXmlFragment("default");
  tree.insert(0, [paragraph("one")]);
  const room = { doc, state: () => ({ status: { kind: "saved" } }), subscribe: () => () => undefined } as unknown as Room;
  const place = document.createElement("div");
  const root = createRoot(place);
  const said = (): string[] => [...place.querySelectorAll(".prose p")].map(({ textContent }) => textContent);
  await act(() => Promise.resolve(root.render(<OldTextView room={room} editable whose="theirs" />)));
  expect(said()).toEqual(["one"]);
  await act(() => Promise.resolve(tree.insert(1, [paragraph("two")])));
  expect(said()).toEqual(["one", "two"]);
  await act(() => Promise.resolve(((tree.get(0) as XmlElement).get(0) as XmlText).insert(3, " and a half")));
  expect(said()).toEqual(["one and a half", "two"]);
  await act(() => Promise.resolve(root.unmount()));
});
