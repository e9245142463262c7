// Texts: the server reads every sequence as the page does, however odd; what programs without Yjs make of one; texts of
// earlier versions, which become today's; and the JavaScript example of docs/text.md.
//
//   WEFT_SEEDS=20000 node --test text.test.mjs                as many, from seed 0 on; WEFT_SEED=n for one
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import WebSocket from "ws";
import * as Y from "yjs";
import { startServer } from "./server.mjs";
import { join as joinAs, leaveAll, until } from "./support.mjs";

const SEEDS = Number(process.env.WEFT_SEEDS ?? 200);
const FIRST = process.env.WEFT_SEED === undefined ? 0 : Number(process.env.WEFT_SEED);
const COUNT = process.env.WEFT_SEED === undefined ? SEEDS : 1;

let server;
before(async () => (server = await startServer()));
after(async () => {
  leaveAll();
  await server.dispose();
});

const api = (name, rest = "") => `${server.url}/api/v1/documents/${name}${rest}`;

async function ask(name, rest) {
  const answer = await fetch(api(name, rest));
  assert.equal(answer.status, 200, `${name}${rest}`);
  return rest === "/json" || rest === "" ? answer.json() : answer.text();
}

async function put(name, doc) {
  const answer = await fetch(api(name, "/updates"), { method: "POST", body: Y.encodeStateAsUpdate(doc) });
  assert.equal(answer.status, 200, await answer.text());
}

// ---- reading -------------------------------------------------------------------------------------------------------

/** The page's reader, bundled for node. */
async function pageReader() {
  const out = await mkdtemp(join(tmpdir(), "weft-reader-"));
  const here = (path) => fileURLToPath(new URL(path, import.meta.url));
  const bundler = here("../../frontend/node_modules/rolldown/bin/cli.mjs");
  await promisify(execFile)(process.execPath, [bundler, here("text-reader.ts"), "-d", out, "--format", "esm", "--platform", "node"]);
  const { read } = await import(pathToFileURL(join(out, "text-reader.js")));
  await rm(out, { recursive: true });
  return read;
}

