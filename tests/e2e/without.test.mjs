// What is made and put in while there is no server: it is here at once, there once, and nothing of it is lost with the tab.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { api, kept, makeBoard, openDocument, openHome, startBrowser, startServer, status, stored, until, words, write, title } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

const PICTURE = (await readFile(new URL("../../frontend/public/icons/192.png", import.meta.url))).toString("base64");

const put = ({ page }, base64, target, kind, at = [0, 0]) =>
  page.evaluate(
    ([encoded, target, kind, [clientX, clientY]]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0))], "loom-plan.png", { type: "image/png" }));
      const how = { bubbles: true, cancelable: true };
      const event = kind === "paste" ? new ClipboardEvent("paste", { ...how, clipboardData: data }) : new DragEvent("drop", { ...how, dataTransfer: data, clientX, clientY });
      document.querySelector(target).dispatchEvent(event);
    },
    [base64, target, kind, at],
  );

/** Somebody with a worker, so that pages open without a server. */
async function somebody(name = "Ann", before = () => undefined) {
  const person = await browser.person(server, { name, worker: true });
  await person.context.addInitScript(before);
  person.mayLoseNetwork = true;
  await openHome(person);
  await person.page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller) await new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true }));
  });
  return person;
}

/** The browser is closed and opened again. */
async function again(person) {
  await person.page.close();
  person.page = await person.context.newPage();
  person.watch();
}

const picture = ({ page }) => page.locator(".prose img:not(.ProseMirror-separator)");
const drawn = (person) => until(`${person.name} sees the picture`, () => picture(person).evaluate((element) => element.complete && element.naturalWidth === 192).catch(() => false));
const attachments = (document) => api(server, "GET", `/${encodeURIComponent(document)}/attachments`).then(({ attachments }) => attachments);

test("a picture pasted without a server is shown, outlives the browser, and is there once when the server is back", async () => {
  const ann = await somebody();
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  bo.mayLoseNetwork = true;
  await openDocument(ann, "pictures");
  await openDocument(bo, "pictures");
  await write(ann, "See: ");
  await stored(ann);
  await words(bo, "See:").waitFor();
  await server.kill();
  await ann.page.locator("[data-testid=status]:is([data-status=reconnecting], [data-status=offline])").waitFor();
  await put(ann, PICTURE, ".prose", "paste");
  await drawn(ann);
  await kept(ann);
  const address = `${server.url}/d/pictures`;
  await again(ann);
  await ann.page.goto(address);
  await words(ann, "See:").waitFor();
  await drawn(ann);

  let posted = 0;
  ann.page.on("request", (request) => (posted += request.method() === "POST" && request.url().includes("/attachments") ? 1 : 0));
  await server.start();
  await status(ann, "saved");
  await drawn(bo);
  await until("the server has the picture", async () => (await attachments("pictures")).length === 1);
  const [{ url }] = await attachments("pictures");
  assert.equal(await picture(bo).getAttribute("src"), url);
  const json = JSON.stringify(await api(server, "GET", "/pictures/json"));
  assert.ok(json.includes(url) && !json.includes("base64") && !json.includes("blob:"), json.slice(0, 400));
  assert.equal(posted, 1);
  // From now on it comes from the server, here too.
  await ann.page.reload();
  await drawn(ann);
  assert.equal(await picture(ann).getAttribute("src"), url);
  assert.equal((await attachments("pictures")).length, 1);
});

