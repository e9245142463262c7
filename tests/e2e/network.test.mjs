// What the status pill says while the network is pulled, in the words people read: the line is cut and frozen by a proxy,
// the browser goes offline, the server has no room, refuses, or takes no more.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { startProxy } from "./proxy.mjs";
import { accessible, api, fitsSideways, kept, openDocument, reading, sameText, screenshot, startBrowser, startServer, status, stored, text, until, words, write } from "./support.mjs";

/** Small enough to be reached by hand. */
const MAX_MESSAGE = 32 * 1024;
const MAX_PEOPLE = 3;

let server, browser;
before(async () => {
  const args = ["--max-message-bytes", `${MAX_MESSAGE}`, "--max-connections-per-document", `${MAX_PEOPLE}`];
  [server, browser] = await Promise.all([startServer({ args }), startBrowser()]);
});
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

/** The pill as it is read: the word, and what is said beside it. */
const pill = ({ page }) => page.locator(".pill").evaluate((element) => [...element.querySelectorAll(".pill-word, .pill-detail")].map(({ textContent }) => textContent).filter(Boolean).join(" · "));

/** Waits until the pill reads so. */
async function reads(somebody, expected) {
  let read;
  const right = () => (expected instanceof RegExp ? expected.test(read) : read === expected);
  await until(
    () => `${somebody.name} reads "${expected}", not "${read}"`,
    async () => {
      read = await pill(somebody);
      return right();
    },
  );
}

/** Everything the pill says from now on, each once. */
async function listen(somebody) {
  await somebody.page.evaluate(() => {
    const pill = document.querySelector(".pill");
    window.said = [];
    const note = () => {
      const words = [...pill.querySelectorAll(".pill-word, .pill-detail")].map(({ textContent }) => textContent).filter(Boolean).join(" · ");
      if (words !== "" && words !== window.said.at(-1)) window.said.push(words);
    };
    new MutationObserver(note).observe(pill, { subtree: true, childList: true, characterData: true });
    note();
  });
  return () => somebody.page.evaluate(() => window.said);
}

async function person(at, name, more = {}) {
  const somebody = await browser.person(at, { name, ...more });
  somebody.mayLoseNetwork = true;
  return somebody;
}

/** At the end of the text, whatever language the page is in. */
async function add(somebody, sentence) {
  await somebody.page.locator(".prose").focus();
  await somebody.page.keyboard.press("Control+End");
  await somebody.page.keyboard.type(sentence);
}

const ENGLISH = {
  saved: "Saved",
  saving: "Saving…",
  reconnecting: "Reconnecting…",
  offline: "Offline",
  kept: (count) => `${count} ${count === 1 ? "change" : "changes"} kept on this device`,
  none: "Changes are kept on this device",
};
const CHINESE = {
  saved: "已儲存",
  saving: "儲存中…",
  reconnecting: "重新連線中…",
  offline: "離線",
  kept: (count) => `${count} 項變更保存在這部裝置上`,
  none: "變更會保存在這部裝置上",
};

/** A document with a title, so that the first line written does not become it, which would be a change more to count. */
async function titled(name, at = server) {
  const body = JSON.stringify({ name, title: name });
  const made = await fetch(`${at.url}/api/v1/documents`, { method: "POST", headers: { "content-type": "application/json" }, body });
  assert.equal(made.status, 201);
}