function mulberry(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A text that two people wrote with programs of their own, some of which know little of the model. */
function oddText(seed) {
  const random = mulberry(seed);
  const below = (count) => Math.floor(random() * count);
  const pick = (list) => list[below(list.length)];
  const chance = (share) => random() < share;
  const some = (list, share = 0.5) => list.filter(() => chance(share));
  const odd = () => pick([null, true, false, 0, 1, -1, 2, 2.5, 1e12, "", "2", "left", [], ["quote"], {}, { a: 1 }]);

  const WORDS = ["a", "b c", "漢字", "😀", "x\ny", "\n", "word ", "𝒳"];
  const marks = () =>
    Object.fromEntries(
      some(["bold", "italic", "underline", "strike", "code", "link", "highlight", "color", "sub", "sup", "comment"], 0.15).map((name) => [
        name,
        pick([true, true, "red", "/a", { href: "/a" }, { href: "/b", title: "t" }, { color: "blue" }, { title: "t" }, 5, "", false, { href: null, color: null }]),
      ]),
    );
  const parents = () => Array.from({ length: below(4) }, () => pick(["item", "item", "quote", "quote", "shelf", 7, null]));
  const IDS = ["r1", "r2", "r3", "ä", "😀", "\uffff"];
  const tracks = () =>
    Object.fromEntries(
      some(IDS, 0.5).map((id) => [
        id,
        {
          ...(chance(0.9) ? { order: pick(["a", "b", "c", "😀", "\uffff", 3]) } : {}),
          ...(chance(0.25) ? { deleted: pick([true, true, false, 1]) } : {}),
          ...(chance(0.25) ? { header: pick([true, true, "yes"]) } : {}),
          ...(chance(0.25) ? { align: pick(["left", "right", "middle", "", 4]) } : {}),
          ...(chance(0.25) ? { width: pick([120, 80.5, -1, "3"]) } : {}),
        },
      ]),
    );
  const spans = () => Object.fromEntries(Array.from({ length: below(3) }, () => [`${pick(IDS)}/${pick(IDS)}`, { row: pick(IDS), column: pick([...IDS, 4]) }]));
  const table = () => ({ type: "table", id: pick(["t", "t", "u", "", 5]), rows: tracks(), columns: tracks(), spans: spans(), ...(chance(0.2) ? { deleted: true } : {}), ...(chance(0.2) ? { parents: parents() } : {}) });
  const fields = () => {
    if (chance(0.12)) return table();
    const type = pick(["paragraph", "paragraph", "heading", "bullet", "bullet", "ordered", "ordered", "task", "quote", "code", "rule", "poem", "image", "mention", "break", undefined]);
    return {
      ...(type === undefined ? {} : { type }),
      ...(chance(0.5) ? { parents: chance(0.9) ? parents() : odd() } : {}),
      ...Object.fromEntries(some(["level", "checked", "start", "numbering", "language", "align", "src", "alt", "title", "width", "id", "label", "extra"], 0.15).map((field) => [field, chance(0.5) ? odd() : pick([1, 3, true, "right", "rust", "/p", "Ann"])])),
    };
  };
  const map = (value) => {
    const nested = (inner) => typeof inner === "object" && inner !== null && !Array.isArray(inner) && chance(0.7);
    return new Y.Map(Object.entries(value).map(([field, inner]) => [field, nested(inner) ? new Y.Map(Object.entries(inner)) : inner]));
  };
  const insert = (text, at) => {
    const kind = random();
    if (kind < 0.5) text.insert(at, pick(WORDS), marks());
    else if (kind < 0.93) text.insertEmbed(at, chance(0.85) ? map(fields()) : fields(), chance(0.3) ? marks() : {});
    else text.insertEmbed(at, pick([{ widget: 1 }, new Y.Text("inner"), new Y.Array(), { type: 4 }]));
  };

  const docs = [1, 2].map((clientID) => Object.assign(new Y.Doc(), { clientID: clientID + 10 * seed }));
  const names = [...Array(8).fill("body"), ...some(["t", "t", "u"].flatMap((id) => IDS.flatMap((row) => IDS.map((column) => `cell/${id}/${row}/${column}`))), 0.05), "cell/t/r1", "cell/t/r1/r2/r3", "cellar/t/r1/r1"];
  docs[0].getMap("meta").set("kind", "text");
  for (let step = 0; step < 20 + below(60); step++) {
    const doc = pick(docs);
    const text = doc.getText(pick(names));
    // Never through the middle of a character: Yjs would put two others in its place.
    const places = [];
    let at = 0;
    for (const { insert: content } of text.toDelta()) {
      for (const unit of typeof content === "string" ? content : [content]) {
        places.push(at);
        at += typeof unit === "string" ? unit.length : 1;
      }
    }
    places.push(at);
    const what = random();
    if (what < 0.75 || at === 0) insert(text, pick(places));
    else {
      const from = below(places.length - 1);
      const to = Math.min(from + 1 + below(4), places.length - 1);
      if (what < 0.88) text.delete(places[from], places[to] - places[from]);
      else text.format(places[from], places[to] - places[from], { ...marks(), ...(chance(0.3) ? { bold: null } : {}) });
    }
    if (chance(0.2)) {
      const [one, other] = docs;
      Y.applyUpdate(one, Y.encodeStateAsUpdate(other));
      Y.applyUpdate(other, Y.encodeStateAsUpdate(one));
    }
  }
  Y.applyUpdate(docs[0], Y.encodeStateAsUpdate(docs[1]));
  return docs[0];
}

test(`the server and the page read ${COUNT} odd texts the same`, async () => {
  console.log(`seeds ${FIRST} to ${FIRST + COUNT - 1}`);
  const read = await pageReader();
  let blocks = 0;
  for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
    const doc = oddText(seed);
    await put(`odd-${seed}`, doc);
    const { body = [{ type: "paragraph" }] } = await ask(`odd-${seed}`, "/json");
    const seen = JSON.parse(JSON.stringify(read(Y.encodeStateAsUpdate(doc))));
    assert.deepEqual(body, seen, `seed ${seed}`);
    blocks += seen.length;
    for (const form of ["/text", "/markdown", "/html"]) await ask(`odd-${seed}`, form);
  }
  assert.ok(COUNT < 200 || blocks > 2 * COUNT, `${blocks} blocks in all`);
});

