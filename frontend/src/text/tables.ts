// Tables, repaired by one person. A table that two people changed at the same time may come out uneven, and the extension
// evens it out at once, in every browser that sees it: each would add cells, and everybody gets everybody's. Here it is shown
// as it is, and evened out with the next change that somebody makes themselves.
import { Table } from "@tiptap/extension-table";
import { Plugin } from "@tiptap/pm/state";
import { columnResizing } from "@tiptap/pm/tables";
import { follows } from "./binding/plugin";

export const PatientTable = Table.extend({
  addProseMirrorPlugins() {
    const { handleWidth, cellMinWidth, lastColumnResizable } = this.options;
    // The extension has the edges by which columns are made wider only where a text may be written when it is opened, as none
    // may until it is there. They look for themselves whether it may.
    const edges = columnResizing({ handleWidth, cellMinWidth, defaultCellMinWidth: cellMinWidth, lastColumnResizable, View: null });
    return [edges, ...(this.parent?.() ?? [])].map(patient);
  },
});

function patient(plugin: Plugin): Plugin {
  const { appendTransaction } = plugin.spec;
  if (appendTransaction === undefined) return plugin;
  return new Plugin({
    ...plugin.spec,
    appendTransaction: (transactions, before, after) => (transactions.some(follows) ? null : appendTransaction.call(plugin, transactions, before, after)),
  });
}
