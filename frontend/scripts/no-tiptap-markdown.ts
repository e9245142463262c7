// Tiptap's blocks carry readers and writers of Markdown for a package of Tiptap's that is not used here (src/text/markdown.ts
// is): they would be fetched with every first visit to a text.
import type { Plugin } from "vite";

const PACKAGE = /\/@tiptap\/extension-[a-z-]+\/dist\//;
const FIELDS = new Set(["markdownTokenName", "parseMarkdown", "renderMarkdown", "markdownTokenizer", "markdownOptions"]);

interface Syntax {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly key?: { readonly name?: string };
}

export function noTiptapMarkdown(): Plugin {
  let found = false;
  return {
    name: "weft:no-tiptap-markdown",
    apply: "build",
    transform(code, id) {
      if (!PACKAGE.test(id) || !code.includes("arkdown")) return null;
      let left = code;
      // From the end, so that what is before stays where it was read.
      for (const { start, end } of fieldsIn(this.parse(code) as unknown as Syntax).sort((a, b) => b.start - a.start)) {
        left = left.slice(0, start) + left.slice(/^\s*,/.test(left.slice(end)) ? left.indexOf(",", end) + 1 : end);
        found = true;
      }
      return { code: left, map: null };
    },
    buildEnd(error) {
      if (error === undefined && !found) this.error("Tiptap's blocks have no Markdown any more: scripts/no-tiptap-markdown.ts has nothing to do");
    },
  };
}

/** Outermost only: what is within one goes with it. */
function fieldsIn(syntax: unknown): Syntax[] {
  if (Array.isArray(syntax)) return syntax.flatMap(fieldsIn);
  if (typeof syntax !== "object" || syntax === null) return [];
  const { type, key } = syntax as Partial<Syntax>;
  if (type === "Property" && key?.name !== undefined && FIELDS.has(key.name)) return [syntax as Syntax];
  return Object.values(syntax).flatMap(fieldsIn);
}
