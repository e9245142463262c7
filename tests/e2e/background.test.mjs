// What was written without a server reaches it although no page of the site is open any more: the browser wakes the service
// worker. Woken here over the browser's debugging line, as it would be when there is a network again.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { startProxy } from "./proxy.mjs";
import { anotherTab, api, kept, makeBoard, makeText, openDocument, startBrowser, startServer, status, stored, until } from "./support.mjs";

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
});
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

/** In the text itself: the title is taken from its first line, where a page is there to do it. */
const times = async (name, words) => JSON.stringify((await api(server, "GET", `/${encodeURIComponent(name)}/json`)).body).split(words).length - 1;

/** What was said in the chat. */
const said = async (name) => (await api(server, "GET", `/${encodeURIComponent(name)}/chat`)).messages.map(({ text, author }) => `${author.name}: ${text}`);

/** Wakes the worker of `origin`, as the browser does. Answers when it has been told to, with how to do it again. */
async function wake(line, origin) {
  const registrations = [];
  line.on("ServiceWorker.workerRegistrationUpdated", (event) => registrations.push(...event.registrations));
  await line.send("ServiceWorker.enable");
  await until("the worker is known", () => registrations.some(({ scopeURL, isDeleted }) => scopeURL === `${origin}/` && !isDeleted));
  const { registrationId } = registrations.findLast(({ scopeURL }) => scopeURL === `${origin}/`);
  const again = () => line.send("ServiceWorker.dispatchSyncEvent", { origin, registrationId, tag: "weft-send", lastChance: false });
  await again();
  return again;
}

/** Wakes it until `look` answers something truthy: what it cannot send at once, as of a page that is still closing, it is woken for again. */
async function wakeUntil(line, origin, what, look) {
  const again = await wake(line, origin);
  let woken = performance.now();
  await until(what, async () => {
    if (performance.now() > woken + 2_000) {
      woken = performance.now();
      await again();
    }
    return look();
  });
}

/** Ann has a document open, by way of a line that can be cut, and a service worker. */
async function annWithWorker(name) {
  const proxy = await startProxy(server);
  const ann = await browser.person(proxy, { name: "Ann", worker: true });
  ann.mayLoseNetwork = true;
  await ann.context.grantPermissions(["background-sync"], { origin: proxy.url });
  await makeText(server, name);
  await openDocument(ann, name);
  await ann.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await ann.page.locator(".prose").focus();
  await ann.page.keyboard.type("Known to all. ");
  await stored(ann);
  return { ann, proxy };
}

async function typeWithoutServer(ann, proxy, sentence) {
  await proxy.kill();
  await ann.page.locator("[data-testid=status]:is([data-status=reconnecting], [data-status=offline])").waitFor();
  await ann.page.keyboard.press("Control+End");
  await ann.page.keyboard.type(sentence);
  await kept(ann);
}

const field = ({ page }) => page.getByRole("complementary", { name: "Chat" }).getByRole("textbox", { name: "Message" });

async function openChat(somebody) {
  await somebody.page.getByRole("button", { name: /^Chat/ }).click();
  await field(somebody).waitFor();
}

async function say(somebody, words) {
  await field(somebody).fill(words);
  await field(somebody).press("Enter");
  await somebody.page.locator(".chat-text", { hasText: words }).waitFor();
}

/** Says it, and waits until it lies where the worker reads. */
async function sayWithoutServer(ann, proxy, messages) {
  await openChat(ann);
  await proxy.kill();
  await ann.page.getByText("Not connected. Messages wait on this device.").waitFor();
  for (const words of messages) await say(ann, words);
  await ann.page.waitForFunction(() => Object.keys(localStorage).some((key) => key.startsWith("weft.chat:") && JSON.parse(localStorage.getItem(key)).waiting.length === 0));
}

test("typed without a server, every page closed, the server back: the worker is woken and brings the words there, once", async () => {
  const { ann, proxy } = await annWithWorker("woken");
  try {
    await typeWithoutServer(ann, proxy, "Typed here.");
    const elsewhere = await ann.context.newPage();
    const line = await ann.context.newCDPSession(elsewhere);
    await ann.page.close();
    await proxy.revive();
    assert.equal(await times("woken", "Typed here."), 0);
    await wakeUntil(line, proxy.url, "the words are there", async () => (await times("woken", "Typed here.")) === 1);
    // The next page finds nothing waiting, sends nothing again, and says that it is saved.
    const sent = [];
    elsewhere.on("request", (request) => request.method() === "POST" && sent.push(request.url()));
    await elsewhere.goto(proxy.url);
    await elsewhere.locator(".row").first().waitFor();
    await elsewhere.waitForFunction(() => !Object.keys(localStorage).some((key) => key.startsWith("weft.unsent:")));
    assert.equal(await elsewhere.locator(".row-unsent").count(), 0);
    assert.deepEqual(sent, []);
    await elsewhere.goto(`${proxy.url}/d/woken`);
    await status({ page: elsewhere }, "saved");
    assert.equal(await times("woken", "Typed here."), 1);
  } finally {
    await proxy.dispose();
  }
});

