// The words of a text or plain text straight from its shared data, one line per block, without an editor.
import { XmlElement, XmlText, type Doc, type XmlFragment } from "yjs";
import { readKind } from "../documents/kind";
import { CONTENT } from "../plain/content";
import { FIELD } from "./field";

export function plainText(doc: Doc): string {
  if (readKind(doc) === "plain") return doc.getText(CONTENT).toJSON();
  const lines: string[] = [];
  collect(doc.getXmlFragment(FIELD), lines);
  return lines.join("\n");
}

function collect(parent: XmlFragment | XmlElement, lines: string[]): void {
  let line: string | null = null;
  for (const child of parent.toArray()) {
    if (child instanceof XmlText) {
      const text = (child.toDelta() as { insert?: unknown }[]).map(({ insert }) => (typeof insert === "string" ? insert : "")).join("");
      line = (line ?? "") + text;
    } else if (child instanceof XmlElement && child.nodeName === "hardBreak") {
      line = `${line ?? ""}\n`;
    } else if (child instanceof XmlElement) {
      if (child.length === 0) lines.push("");
      else collect(child, lines);
    }
  }
  if (line !== null) lines.push(line);
}