// ---- the examples ----------------------------------------------------------------------------------------------------

test("the JavaScript example of docs/text.md does what it says", async () => {
  const page = await readFile(new URL("../../docs/text.md", import.meta.url), "utf8");
  const [, code] = /```js\n(.*?)```/s.exec(page);
  const { read, write, raise } = await import(`data:text/javascript,${encodeURIComponent(code.replace("'yjs'", `'${import.meta.resolve("yjs")}'`))}`);
  const doc = new Y.Doc();
  doc.getMap("meta").set("title", "Example");
  doc.getText("body").insert(0, "First");
  write(doc);
  raise(doc);
  await put("example", doc);
  const words = (text, marks) => [{ text, ...(marks ? { marks } : {}) }];
  const paragraph = (text, marks) => ({ type: "paragraph", content: words(text, marks) });
  const { body } = await ask("example", "/json");
  assert.deepEqual(body, [
    paragraph("First"),
    { type: "heading", level: 1, content: words("To do") },
    {
      type: "list",
      kind: "task",
      items: [
        { checked: true, content: [paragraph("read this page", { strike: true })] },
        { content: [paragraph("try it"), paragraph("with two people", { bold: true })] },
      ],
    },
    paragraph("That is all."),
  ]);
  assert.deepEqual(read(doc).map(({ type, text }) => `${type}: ${text}`), [
    "paragraph: First",
    "heading: To do",
    "task: read this page",
    "task: try it",
    "paragraph: with two people",
    "paragraph: That is all.",
  ]);
  assert.equal(await ask("example", "/text"), "First\nTo do\nread this page\ntry it\nwith two people\nThat is all.");
  assert.equal(await ask("example", "/markdown"), "First\n\n# To do\n\n- [x] ~~read this page~~\n- [ ] try it\n\n  **with two people**\n\nThat is all.\n");
});

// ---- those without Yjs -------------------------------------------------------------------------------------------------

test("a text is edited by its characters, and its objects are among them", async () => {
  const ann = joinAs("3.1", server, "letters");
  await ann.synced();
  const body = ann.doc.getText("body");
  ann.doc.transact(() => {
    body.insert(0, "one");
    body.insertEmbed(3, new Y.Map([["type", "heading"]]));
    body.insert(4, "two");
    body.insertEmbed(7, new Y.Map([["type", "image"], ["src", "/p"]]));
    body.insertEmbed(8, new Y.Map([["type", "table"], ["id", "t"]]));
    body.insert(9, "three");
  });
  const socket = new WebSocket(`${server.url.replace(/^http/, "ws")}/collab/letters/scribe?field=body`);
  const heard = [];
  socket.on("message", (text) => heard.push(JSON.parse(text)));
  const hears = (type) => until(() => `${type} among ${JSON.stringify(heard)}`, () => heard.find((message) => message.type === type));
  const { payload } = await hears("init");
  assert.equal(payload.readOnly, false);
  assert.equal(payload.content, "one\ntwo\ufffcthree");
  const say = (revision, operation) => socket.send(JSON.stringify({ type: "operation", payload: { revision, operation } }));
  // A letter more, the two blocks joined, and what stands around the picture and the table taken away.
  say(payload.revision, [3, "!", -1, 2, -1, 1, -5]);
  await hears("ack");
  await until("ann has it", () => body.toString() === "one!tw");
  assert.deepEqual(body.toDelta().map(({ insert }) => (typeof insert === "string" ? insert : insert.get("type"))), ["one!tw", "image", "table"]);
  // And the other way.
  ann.doc.transact(() => body.insertEmbed(2, new Y.Map([["type", "bullet"]])));
  const { payload: told } = await hears("operation");
  assert.deepEqual(told.operation, [2, "\n", 5]);
  socket.close();
  ann.leave();
});

