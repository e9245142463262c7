// Lists, with the ways of typing them that people know from Markdown and Tiptap leaves out: `1) `, and the box of a task
// behind the sign of a list, `- [ ] `.
import { InputRule, wrappingInputRule } from "@tiptap/core";
import { OrderedList, TaskItem } from "@tiptap/extension-list";
import { Fragment, type Node, type ResolvedPos } from "@tiptap/pm/model";
import { TextSelection } from "@tiptap/pm/state";

export const Numbers = OrderedList.extend({
  addInputRules() {
    return [
      ...(this.parent?.() ?? []),
      wrappingInputRule({
        find: /^(\d{1,9})\)\s$/,
        type: this.type,
        getAttributes: (match) => ({ start: Number(match[1]) }),
        joinPredicate: (match, { childCount, attrs }) => childCount + Number(attrs["start"]) === Number(match[1]),
      }),
    ];
  },
});

export const Task = TaskItem.extend({
  addInputRules() {
    return [
      ...(this.parent?.() ?? []),
      new InputRule({
        find: /^\s*\[([ xX])?\]\s$/,
        handler: ({ state, range, match }) => {
          const { tr } = state;
          const item = itemAt(tr.doc.resolve(range.from));
          if (item === null) return null;
          tr.delete(range.from, range.to);
          const list = tr.doc.resolve(item.start).parent;
          const { taskList, taskItem } = state.schema.nodes;
          if (taskList === undefined || taskItem === undefined) return null;
          const task = taskItem.create({ checked: match[1] !== undefined && match[1] !== " " }, list.child(item.index).content);
          // Those before it and behind it stay what they are, in lists of their own.
          const part = (from: number, to: number): Node[] => (from === to ? [] : [list.copy(Fragment.from(list.content.content.slice(from, to)))]);
          const before = part(0, item.index);
          const pieces = [...before, taskList.create(null, task), ...part(item.index + 1, list.childCount)];
          tr.replaceWith(item.start - 1, item.start - 1 + list.nodeSize, pieces);
          const at = item.start - 1 + (before[0]?.nodeSize ?? 0);
          tr.setSelection(TextSelection.create(tr.doc, at + 3));
          // Right behind other tasks it is one more of them.
          if (tr.doc.resolve(at).nodeBefore?.type === taskList) tr.join(at);
          return undefined;
        },
      }),
    ];
  },
});

/** The item of a bulleted list whose first line this is: where its list begins inside, and the how-manieth it is. */
function itemAt($at: ResolvedPos): { readonly start: number; readonly index: number } | null {
  const depth = $at.depth - 1;
  if (depth < 2 || $at.node(depth).type.name !== "listItem" || $at.index(depth) !== 0) return null;
  if ($at.node(depth - 1).type.name !== "bulletList") return null;
  return { start: $at.start(depth - 1), index: $at.index(depth - 1) };
}
