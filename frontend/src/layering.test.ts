// Who may know whom. The rooms of the page are the folders beside this file; the table says which rooms, or which files of
// them, each may import, and no file may come back to itself by what it imports. A view is known by documents/view.ts alone:
// what of a kind's files stands in the rows of other rooms reads its data without it.
//
// Every import counts, for both: one of types alone too, because whoever reads a file has to read what its types are made
// of; and one that is fetched later too. A part that is fetched later and imports the one that fetches it cannot be read
// without it, and is fetched no sooner for that: what both need is a file of its own. Tests may import what they like.
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { createSourceFile, forEachChild, isCallExpression, isExportDeclaration, isImportDeclaration, isImportTypeNode, isLiteralTypeNode, isStringLiteralLike, ScriptTarget, SyntaxKind, type Node } from "typescript";
import { expect, test } from "vitest";

/** What each room may import besides its own files: all of a room, or one file of it. All of that stands in rows below. */
const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  "main.tsx": ["app.tsx", "device/kept.ts", "i18n", "presence/name.ts", "ui"],
  "app.tsx": ["views.ts", "home/home.tsx", "frame", "settings/page.tsx", "shell/shell.tsx", "device", "documents", "ui"],
  // The only one that names the views.
  "views.ts": ["board/view.tsx", "plain/view.tsx", "text/view.tsx", "documents", "ui/fetched.tsx"],
  worker: ["chat/waiting.ts", "device", "documents", "sync", "ui/background-sync.ts"],
  shell: ["home/use-create.ts", "device/kept.ts", "documents", "ui"],
  settings: ["device", "chat/waiting.ts", "documents", "presence/fields.tsx", "sync/copy.ts", "ui"],
  // The first page, and how documents are made from it.
  home: ["device", "board/scene-file.ts", "text/binding/words.ts", "text/convert.ts", "documents", "presence", "ui"],
  // The page around whatever kind a document is of.
  frame: ["device", "board/scene-file.ts", "text/binding/model.ts", "text/binding/words.ts", "text/convert.ts", "text/export.ts", "text/plain-text.ts", "chat", "documents", "presence", "rest", "sync", "ui"],
  // What of documents lies on this device, and how it gets to the server.
  device: ["chat", "documents", "sync", "ui"],
  board: ["documents", "presence/people.ts", "sync", "ui"],
  plain: ["text/word-count.tsx", "documents", "presence", "ui"],
  text: ["chat/quote.ts", "documents", "presence", "sync", "ui"],
  chat: ["documents/unsent.ts", "documents/waiting-store.ts", "presence", "i18n/languages.ts", "rest", "sync", "ui"],
  // What all of these know of a document.
  documents: ["i18n/languages.ts", "rest", "sync", "ui"],
  // What the server says over REST, as it describes it.
  rest: [],
  presence: ["i18n/languages.ts", "ui"],
  ui: ["i18n/languages.ts", "sync/room.ts"],
  i18n: [],
  sync: [],
};

/** The files, by their paths from here, each with those it imports. */
type Imports = ReadonlyMap<string, readonly string[]>;

test("nobody knows more than the table allows", () => {
  const imports = importsOf(sources());
  expect(imports.size).toBeGreaterThan(200);
  expect(offences(imports, MAY_USE)).toEqual([]);
  expect(upwards(MAY_USE)).toEqual([]);
});

test("no file is in a circle", () => {
  expect(circles(importsOf(sources()))).toEqual([]);
});

