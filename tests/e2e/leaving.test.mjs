// A page that is left leaves nothing behind: neither its elements nor its listeners, whatever the document was.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { make, openHome, startBrowser, startServer, status } from "./support.mjs";

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([startServer(), startBrowser()]);
});
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

/** Visits before the counting begins: parts of the app are fetched, caches filled. */
const WARM_UP = 8;
const VISITS = 10;

/** What the page holds when everything that can go has gone. */
async function held({ page, devtools }) {
  // Work put off until there is time for it holds what it is about.
  await page.evaluate(() => new Promise((resolve) => requestIdleCallback(() => requestIdleCallback(resolve))));
  // What a first collection finalises, a second one takes away.
  for (let times = 0; times < 3; times++) await devtools.send("HeapProfiler.collectGarbage");
  const { metrics } = await devtools.send("Performance.getMetrics");
  const of = (name) => metrics.find((metric) => metric.name === name).value;
  // Parts of the app that are fetched in the meantime leave their links there.
  const head = await page.evaluate(() => document.head.childNodes.length);
  return { elements: of("Nodes") - head, listeners: of("JSEventListeners"), documents: of("Documents") };
}

const PICTURE = readFileSync(new URL("../../frontend/public/icons/192.png", import.meta.url)).toString("base64");

const pasted = (page, texts, picture = null) =>
  page.evaluate(
    ([texts, picture]) => {
      const clipboardData = new DataTransfer();
      for (const [type, text] of Object.entries(texts)) clipboardData.setData(type, text);
      if (picture !== null) clipboardData.items.add(new File([Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0))], "picture.png", { type: "image/png" }));
      document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    },
    [texts, picture],
  );

const KINDS = {
  text: async ({ page }) => {
    const body = page.locator(".prose");
    await body.click();
    await page.keyboard.press("Control+End");
    await page.keyboard.type("Words. ");
    await page.keyboard.press("Shift+Control+ArrowLeft");
    await page.locator(".bubble").waitFor();
    await page.keyboard.press("Control+End");
    await page.keyboard.press("Control+f");
    await page.locator(".find input").first().waitFor();
    await page.keyboard.press("Escape");
  },
  // With a picture, a table and code in it, and whatever can stand beside it open.
  "text with everything": async ({ page }) => {
    const body = page.locator(".prose");
    await body.click();
    if ((await body.locator("table").count()) === 0) {
      await pasted(page, { "text/html": "<h2>Plan</h2><table><tr><td>a</td><td>b</td></tr></table><pre><code>let it = 1;</code></pre><p>End</p>" });
      await pasted(page, {}, PICTURE);
    }
    await body.locator("img").first().waitFor();
    await body.locator("td").first().click();
    await page.locator(".table-handle").first().waitFor();
    await body.locator("pre").click();
    await page.keyboard.press("Control+End");
    await page.keyboard.type(" /");
    await page.getByRole("listbox").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Backspace");
    await page.keyboard.press("Backspace");
    // One thing stands at the right: the chat closes the outline.
    await page.getByRole("button", { name: "Document menu" }).click();
    await page.getByRole("menuitem", { name: "Outline" }).click();
    await page.getByRole("complementary", { name: "Outline" }).waitFor();
    await page.getByRole("button", { name: /^Chat/ }).click();
    await page.getByRole("complementary", { name: "Chat" }).waitFor();
  },
  plain: async ({ page }) => {
    await page.locator(".cm-content").click();
    await page.keyboard.type("words ");
    await page.keyboard.press("Control+f");
    await page.locator(".cm-search input").first().waitFor();
    await page.keyboard.press("Escape");
  },
  board: async ({ page }) => {
    await page.locator(".excalidraw canvas.interactive").click({ position: { x: 300, y: 300 } });
    await page.keyboard.press("r");
    await page.mouse.move(400, 300);
    await page.mouse.down();
    await page.mouse.move(500, 400, { steps: 3 });
    await page.mouse.up();
    // Each visit ends with the board it began with: what is drawn last is remembered until the next board.
    await page.keyboard.press("Delete");
  },
};

for (const [kind, use] of Object.entries(KINDS)) {
  test(`a ${kind} that is left leaves no elements and no listeners behind`, async () => {
    await make(server, `left ${kind}`, kind.split(" ")[0]);
    const ann = await browser.person(server);
    ann.devtools = await ann.context.newCDPSession(ann.page);
    await ann.devtools.send("Performance.enable");
    await openHome(ann);
    const visit = async () => {
      await ann.page.locator(`a[href="/d/${encodeURIComponent(`left ${kind}`)}"]`).first().click();
      await status(ann, "saved");
      await use(ann);
      await status(ann, "saved");
      await ann.page.getByRole("link", { name: "All documents" }).click();
      await ann.page.locator(`a[href="/d/${encodeURIComponent(`left ${kind}`)}"]`).first().waitFor();
    };
    const visits = async (count) => {
      for (let times = 0; times < count; times++) await visit();
      return held(ann);
    };
    /** What stays of each visit grows with them; a cache that is filled on the way does not. */
    const grown = (before, after) => Object.keys(after).filter((what) => after[what] >= before[what] + VISITS);
    const before = await visits(WARM_UP);
    const after = await visits(VISITS);
    if (grown(before, after).length === 0) return;
    // Something that is kept once, such as the last board until the next one, may be there now and not have been before.
    const later = await visits(VISITS);
    const all = JSON.stringify([before, after, later]);
    assert.deepEqual(grown(after, later), [], `each after ${VISITS} more visits: ${all}`);
  });
}
