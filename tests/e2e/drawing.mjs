// What people do at a board, and what they see on it.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status, until } from "./support.mjs";

export async function openBoard(somebody, name) {
  await somebody.page.goto(`${somebody.server.url}/d/${encodeURIComponent(name)}`);
  await status(somebody, "saved");
  await onBoard(somebody);
}

/** Waits until the board stands and listens. */
export const onBoard = ({ page }) => page.locator(".board[data-open] .excalidraw canvas.interactive").waitFor();

/** A place on the board, from the upper left corner of its part of the page. */
export async function at({ page }, x, y) {
  const box = await page.locator(".board").boundingBox();
  return [box.x + x, box.y + y];
}

export async function drag(somebody, from, to, { hold = false } = {}) {
  const { mouse } = somebody.page;
  await mouse.move(...(await at(somebody, ...from)));
  await mouse.down();
  await mouse.move(...(await at(somebody, (from[0] + to[0]) / 2, (from[1] + to[1]) / 2)), { steps: 3 });
  await mouse.move(...(await at(somebody, ...to)), { steps: 3 });
  if (!hold) await mouse.up();
}

export async function draw(somebody, key, from, to, options) {
  await somebody.page.keyboard.press(key);
  await drag(somebody, from, to, options);
}

export const click = async (somebody, x, y) => somebody.page.mouse.click(...(await at(somebody, x, y)));

/** Drops files from elsewhere, as the browser reports it and not as a page could: `files` is their names and contents. */
export async function dropFiles(somebody, [x, y], files) {
  const folder = await mkdtemp(join(tmpdir(), "weft-drop-"));
  const paths = await Promise.all(
    Object.entries(files).map(async ([name, content]) => {
      await writeFile(join(folder, name), content);
      return join(folder, name);
    }),
  );
  const [pageX, pageY] = await at(somebody, x, y);
  const browser = await somebody.context.newCDPSession(somebody.page);
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await browser.send("Input.dispatchDragEvent", { type, x: pageX, y: pageY, data: { items: [], files: paths, dragOperationsMask: 1 } });
  }
  await browser.detach();
  // Once the page has taken them, the folder may go; a page reads a dropped file when it likes.
  somebody.context.once("close", () => void rm(folder, { recursive: true, force: true }));
}

export async function menu({ page }, item) {
  await page.getByRole("button", { name: "Document menu" }).click();
  await page.getByRole("menuitem", { name: item }).click();
}

export async function saved(somebody, item) {
  const [download] = await Promise.all([somebody.page.waitForEvent("download"), menu(somebody, item)]);
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

/** What this person sees, as the file they would save: everything on the board, in drawing order. */
export async function seen(somebody) {
  if (await somebody.page.locator(".board-hint").count()) return [];
  const { bytes } = await saved(somebody, "Save as .excalidraw file");
  return JSON.parse(bytes).elements;
}

export const kinds = (elements) => elements.map(({ type }) => type);

export async function sees(somebody, what, test) {
  let last;
  return until(
    () => `${somebody.name} sees ${what}: ${JSON.stringify(last)}`,
    async () => test((last = await seen(somebody))) && last,
  );
}
