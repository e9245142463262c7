// The page's own reader of texts, bundled for node: what it makes of a document, from the bytes of the document.
// The files that the page itself loads: there must be one copy of each.
import { Extension, getSchema, Mark } from "../../frontend/node_modules/@tiptap/core/dist/index.js";
import { applyUpdate, Doc } from "../../frontend/node_modules/yjs/dist/yjs.mjs";
import { blocks } from "../../frontend/src/text/blocks";
import { readText } from "../../frontend/src/text/binding/binding";
import { plainJson } from "../../frontend/src/text/binding/json";
import { TableIds } from "../../frontend/src/text/binding/table-ids";

/** Marks of the model that the page's editor may not have yet. */
const MARKS: Readonly<Record<string, readonly string[]>> = { highlight: ["color"], color: ["color"], subscript: [], superscript: [] };

const own = [...blocks(), TableIds];
const known = getSchema(own);
const more = Object.entries(MARKS)
  .filter(([name]) => known.marks[name] === undefined)
  .map(([name, attributes]) => Mark.create({ name, addAttributes: () => Object.fromEntries(attributes.map((attribute) => [attribute, { default: null }])) }));
const aligned = Extension.create({
  name: "alignedForTests",
  addGlobalAttributes: () => [{ types: ["paragraph", "heading"].filter((name) => known.nodes[name]?.spec.attrs?.["align"] === undefined), attributes: { align: { default: null } } }],
});
const schema = getSchema([...own, ...more, aligned]);

export function read(state: Uint8Array): unknown {
  const doc = new Doc();
  applyUpdate(doc, state);
  return plainJson(readText(doc, schema));
}