for (const [language, say] of [["en", ENGLISH], ["zh-TW", CHINESE]]) {
  test(`${language}: the line is cut, stays cut, and is whole again`, async () => {
    const proxy = await startProxy(server);
    try {
      const ann = await person(proxy, "Ann", { language });
      const bo = await person(server, "Bo");
      const name = `cut ${language}`;
      await openDocument(ann, name);
      await openDocument(bo, name);
      await add(ann, "Both. ");
      await words(bo, "Both.").waitFor();
      const { saved } = say;
      await reads(ann, saved);

      const said = await listen(ann);
      await proxy.kill();
      await status(ann, "reconnecting");
      await add(ann, "Ann");
      await add(bo, "Bo. ");
      await reads(ann, `${say.offline} · ${say.kept(3)}`);
      await add(ann, " too. ");
      await reads(ann, `${say.offline} · ${say.kept(9)}`);
      const heard = await said();
      // Cut, then counted; offline only after some tries, and never called saved in between.
      assert.deepEqual(heard.slice(0, 2), [saved, say.reconnecting]);
      assert.equal(heard.filter((words) => words === saved).length, 1, heard.join("\n"));
      assert.ok(!(await reading(bo)).includes("Ann too"));

      await proxy.revive();
      await reads(ann, saved);
      const both = await sameText(ann, bo);
      for (const sentence of ["Both.", "Ann too.", "Bo."]) assert.equal(both.split(sentence).length - 1, 1, `${sentence} in ${both}`);
    } finally {
      await proxy.dispose();
    }
  });

  test(`${language}: the line freezes without a word, and thaws`, async () => {
    const proxy = await startProxy(server);
    try {
      const ann = await person(proxy, "Ann", { language });
      const bo = await person(server, "Bo");
      const name = `frozen ${language}`;
      await titled(name);
      await openDocument(ann, name);
      await openDocument(bo, name);
      await add(ann, "Before. ");
      await words(bo, "Before.").waitFor();
      const { saved } = say;
      await reads(ann, saved);

      proxy.freeze();
      const since = performance.now();
      const said = await listen(ann);
      await add(ann, "Ann, frozen. ");
      await add(bo, "Bo, meanwhile. ");
      await reads(ann, say.saving);
      await reads(ann, `${say.reconnecting} · ${say.kept("Ann, frozen. ".length)}`);
      const noticed = performance.now() - since;
      assert.ok(noticed < 12_000, `noticed after ${noticed} ms`);
      await add(ann, "Still. ");
      await reads(ann, `${say.reconnecting} · ${say.kept("Ann, frozen. Still. ".length)}`);
      const heard = await said();
      assert.equal(heard.indexOf(saved, 1), -1, heard.join("\n"));

      proxy.thaw();
      await reads(ann, saved);
      const both = await sameText(ann, bo);
      for (const sentence of ["Before.", "Ann, frozen.", "Still.", "Bo, meanwhile."]) assert.equal(both.split(sentence).length - 1, 1, `${sentence} in ${both}`);
    } finally {
      await proxy.dispose();
    }
  });
}

test("the browser's own word is acted on at once, in both directions", async () => {
  const ann = await person(server, "Ann");
  const bo = await person(server, "Bo");
  await openDocument(ann, "browser offline");
  await openDocument(bo, "browser offline");
  // Long before any line could be missed: the keepalive comes every four seconds.
  const said = await listen(ann);
  let since = performance.now();
  await ann.context.setOffline(true);
  await reads(ann, "Offline · Changes are kept on this device");
  const down = performance.now() - since;
  await add(ann, "x");
  await reads(ann, "Offline · 1 change kept on this device");
  since = performance.now();
  await ann.context.setOffline(false);
  await reads(ann, /^Saved$/);
  const up = performance.now() - since;
  console.log(`offline after ${down.toFixed(0)} ms, saved again ${up.toFixed(0)} ms after online`);
  assert.ok(down < 4_000 && up < 4_000, `${down} ms, ${up} ms`);
  assert.ok((await said()).every((words) => !words.startsWith("Reconnecting… · 2")));
  await words(bo, "x").waitFor();
});

