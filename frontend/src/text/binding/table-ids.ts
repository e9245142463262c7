// What a table, its rows and its columns are called in the shared data, carried along by the editor's nodes. Nothing of it
// is shown or copied: what is pasted is a table of its own.
import { Extension } from "@tiptap/core";

export const TableIds = Extension.create({
  name: "tableIds",
  addGlobalAttributes: () => [
    { types: ["table"], attributes: { table: unseen() } },
    { types: ["tableRow"], attributes: { row: unseen() } },
    { types: ["tableCell", "tableHeader"], attributes: { column: unseen() } },
  ],
});

function unseen(): { readonly default: null; readonly rendered: false; readonly parseHTML: () => null } {
  return { default: null, rendered: false, parseHTML: () => null };
}
