// Languages that are coloured, each fetched when a title or a fenced block names it. Markdown is the page's own.
import { LanguageDescription } from "@codemirror/language";

export const LANGUAGES: readonly LanguageDescription[] = [
  LanguageDescription.of({
    name: "JavaScript",
    alias: ["js", "ecmascript", "node"],
    extensions: ["js", "mjs", "cjs", "jsx"],
    load: () => import("@codemirror/lang-javascript").then(({ javascript }) => javascript({ jsx: true })),
  }),
  LanguageDescription.of({
    name: "TypeScript",
    alias: ["ts", "tsx"],
    extensions: ["ts", "mts", "cts", "tsx"],
    load: () => import("@codemirror/lang-javascript").then(({ javascript }) => javascript({ jsx: true, typescript: true })),
  }),
  LanguageDescription.of({ name: "Python", alias: ["py"], extensions: ["py"], load: () => import("@codemirror/lang-python").then(({ python }) => python()) }),
  LanguageDescription.of({ name: "Rust", alias: ["rs"], extensions: ["rs"], load: () => import("@codemirror/lang-rust").then(({ rust }) => rust()) }),
  LanguageDescription.of({ name: "Go", alias: ["golang"], extensions: ["go"], load: () => import("@codemirror/lang-go").then(({ go }) => go()) }),
  LanguageDescription.of({ name: "Java", extensions: ["java"], load: () => import("@codemirror/lang-java").then(({ java }) => java()) }),
  LanguageDescription.of({
    name: "C++",
    alias: ["c", "cpp"],
    extensions: ["c", "h", "cc", "cpp", "hpp", "cxx"],
    load: () => import("@codemirror/lang-cpp").then(({ cpp }) => cpp()),
  }),
  LanguageDescription.of({ name: "JSON", alias: ["json5"], extensions: ["json", "map"], load: () => import("@codemirror/lang-json").then(({ json }) => json()) }),
  LanguageDescription.of({ name: "YAML", alias: ["yml"], extensions: ["yaml", "yml"], load: () => import("@codemirror/lang-yaml").then(({ yaml }) => yaml()) }),
  LanguageDescription.of({ name: "HTML", alias: ["xhtml"], extensions: ["html", "htm"], load: () => import("@codemirror/lang-html").then(({ html }) => html()) }),
  LanguageDescription.of({ name: "CSS", extensions: ["css"], load: () => import("@codemirror/lang-css").then(({ css }) => css()) }),
  LanguageDescription.of({ name: "XML", alias: ["svg"], extensions: ["xml", "svg", "xsl"], load: () => import("@codemirror/lang-xml").then(({ xml }) => xml()) }),
  LanguageDescription.of({ name: "SQL", extensions: ["sql"], load: () => import("@codemirror/lang-sql").then(({ sql }) => sql()) }),
];

/** The language a title names by its ending ("notes.py"), or `null` for Markdown, which plain words are too. */
export function languageOf(title: string): LanguageDescription | null {
  return LanguageDescription.matchFilename(LANGUAGES, title.trim());
}
