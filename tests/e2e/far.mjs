// Two browsers in one text, at a distance from the server: what one does there key by key, and what both have to read then.
import assert from "node:assert/strict";
import { after, afterEach, before } from "node:test";
import { startProxy } from "./proxy.mjs";
import { openDocument, reading, sameText, select, startBrowser, startServer, text, words } from "./support.mjs";
import { startTally } from "./tally.mjs";

const NAMES = ["Annabel Lee", "Bonifaz"];
/** From one browser to the server, each way, in ms. */
export const DELAYS = (process.env.DELAYS ?? "80").split(",").map(Number);

/** For all the tests of a file: a server and a browser, and the tally of what went well. */
export function startFar() {
  let server, browser;
  before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
  after(() => Promise.all([browser?.close(), server?.dispose()]));
  const tally = startTally();
  after(tally.print);
  afterEach(() => browser.everybodyLeaves());
  const proxies = [];
  afterEach(() => Promise.all(proxies.splice(0).map((proxy) => proxy.dispose())));

  return {
    tally,
    /** Two in one text, that far from the server. */
    two: async (document, delay) => {
      const proxy = await startProxy(server, { delay });
      proxies.push(proxy);
      const [ann, bo] = await Promise.all(NAMES.map((name, at) => browser.person({ url: proxy.url }, { name, colour: at === 0 ? "#0e7490" : "#cf2f74" })));
      await openDocument(ann, document);
      await openDocument(bo, document);
      return [ann, bo];
    },
    /** Whoever comes anew reads the same. */
    asStored: async (ann, document) => {
      const fresh = await browser.person(server);
      await openDocument(fresh, document);
      await sameText(ann, fresh);
    },
  };
}

/** The text becomes this, written by the first, and both have read it. */
export async function begin(ann, bo, content) {
  const { keyboard } = ann.page;
  await text(ann).focus();
  // The structure of what is left of the last round goes too.
  for (const key of ["Control+a", "Backspace", "Control+a", "Control+Alt+0", "Backspace"]) await keyboard.press(key);
  await keyboard.type(content);
  await sameText(ann, bo);
}

/** Puts the caret into the line with these words, at its start or end. */
export async function into(person, line, key) {
  await words(person, line).last().click();
  await select(person, key);
}

/** Key by key. One that only moves the caret has been read by the editor before the next: what it is to do depends on that. */
export async function act(person, keys) {
  for (const key of keys) await (/^(?!Alt).*(Home|End|Arrow\w+)$/.test(key) ? select(person, key) : person.page.keyboard.press(key));
}

export const letters = async (person) => (await reading(person)).replaceAll(/<[^>]*>/g, "\n");

/** Both read the same, what was written stands there once and whole, and nobody's name has become text. `read` says how it is read. */
export async function whole(ann, bo, written, note, read = letters) {
  await sameText(ann, bo);
  const all = await read(ann);
  assert.equal(all.split(written).length - 1, 1, `${note}: "${written}" once in ${JSON.stringify(all)}`);
  for (const name of NAMES) assert.ok(!all.includes(name), `${note}: a name became text: ${JSON.stringify(all)}`);
  return all;
}