for (const [language, say, cannot, hint] of [
  ["en", ENGLISH, "Not saved yet", "The server cannot store changes at the moment. The others see yours; keep writing: they are kept on this device and stored as soon as it can."],
  ["zh-TW", CHINESE, "尚未儲存", "伺服器目前無法儲存變更。其他人看得到您的變更，您可以繼續書寫：變更會保存在這部裝置上，伺服器恢復後會立即儲存。"],
]) {
  test(`${language}: a server that cannot store is named, with what waits, until it can`, async () => {
    const args = [];
    const broken = await startServer({ args });
    try {
      const ann = await person(broken, "Ann", { language });
      await titled("not stored", broken);
      await openDocument(ann, "not stored");
      await add(ann, "Stored. ");
      await reads(ann, say.saved);
      // More than any disk has must stay free: whatever is written is refused.
      await broken.stop();
      args.push("--min-free-bytes", `${Number.MAX_SAFE_INTEGER}`);
      await broken.start();
      await status(ann, "saved");
      const said = await listen(ann);
      await add(ann, "Waits.");
      await reads(ann, `${cannot} · ${say.kept(6)}`);
      await ann.page.getByRole("alert").getByText(hint).waitFor();
      // The dot is not the one of a healthy line.
      const dot = await ann.page.locator(".pill-dot").evaluate((element) => getComputedStyle(element).backgroundColor);
      assert.equal(dot, "rgba(0, 0, 0, 0)");
      for (const [size, theme] of [[[1280, 820], "light"], [[390, 780], "dark"]]) {
        await ann.page.setViewportSize({ width: size[0], height: size[1] });
        await ann.page.emulateMedia({ colorScheme: theme });
        await screenshot(ann, `not-stored-${language}-${theme}`);
        await accessible(ann, `a server that cannot store, ${theme}`);
        await fitsSideways(ann, `a server that cannot store, ${theme}`);
        // The count and the reason do not lie on each other.
        const [detail, alert] = await Promise.all([".pill-detail", "[role=alert] p"].map((one) => ann.page.locator(one).boundingBox()));
        assert.ok(detail.y + detail.height <= alert.y, `${JSON.stringify([detail, alert])}, ${theme}`);
      }
      await add(ann, " And this.");
      await reads(ann, `${cannot} · ${say.kept(16)}`);
      // Never called saved, and not left at "saving".
      assert.deepEqual([...new Set((await said()).map((words) => words.split(" · ")[0]))], [say.saved, say.saving, cannot]);

      await broken.stop();
      args.length = 0;
      await broken.start();
      await reads(ann, say.saved);
      await ann.page.getByRole("alert").waitFor({ state: "detached" });
      assert.match(JSON.stringify(await api(broken, "GET", "/not%20stored/json")), /Stored\. Waits\. And this\./);
      // What the browser itself says of the server's answer to the question whether it can store.
      ann.troubles = ann.troubles.filter((trouble) => !/status of 503/.test(trouble));
    } finally {
      await broken.dispose();
    }
  });
}

test("a document without room says so, is read from the copy, and opens when somebody leaves", async () => {
  const ann = await person(server, "Ann");
  await openDocument(ann, "crowded");
  await write(ann, "To be read. ");
  await stored(ann);
  await ann.page.goto("about:blank");
  const others = [];
  for (let at = 0; at < MAX_PEOPLE; at++) {
    others.push(await person(server, `Guest ${at}`));
    await openDocument(others.at(-1), "crowded");
  }
  // The twenty seconds until the next look are the page's; nobody need wait for them here.
  await ann.page.addInitScript(() => {
    const later = window.setTimeout;
    window.setTimeout = (run, wait, ...rest) => later(run, wait === 20_000 ? 1_000 : wait, ...rest);
  });
  await ann.page.goto(`${server.url}/d/crowded`);
  await status(ann, "full");
  await reads(ann, "Full");
  await ann.page.getByRole("alert").getByText("has no room for more people right now. Trying again every 20 seconds; what you see is a copy to read.").waitFor();
  await words(ann, "To be read.").waitFor();
  assert.equal(await text(ann).getAttribute("contenteditable"), "false");
  await screenshot(ann, "full-light");
  // Who has never been here reads it too, and nothing empty is shown for it.
  const cy = await person(server, "Cy");
  await cy.page.goto(`${server.url}/d/crowded`);
  await status(cy, "full");
  await words(cy, "To be read.").waitFor();
  assert.equal(await text(cy).getAttribute("contenteditable"), "false");
  await cy.page.close();
  await others[0].page.close();
  await status(ann, "saved");
  assert.equal(await text(ann).getAttribute("contenteditable"), "true");
});

test("a change larger than the server takes stays here, and the banner says what to do", async () => {
  const ann = await person(server, "Ann");
  const bo = await person(server, "Bo");
  await titled("too large");
  await openDocument(ann, "too large");
  await openDocument(bo, "too large");
  await write(ann, "Small. ");
  await words(bo, "Small.").waitFor();
  await ann.page.evaluate((length) => {
    const data = new DataTransfer();
    data.setData("text/plain", "long ".repeat(length / 5));
    document.querySelector(".prose").dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  }, MAX_MESSAGE * 2);
  await status(ann, "too-large");
  await reads(ann, "Too large to save · 1 change kept on this device");
  await ann.page.getByRole("alert").getByText("A change is larger than the server takes. It is kept on this device; take it apart or remove it, then reload.").waitFor();
  await screenshot(ann, "too-large-light");
  assert.equal(await text(ann).getAttribute("contenteditable"), "true");
  // The colleague goes on undisturbed.
  await write(bo, "Bo goes on. ");
  await status(bo, "saved");
});

