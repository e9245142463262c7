// `make check`: every link of a page (*.md) leads to a file of this repository, and to a heading if it names one; so does
// what code says about a page, as docs/protocols.md#close-codes. Addresses on the web are not visited.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import MarkdownIt from "markdown-it";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** What is installed, built or left behind by a run. */
const NOT_OURS = new Set([".git", ".source", ".venv", "data", "dist", "failures", "node_modules", "results", "target"]);
const CODE = /(\.(css|html|js|json|mjs|py|rs|toml|tsx?)|\/(Makefile|run))$/;
const MENTION = /(?<!\]\(|[\w./-])docs\/[\w-]+\.md(?:#[\w-]+)?/g;

const markdown = new MarkdownIt();

function* filesIn(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isFile()) yield path;
    else if (entry.isDirectory() && !NOT_OURS.has(entry.name)) yield* filesIn(path);
  }
}

/** What a page links to, with the line of the block that it stands in. */
function linksOf(page) {
  let line = 0;
  return markdown.parse(page, {}).flatMap(({ children, map }) => {
    line = map ? map[0] + 1 : line;
    const addresses = (children ?? []).map((part) => part.attrGet("href") ?? part.attrGet("src"));
    return addresses.filter((link) => link !== null && !/^[a-z]+:/i.test(link)).map((link) => ({ link, line }));
  });
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page) {
  const anchors = new Set();
  const tokens = markdown.parse(page, {});
  for (const [index, { type }] of tokens.entries()) {
    if (type !== "heading_open") continue;
    const words = tokens[index + 1].children.map(({ content }) => content).join("");
    const anchor = words.toLowerCase().replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "").replaceAll(" ", "-");
    let free = anchor;
    for (let count = 1; anchors.has(free); count++) free = `${anchor}-${count}`;
    anchors.add(free);
  }
  return anchors;
}

/** What is wrong with a link in a file of this folder, or null. */
function wrongWith(link, folder, file) {
  const [path, anchor] = decodeURI(link).split("#");
  const target = path === "" ? file : resolve(folder, path);
  if (relative(ROOT, target).startsWith("..")) return "leads out of the repository";
  if (!existsSync(target)) return "there is no such file";
  if (anchor === undefined) return null;
  if (!target.endsWith(".md")) return "only pages have headings";
  return anchorsOf(readFileSync(target, "utf8")).has(anchor) ? null : "there is no such heading";
}

const findings = [];
let count = 0;
for (const file of filesIn(ROOT)) {
  const isPage = file.endsWith(".md");
  if (!isPage && !CODE.test(file)) continue;
  const content = readFileSync(file, "utf8");
  const check = (link, folder, line) => {
    count++;
    const wrong = wrongWith(link, folder, file);
    if (wrong) findings.push(`${relative(ROOT, file)}:${line}: ${link}: ${wrong}`);
  };
  if (isPage) for (const { link, line } of linksOf(content)) check(link, dirname(file), line);
  for (const { 0: mention, index } of content.matchAll(MENTION)) check(mention, ROOT, content.slice(0, index).split("\n").length);
}
if (count === 0) findings.push("no link was found at all");
for (const finding of findings) console.error(finding);
process.exitCode = findings.length === 0 ? 0 : 1;
