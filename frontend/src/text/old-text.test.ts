import { expect, test } from "vitest";
import { Doc, Map as YMap, XmlElement, XmlText } from "yjs";
import { oldTextIn, onOldText } from "./old-text";
import { oldWords } from "./old-words";

function tree(doc: Doc): Doc {
  const element = (name: string, ...children: (XmlElement | XmlText)[]): XmlElement => {
    const made = new XmlElement(name);
    made.insert(0, children);
    return made;
  };
  const mention = new XmlElement("mention");
  mention.setAttribute("label", "Ann");
  doc.getXmlFragment("default").insert(0, [
    element("heading", new XmlText("Minutes")),
    element("paragraph"),
    element("bulletList", element("listItem", element("paragraph", new XmlText("one "), mention, new XmlElement("hardBreak"), new XmlText("two")))),
  ]);
  return doc;
}

test("a text of today is none of earlier versions, and asking leaves nothing behind", () => {
  const doc = new Doc();
  doc.getMap("meta").set("title", "New");
  doc.getText("body").insert(0, "words");
  expect(oldTextIn(doc)).toBeNull();
  expect(doc.share.has("default")).toBe(false);
});

test("a tree that this app made waits for the server, until it says that it is taken over", () => {
  for (const said of [{ kind: "text" }, { title: "Minutes" }, { titleTaken: "Minutes" }]) {
    const doc = tree(new Doc());
    for (const [key, value] of Object.entries(said)) doc.getMap("meta").set(key, value);
    expect(oldTextIn(doc)).toBe("ours");
    // What somebody may have written beside it is not shown instead of it.
    doc.getText("body").insert(0, "beside");
    expect(oldTextIn(doc)).toBe("ours");
    let asked = 0;
    const end = onOldText(doc, () => (asked += 1));
    doc.getMap("converted").set("0a1b2c3d", true);
    expect(oldTextIn(doc)).toBeNull();
    expect(asked).toBe(1);
    end();
  }
});

test("a tree of another program is read, and no kind but text has one", () => {
  expect(oldTextIn(tree(new Doc()))).toBe("theirs");
  const board = tree(new Doc());
  board.getMap("meta").set("kind", "board");
  board.getText("body").insertEmbed(0, new YMap([["type", "paragraph"]]));
  expect(oldTextIn(board)).toBeNull();
});

test("its words are a line for each block", () => {
  expect(oldWords(tree(new Doc()))).toEqual(["Minutes", "one @Ann\ntwo"]);
});