test("too many in too short a time is full too", async () => {
  const ann = await person(server, "Ann");
  await openDocument(ann, "hammered");
  await write(ann, "words");
  await stored(ann);
  for (const code of [4529, 1013]) {
    await ann.page.routeWebSocket(/\/hocuspocus/, (socket) => setTimeout(() => socket.close({ code }), 50));
    await ann.page.reload();
    await reads(ann, "Full");
    await words(ann, "words").waitFor();
  }
});

/** Bytes of the server's own, changed on their way by `change`, which is given each frame as Latin-1. */
const meddle = (page, change) =>
  page.routeWebSocket(/\/hocuspocus/, (socket) => {
    const upstream = socket.connectToServer();
    upstream.onMessage((message) => {
      const changed = typeof message === "string" ? message : change(message.toString("latin1"), socket);
      if (changed !== null) socket.send(typeof changed === "string" ? Buffer.from(changed, "latin1") : changed);
    });
  });
const AUTHENTICATED = "\x02\x02\x0aread-write";

test("who may only look reads so, and cannot write", async () => {
  const ann = await person(server, "Ann");
  const bo = await person(server, "Bo");
  await openDocument(bo, "looked at");
  await write(bo, "Bo writes. ");
  await meddle(ann.page, (frame) => frame.replace(AUTHENTICATED, "\x02\x02\x08readonly"));
  await ann.page.goto(`${server.url}/d/looked%20at`);
  await reads(ann, "View only");
  await words(ann, "Bo writes.").waitFor();
  assert.equal(await text(ann).getAttribute("contenteditable"), "false");
  await write(bo, "And on. ");
  await words(ann, "And on.").waitFor();
  await screenshot(ann, "read-only-light");
});

/** Ann has written `sentence` where the server did not hear it, and comes back to the document. */
async function unsent(name, sentence) {
  const ann = await person(server, "Ann");
  await openDocument(ann, name);
  await write(ann, "Known to all. ");
  await stored(ann);
  await ann.context.setOffline(true);
  await status(ann, "offline");
  await write(ann, sentence);
  await kept(ann);
  return ann;
}

async function savesCopy(ann) {
  const [download] = await Promise.all([ann.page.waitForEvent("download"), ann.page.getByRole("button", { name: "Save my copy" }).click()]);
  return readFile(await download.path(), "utf8");
}

for (const [how, refuse, hint] of [
  ["4401", (socket) => socket.close({ code: 4401, reason: "unauthorized" }), "The server does not know who you are."],
  ["4403", (socket) => socket.close({ code: 4403, reason: "forbidden" }), "It is not shared with you."],
  ["permission-denied", null, "It is not shared with you."],
]) {
  test(`access was lost meanwhile (${how}): what was not sent is offered as a download`, async () => {
    const name = `lost by ${how}`;
    const ann = await unsent(name, "Only here.");
    const address = ann.page.url();
    await ann.page.goto("about:blank");
    if (refuse) await ann.page.routeWebSocket(/\/hocuspocus/, (socket) => setTimeout(() => refuse(socket), 50));
    else {
      await meddle(ann.page, (frame) => {
        const at = frame.indexOf(AUTHENTICATED);
        // Nothing is told to somebody who is not let in.
        return at < 0 ? null : `${frame.slice(0, at)}\x02\x01\x11permission-denied`;
      });
    }
    await ann.context.setOffline(false);
    await ann.page.goto(address);
    await ann.page.getByRole("heading", { name: "You may not open this document" }).waitFor();
    await ann.page.getByText(hint).waitFor();
    await reads(ann, "No access · 10 changes kept on this device");
    await ann.page.getByText("10 changes of yours have not reached the server. Save your copy to keep them.").waitFor();
    assert.match(await savesCopy(ann), /Known to all\. Only here\./);
    if (how === "4403") await screenshot(ann, "denied-light");
    assert.ok(!JSON.stringify(await api(server, "GET", `/${encodeURIComponent(name)}/json`)).includes("Only here"));
  });
}

