// Marks beyond those of Tiptap's starter kit: colours of words and behind them, letters above and below the line, and how
// the lines of a block are set.
import { Extension, Mark } from "@tiptap/core";
import { isColour, nearestColour, type Colour } from "./colours";

/** `left` is what stands there anyway. */
export const ALIGNMENTS = ["left", "center", "right", "justify"] as const;
export type Alignment = (typeof ALIGNMENTS)[number];

declare module "@tiptap/core" {
  interface Commands<ReturnType> {
    readonly weftMarks: {
      readonly toggleHighlight: (color: Colour) => ReturnType;
      readonly toggleColour: (color: Colour) => ReturnType;
      readonly toggleSub: () => ReturnType;
      readonly toggleSup: () => ReturnType;
      readonly setAlignment: (align: Alignment) => ReturnType;
    };
  }
}

const color = {
  color: {
    default: null,
    parseHTML: (element: HTMLElement): Colour | null => {
      const said = element.dataset["color"];
      return isColour(said) ? said : null;
    },
    renderHTML: (attributes: Readonly<Record<string, unknown>>): Record<string, string> => (isColour(attributes["color"]) ? { "data-color": attributes["color"] } : {}),
  },
};

const coloured = (style: string) => ({ style, getAttrs: (value: string): false | { readonly color: Colour } => {
  const color = nearestColour(value);
  return color !== null && { color };
} });

const Highlighted = Mark.create({
  name: "highlight",
  addAttributes: () => color,
  parseHTML: () => [{ tag: "mark" }, coloured("background-color"), coloured("background")],
  renderHTML: ({ HTMLAttributes }) => ["mark", HTMLAttributes, 0],
  addCommands() {
    return { toggleHighlight: (color) => ({ commands }) => commands.toggleMark(this.name, { color }) };
  },
  addKeyboardShortcuts() {
    return { "Mod-Shift-h": () => this.editor.commands.toggleHighlight("yellow") };
  },
});

const Coloured = Mark.create({
  name: "color",
  addAttributes: () => color,
  parseHTML: () => [{ tag: "span[data-color]" }, coloured("color")],
  renderHTML: ({ HTMLAttributes }) => ["span", HTMLAttributes, 0],
  addCommands() {
    return { toggleColour: (color) => ({ commands }) => commands.toggleMark(this.name, { color }) };
  },
});

const Sub = Mark.create({
  name: "subscript",
  excludes: "superscript",
  parseHTML: () => [{ tag: "sub" }, { style: "vertical-align=sub" }],
  renderHTML: () => ["sub", 0],
  addCommands() {
    return { toggleSub: () => ({ commands }) => commands.toggleMark(this.name) };
  },
  addKeyboardShortcuts() {
    return { "Mod-,": () => this.editor.commands.toggleSub() };
  },
});

const Sup = Mark.create({
  name: "superscript",
  excludes: "subscript",
  parseHTML: () => [{ tag: "sup" }, { style: "vertical-align=super" }],
  renderHTML: () => ["sup", 0],
  addCommands() {
    return { toggleSup: () => ({ commands }) => commands.toggleMark(this.name) };
  },
  addKeyboardShortcuts() {
    return { "Mod-.": () => this.editor.commands.toggleSup() };
  },
});

const SET = ["paragraph", "heading"];

const Aligned = Extension.create({
  name: "aligned",
  addGlobalAttributes: () => [
    {
      types: SET,
      attributes: {
        align: {
          default: null,
          parseHTML: (element) => {
            const said = (/text-align:\s*(\w+)/i.exec(element.getAttribute("style") ?? "")?.[1] ?? element.getAttribute("align") ?? "").toLowerCase();
            return (ALIGNMENTS as readonly string[]).includes(said) && said !== "left" ? said : null;
          },
          renderHTML: ({ align }: Readonly<Record<string, unknown>>) => (typeof align === "string" ? { style: `text-align: ${align}` } : {}),
        },
      },
    },
  ],
  addCommands() {
    return {
      setAlignment: (align) => ({ tr, state, dispatch }) => {
        const { from, to } = state.selection;
        state.doc.nodesBetween(from, to, (node, position) => {
          if (SET.includes(node.type.name) && dispatch) tr.setNodeAttribute(position, "align", align === "left" ? null : align);
          return !node.isTextblock;
        });
        return true;
      },
    };
  },
  addKeyboardShortcuts() {
    const to = (align: Alignment) => () => this.editor.commands.setAlignment(align);
    return { "Mod-Shift-l": to("left"), "Mod-Shift-e": to("center"), "Mod-Shift-r": to("right"), "Mod-Shift-j": to("justify") };
  },
});

export const marks = [Highlighted, Coloured, Sub, Sup, Aligned];
