// What was written without a server reaches it although nobody opens the document again: from the first page and from any
// other.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startProxy } from "./proxy.mjs";
import { accessible, api, fitsSideways, kept, makeBoard, makeText, openDocument, openHome, screenshot, startBrowser, startServer, status, stored, until, words, write } from "./support.mjs";

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
});
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

/** Ann, by way of a line that can be cut, has written `sentence` in a document without a server, and is on the first page. */
async function annOnHome(name, sentence, more = {}) {
  const proxy = await startProxy(server);
  const ann = await browser.person(proxy, { name: "Ann", ...more });
  ann.mayLoseNetwork = true;
  await makeText(server, name);
  await openDocument(ann, name);
  await ann.page.locator(".prose").focus();
  await ann.page.keyboard.type("Known to all. ");
  await stored(ann);
  // The rest of the app is fetched when the page is at rest.
  await ann.page.waitForFunction(() => performance.getEntriesByType("resource").some(({ name }) => name.includes("/send-unsent-")));
  await proxy.kill();
  await ann.page.locator("[data-testid=status]:is([data-status=reconnecting], [data-status=offline])").waitFor();
  await ann.page.keyboard.press("Control+End");
  await ann.page.keyboard.type(sentence);
  await kept(ann);
  await ann.page.locator(".doc-bar a.back").click();
  await ann.page.getByRole("heading", { level: 1 }).waitFor();
  return { ann, proxy };
}
const json = (name) => api(server, "GET", `/${encodeURIComponent(name)}/json`).then(JSON.stringify);
const sign = ({ page }) => page.locator(".row-unsent");

for (const [language, says, note, only] of [
  ["en", "11 changes not sent yet", "1 document has changes on this device that the server does not have yet.", "Show only these"],
  ["zh-TW", "11 項變更尚未送出", "1 份文件在這部裝置上有伺服器還沒有的變更。", "只顯示這些"],
]) {
  test(`${language}: the first page says what waits, and sends it when the server is back`, async () => {
    const name = `waits ${language}`;
    const { ann, proxy } = await annOnHome(name, "Typed here.", { language });
    try {
      await sign(ann).getByText(says).waitFor();
      await ann.page.getByText(note).waitFor();
      await ann.page.getByRole("button", { name: only }).click();
      await until("only that one is shown", async () => (await ann.page.locator(".row").count()) === 1);
      for (const [size, theme] of [[[1280, 820], "light"], [[390, 780], "dark"]]) {
        await ann.page.setViewportSize({ width: size[0], height: size[1] });
        await ann.page.emulateMedia({ colorScheme: theme });
        await screenshot(ann, `unsent-${language}-${theme}`);
        await accessible(ann, `what waits, ${theme}`);
        await fitsSideways(ann, `what waits, ${theme}`);
      }
      assert.doesNotMatch(await json(name), /Typed here/);
      await proxy.revive();
      await sign(ann).waitFor({ state: "detached" });
      assert.match(await json(name), /Known to all\. Typed here\./);
      // Once, and the document opens as saved.
      await ann.page.goto(`${proxy.url}/d/${encodeURIComponent(name)}`);
      await status(ann, "saved");
      assert.equal((await json(name)).split("Typed here.").length, 2);
    } finally {
      await proxy.dispose();
    }
  });
}

test("where a colleague made something else of what was written in, it is sent like anything else, and stands where it was written", async () => {
  const { ann, proxy } = await annOnHome("replaced", "Words of Ann.");
  try {
    const bo = await browser.person(server, { name: "Bo" });
    await openDocument(bo, "replaced");
    await words(bo, "Known to all.").click();
    await bo.page.keyboard.press("Control+Alt+2");
    await status(bo, "saved");
    await proxy.revive();
    await sign(ann).waitFor({ state: "detached" });
    await bo.page.locator(".prose h3", { hasText: "Known to all. Words of Ann." }).waitFor();
  } finally {
    await proxy.dispose();
  }
});

test("a document that went to the trash keeps its sign and says why, is not asked about for ever, and is sent when it is back", async () => {
  const { ann, proxy } = await annOnHome("binned", "Too late.");
  try {
    await api(server, "DELETE", "/binned");
    let asked = 0;
    ann.page.on("request", (request) => (asked += /\/binned\/(state|updates)/.test(request.url()) ? 1 : 0));
    await proxy.revive();
    await ann.page.getByRole("button", { name: "Show only these" }).click();
    await sign(ann).getByText("9 changes not sent yet: This document is in the trash. Restore it first").waitFor();
    await screenshot(ann, "unsent-refused-light");
    const before = asked;
    for (let times = 0; times < 3; times++) await ann.page.evaluate(() => window.dispatchEvent(new Event("online")));
    await ann.page.getByRole("link", { name: "Trash", exact: true }).click();
    await sign(ann).waitFor();
    assert.equal(asked, before);
    await ann.page.getByRole("button", { name: "Restore" }).click();
    await until("it is sent", async () => (await fetch(`${server.url}/api/v1/documents/binned/json`)).ok && /Too late/.test(await json("binned")));
    ann.troubles = ann.troubles.filter((trouble) => !/status of 4/.test(trouble));
  } finally {
    await proxy.dispose();
  }
});

