// A large document over a thin line: it comes whole, on one connection; how far it is, is said; and what has come can be read
// and written in meanwhile.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { decodeStateVector, Doc, encodeStateAsUpdate, Map as YMap } from "yjs";
import { startProxy } from "./proxy.mjs";
import { kept, startBrowser, startServer, status, until } from "./support.mjs";

/** Bytes a second. */
const RATE = 200_000;
const PARAGRAPHS = 300;
/** Long paragraphs: how fast a browser draws thousands is not what is asked here. In characters. */
const PARAGRAPH = 10_000;
/** Far above what the line needs, in ms. */
const PATIENCE = 120_000;

let server, browser, proxy;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());
afterEach(() => proxy?.dispose());

/** 3 MB of words that nothing can make much smaller, the same each time. */
function paragraphs() {
  let state = 1;
  const word = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state.toString(36);
  };
  return Array.from({ length: PARAGRAPHS }, (_, at) => {
    let paragraph = `${at + 1}.`;
    while (paragraph.length < PARAGRAPH) paragraph += ` ${word()}`;
    return paragraph;
  });
}

async function makeLarge(name, kind) {
  const doc = new Doc();
  doc.getMap("meta").set("kind", kind);
  doc.getMap("meta").set("title", name);
  const body = doc.getText(kind === "plain" ? "content" : "body");
  for (const [at, paragraph] of paragraphs().entries()) {
    if (at > 0) kind === "plain" ? body.insert(body.length, "\n") : body.insertEmbed(body.length, new YMap([["type", "paragraph"]]));
    body.insert(body.length, paragraph);
  }
  const response = await fetch(`${server.url}/api/v1/documents/${encodeURIComponent(name)}/updates`, { method: "POST", body: encodeStateAsUpdate(doc), headers: { "content-type": "application/octet-stream" } });
  assert.ok(response.ok, `${name}: ${response.status}`);
}

/** Opens it over a thin line, and writes down everything the pill says and every socket. */
async function open(name, language, way = "http") {
  proxy = await startProxy(server, { rate: RATE });
  const ann = await browser.person(proxy, { name: "Ann", language });
  ann.mayLoseNetwork = true;
  ann.context.setDefaultTimeout(PATIENCE);
  ann.sockets = [];
  ann.fetched = 0;
  await ann.page.route("**/state*", (route) => {
    ann.fetched += 1;
    return way === "http" ? route.continue() : route.abort();
  });
  ann.page.on("websocket", (socket) => {
    if (!socket.url().includes("/hocuspocus")) return;
    const seen = { bytes: 0 };
    ann.sockets.push(seen);
    socket.on("framereceived", ({ payload }) => (seen.bytes += payload.length));
  });
  await ann.page.addInitScript(() => {
    window.said = [];
    const look = () => {
      const pill = document.querySelector(".pill");
      if (pill === null) return;
      const now = `${pill.dataset.status}: ${[...pill.querySelectorAll(".pill-word, .pill-detail")].map(({ textContent }) => textContent).join(" ")}`;
      if (now !== window.said.at(-1)) window.said.push(now);
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["data-status"] });
  });
  await ann.page.goto(`${proxy.url}/d/${encodeURIComponent(name)}`);
  return ann;
}

const said = (somebody) => somebody.page.evaluate(() => window.said);
/** How much the pill has said that there is, in the order it did, in percent. */
const percents = (all) => all.flatMap((words) => (/^loading:.*?(\d+)%/.exec(words) ? [Number(/(\d+)%/.exec(words)[1])] : []));

async function onServer(name) {
  const response = await fetch(`${server.url}/api/v1/documents/${encodeURIComponent(name)}/text`);
  assert.ok(response.ok);
  return response.text();
}