test("a text without a title is called by its first line", async () => {
  const doc = new Y.Doc();
  doc.getMap("meta").set("kind", "text");
  doc.getText("body").insertEmbed(0, new Y.Map([["type", "rule"]]));
  doc.getText("body").insertEmbed(1, new Y.Map([["type", "paragraph"]]));
  doc.getText("body").insert(2, `   \n  What  we \n did`);
  await put("untitled", doc);
  assert.equal((await ask("untitled", "")).title, "What we");
  const listed = async () => {
    const { documents } = await (await fetch(`${server.url}/api/v1/documents?limit=200`)).json();
    return documents.find(({ name }) => name === "untitled").title;
  };
  assert.equal(await listed(), "What we");
  doc.getText("body").insert(14, "all ");
  await put("untitled", doc);
  assert.equal(await listed(), "What all we");
  doc.getMap("meta").set("title", "Given");
  await put("untitled", doc);
  assert.equal(await listed(), "Given");
});

// ---- texts of earlier versions -------------------------------------------------------------------------------------------

/** A paragraph as earlier versions wrote it. */
function oldBlock(name, words) {
  const element = new Y.XmlElement(name);
  element.insert(0, [new Y.XmlText(words)]);
  return element;
}

function oldText() {
  const doc = new Y.Doc();
  doc.getMap("meta").set("titleTaken", "Minutes");
  doc.getXmlFragment("default").insert(0, [oldBlock("heading", "Minutes"), oldBlock("paragraph", "all of us 😀")]);
  return doc;
}

test("a text of an earlier version is today's for whoever opens it, once, and keeps its day", async () => {
  await put("old", oldText());
  const { modified } = await ask("old", "");
  const readers = ["3.1", "H 4.8", "2.1"].map((version) => joinAs(version, server, "old"));
  for (const reader of readers) await reader.synced();
  for (const reader of readers) await until("the text is there", () => reader.doc.getText("body").toString() === "Minutesall of us 😀");
  assert.equal(await ask("old", "/text"), "Minutes\nall of us 😀");
  // Killed and started again, with readers who come back with what they have.
  await server.kill();
  await server.start();
  await until("everybody is back", async () => (await ask("old", "")).editors === readers.length);
  for (const reader of readers) await reader.synced();
  assert.equal(await ask("old", "/text"), "Minutes\nall of us 😀");
  assert.equal(readers[0].doc.getText("body").toString(), "Minutesall of us 😀");
  assert.equal((await ask("old", "")).modified, modified);
  for (const reader of readers) reader.leave();
});

test("what a page of an earlier version wrote offline is in the text when it comes back", async () => {
  const old = oldText();
  await put("late", old);
  const today = joinAs("H 4.8", server, "late");
  await today.synced();
  await until("the text is there", () => today.doc.getText("body").length > 0);
  today.doc.getText("body").insert(1, "Our ");
  old.getXmlFragment("default").get(1).get(0).insert(3, " three");
  old.getXmlFragment("default").insert(2, [oldBlock("paragraph", "and more")]);
  const page = joinAs("3.1", server, "late", { doc: old });
  await page.synced();
  await until("both are there", async () => (await ask("late", "/text")) === "Our Minutes\nall three of us 😀\nand more");
  await until("and today's page shows it", () => today.doc.getText("body").toString() === "Our Minutesall three of us 😀and more");
  page.leave();
  today.leave();
});

