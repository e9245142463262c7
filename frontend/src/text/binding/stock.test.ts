// @vitest-environment happy-dom
// The plans of property.test.ts with the stock binding between ProseMirror and Yjs, to see what it costs. Not a test of
// anything here: `STOCK=500 npx vitest run src/text/binding/stock` answers in how many plans words are lost.
import { Editor } from "@tiptap/core";
import { Collaboration } from "@tiptap/extension-collaboration";
import { test } from "vitest";
import { Doc } from "yjs";
import { blocks } from "../blocks";
import { copyOf, type Person } from "./testing/person";
import { makePlan, play } from "./testing/plan";

function person(doc: Doc): Person {
  const element = document.createElement("div");
  document.body.append(element);
  const editor = new Editor({ element, injectCSS: false, extensions: [...blocks(), Collaboration.configure({ document: doc })] });
  return {
    doc,
    editor,
    compose: (during) => during(),
    undo: () => void editor.commands.undo(),
    redo: () => void editor.commands.redo(),
    close: () => {
      editor.destroy();
      element.remove();
    },
  };
}

test.skipIf(process.env["STOCK"] === undefined)("how many plans lose words with the stock binding", { timeout: 36_000_000 }, () => {
  const count = Number(process.env["STOCK"]);
  const first = Number(process.env["SEED"] ?? 1);
  const found = { plans: count, lost: 0, words: 0, doubled: 0, apart: 0, broken: 0 };
  for (let seed = first; seed < first + count; seed++) {
    try {
      const { lost, doubled, equal } = play(makePlan(seed), {
        create: person,
        doc: (clientID, from) => {
          if (from !== null) return copyOf(from, clientID);
          const doc = new Doc({ guid: "text" });
          doc.clientID = clientID;
          return doc;
        },
        check: () => undefined,
        strict: false,
      });
      if (lost.length > 0) found.lost += 1;
      found.words += lost.length;
      if (doubled.length > 0) found.doubled += 1;
      if (!equal) found.apart += 1;
    } catch {
      found.broken += 1;
    }
  }
  process.stdout.write(`stock binding, seeds ${first} to ${first + count - 1}: ${JSON.stringify(found)}\n`);
});
