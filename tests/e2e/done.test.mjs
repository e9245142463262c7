// What somebody sees who comes to look over a colleague's shoulder: each thing made in one browser is in the other, with
// the name of who made it. How long each took is printed, not judged: that is a matter of the machine.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { draw, kinds, onBoard, openBoard, sees } from "./drawing.mjs";
import { api, makeBoard, openHome, screenshot, startBrowser, startServer, status, text, title, until } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

const PICTURE = await readFile(new URL("../../frontend/public/icons/192.png", import.meta.url));

/** From the moment before `act` to the moment the other sees it. */
async function appears(what, act, seen) {
  const since = performance.now();
  await act();
  await seen();
  console.log(`${what}: with the other after ${(performance.now() - since).toFixed(0)} ms, making it included`);
}

test("a heading, a task list, a table and a pasted picture appear in a second browser, with names", async () => {
  const ann = await browser.person(server, { name: "Ann Lee", colour: "#0e7490" });
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  await openHome(ann);
  await ann.page.getByRole("button", { name: "New text" }).first().click();
  await status(ann, "saved");
  await bo.page.goto(ann.page.url());
  await status(bo, "saved");
  const { keyboard } = ann.page;
  const there = (selector, hasText) => bo.page.locator(`.prose ${selector}`, hasText ? { hasText } : {}).first().waitFor();
  await text(ann).focus();
  await appears("a heading", () => keyboard.type("# The workshop"), () => there("h2", "The workshop"));
  await bo.page.getByRole("button", { name: /where Ann Lee is writing/ }).waitFor();
  await until("Ann's caret has her name", async () => (await bo.page.locator(".caret-name").first().getAttribute("data-name")) === "Ann Lee");
  await keyboard.press("Enter");
  await appears("a task list", () => keyboard.type("[] Book the room\nAsk Mei"), async () => {
    await bo.page.getByRole("checkbox", { name: "Done: Book the room" }).waitFor();
    await bo.page.getByRole("checkbox", { name: "Done: Ask Mei" }).waitFor();
  });
  await keyboard.press("Enter");
  await keyboard.press("Enter");
  await appears("a table", async () => {
    await ann.page.getByRole("toolbar", { name: "Formatting" }).getByRole("button", { name: "Table", exact: true }).click();
    await keyboard.type("Yarn");
  }, () => there("th", "Yarn"));
  await keyboard.press("Control+End");
  await appears(
    "a pasted picture",
    () =>
      ann.page.evaluate((encoded) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0))], "loom.png", { type: "image/png" }));
        document.querySelector(".prose").dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
      }, PICTURE.toString("base64")),
    // Drawn from the server's own store, not only named.
    () => until("the picture is drawn", () => bo.page.evaluate(() => [...document.querySelectorAll(".prose img")].some(({ naturalWidth }) => naturalWidth === 192))),
  );
  await screenshot(bo, "done-text-light");
});

test("a board of sticky notes appears in a second browser, with names", async () => {
  const ann = await browser.person(server, { name: "Ann Lee", colour: "#0e7490" });
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  await openHome(ann);
  await ann.page.getByRole("button", { name: "New board" }).first().click();
  await status(ann, "saved");
  await onBoard(ann);
  await title(ann).fill("Who brings what");
  await bo.page.goto(ann.page.url());
  await onBoard(bo);
  await bo.page.getByRole("button", { name: /Ann Lee/ }).first().waitFor();
  await title(ann).press("Enter");
  for (const [at, words] of ["Wool", "Patience", "The kettle"].entries()) {
    await appears(
      `a note, "${words}"`,
      async () => {
        await ann.page.keyboard.press("n");
        const box = await ann.page.locator(".board").boundingBox();
        await ann.page.mouse.click(box.x + 300 + at * 220, box.y + 320);
        await ann.page.locator("textarea.excalidraw-wysiwyg").waitFor();
        await ann.page.keyboard.type(words);
        await ann.page.keyboard.press("Escape");
        await ann.page.keyboard.press("Escape");
      },
      () => sees(bo, words, (elements) => elements.some(({ originalText }) => originalText === words)),
    );
  }
  const all = await sees(bo, "three notes", (elements) => kinds(elements).join() === "rectangle,text,rectangle,text,rectangle,text");
  assert.ok(all.filter(({ type }) => type === "rectangle").every(({ customData }) => customData.kind === "note"));
  await screenshot(bo, "done-board-light");
});

test("two change the colour and the place of one shape at the same moment: both changes hold, and stay", async () => {
  await makeBoard(server, "one-shape");
  const ann = await browser.person(server, { name: "Ann Lee" });
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  await openBoard(ann, "one-shape");
  await openBoard(bo, "one-shape");
  await draw(ann, "r", [400, 260], [560, 360]);
  const [before] = await sees(bo, "the rectangle", (elements) => elements.length === 1);
  await bo.page.keyboard.press("Escape");
  await bo.page.keyboard.press("Control+a");
  // Nobody is offline here: both hands move while the other's change is on its way.
  await Promise.all([
    ann.page.getByTestId("color-top-pick-#e03131").click(),
    (async () => {
      for (let step = 0; step < 12; step++) await bo.page.keyboard.press("ArrowRight");
    })(),
  ]);
  const moved = (shape) => shape.strokeColor === "#e03131" && shape.x > before.x + 10;
  const [one] = await sees(ann, "it red and moved", ([shape]) => moved(shape));
  const [other] = await sees(bo, "it red and moved", ([shape]) => moved(shape) && shape.x === one.x);
  assert.equal(other.y, before.y);
  const stored = await api(server, "GET", "/one-shape/json");
  const [shape] = Object.values(stored.elements);
  assert.deepEqual([shape.strokeColor, shape.x], ["#e03131", one.x]);
});