test("what two servers took over, one of them from an older copy, is there once when they meet", async () => {
  const restored = await startServer();
  try {
    const old = oldText();
    await put("twice", old);
    // On the one server, of which this is a backup, people go on: on a page of the earlier version, and on today's.
    const elsewhere = `${restored.url}/api/v1/documents/twice`;
    old.getXmlFragment("default").get(1).get(0).insert(3, " three");
    await fetch(`${elsewhere}/updates`, { method: "POST", body: Y.encodeStateAsUpdate(old) });
    const ann = joinAs("H 4.8", restored, "twice");
    await ann.synced();
    const body = ann.doc.getText("body");
    await until("the text is there", () => body.toString() === "Minutesall three of us 😀");
    ann.doc.transact(() => {
      body.insert(1, "Our ");
      body.insertEmbed(body.length, new Y.Map([["type", "bullet"]]));
      body.insert(body.length, "and more");
    });
    const said = "Our Minutes\nall three of us 😀\nand more";
    await until("it is there", async () => (await (await fetch(`${elsewhere}/text`)).text()) === said);
    const later = ann.doc;
    ann.leave();
    // On the other, the backup is opened; then they come with what they have.
    const bo = joinAs("3.1", server, "twice");
    await bo.synced();
    await until("the backup is there", () => bo.doc.getText("body").toString() === "Minutesall of us 😀");
    const back = joinAs("H 4.8", server, "twice", { doc: later });
    await back.synced();
    await until("it is one text", async () => (await ask("twice", "/text")) === said);
    for (const one of [back, bo]) await until("for everybody", () => one.doc.getText("body").toString() === "Our Minutesall three of us 😀and more");
    assert.equal(bo.doc.getMap("converted").size, 1);
    back.leave();
    bo.leave();
  } finally {
    await restored.dispose();
  }
});

test("a tree of another program stays what it is, and is read", async () => {
  const doc = new Y.Doc();
  doc.getXmlFragment("default").insert(0, [oldBlock("heading", "Theirs"), oldBlock("codeBlock", "x\ny")]);
  await put("theirs", doc);
  const reader = joinAs("3.1", server, "theirs");
  await reader.synced();
  assert.equal(reader.doc.getText("body").length, 0);
  assert.equal(await ask("theirs", "/text"), "Theirs\nx\ny");
  assert.equal(await ask("theirs", "/markdown"), "# Theirs\n\n```\nx\ny\n```\n");
  assert.match(await ask("theirs", "/html"), /<h1>Theirs<\/h1>\n<pre><code>x\ny<\/code><\/pre>/);
  assert.match((await ask("theirs", "/json")).default, /^<heading>Theirs/);
  reader.leave();
});

// ---- tables that are gone ------------------------------------------------------------------------------------------------

test("words of a table that is gone for good are cleared when nobody has the document open", async () => {
  const tidy = await startServer({ args: ["--document-idle-seconds", "0"] });
  try {
    const ann = joinAs("H 4.8", tidy, "tables");
    await ann.synced();
    const body = ann.doc.getText("body");
    ann.doc.transact(() => {
      ann.doc.getMap("meta").set("kind", "text");
      for (const id of ["gone", "stays"]) {
        body.insertEmbed(0, new Y.Map([["type", "table"], ["id", id], ["rows", new Y.Map([["r", { order: "a" }]])], ["columns", new Y.Map([["c", { order: "a" }]])]]));
        ann.doc.getText(`cell/${id}/r/c`).insert(0, `${id} `.repeat(400));
      }
    });
    const at = body.toDelta().findIndex(({ insert }) => insert.get("id") === "gone");
    body.delete(at, 1);
    await until("the server has it", async () => (await (await fetch(`${tidy.url}/api/v1/documents/tables/text`)).text()).startsWith("stays"));
    assert.equal(ann.doc.getText("cell/gone/r/c").length, 2000);
    ann.leave();
    const look = async () => {
      const doc = new Y.Doc();
      Y.applyUpdate(doc, new Uint8Array(await (await fetch(`${tidy.url}/api/v1/documents/tables/state`)).arrayBuffer()));
      return doc;
    };
    await until("the words are gone", async () => (await look()).getText("cell/gone/r/c").length === 0);
    assert.equal((await look()).getText("cell/stays/r/c").length, 2400);
  } finally {
    await tidy.dispose();
  }
});