test("the same on a board", async () => {
  await makeBoard(server, "drawn");
  const ann = await somebody();
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  bo.mayLoseNetwork = true;
  const onBoard = ({ page }) => page.locator(".board[data-open] .excalidraw canvas.interactive").waitFor();
  for (const person of [ann, bo]) {
    await openDocument(person, "drawn");
    await onBoard(person);
  }
  await kept(ann);
  const files = async (person) => {
    // There is nothing to save yet.
    if (await person.page.locator(".board-hint").count()) return [];
    const [download] = await Promise.all([
      person.page.waitForEvent("download"),
      person.page.getByRole("button", { name: "Document menu" }).click().then(() => person.page.getByRole("menuitem", { name: "Save as .excalidraw file" }).click()),
    ]);
    return Object.values(JSON.parse(await readFile(await download.path())).files);
  };
  await server.kill();
  await ann.page.locator("[data-testid=status]:is([data-status=reconnecting], [data-status=offline])").waitFor();
  await put(ann, PICTURE, ".board canvas.interactive", "drop", [600, 400]);
  await until("Ann's board has the picture", async () => (await ann.page.locator(".board-hint").count()) === 0);
  await until("it lies on the device", () =>
    ann.page.evaluate(async () => {
      const known = (await indexedDB.databases()).some(({ name }) => name === "weft:pictures");
      if (!known) return false;
      return new Promise((resolve) => {
        const opening = indexedDB.open("weft:pictures");
        opening.onsuccess = () => {
          const count = opening.result.transaction("waiting").objectStore("waiting").count();
          count.onsuccess = () => (opening.result.close(), resolve(count.result === 1));
        };
      });
    }),
  );
  await kept(ann);
  await again(ann);
  await ann.page.goto(`${server.url}/d/drawn`);
  await onBoard(ann);
  await until("the picture is back on Ann's board", async () => (await files(ann)).length === 1);
  await server.start();
  await status(ann, "saved");
  await until("Bo's board has its bytes", async () => (await files(bo)).length === 1);
  assert.equal((await attachments("drawn")).length, 1);
  const stored = JSON.stringify(await api(server, "GET", "/drawn/json"));
  assert.ok(!stored.includes("base64"));
});

for (const [button, kind, editor] of [
  ["New text", null, ".prose"],
  ["New board", "board", ".board[data-open]"],
  ["New plain text", "plain", ".cm-content"],
]) {
  test(`${button} without a server: it opens here, and the server has it once when it is back`, async () => {
    const ann = await somebody();
    const before = (await api(server, "GET", "")).documents.length;
    // What draws a board is fetched when the page is at rest, not as the worker is installed.
    if (kind === "board") await until("boards can be drawn here", () => ann.page.evaluate(() => caches.keys().then((names) => Promise.all(names.map((name) => caches.open(name).then((cache) => cache.keys()))).then((keys) => keys.flat().some(({ url }) => /board\/view-/.test(url))))));
    const known = (await api(server, "GET", "")).documents.length;
    assert.ok(known >= before);
    await server.kill();
    await ann.page.getByRole("button", { name: button, exact: true }).first().click();
    await ann.page.locator(editor).waitFor();
    await title(ann).fill("Made on the train");
    const address = ann.page.url();
    await kept(ann);
    await again(ann);
    await ann.page.goto(address);
    await ann.page.locator(editor).waitFor();
    assert.equal(await title(ann).inputValue(), "Made on the train");
    if (kind === null) {
      // The server comes back while it is open.
      await server.start();
      await status(ann, "saved");
    } else {
      // It is closed, and the first page hands it over.
      await again(ann);
      await server.start();
      await openHome(ann);
      await ann.page.getByRole("link", { name: /Made on the train/ }).waitFor();
    }
    const { documents } = await api(server, "GET", "");
    assert.equal(documents.length, known + 1);
    const made = documents.filter(({ name }) => address.endsWith(name));
    assert.deepEqual(made.map(({ title, kind }) => [title, kind ?? "text"]), [["Made on the train", kind ?? "text"]]);
    await openHome(ann);
    await ann.page.getByRole("link", { name: /Made on the train/ }).first().click();
    await status(ann, "saved");
    await ann.page.locator(editor).waitFor();
    assert.equal((await api(server, "GET", "")).documents.length, known + 1);
    // Gone for the next one.
    await api(server, "DELETE", `/${made[0].name}?permanent=true`);
  });
}