test("every way to import is seen", () => {
  const source = `
    import { one } from "./one";
    import type { Two } from "./two";
    import { type Three } from "../c/three";
    import "./four.css";
    export * from "./four";
    const five = () => part(() => import("./five"));
    type Six = typeof import("./six");
    import react from "react";
    // import "./seven";
    const words = 'import "./eight"';
  `;
  const others = ["a/one.ts", "a/two.tsx", "c/three/index.ts", "a/four.css", "a/four.ts", "a/five.ts", "a/six.ts", "a/seven.ts", "a/eight.ts"];
  const imports = importsOf(new Map([["a/a.tsx", source], ...others.map((file) => [file, ""] as const)]));
  expect(imports.get("a/a.tsx")).toEqual(["a/one.ts", "a/two.tsx", "c/three/index.ts", "a/four.css", "a/four.ts", "a/five.ts", "a/six.ts"]);
  expect(() => importsOf(new Map([["a.ts", 'import "./gone";']]))).toThrow("a.ts imports ./gone, which is not there, or is for tests");
  expect(() => importsOf(new Map([["a.ts", 'import "./b.test";'], ["b.test.ts", ""]]))).toThrow("for tests");
  expect(() => importsOf(new Map([["a.ts", "void import(name);"]]))).toThrow("a.ts imports what only shows when it runs");
});

test("circles are found, each by its shortest way", () => {
  const of = (files: Record<string, string>) => circles(importsOf(new Map(Object.entries(files))));
  expect(of({ "one.ts": 'import "./two";', "two.ts": "" })).toEqual([]);
  expect(of({ "one.ts": 'import type { Two } from "./two";', "two.ts": 'void import("./one");' })).toEqual(["one.ts → two.ts → one.ts"]);
  const far = { "a.ts": 'import "./b"; import "./c";', "b.ts": 'import "./c";', "c.ts": 'import "./d";', "d.ts": 'import "./a";' };
  expect(of(far)).toEqual(["a.ts → c.ts → d.ts → a.ts", "b.ts → c.ts → d.ts → a.ts → b.ts"]);
  expect(of({ ...far, "d.ts": "" })).toEqual([]);
});

test("a table is found out that lets rooms know each other in a circle", () => {
  expect(upwards({ a: ["b", "c/c.ts"], b: ["c"], c: [] })).toEqual([]);
  expect(upwards({ a: ["b"], b: ["c"], c: ["a/a.ts"] })).toEqual(["c may import a/a.ts, which does not stand below it"]);
});

test("forbidden imports are found, and rules that nobody needs", () => {
  const of = (files: Record<string, string>, table: Record<string, readonly string[]>) => offences(importsOf(new Map(Object.entries(files))), table);
  const files = { "a/a.ts": 'import "./b"; import "../b/b";', "a/a.test.ts": 'import "../c/c";', "a/b.ts": "", "b/b.ts": "", "c/c.ts": "" };
  expect(of(files, { a: ["b"], b: [], c: [] })).toEqual([]);
  expect(of(files, { a: ["b/b.ts"], b: [], c: [] })).toEqual([]);
  expect(of(files, { a: [], b: [], c: [] })).toEqual(["a/a.ts imports b/b.ts"]);
  expect(of(files, { a: ["b/c.ts"], b: [], c: [] })).toEqual(["a/a.ts imports b/b.ts", "a need not be let import b/c.ts"]);
  expect(of(files, { a: ["b", "c"], b: [] })).toEqual(["c is not in the table", "a need not be let import c"]);
  expect(of(files, { a: ["b"], b: [], c: [], d: [] })).toEqual(["d is in the table, and not there"]);
});

function offences(imports: Imports, table: Readonly<Record<string, readonly string[]>>): readonly string[] {
  const found = new Set<string>();
  const used = new Set<string>();
  for (const [file, theirs] of imports) {
    const owner = roomOf(file);
    const allowed = table[owner];
    if (allowed === undefined) found.add(`${owner} is not in the table`);
    if (allowed === undefined) continue;
    for (const other of theirs.filter((other) => roomOf(other) !== owner)) {
      const rule = allowed.find((rule) => rule === other || rule === roomOf(other));
      if (rule === undefined) found.add(`${file} imports ${other}`);
      else used.add(`${owner} ${rule}`);
    }
  }
  const rooms = new Set([...imports.keys()].map(roomOf));
  for (const [room, allowed] of Object.entries(table)) {
    if (!rooms.has(room)) found.add(`${room} is in the table, and not there`);
    // A rule for what is not imported is a rule nobody would miss.
    for (const rule of allowed) if (!used.has(`${room} ${rule}`)) found.add(`${room} need not be let import ${rule}`);
  }
  return [...found];
}

