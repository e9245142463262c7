// Blocks that nobody meant as they are: two people change the parts of one at the same time, or half of a change has
// arrived, and a cell holds nothing or an item has lost its line. The binding deletes what the schema does not allow, for
// everybody and with all that is in it. Here it is shown with what it lacks instead, and the data is left alone until
// somebody writes in it.
import { Extension } from "@tiptap/core";
import { Fragment, type Node, type NodeType, type Schema } from "@tiptap/pm/model";

export const Filled = Extension.create({
  name: "filled",
  onBeforeCreate() {
    fillInvalid(this.editor.schema);
  },
});

function fillInvalid(schema: Schema): void {
  const make = schema.node.bind(schema);
  schema.node = (type, attributes, content, marks) => {
    try {
      return make(type, attributes, content, marks);
    } catch (error) {
      const kind = typeof type === "string" ? schema.nodes[type] : type;
      const filled = kind && fill(kind, Fragment.from(content), (allowed) => kind.createAndFill(attributes, allowed, marks));
      if (!filled) throw error;
      return filled;
    }
  };
}

/** As it is, with what is missing; or else without what is one too many, words last. */
function fill(kind: NodeType, content: Fragment, make: (content: Fragment) => Node | null): Node | null {
  const children = content.content.map((child) => child.mark(kind.allowedMarks(child.marks)));
  return make(Fragment.from(children)) ?? make(Fragment.from(children.filter((child) => child.isText || !kind.inlineContent)));
}