for (const way of ["http", "socket"]) {
  for (const [kind, language, words] of [["plain", "en", /^loading: Loading… \d+% is here$/], ["text", "zh-TW", /^loading: 載入中… 已收到 \d+%$/]]) {
    test(`${kind} by ${way}: 3 MB at 200 KB/s`, async () => {
      const name = `large ${kind} by ${way}`;
      await makeLarge(name, kind);
      const before = await onServer(name);
      const ann = await open(name, language, way);

      await status(ann, "loading");
      // What has come is there to be written in, long before the rest is.
      const editor = kind === "plain" ? ann.page.locator(".cm-content[contenteditable=true]") : ann.page.locator(".prose[contenteditable=true]");
      await editor.waitFor();
      await editor.focus();
      await ann.page.keyboard.press("Control+Home");
      await ann.page.keyboard.type("Meanwhile. ");
      assert.equal(await ann.page.locator(".pill").getAttribute("data-status"), "loading", "typed while it came");
      await status(ann, "saved");

      const all = await said(ann);
      assert.ok(!all.some((words) => /^(reconnecting|offline|unreachable):/.test(words)), `${all}`);
      assert.ok(all.some((said) => words.test(said)), `${all}`);
      const steps = percents(all);
      assert.ok(steps.length >= 5, `${steps}`);
      assert.deepEqual(steps, steps.toSorted((a, b) => a - b));
      assert.equal(ann.sockets.length, 1);
      assert.equal(ann.fetched, 1);
      assert.equal(ann.sockets[0].bytes > 1_000_000, way === "socket", `${ann.sockets[0].bytes} bytes by the socket`);

      await until("what was typed is on the server", async () => (await onServer(name)).startsWith("Meanwhile. "));
      assert.equal((await onServer(name)).length, before.length + "Meanwhile. ".length);
      assert.ok((await onServer(name)).endsWith(before), "and all the rest");
    });
  }
}

test("the line breaks in the middle: what has come stays open, and only the rest comes by the socket", async () => {
  await makeLarge("broken", "plain");
  const before = await onServer("broken");
  const ann = await open("broken", "en");
  await until("half of it is here", async () => (percents(await said(ann)).at(-1) ?? 0) >= 50);
  await ann.page.locator(".cm-content[contenteditable=true]").focus();
  await ann.page.keyboard.press("Control+Home");
  await proxy.kill();
  await status(ann, "reconnecting");
  await ann.page.keyboard.type("Meanwhile. ");
  await proxy.revive();
  await status(ann, "saved");

  await until("what was typed is on the server", async () => (await onServer("broken")).startsWith("Meanwhile. "));
  assert.ok((await onServer("broken")).endsWith(before));
  assert.ok(!(await said(ann)).some((words) => words.startsWith("unreachable:")));
  const bytes = ann.sockets.reduce((sum, socket) => sum + socket.bytes, 0);
  assert.ok(bytes > 500_000 && bytes < 2_000_000, `${bytes} bytes by the socket`);
});

test("the page is loaded anew in the middle: a part is not taken for the document, and not asked for again", async () => {
  await makeLarge("anew", "text");
  const before = await onServer("anew");
  const ann = await open("anew", "en");
  await ann.page.locator(".prose > p").first().waitFor();
  await kept(ann);
  const asked = ann.page.waitForRequest(/\/state\?vector=/);
  const response = ann.page.waitForResponse(/\/state\?vector=/);
  await ann.page.reload();
  const vector = decodeStateVector(Buffer.from(new URL((await asked).url()).searchParams.get("vector"), "base64url"));
  const here = [...vector.values()].reduce((sum, clock) => sum + clock, 0);
  assert.ok(here > 10_000, `${here} letters are here`);
  // What is here and what comes are the document, to within what stands around the words.
  const all = here + (await (await response).body()).length;
  assert.ok(Math.abs(all - PARAGRAPHS * PARAGRAPH) < 50_000, `${here} of ${all}`);
  await status(ann, "saved");
  const heard = await said(ann);
  assert.ok(!heard.some((words) => words.startsWith("cached:")), `${heard}`);
  assert.equal(await ann.page.locator(".prose > p").count(), PARAGRAPHS);
  assert.equal(await onServer("anew"), before);
});
