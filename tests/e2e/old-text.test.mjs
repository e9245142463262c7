// Texts that are trees: those of earlier versions open as today's, with everything in them; those of other programs are
// there to be read.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Doc, encodeStateAsUpdate, XmlElement, XmlText } from "yjs";
import { accessible, kept, openDocument, openHome, reading, startBrowser, startServer, status, text, until, words, write } from "./support.mjs";

let server;
let browser;
before(async () => {
  server = await startServer();
  browser = await startBrowser();
});
after(async () => {
  await browser.close();
  await server.dispose();
});
afterEach(() => browser.everybodyLeaves());

const element = (name, ...children) => {
  const made = new XmlElement(name);
  made.insert(0, children.map((child) => (typeof child === "string" ? new XmlText(child) : child)));
  return made;
};

function treeOf(meta) {
  const doc = new Doc();
  for (const [key, value] of Object.entries(meta)) doc.getMap("meta").set(key, value);
  const cell = (words) => element("tableCell", element("paragraph", words));
  doc.getXmlFragment("default").insert(0, [
    element("heading", "Minutes"),
    element("bulletList", element("listItem", element("paragraph", "one thing")), element("listItem", element("paragraph", "another"))),
    element("table", element("tableRow", cell("left"), cell("right"))),
    element("paragraph", "The end."),
  ]);
  return encodeStateAsUpdate(doc);
}

async function put(name, body) {
  const answer = await fetch(`${server.url}/api/v1/documents/${name}/updates`, { method: "POST", body });
  assert.ok(answer.ok);
}

const tree = (name, meta) => put(name, treeOf(meta));

test("a text of an earlier version opens with everything in it, and is written in", async () => {
  await tree("earlier", { kind: "text", titleTaken: "Minutes", title: "Minutes" });
  const [ann, bo] = [await browser.person(server, { name: "Ann" }), await browser.person(server, { name: "Bo" })];
  await openDocument(ann, "earlier");
  await openDocument(bo, "earlier");
  for (const one of [ann, bo]) {
    await words(one, "The end.").waitFor();
    assert.equal(await one.page.locator(".prose li").count(), 2);
    assert.equal(await one.page.locator(".prose td").count(), 2);
    assert.equal(await one.page.locator(".prose h1, .prose h2").count(), 1);
  }
  await write(ann, " Or not.");
  await words(bo, "The end. Or not.").waitFor();
  await status(ann, "saved");
  assert.equal(await reading(ann), await reading(bo));
});

test("a text of another program is there to be read", async () => {
  await tree("theirs", {});
  const ann = await browser.person(server);
  await openDocument(ann, "theirs");
  await ann.page.getByRole("note").waitFor();
  await words(ann, "another").waitFor();
  assert.equal(await text(ann).count(), 0);
  await accessible(ann, "a text of another program");
  // What its own program goes on to write is seen.
  const doc = new Doc();
  doc.getXmlFragment("default").insert(0, [element("paragraph", "written there")]);
  await fetch(`${server.url}/api/v1/documents/theirs/updates`, { method: "POST", body: encodeStateAsUpdate(doc) });
  await until("it is seen", () => words(ann, "written there").count());
});

/** Waits until the worker is in charge of the page and has fetched everything the app may need. */
const installed = ({ page }) =>
  page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    if (navigator.serviceWorker.controller === null) {
      await new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
    }
  });

/** The tree in the copy that this device has of a document, as an earlier version left it there. */
async function leaveOnDevice(person, name, state) {
  await person.page.evaluate(
    ([name, bytes]) =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open(`weft:document:${name}`);
        opening.onerror = () => reject(opening.error);
        opening.onupgradeneeded = () => {
          opening.result.createObjectStore("updates", { autoIncrement: true });
          opening.result.createObjectStore("custom");
        };
        opening.onsuccess = () => {
          const writing = opening.result.transaction("updates", "readwrite");
          writing.objectStore("updates").add(new Uint8Array(bytes));
          writing.oncomplete = () => {
            opening.result.close();
            resolve();
          };
        };
      }),
    [name, [...state]],
  );
}

test("without a server a text of an earlier version is written in as it is, and all of it is there when the server is", async () => {
  const ann = await browser.person(server, { name: "Ann", worker: true });
  const bo = await browser.person(server, { name: "Bo" });
  ann.mayLoseNetwork = true;
  await openHome(ann);
  await installed(ann);
  const state = treeOf({ kind: "text", titleTaken: "Minutes", title: "Minutes" });
  await leaveOnDevice(ann, "alone", state);
  await ann.context.setOffline(true);
  // Others have taken it over meanwhile, and gone on.
  await put("alone", state);
  await openDocument(bo, "alone");
  await words(bo, "The end.").waitFor();
  await write(bo, " Of it.");
  await words(bo, "The end. Of it.").waitFor();
  await status(bo, "saved");

  await ann.page.goto(`${server.url}/d/alone`);
  await ann.page.locator("[data-testid=status]:is([data-status=reconnecting], [data-status=offline])").waitFor();
  await text(ann).waitFor();
  await accessible(ann, "a text of an earlier version, without a server");
  assert.equal(await ann.page.locator(".prose li").count(), 2);
  await words(ann, "one thing").click();
  await ann.page.keyboard.press("End");
  await ann.page.keyboard.type(" more");
  await words(ann, "one thing more").waitFor();
  await ann.page.keyboard.press("Enter");
  await ann.page.keyboard.type("and a third");
  await kept(ann);

  await ann.context.setOffline(false);
  for (const one of [ann, bo]) {
    await words(one, "one thing more").waitFor();
    await words(one, "and a third").waitFor();
    await words(one, "The end. Of it.").waitFor();
    await status(one, "saved");
    assert.equal(await one.page.locator(".prose li").count(), 3);
  }
  assert.equal(await reading(ann), await reading(bo));
  assert.equal((await reading(ann)).split("one thing").length, 2);
});
