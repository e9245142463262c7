// What can be read of a text of an earlier version before it is taken over.
import { type Doc, XmlElement, type XmlFragment, XmlText } from "yjs";
import type { Delta } from "./binding/sequence";
import { TREE } from "./old-text";

/** Its words, a line for each block that has some. */
export function oldWords(doc: Doc): readonly string[] {
  const lines: string[] = [];
  let line = "";
  const flush = (): void => {
    if (line !== "") lines.push(line);
    line = "";
  };
  const walk = (parent: XmlFragment): void => {
    for (const child of parent.toArray()) {
      if (child instanceof XmlText) line += (child.toDelta() as Delta).map(({ insert }) => (typeof insert === "string" ? insert : "")).join("");
      else if (child instanceof XmlElement && child.nodeName === "hardBreak") line += "\n";
      else if (child instanceof XmlElement && child.nodeName === "mention") line += `@${child.getAttribute("label") ?? child.getAttribute("id") ?? ""}`;
      else if (child instanceof XmlElement && child.nodeName !== "image") {
        flush();
        walk(child);
        flush();
      }
    }
  };
  walk(doc.getXmlFragment(TREE));
  flush();
  return lines;
}