test("it is sent from the settings too, with the chat messages that wait", async () => {
  const { ann, proxy } = await annOnHome("from settings", "Typed here.");
  try {
    await ann.page.evaluate(() => {
      const waiting = [{ id: "ann-0123456789abcdef-0e7490", text: "Said here.", at: Date.now(), refused: null }];
      localStorage.setItem("weft.chat:from settings", JSON.stringify({ waiting, read: null, said: [] }));
    });
    await proxy.revive();
    await ann.page.goto(`${proxy.url}/settings`);
    await until("the words are there", async () => /Typed here/.test(await json("from settings")));
    await until("the message is there", async () => /Said here/.test(JSON.stringify(await api(server, "GET", "/from%20settings/chat"))));
    assert.equal(await ann.page.evaluate(() => JSON.parse(localStorage.getItem("weft.chat:from settings")).waiting.length), 0);
  } finally {
    await proxy.dispose();
  }
});

for (const kind of ["text", "board"]) {
  test(`said beside a ${kind} without a server, and sent from the first page, once`, async () => {
    const name = `said beside a ${kind}`;
    if (kind === "board") await makeBoard(server, name);
    const proxy = await startProxy(server);
    try {
      const ann = await browser.person(proxy, { name: "Ann Lee" });
      ann.mayLoseNetwork = true;
      await openDocument(ann, name);
      await ann.page.getByRole("button", { name: /^Chat/ }).click();
      const field = ann.page.getByRole("complementary", { name: "Chat" }).getByRole("textbox", { name: "Message" });
      await field.waitFor();
      await proxy.kill();
      await ann.page.getByText("Not connected. Messages wait on this device.").waitFor();
      for (const words of ["One in the tunnel", "Two in the tunnel"]) {
        await field.fill(words);
        await field.press("Enter");
      }
      // The tab is closed at once: nothing of it is lost.
      await ann.page.close();
      ann.page = await ann.context.newPage();
      ann.watch();
      await proxy.revive();
      await openHome(ann);
      const said = async () => (await api(server, "GET", `/${encodeURIComponent(name)}/chat`)).messages.map(({ text, author }) => `${author.name}: ${text}`);
      await until("the messages are there", async () => (await said()).length >= 2);
      await until("nothing waits", () => ann.page.evaluate(() => !Object.keys(localStorage).some((key) => key.startsWith("weft.unsent:"))));
      await sign(ann).waitFor({ state: "detached" });
      assert.deepEqual(await said(), ["Ann Lee: One in the tunnel", "Ann Lee: Two in the tunnel"]);
    } finally {
      await proxy.dispose();
    }
  });
}

test("the first page keeps the place of its news from the beginning, the keyboard somewhere, and the filter only while it says something", async () => {
  const { ann, proxy } = await annOnHome("kept in place", "Typed here.");
  try {
    const news = ann.page.locator(".unsent-note [role=status]");
    const only = ann.page.getByRole("button", { name: "Show only these" });
    await news.getByText("1 document has changes").waitFor();
    assert.equal(await news.getByRole("button").count(), 0);
    await only.focus();
    await ann.page.keyboard.press("Enter");
    await until("only that one is shown", async () => (await ann.page.locator(".row").count()) === 1);
    await proxy.revive();
    await only.waitFor({ state: "detached" });
    // The same place, empty.
    assert.equal(await news.textContent(), "");
    assert.equal(await ann.page.evaluate(() => document.activeElement.id), "content");
    // What waits next is not filtered for by itself.
    await ann.page.evaluate(() => {
      const waiting = [{ id: "ann-0123456789abcdef-0e7490", text: "Said here.", at: Date.now(), refused: "too_long" }];
      localStorage.setItem("weft.chat:kept in place", JSON.stringify({ waiting, read: null, said: [] }));
      localStorage.setItem("weft.unsent:kept in place", "");
      window.dispatchEvent(new StorageEvent("storage", { key: "weft.unsent:kept in place" }));
    });
    await only.waitFor();
    assert.equal(await only.getAttribute("aria-pressed"), "false");
    await openHome({ ...ann, server: proxy }, "/");
    await ann.page.evaluate(() => localStorage.clear());
    await ann.page.reload();
    await ann.page.getByRole("heading", { level: 1 }).waitFor();
    assert.equal(await news.textContent(), "");
  } finally {
    await proxy.dispose();
  }
});

test("a server that is away is asked about one of the documents that wait, not about each", async () => {
  const { ann, proxy } = await annOnHome("one of many", "Typed here.");
  try {
    for (const name of ["two", "three", "four"]) {
      await ann.page.evaluate(async (name) => {
        const copies = await new Promise((resolve, reject) => {
          const opening = indexedDB.open(`weft:document:${name}`);
          opening.onupgradeneeded = () => {
            opening.result.createObjectStore("updates", { autoIncrement: true });
            opening.result.createObjectStore("custom");
          };
          opening.onsuccess = () => resolve(opening.result);
          opening.onerror = () => reject(opening.error);
        });
        const transaction = copies.transaction(["updates", "custom"], "readwrite");
        // "hi" in a text "t", by client 7.
        transaction.objectStore("updates").add(new Uint8Array([1, 1, 7, 0, 4, 1, 1, 116, 2, 104, 105, 0]));
        transaction.objectStore("custom").put(1, "kept");
        await new Promise((resolve) => (transaction.oncomplete = resolve));
        copies.close();
        localStorage.setItem(`weft.unsent:${name}`, "");
      }, name);
    }
    const asked = [];
    ann.page.on("request", (request) => /\/state$/.test(request.url()) && asked.push(Date.now()));
    await until("it was asked several times", () => asked.length >= 4);
    // The pauses between two tries grow; four at once would be one for each document.
    assert.ok(asked[3] - asked[0] > 1_000, String(asked.map((at) => at - asked[0])));
    await proxy.revive();
    for (const name of ["two", "three", "four"]) await until(`${name} is there`, async () => (await fetch(`${server.url}/api/v1/documents/${name}`)).ok);
    await sign(ann).waitFor({ state: "detached" });
  } finally {
    await proxy.dispose();
  }
});