test("a board that cannot be drawn on this device is not made on it, and the reason is said", async () => {
  const ann = await somebody("Ann", () => Object.defineProperty(NetworkInformation.prototype, "saveData", { get: () => true }));
  await server.kill();
  await ann.page.getByRole("button", { name: "New board", exact: true }).click();
  await ann.page.locator(".toast").getByText("this part of the app is not on this device yet").waitFor();
  assert.equal(new URL(ann.page.url()).pathname, "/");
  assert.equal(await ann.page.evaluate(() => localStorage.getItem("weft.made")), null);
  await server.start();
});

test("a file brought in without a server becomes a document here, and there once when the server is back", async () => {
  const ann = await somebody();
  const known = (await api(server, "GET", "")).documents.length;
  await server.kill();
  const [chooser] = await Promise.all([ann.page.waitForEvent("filechooser"), ann.page.getByRole("button", { name: "Import" }).click()]);
  await chooser.setFiles({ name: "plan.md", mimeType: "text/markdown", buffer: Buffer.from("# Brought along\n\n- [x] wool\n- [ ] loom\n") });
  await words(ann, "loom").waitFor();
  assert.equal(await title(ann).inputValue(), "Brought along");
  const name = decodeURIComponent(new URL(ann.page.url()).pathname.slice("/d/".length));
  await kept(ann);
  await server.start();
  await status(ann, "saved");
  const { documents } = await api(server, "GET", "");
  assert.equal(documents.length, known + 1);
  assert.equal(documents.find((one) => one.name === name)?.title, "Brought along");
  const bo = await browser.person(server, { name: "Bo" });
  await openDocument(bo, name);
  await words(bo, "wool").waitFor();
  assert.equal(await bo.page.locator(".prose li[data-checked]").count(), 2);
});

test("files brought in together: each by itself, what fails is named, a drawing becomes a board with its picture", async () => {
  const ann = await browser.person(server);
  await openHome(ann);
  const known = (await api(server, "GET", "")).documents.length;
  const [chooser] = await Promise.all([ann.page.waitForEvent("filechooser"), ann.page.getByRole("button", { name: "Import" }).click()]);
  const drawing = {
    type: "excalidraw",
    elements: [{ id: "p", type: "image", fileId: "f", status: "saved", x: 0, y: 0, width: 192, height: 192 }, { id: "r", type: "rectangle", x: 300, y: 0, width: 90, height: 60 }],
    files: { f: { id: "f", mimeType: "image/png", dataURL: `data:image/png;base64,${PICTURE}` } },
  };
  await chooser.setFiles([
    { name: "one.md", mimeType: "text/markdown", buffer: Buffer.from("# First of three\n") },
    { name: "photo.jpg", mimeType: "image/jpeg", buffer: Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]) },
    { name: "loom.excalidraw", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(drawing)) },
  ]);
  await ann.page.locator(".toast").getByText("2 files imported. “photo.jpg” was not imported: it is not text").waitFor();
  await ann.page.getByRole("link", { name: /First of three/ }).waitFor();
  const { documents } = await api(server, "GET", "");
  assert.equal(documents.length, known + 2);
  const board = documents.find(({ title }) => title === "loom");
  assert.equal(board.kind, "board");
  assert.equal((await attachments(board.name)).length, 1);
  await ann.page.getByRole("link", { name: /loom/ }).click();
  await status(ann, "saved");
  await ann.page.locator(".board[data-open] .excalidraw canvas.interactive").waitFor();
  const [download] = await Promise.all([
    ann.page.waitForEvent("download"),
    ann.page.getByRole("button", { name: "Document menu" }).click().then(() => ann.page.getByRole("menuitem", { name: "Save as .excalidraw file" }).click()),
  ]);
  const saved = JSON.parse(await readFile(await download.path()));
  assert.deepEqual(saved.elements.map(({ id }) => id), ["p", "r"]);
});