test("the document went to the trash meanwhile: what was not sent is offered, and goes along when it is restored", async () => {
  const ann = await unsent("binned meanwhile", "Only here.");
  await api(server, "DELETE", "/binned%20meanwhile");
  await ann.context.setOffline(false);
  await reads(ann, "In the trash · 10 changes kept on this device");
  await ann.page.getByText("10 changes of yours have not reached the server.").waitFor();
  assert.match(await savesCopy(ann), /Known to all\. Only here\./);
  await screenshot(ann, "gone-unsent-light");
  await ann.page.getByRole("button", { name: "Restore" }).click();
  await status(ann, "saved");
  const bo = await person(server, "Bo");
  await openDocument(bo, "binned meanwhile");
  await words(bo, "Known to all. Only here.").waitFor();
});

test("a browser that cannot store says so in red, and asks before words are lost", async () => {
  const ann = await person(server, "Ann");
  await ann.page.addInitScript(() => {
    // As private windows and full disks do: the opening fails.
    IDBFactory.prototype.open = () => {
      const request = new EventTarget();
      setTimeout(() => request.onerror?.(new Event("error")));
      return request;
    };
  });
  await openDocument(ann, "not kept");
  await write(ann, "Durable. ");
  await status(ann, "saved");
  assert.equal(await ann.page.locator(".banner.danger").count(), 0);

  await ann.context.setOffline(true);
  await status(ann, "offline");
  await write(ann, "Only in this tab.");
  const banner = ann.page.getByRole("alert").getByText("This browser cannot store changes. Keep this tab open until the server is back.");
  await banner.waitFor();
  const [red, green, blue] = await ann.page.locator(".banner.danger").evaluate((element) => getComputedStyle(element).backgroundColor.match(/[\d.]+/g).map(Number));
  assert.ok(red > green && red > blue, `the banner is ${red} ${green} ${blue}`);
  await screenshot(ann, "not-kept-light");
  const asked = ann.page.waitForEvent("dialog");
  await ann.page.close({ runBeforeUnload: true });
  const dialog = await asked;
  assert.equal(dialog.type(), "beforeunload");
  await dialog.dismiss();

  // Going back to the list loses nothing either: it says so there, and the words are here again.
  assert.equal(await ann.page.getByTestId("status").textContent(), "Offline17 changes only in this tab");
  await ann.page.getByRole("link", { name: "All documents" }).click();
  await ann.page.getByRole("alert").getByText("A document you left has changes that this browser cannot store.").waitFor();
  await ann.page.goBack();
  await words(ann, "Durable. Only in this tab.").waitFor();
  await write(ann, " Gone on.");
  await ann.page.getByRole("link", { name: "All documents" }).click();
  await ann.page.getByRole("alert").getByText("A document you left").waitFor();

  // It is saved from there, and then is an ordinary document that was left.
  await ann.context.setOffline(false);
  await ann.page.getByRole("alert").getByText("A document you left").waitFor({ state: "detached" });
  const bo = await person(server, "Bo");
  await openDocument(bo, "not kept");
  await words(bo, "Durable. Only in this tab. Gone on.").waitFor();
});

test("a store that fails in the middle of a visit is noticed, and used again when it works again", async () => {
  const ann = await person(server, "Ann");
  await ann.page.addInitScript(() => {
    // As a full disk does: what was written is taken back.
    const transaction = IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = function (...how) {
      const made = transaction.apply(this, how);
      if (window.full && made.mode === "readwrite") made.abort();
      return made;
    };
  });
  await openDocument(ann, "fills up");
  await write(ann, "Stored. ");
  await stored(ann);
  await ann.context.setOffline(true);
  await status(ann, "offline");
  await ann.page.evaluate(() => (window.full = true));
  await write(ann, "Nowhere.");
  const banner = ann.page.getByRole("alert").getByText("This browser cannot store changes.");
  await banner.waitFor();
  assert.match(await ann.page.getByTestId("status").textContent(), /only in this tab/);
  await ann.page.evaluate(() => (window.full = false));
  await banner.waitFor({ state: "detached" });
  await kept(ann);
  // What the browser itself says of each refusal.
  ann.troubles = ann.troubles.filter((trouble) => !/AbortError|transaction/.test(trouble));
  await ann.context.setOffline(false);
  await status(ann, "saved");
  await ann.page.goto("about:blank");
  await server.kill();
  ann.mayLoseNetwork = true;
  await server.start();
  await openDocument(ann, "fills up");
  await words(ann, "Stored. Nowhere.").waitFor();
});