/** What a table allows against its order. */
function upwards(table: Readonly<Record<string, readonly string[]>>): readonly string[] {
  const rooms = Object.keys(table);
  return Object.entries(table).flatMap(([room, allowed]) => {
    const below = rooms.slice(rooms.indexOf(room) + 1);
    return allowed.filter((rule) => !below.includes(roomOf(rule))).map((rule) => `${room} may import ${rule}, which does not stand below it`);
  });
}

/** The shortest way back to each file that has one, but for files on a way that was named before. */
function circles(imports: Imports): readonly string[] {
  const named = new Set<string>();
  return [...imports.keys()].sort().flatMap((file) => {
    const way = named.has(file) ? null : wayBack(file, imports);
    for (const step of way ?? []) named.add(step);
    return way === null ? [] : [way.join(" → ")];
  });
}

function wayBack(start: string, imports: Imports): readonly string[] | null {
  const seen = new Set<string>();
  const ways: (readonly string[])[] = [[start]];
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    for (const next of imports.get(way.at(-1) ?? "") ?? []) {
      if (next === start) return [...way, next];
      if (!seen.has(next)) ways.push([...way, next]);
      seen.add(next);
    }
  }
  return null;
}

/** The folder it is in; a file beside the folders is a room by itself. */
function roomOf(file: string): string {
  return file.split("/")[0] ?? file;
}

/** Everything in this folder, with the text of what can import. */
function sources(): ReadonlyMap<string, string> {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const files = readdirSync(here, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name).slice(here.length).replaceAll("\\", "/"));
  return new Map(paths.map((path) => [path, /\.tsx?$/.test(path) ? readFileSync(join(here, path), "utf8") : ""]));
}

/** What each of the files imports of the others. Tests and what is made for them are none of them: nobody may import one. */
function importsOf(all: ReadonlyMap<string, string>): Imports {
  const files = new Map([...all].filter(([file]) => !/\.test\.tsx?$|(^|\/)testing\//.test(file)));
  const resolved = (file: string, name: string): string => {
    const path = posix.join(posix.dirname(file), name);
    const found = ["", ".ts", ".tsx", "/index.ts"].map((end) => path + end).find((path) => files.has(path));
    if (found === undefined) throw new Error(`${file} imports ${name}, which is not there, or is for tests`);
    return found;
  };
  const theirs = (file: string, text: string): readonly string[] => {
    const names = namesIn(file, text).filter((name) => name.startsWith("."));
    return [...new Set(names.map((name) => resolved(file, name)))];
  };
  return new Map([...files].map(([file, text]) => [file, theirs(file, text)]));
}

/** What a file names in its imports, in their order. */
function namesIn(file: string, text: string): readonly string[] {
  const names: string[] = [];
  const look = (node: Node): void => {
    if ((isImportDeclaration(node) || isExportDeclaration(node)) && node.moduleSpecifier && isStringLiteralLike(node.moduleSpecifier)) names.push(node.moduleSpecifier.text);
    if (isImportTypeNode(node) && isLiteralTypeNode(node.argument) && isStringLiteralLike(node.argument.literal)) names.push(node.argument.literal.text);
    if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
      const [name] = node.arguments;
      if (name === undefined || !isStringLiteralLike(name)) throw new Error(`${file} imports what only shows when it runs`);
      names.push(name.text);
    }
    forEachChild(node, look);
  };
  look(createSourceFile(file, text, ScriptTarget.Latest));
  return names;
}
