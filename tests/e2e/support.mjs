// People in browsers: each has a context of their own (storage, network, theme), and everything a page complains about
// is written down and fails the test at its end.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";
import { Doc, encodeStateAsUpdate } from "yjs";

export { startServer } from "../interop/server.mjs";

const RESULTS = fileURLToPath(new URL("./results/", import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** How long a state may take to come about, in ms: far above what it needs, so that a busy machine is no failure. */
const PATIENCE = 20_000;

export async function startBrowser() {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  const people = new Set();

  /**
   * Somebody with a browser of their own. `size` is [width, height]. Service workers are for the tests about them:
   * requests that pass through one cannot be routed.
   */
  const person = async (server, { name = "Ann", colour = "#0e7490", size = [1280, 820], theme = "light", language = "en-GB", worker = false } = {}) => {
    const phone = size[0] < 500;
    const context = await browser.newContext({
      viewport: { width: size[0], height: size[1] },
      colorScheme: theme,
      locale: language,
      reducedMotion: "no-preference",
      ...(phone ? { hasTouch: true, isMobile: true } : {}),
    });
    context.setDefaultTimeout(PATIENCE);
    if (!worker) await context.addInitScript(() => delete Navigator.prototype.serviceWorker);
    await context.addInitScript(
      ([key, settings]) => {
        // The browser's own page about a refused connection has no storage.
        if (!location.protocol.startsWith("http")) return;
        if (localStorage.getItem(key) === null) localStorage.setItem(key, settings);
        document.addEventListener("securitypolicyviolation", (event) => {
          console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI}`);
        });
      },
      ["weft.settings", JSON.stringify({ name, colour, person: name })],
    );
    const page = await context.newPage();
    const somebody = { name, page, context, server, troubles: [], mayLoseNetwork: false };
    somebody.watch = () => watch(somebody);
    somebody.watch();
    people.add(somebody);
    return somebody;
  };

  return {
    person,
    /** Everybody leaves; fails if any of their pages complained. For `afterEach`. */
    everybodyLeaves: async () => {
      const left = [...people];
      people.clear();
      await Promise.all(left.map(({ context }) => context.close()));
      assert.deepEqual(left.flatMap(({ name, troubles }) => troubles.map((trouble) => `${name}: ${trouble}`)), []);
    },
    close: () => browser.close(),
  };
}

/** A second tab in the same browser. What it complains about is somebody's, too. */
export async function anotherTab(somebody) {
  const tab = { ...somebody, page: await somebody.context.newPage() };
  watch(tab);
  return tab;
}

function watch(somebody) {
  const { page, server } = somebody;
  page.on("console", (message) => {
    if (!["error", "warning"].includes(message.type())) return;
    // The browser itself reports every connection it could not make; that is what such a test is about.
    const network = /net::ERR_|WebSocket connection to|Failed to load resource: the server responded with a status of 4(04|10)/.test(message.text());
    if (!(network && somebody.mayLoseNetwork)) somebody.troubles.push(message.text());
  });
  page.on("pageerror", (error) => somebody.troubles.push(`error: ${error.stack ?? error.message}`));
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    const own = host === new URL(server.url).host || protocol === "data:" || protocol === "blob:";
    if (!own) somebody.troubles.push(`a request to ${request.url()}`);
  });
}

/** Waits until the pill says so. */
export const status = ({ page }, kind) => page.locator(`[data-testid=status][data-status=${kind}]`).waitFor();

export const text = ({ page }) => page.getByRole("textbox", { name: "Text of the document" });
export const title = ({ page }) => page.getByRole("textbox", { name: "Title" });

/** A paragraph (or heading, cell, item) with these words, in the text itself. */
export const words = (somebody, content) => somebody.page.locator(".prose :is(p, h2, h3, h4, pre)", { hasText: content });

export async function openHome(somebody, path = "/") {
  await somebody.page.goto(somebody.server.url + path);
  await somebody.page.getByRole("heading", { level: 1 }).waitFor();
}

/** Opens a document, an empty text if there was none, and waits until it is in step with the server. */
export async function openDocument(somebody, name) {
  await makeText(somebody.server, name);
  await somebody.page.goto(`${somebody.server.url}/d/${encodeURIComponent(name)}`);
  await status(somebody, "saved");
}

/** Ann and Bo, both with the document open. */
export async function twoIn(browser, server, document) {
  const ann = await browser.person(server, { name: "Ann Lee", colour: "#0e7490" });
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  await openDocument(ann, document);
  await openDocument(bo, document);
  return [ann, bo];
}

/** Puts the caret at the end of the text and types. */
export async function write(somebody, content) {
  const { page } = somebody;
  await text(somebody).focus();
  await page.keyboard.press("Control+End");
  await page.keyboard.type(content);
}

/** Presses a key that moves the selection; the editor learns of it from an event of the next frame. */
export async function select({ page }, key) {
  await page.keyboard.press(key);
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
}

/** The text as the reader sees it, without carets. */
export const reading = ({ page }) =>
  page.locator(".prose").evaluate((element) => {
    const copy = element.cloneNode(true);
    for (const caret of copy.querySelectorAll(".caret, label, .ProseMirror-trailingBreak, .ProseMirror-separator")) caret.remove();
    return copy.innerHTML.replace(/ (class|style|data-placeholder)="[^"]*"/g, "").replace(/<\/?span>/g, "");
  });

/** Waits until `look` answers something truthy. For states that no locator describes. */
export async function until(what, look) {
  const end = performance.now() + PATIENCE;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited in vain: ${typeof what === "function" ? await what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Waits until both read the same, and returns it. */
export async function sameText(one, other) {
  let read = [];
  await until(
    () => `both read the same:\n${read.join("\n")}`,
    async () => {
      read = await Promise.all([reading(one), reading(other)]);
      return read[0] === read[1];
    },
  );
  return read[0];
}

/** Waits until the browser has stored what was written: a transaction of our own comes after all earlier ones. */
export const kept = (person) =>
  person.page.evaluate(async () => {
    for (const { name } of await indexedDB.databases()) {
      await new Promise((resolve, reject) => {
        const opening = indexedDB.open(name);
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const db = opening.result;
          const stores = [...db.objectStoreNames];
          const done = () => (db.close(), resolve());
          if (stores.length === 0) return done();
          const transaction = db.transaction(stores, "readwrite");
          transaction.oncomplete = done;
          transaction.onerror = () => reject(transaction.error);
        };
      });
    }
  });

/** Waits until what was written lies on both sides: called durable by the server, and stored by the browser. */
export async function stored(person) {
  await status(person, "saved");
  await kept(person);
}

export async function screenshot({ page }, name) {
  await mkdir(RESULTS, { recursive: true });
  await settled(page);
  await page.screenshot({ path: `${RESULTS}${name}.png` });
}

/** Nothing that ends by itself is still moving. */
async function settled(page) {
  await page.waitForFunction(() =>
    document.getAnimations().every((animation) => animation.effect?.getComputedTiming().endTime === Infinity || animation.playState !== "running" || animation.animationName === "name"),
  );
}

/** What axe finds inside Excalidraw. The list may only become shorter. */
const EXCALIDRAW_FINDINGS = ["aria-allowed-attr", "aria-dialog-name"];

/** No finding of axe, best practices included. */
export async function accessible({ page }, what, without = []) {
  await settled(page);
  const { violations } = await new AxeBuilder({ page }).exclude(".excalidraw").disableRules(without).analyze();
  if (await page.locator(".excalidraw").count()) {
    const theirs = await new AxeBuilder({ page }).include(".excalidraw").disableRules([...EXCALIDRAW_FINDINGS, ...without]).analyze();
    violations.push(...theirs.violations);
  }
  assert.deepEqual(
    violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`) })),
    [],
    `axe on ${what}`,
  );
}

export async function fitsSideways({ page }, what) {
  const [inner, content] = await page.evaluate(() => [document.documentElement.clientWidth, document.documentElement.scrollWidth]);
  assert.ok(content <= inner, `${what} is ${content} px wide in ${inner} px`);
}

/** A text of this name, as the page makes one, where the server has nothing yet and can be asked. */
export async function makeText(server, name) {
  const found = await fetch(`${server.url}/api/v1/documents/${encodeURIComponent(name)}`, { signal: AbortSignal.timeout(5_000) }).catch(() => null);
  if (found?.status === 404) await make(server, name, "text");
}

export const makeBoard = (server, name) => make(server, name, "board");

/** A document of this kind. */
export async function make(server, name, kind) {
  const doc = new Doc();
  doc.getMap("meta").set("kind", kind);
  const response = await fetch(`${server.url}/api/v1/documents/${encodeURIComponent(name)}/updates`, { method: "POST", body: encodeStateAsUpdate(doc), headers: { "content-type": "application/octet-stream" } });
  assert.ok(response.ok, `a ${kind}: ${response.status}`);
}

export async function api(server, method, path, body) {
  const response = await fetch(`${server.url}/api/v1/documents${path}`, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.status === 204 ? null : response.json();
}
