// The app as something installed: it opens cold without a server, what was visited opens with it, nothing written there
// is lost or doubled, and a newer version waits for a word.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { accessible, kept, openDocument, openHome, reading, sameText, screenshot, startBrowser, startServer, status, stored, text, until, words, write } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

/** Waits until the worker is in charge of the page and has fetched everything the app may need. */
const installed = ({ page }) =>
  page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    if (navigator.serviceWorker.controller === null) {
      await new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
    }
  });

test("the manifest and the worker are asked for each time, and say what a browser needs", async () => {
  const worker = await fetch(`${server.url}/sw.js`);
  assert.equal(worker.headers.get("cache-control"), "no-cache");
  assert.match(worker.headers.get("content-type"), /^text\/javascript/);
  const answer = await fetch(`${server.url}/manifest.webmanifest`);
  assert.equal(answer.headers.get("cache-control"), "no-cache");
  assert.match(answer.headers.get("content-type"), /^application\/manifest\+json/);
  const manifest = await answer.json();
  assert.equal(manifest.display, "standalone");
  for (const { src, type, sizes } of manifest.icons) {
    const icon = await fetch(new URL(src, server.url));
    assert.equal(icon.headers.get("content-type"), type);
    const bytes = Buffer.from(await icon.arrayBuffer());
    if (type === "image/png") assert.equal(`${bytes.readUInt32BE(16)}x${bytes.readUInt32BE(20)}`, sizes);
  }
});

test("the server is killed: a visited document opens cold, is edited, closed and opened again, and all of it arrives once", async () => {
  const ann = await browser.person(server, { name: "Ann", worker: true });
  const bo = await browser.person(server, { name: "Bo" });
  ann.mayLoseNetwork = bo.mayLoseNetwork = true;
  await openDocument(ann, "cold");
  await openDocument(bo, "cold");
  await write(ann, "On both sides. ");
  await words(bo, "On both sides.").waitFor();
  await installed(ann);
  await stored(ann);
  await server.kill();

  await ann.page.reload();
  await words(ann, "On both sides.").waitFor();
  await status(ann, "offline");
  await screenshot(ann, "cold-light");
  await write(ann, "Ann, alone. ");
  await kept(ann);
  await ann.page.close();

  ann.page = await ann.context.newPage();
  ann.watch();
  await ann.page.goto(`${server.url}/d/cold`);
  await words(ann, "On both sides. Ann, alone.").waitFor();
  await write(ann, "Twice. ");
  await write(bo, "Bo, too. ");

  await server.start();
  await Promise.all([status(ann, "saved"), status(bo, "saved")]);
  const both = await sameText(ann, bo);
  for (const sentence of ["On both sides.", "Ann, alone.", "Twice.", "Bo, too."]) {
    assert.equal(both.split(sentence).length - 1, 1, `${sentence} in ${both}`);
  }
  const late = await browser.person(server, { name: "Cy" });
  await openDocument(late, "cold");
  await until("a newcomer reads the same", async () => (await reading(late)) === both);
});

test("without a server the first page opens cold too, and a document that is not here says so", async () => {
  const ann = await browser.person(server, { worker: true });
  ann.mayLoseNetwork = true;
  await openDocument(ann, "kept");
  await write(ann, "words");
  await stored(ann);
  await openHome(ann);
  await installed(ann);
  await server.kill();
  await ann.page.goto(server.url);
  await ann.page.getByRole("alert").getByText("The server does not answer").waitFor();
  await ann.page.goto(`${server.url}/d/never-seen-here`);
  await ann.page.getByRole("heading", { name: "This document is not on this device" }).waitFor();
  const api = await ann.page.evaluate(() => fetch("/api/v1/documents").then(() => "answered", () => "no answer"));
  assert.equal(api, "no answer");
  await server.start();
  await ann.page.getByRole("heading", { name: "Nothing was ever made at this address" }).waitFor();
  const cached = await ann.page.evaluate(async () => {
    const names = await caches.keys();
    const keys = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
    return keys.flat().map(({ url }) => new URL(url).pathname);
  });
  assert.ok(cached.includes("/index.html"), cached.join(" "));
  assert.deepEqual(cached.filter((path) => /^\/(api|ws)/.test(path)), []);
});

test("a newer version waits until somebody says so", async () => {
  const ann = await browser.person(server, { worker: true });
  await openDocument(ann, "updated");
  await write(ann, "in the middle of a sent");
  await installed(ann);
  // A newer worker, as after an upgrade of the server: another address for the same place.
  await ann.page.evaluate(() => navigator.serviceWorker.register("/sw.js?newer", { updateViaCache: "none" }).then(() => undefined));
  await ann.page.getByText("A new version of Weft is ready.").waitFor();
  await accessible(ann, "the news of a newer version");
  await screenshot(ann, "newer-light");
  await text(ann).focus();
  await ann.page.keyboard.press("Control+End");
  await ann.page.keyboard.type("ence");
  await words(ann, "in the middle of a sentence").waitFor();
  await Promise.all([ann.page.waitForEvent("load"), ann.page.getByRole("button", { name: "Reload" }).click()]);
  await words(ann, "in the middle of a sentence").waitFor();
  await until("the newer one is in charge", () => ann.page.evaluate(() => navigator.serviceWorker.controller?.scriptURL.endsWith("newer") === true));
});