for (const kind of ["text", "board"]) {
  test(`said beside a ${kind} without a server, every page closed, the server back: the worker says it, once, under its author's name`, async () => {
    const name = `said beside a ${kind}`;
    if (kind === "board") await makeBoard(server, name);
    const proxy = await startProxy(server);
    try {
      const ann = await browser.person(proxy, { name: "Ann Lee", worker: true });
      ann.mayLoseNetwork = true;
      await openDocument(ann, name);
      await ann.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
      await sayWithoutServer(ann, proxy, ["One in the tunnel", "Two in the tunnel"]);
      const elsewhere = await ann.context.newPage();
      const line = await ann.context.newCDPSession(elsewhere);
      await ann.page.close();
      await proxy.revive();
      assert.deepEqual(await said(name), []);
      const expected = ["Ann Lee: One in the tunnel", "Ann Lee: Two in the tunnel"];
      await wakeUntil(line, proxy.url, "the messages are there", async () => (await said(name)).length === 2);
      // The next page finds nothing waiting.
      await elsewhere.goto(proxy.url);
      await elsewhere.waitForFunction(() => !Object.keys(localStorage).some((key) => key.startsWith("weft.unsent:")));
      assert.equal(await elsewhere.locator(".row-unsent").count(), 0);
      await openDocument({ ...ann, page: elsewhere }, name);
      await elsewhere.getByRole("button", { name: /^Chat/ }).click();
      await elsewhere.locator(".chat-text", { hasText: "Two in the tunnel" }).waitFor();
      assert.equal(await elsewhere.locator(".chat-part[data-waiting]").count(), 0);
      assert.deepEqual(await said(name), expected);
    } finally {
      await proxy.dispose();
    }
  });
}

test("said in two tabs, which both come back while the worker is woken: all is there, once", async () => {
  const { ann, proxy } = await annWithWorker("said by all");
  try {
    const tab = await anotherTab(ann);
    await openDocument(tab, "said by all");
    await openChat(tab);
    await sayWithoutServer(ann, proxy, ["From one"]);
    await say(tab, "From the other");
    for (const { page } of [ann, tab]) await until("both show both", async () => (await page.locator(".chat-part[data-waiting]").count()) === 2);
    const line = await ann.context.newCDPSession(ann.page);
    await proxy.revive();
    await wake(line, proxy.url);
    for (const { page } of [ann, tab]) await until("nothing waits", async () => (await page.locator(".chat-part[data-waiting]").count()) === 0);
    assert.deepEqual((await said("said by all")).toSorted(), ["Ann: From one", "Ann: From the other"]);
  } finally {
    await proxy.dispose();
  }
});

test("as long as a page has it open the worker leaves it alone, and it is there once after both", async () => {
  const { ann, proxy } = await annWithWorker("held");
  try {
    await typeWithoutServer(ann, proxy, "Typed here.");
    const sent = [];
    ann.context.on("request", (request) => /\/updates$/.test(request.url()) && sent.push(request.url()));
    const line = await ann.context.newCDPSession(ann.page);
    await proxy.revive();
    await wake(line, proxy.url);
    await status(ann, "saved");
    await until("the words are there", async () => (await times("held", "Typed here.")) === 1);
    assert.deepEqual(sent, []);
  } finally {
    await proxy.dispose();
  }
});

test("a page that goes away with something waiting asks the browser to wake the worker", async () => {
  const { ann, proxy } = await annWithWorker("asked");
  try {
    const tags = () => ann.page.evaluate(() => navigator.serviceWorker.ready.then(({ sync }) => sync.getTags()));
    assert.deepEqual(await tags(), []);
    await ann.page.evaluate(() => {
      window.asked = [];
      const { register } = SyncManager.prototype;
      SyncManager.prototype.register = function (tag) {
        window.asked.push(tag);
        return register.call(this, tag);
      };
    });
    await typeWithoutServer(ann, proxy, "Typed here.");
    await ann.page.evaluate(() => {
      Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await until("the browser is asked", () => ann.page.evaluate(() => window.asked.includes("weft-send")));
  } finally {
    await proxy.dispose();
  }
});
