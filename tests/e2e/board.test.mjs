// Two people at one board.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, request as passOn } from "node:http";
import { after, afterEach, before, test } from "node:test";
import { crc32, deflateSync } from "node:zlib";
import { at, click, drag, draw, dropFiles, kinds, menu, onBoard, openBoard, saved, seen, sees } from "./drawing.mjs";
import { api, fitsSideways, makeBoard, openHome, screenshot, startBrowser, startServer, status, title, until } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

async function annAndBo(name) {
  await makeBoard(server, name);
  const ann = await browser.person(server, { name: "Ann Lee", colour: "#0e7490" });
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  await openBoard(ann, name);
  await openBoard(bo, name);
  return [ann, bo];
}

test("a new board, drawn on by two", async () => {
  const ann = await browser.person(server, { name: "Ann Lee" });
  await openHome(ann);
  await ann.page.getByRole("button", { name: "New board" }).first().click();
  await status(ann, "saved");
  await onBoard(ann);
  await title(ann).fill("Loom plans");
  await title(ann).press("Enter");
  await draw(ann, "r", [300, 200], [500, 300]);

  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  await bo.page.goto(ann.page.url());
  await onBoard(bo);
  assert.equal(await bo.page.title(), "Loom plans · Weft");
  await sees(bo, "Ann's rectangle", (elements) => kinds(elements).join() === "rectangle");
  await draw(bo, "o", [700, 450], [800, 550]);
  const both = await sees(ann, "Bo's ellipse too", (elements) => kinds(elements).join() === "rectangle,ellipse");
  assert.equal(Math.round(both[0].width), 200);

  const name = decodeURIComponent(new URL(ann.page.url()).pathname.slice(3));
  const stored = await api(server, "GET", `/${encodeURIComponent(name)}/json`);
  assert.equal(stored.meta.kind, "board");
  assert.equal(Object.keys(stored.elements).length, 2);
});

test("one changes the colour and another the place of one shape at the same time: both hold", async () => {
  const [ann, bo] = await annAndBo("both hold");
  ann.mayLoseNetwork = true;
  await draw(ann, "r", [300, 200], [500, 300]);
  await sees(bo, "the rectangle", (elements) => elements.length === 1);
  await bo.page.keyboard.press("Escape");

  await ann.context.setOffline(true);
  await status(ann, "offline");
  await ann.page.getByTestId("color-top-pick-#e03131").click();
  const [before] = await seen(bo);
  await bo.page.keyboard.press("Control+a");
  for (let step = 0; step < 10; step++) await bo.page.keyboard.press("ArrowRight");
  await sees(bo, "it moved", ([moved]) => moved.x > before.x);
  await ann.context.setOffline(false);
  await status(ann, "saved");
  for (const person of [ann, bo]) {
    await sees(person, "a red rectangle that was moved", ([shape]) => shape.strokeColor === "#e03131" && shape.x > before.x);
  }
});

/** Takes hold at one place and pulls to another, not letting go yet. */
async function pull(somebody, ...places) {
  const { mouse } = somebody.page;
  for (const [step, place] of places.entries()) {
    await mouse.move(...(await at(somebody, ...place)), { steps: step === 0 ? 1 : 3 });
    if (step === 0) await mouse.down();
  }
}

test("one drags a shape to the right and another down, at the same time: both hold, and what is bound goes along", async () => {
  const [ann, bo] = await annAndBo("both drag");
  await draw(ann, "r", [300, 200], [500, 300]);
  await draw(ann, "a", [720, 250], [510, 250]);
  const [box] = await sees(bo, "a rectangle with an arrow bound to it", ([, arrow]) => arrow?.endBinding);
  for (const { page } of [ann, bo]) await page.keyboard.press("Escape");

  // By its edges: a shape without a fill is not taken by its middle. Bo's hand is seen by Ann, and hers by him.
  await pull(ann, [320, 200], [380, 200]);
  await pull(bo, [460, 300], [460, 350]);
  for (const step of [1, 2, 3]) {
    for (const [person, place] of [[ann, [380 + step * 20, 200]], [bo, [460, 350 + step * 20]]]) {
      await person.page.mouse.move(...(await at(person, ...place)));
      await person.page.evaluate(() => new Promise((resolve) => setTimeout(() => requestAnimationFrame(resolve), 60)));
    }
  }
  await ann.page.mouse.up();
  await bo.page.mouse.move(...(await at(bo, 460, 420)));
  await bo.page.mouse.up();
  const near = (one, other) => Math.abs(one - other) < 3;
  const touches = (shape, { x, y, points: [...points] }) => {
    const [left, top] = [x + points.at(-1)[0] - shape.x, y + points.at(-1)[1] - shape.y];
    return left > -15 && left < shape.width + 15 && top > -15 && top < shape.height + 15;
  };
  for (const person of [ann, bo]) {
    await sees(person, "it moved both ways, and the arrow still at its edge", ([shape, bound]) => near(shape.x, box.x + 120) && near(shape.y, box.y + 120) && touches(shape, bound));
  }
});

test("undo takes back one's own shape and leaves the other's, by key and by button", async () => {
  const [ann, bo] = await annAndBo("undo");
  await draw(ann, "r", [300, 200], [400, 300]);
  await draw(bo, "o", [500, 400], [600, 500]);
  for (const person of [ann, bo]) await sees(person, "both", (elements) => elements.length === 2);
  await ann.page.keyboard.press("Control+z");
  for (const person of [ann, bo]) await sees(person, "the ellipse only", (elements) => kinds(elements).join() === "ellipse");
  assert.ok(await ann.page.getByRole("button", { name: "Undo" }).isDisabled());
  await ann.page.getByRole("button", { name: "Redo" }).click();
  for (const person of [ann, bo]) await sees(person, "both again", (elements) => elements.length === 2);
  await bo.page.getByRole("button", { name: "Undo" }).click();
  for (const person of [ann, bo]) await sees(person, "the rectangle only", (elements) => kinds(elements).join() === "rectangle");
});

test("a stroke is seen while it is drawn, stored when it is done, and small", async () => {
  const [ann, bo] = await annAndBo("stroke");
  await draw(ann, "p", [300, 300], [600, 420], { hold: true });
  await sees(bo, "the stroke in Ann's hand", ([stroke]) => stroke?.type === "freedraw" && stroke.locked);
  const meanwhile = await api(server, "GET", "/stroke/json");
  assert.deepEqual(meanwhile.elements ?? {}, {});
  const { mouse } = ann.page;
  for (let step = 0; step < 400; step++) await mouse.move(...(await point(ann, step)));
  await mouse.up();
  const [stroke] = await sees(bo, "the stroke itself", ([one]) => one?.type === "freedraw" && !one.locked);
  assert.ok(stroke.points.length >= 300, `${stroke.points.length} points`);
  const { bytes } = await api(server, "GET", "/stroke");
  console.log(`a stroke of ${stroke.points.length} points: ${bytes} bytes stored`);
  assert.ok(bytes < 20 * 1024, `${bytes} bytes`);
});

const corner = new WeakMap();
async function point(somebody, step) {
  if (!corner.has(somebody)) corner.set(somebody, await at(somebody, 0, 0));
  const [x, y] = corner.get(somebody);
  return [x + 600 - step * 0.5, y + 420 + 80 * Math.sin(step / 20)];
}

test("a sticky note is written on, listed in the outline, and found from there", async () => {
  const [ann, bo] = await annAndBo("notes");
  await ann.page.keyboard.press("n");
  await click(ann, 600, 350);
  await ann.page.locator("textarea.excalidraw-wysiwyg").waitFor();
  await ann.page.keyboard.type("Buy wool");
  // On a pause, while the caret is still in it.
  const notes = await sees(bo, "the note", (elements) => kinds(elements).join() === "rectangle,text");
  assert.equal(notes[0].customData.kind, "note");
  assert.deepEqual([notes[1].originalText, notes[1].containerId], ["Buy wool", notes[0].id]);
  await ann.page.keyboard.press("Escape");
  await draw(ann, "f", [260, 160], [400, 240]);
  await bo.page.getByRole("button", { name: "Outline" }).click();
  const outline = bo.page.getByRole("complementary", { name: "Outline" });
  await outline.getByRole("button", { name: "Frame: Frame without a name" }).waitFor();
  await outline.getByRole("button", { name: "Note: Buy wool" }).click();
  await screenshot(bo, "board-outline-light");
  await bo.page.keyboard.press("Escape");
  await outline.waitFor({ state: "detached" });
});

test("two people write in one note at once: both see the words of both, and lose none", async () => {
  const [ann, bo] = await annAndBo("one note");
  const field = ({ page }) => page.locator("textarea.excalidraw-wysiwyg");
  const reads = (words) => (elements) => elements.find(({ type }) => type === "text")?.originalText === words;
  ann.mayLoseNetwork = true;
  await ann.page.keyboard.press("n");
  await click(ann, 600, 350);
  await field(ann).waitFor();
  await ann.page.keyboard.type("Base");
  await ann.page.keyboard.press("Escape");
  await sees(bo, "the note", reads("Base"));
  for (const { page } of [ann, bo]) {
    await page.locator(".board canvas.interactive").dblclick({ position: { x: 600, y: 350 } });
    await field({ page }).waitFor();
    await page.keyboard.press("End");
  }
  await ann.page.keyboard.type(" by Ann");
  await until("Bo has Ann's words in hand", async () => (await field(bo).inputValue()) === "Base by Ann");
  await bo.page.keyboard.press("Home");
  await bo.page.keyboard.type("Bo's ");
  await until("Ann has Bo's", async () => (await field(ann).inputValue()) === "Bo's Base by Ann");
  await ann.page.keyboard.type(" Lee");
  for (const { page } of [ann, bo]) await page.keyboard.press("Escape");
  for (const person of [ann, bo]) await sees(person, "the words of both", reads("Bo's Base by Ann Lee"));

  await ann.context.setOffline(true);
  await status(ann, "offline");
  for (const [{ page }, key, words] of [[ann, "End", " and a long line that goes on"], [bo, "Home", "Only "]]) {
    await page.locator(".board canvas.interactive").dblclick({ position: { x: 600, y: 350 } });
    await field({ page }).waitFor();
    await page.keyboard.press(`Control+${key}`);
    await page.keyboard.type(words);
    await page.keyboard.press("Escape");
  }
  await status(bo, "saved");
  await ann.context.setOffline(false);
  await status(ann, "saved");
  const words = "Only Bo's Base by Ann Lee and a long line that goes on";
  for (const person of [ann, bo]) {
    const text = (await sees(person, "the words of both", reads(words))).find(({ type }) => type === "text");
    assert.equal(text.text.replace(/\s+/g, " "), words);
    assert.ok(text.width <= 190 && text.text.includes("\n"), `in lines as wide as the note: ${text.width}`);
  }
});

test("a sticky note put into a frame goes with the frame, words and all", async () => {
  const [ann, bo] = await annAndBo("framed");
  await draw(ann, "f", [300, 160], [800, 560]);
  await ann.page.keyboard.press("Escape");
  await ann.page.keyboard.press("n");
  await click(ann, 550, 360);
  await ann.page.locator("textarea.excalidraw-wysiwyg").waitFor();
  await ann.page.keyboard.type("Warp");
  await ann.page.keyboard.press("Escape");
  const [note, words, frame] = await sees(bo, "the note below its frame", (elements) => kinds(elements).join() === "rectangle,text,frame");
  assert.deepEqual([note.frameId, words.frameId], [frame.id, frame.id]);
  await ann.page.keyboard.press("v");
  await drag(ann, [300, 500], [400, 500]);
  await sees(bo, "all three moved alike", (elements) => [note, words, frame].every(({ x }, at) => Math.round(elements[at].x - x) === 100));
});

test("a board's keys: the page's own help and palette, none that clears it, none for a modifier alone", async () => {
  const [ann] = await annAndBo("keys");
  const { page } = ann;
  const { keyboard } = page;
  await draw(ann, "r", [300, 200], [500, 300]);
  const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  for (const open of [() => keyboard.press("?"), () => page.locator(".board .help-icon").click()]) {
    await open();
    await help.getByText("Sticky note").waitFor();
    for (const key of ["Control+a", "Delete"]) await keyboard.press(key);
    await keyboard.press("Escape");
    await help.waitFor({ state: "detached" });
  }
  await keyboard.press("Control+Delete");
  assert.equal(await page.locator(".Modal, .confirm-dialog").count(), 0);
  // With nothing selected.
  await click(ann, 800, 500);
  await keyboard.press("Control+k");
  await page.getByRole("dialog", { name: "Command palette" }).waitFor();
  await keyboard.press("Escape");
  await page.getByRole("button", { name: "Document menu" }).focus();
  await keyboard.press("Shift");
  assert.equal(await page.evaluate(() => document.activeElement.ariaLabel), "Document menu");
  await keyboard.press("Shift+Tab");
  assert.equal(await page.locator(".doc-bar :focus").count(), 1);
  assert.equal((await seen(ann)).length, 1);
});

test("a board leads to no foreign host: no library beside the search, in a menu, or from a file", async () => {
  const [ann] = await annAndBo("no library");
  const { page } = ann;
  await draw(ann, "r", [300, 200], [500, 300]);
  await page.keyboard.press("Control+f");
  await page.locator(".layer-ui__search").waitFor();
  assert.equal(await page.locator(".board [role=tab]").count(), 1);
  assert.equal(await page.locator(".board a[href^=http]").count(), 0);
  assert.equal(await page.locator(".board .sidebar-trigger").count(), 0);
  await page.keyboard.press("Escape");
  const [x, y] = await at(ann, 400, 200);
  await page.mouse.click(x, y, { button: "right" });
  await page.locator(".context-menu [data-testid=deleteSelectedElements]").waitFor();
  assert.equal(await page.getByText("Add to library").count(), 0);
  await page.keyboard.press("Escape");
  await dropFiles(ann, [600, 400], { "shapes.excalidrawlib": JSON.stringify({ type: "excalidrawlib", version: 2, libraryItems: [] }) });
  await page.locator(".toast", { hasText: "A library of shapes cannot be opened here" }).waitFor();
  assert.equal((await seen(ann)).length, 1);
});

test("several pictures dropped together all arrive; what is no picture is refused in a line, and the words of a web page without its pictures", async () => {
  const [ann, bo] = await annAndBo("dropped");
  await dropFiles(ann, [400, 300], { "a.png": square(30), "b.png": square(90), "c.pdf": "%PDF-1.4" });
  await ann.page.locator(".toast", { hasText: "c.pdf is neither a picture nor a drawing" }).waitFor();
  const images = await sees(bo, "both pictures", (elements) => kinds(elements).join() === "image,image");
  assert.equal(new Set(images.map(({ fileId }) => fileId)).size, 2);

  await ann.page.mouse.move(...(await at(ann, 700, 450)));
  await ann.page.locator(".board canvas.interactive").evaluate((canvas) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/html", "<p>Warp and <b>weft</b></p><img src='https://elsewhere.example/loom.png'>");
    clipboardData.setData("text/plain", "Warp and weft");
    canvas.closest(".excalidraw").focus();
    canvas.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  });
  const [, , words] = await sees(bo, "the words", (elements) => kinds(elements).join() === "image,image,text");
  assert.equal(words.text, "Warp and weft");

  // A link to one of the shapes leads to it, and leaves the address as it was.
  await bo.page.goto(`${server.url}/d/dropped?element=${words.id}`);
  await onBoard(bo);
  assert.equal(new URL(bo.page.url()).search, "");
  await bo.page.locator(".board .App-menu__left", { hasText: "Font size" }).waitFor();
});

test("at every width the tools can be reached, with colleagues there and with the chat open", async () => {
  await makeBoard(server, "widths");
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  await openBoard(bo, "widths");
  for (const [size, chat] of [[[820, 1180], false], [[768, 1024], true], [[1200, 820], true]]) {
    const ann = await browser.person(server, { name: "Ann Lee", size });
    await openBoard(ann, "widths");
    await draw(ann, "r", [300, 300], [350, 350]);
    if (chat) await ann.page.getByRole("button", { name: /^Chat/ }).click();
    // With the chat beside it the narrowest is a phone's board, where the outline is in the menu.
    for (const name of size[0] === 768 ? ["Sticky note"] : ["Sticky note", "Outline"]) {
      // A click goes through only where nothing lies over it, and inside the window.
      await ann.page.locator(".board").getByRole("button", { name }).click({ trial: true });
    }
    const [board, tools] = await Promise.all([".board", ".board .App-toolbar"].map((place) => ann.page.locator(place).first().boundingBox()));
    // A phone's are a line that scrolls.
    if (size[0] !== 768) assert.ok(tools.x >= board.x && tools.x + tools.width <= board.x + board.width, `the tools within the board at ${size[0]}`);
    await screenshot(ann, `board-${size[0]}-light`);
  }
});

test("what is on a board outlives a reload, the server, and a time without network", async () => {
  const [ann, bo] = await annAndBo("outlives");
  ann.mayLoseNetwork = bo.mayLoseNetwork = true;
  await draw(ann, "r", [300, 200], [400, 300]);
  await sees(bo, "the rectangle", (elements) => elements.length === 1);
  await ann.page.reload();
  await onBoard(ann);
  await sees(ann, "it again", (elements) => elements.length === 1);

  await ann.context.setOffline(true);
  await status(ann, "offline");
  await draw(ann, "o", [500, 450], [600, 550]);
  await draw(bo, "d", [260, 450], [340, 550]);
  assert.equal((await seen(bo)).length, 2);
  await ann.context.setOffline(false);
  await status(ann, "saved");
  for (const person of [ann, bo]) await sees(person, "all three", (elements) => kinds(elements).sort().join() === "diamond,ellipse,rectangle");

  await server.kill();
  await server.start();
  await status(ann, "saved");
  await bo.page.reload();
  await onBoard(bo);
  for (const person of [ann, bo]) await sees(person, "all three", (elements) => elements.length === 3);
});

test("people's pointers have names, and one goes along with another", async () => {
  const [ann, bo] = await annAndBo("along");
  await draw(ann, "r", [300, 200], [500, 300]);
  await sees(bo, "the rectangle", (elements) => elements.length === 1);
  await menu(ann, "Follow Bo");
  await ann.page.getByText("Following Bo").waitFor();
  const zoom = ({ page }) => page.locator(".reset-zoom-button").textContent();
  const before = await zoom(ann);
  for (let step = 0; step < 3; step++) await bo.page.locator(".zoom-out-button").click();
  const there = await zoom(bo);
  assert.notEqual(there, before);
  await until("Ann sees as much as Bo", async () => Math.abs(parseInt(await zoom(ann)) - parseInt(there)) <= 1);
  // Moving by oneself is the end of it.
  await ann.page.mouse.move(...(await at(ann, 600, 400)));
  await ann.page.mouse.wheel(0, 200);
  await ann.page.getByText("Following Bo").waitFor({ state: "detached" });

  await bo.page.keyboard.press("k");
  await drag(bo, [400, 300], [700, 420], { hold: true });
  await until("Bo's pointer is drawn", async () => (await ann.page.screenshot()).length > 0);
  await screenshot(ann, "board-pointers-light");
  await bo.page.mouse.up();
});

/** A square of one colour, as a PNG file. */
function square(red) {
  const part = (kind, data) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
  };
  const side = 32;
  const rows = Buffer.concat(Array.from({ length: side }, () => Buffer.from([0, ...Array.from({ length: side }, () => [red, 49, 49]).flat()])));
  const head = Buffer.from([0, 0, 0, side, 0, 0, 0, side, 8, 2, 0, 0, 0]);
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), part("IHDR", head), part("IDAT", deflateSync(rows)), part("IEND", Buffer.alloc(0))]);
}
const PICTURE = square(224);

/** Drops a picture on the board, as from a folder. */
async function putImage(somebody) {
  const [clientX, clientY] = await at(somebody, 600, 400);
  const dataTransfer = await somebody.page.evaluateHandle((base64) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], "picture.png", { type: "image/png" }));
    return transfer;
  }, PICTURE.toString("base64"));
  await somebody.page.dispatchEvent(".board canvas.interactive", "drop", { dataTransfer, clientX, clientY });
}

test("an image goes to the server once, and the document has its address only", async () => {
  const [ann, bo] = await annAndBo("images");
  let posted = 0;
  ann.page.on("request", (request) => (posted += request.method() === "POST" && request.url().includes("/attachments") ? 1 : 0));
  await putImage(ann);
  await sees(bo, "the image", ([image]) => image?.type === "image");
  await until("Bo has its bytes", async () => Object.keys(JSON.parse((await saved(bo, "Save as .excalidraw file")).bytes).files).length === 1);
  const stored = await api(server, "GET", "/images/json");
  const [address, ...more] = Object.values(stored.files);
  assert.match(address, /^\/api\/v1\/documents\/images\/attachments\/[\w-]+$/);
  assert.deepEqual(more, []);
  const served = await fetch(server.url + address);
  assert.equal(served.headers.get("content-type"), "image/png");
  assert.equal(Buffer.from(await served.arrayBuffer()).subarray(1, 4).toString(), "PNG");
  assert.ok(!JSON.stringify(stored).includes("base64"));
  assert.equal(posted, 1);
});

test("a picture that is refused for good stays for its author, who is told why, saves it, and takes it off", async () => {
  const [ann, bo] = await annAndBo("no images");
  ann.mayLoseNetwork = true;
  await ann.context.route(/\/attachments/, (route) => route.fulfill({ status: 404, json: { error: { code: "not_found", message: "there is nothing here" } } }));
  await putImage(ann);
  const alert = ann.page.locator(".board-refused");
  await alert.getByText("The server did not take 1 picture: This server cannot store images. Only you see it, on this device.").waitFor();
  await sees(ann, "the image", (elements) => elements.length === 1);
  for (const [size, theme] of [[[1280, 820], "light"], [[390, 780], "dark"]]) {
    await ann.page.setViewportSize({ width: size[0], height: size[1] });
    await ann.page.emulateMedia({ colorScheme: theme });
    await screenshot(ann, `picture-refused-${theme}`);
    await fitsSideways(ann, `a refused picture, ${theme}`);
  }
  await ann.page.setViewportSize({ width: 1280, height: 820 });
  const [download] = await Promise.all([ann.page.waitForEvent("download"), alert.getByRole("button", { name: "Save the picture" }).click()]);
  assert.equal(download.suggestedFilename(), "picture.png");
  assert.equal((await readFile(await download.path())).subarray(1, 4).toString(), "PNG");
  await alert.getByRole("button", { name: "Take off the board" }).click();
  // An empty board cannot be saved as a file, so it is not asked for one.
  await bo.page.locator(".board-hint").waitFor();
  await alert.waitFor({ state: "detached" });
});

test("a colleague takes a refused picture off the board: it is its author's still, who saves it and discards it", async () => {
  const [ann, bo] = await annAndBo("taken off");
  ann.mayLoseNetwork = true;
  await ann.context.route(/\/attachments/, (route) => route.fulfill({ status: 404, json: { error: { code: "not_found", message: "there is nothing here" } } }));
  await putImage(ann);
  await ann.page.getByText("The server did not take 1 picture").waitFor();
  await bo.page.locator(".board-hint").waitFor({ state: "detached" });
  await click(bo, 640, 600);
  await bo.page.keyboard.press("Control+a");
  await bo.page.keyboard.press("Delete");
  await ann.page.locator(".board-hint").waitFor();
  const left = ann.page.locator(".board-stranded");
  await left.getByText("1 picture that was taken off the board is on this device only. The server never got it.").waitFor();
  assert.equal(await ann.page.getByText("The server did not take").count(), 0);
  // It outlives the visit.
  await ann.page.reload();
  await onBoard(ann);
  await left.waitFor();
  for (const [size, theme] of [[[1280, 820], "light"], [[390, 780], "dark"]]) {
    await ann.page.setViewportSize({ width: size[0], height: size[1] });
    await ann.page.emulateMedia({ colorScheme: theme });
    await screenshot(ann, `picture-stranded-${theme}`);
    await fitsSideways(ann, `a picture that is here only, ${theme}`);
  }
  await ann.page.setViewportSize({ width: 1280, height: 820 });
  const [download] = await Promise.all([ann.page.waitForEvent("download"), left.getByRole("button", { name: "Save the picture" }).click()]);
  assert.equal((await readFile(await download.path())).subarray(1, 4).toString(), "PNG");
  await left.getByRole("button", { name: "Discard" }).click();
  await left.waitFor({ state: "detached" });
  await ann.page.reload();
  await onBoard(ann);
  await ann.page.locator(".board-hint").waitFor();
  assert.equal(await left.count(), 0);
});

for (const [what, answer] of [
  ["a server in trouble", { status: 500, body: "internal error" }],
  ["a portal's page", { status: 200, contentType: "text/html", body: "<!doctype html><title>Hotel</title>Please log in" }],
]) {
  test(`${what} is no refusal of a picture: it stays, and is there for all when the server answers`, async () => {
    const name = `pictures and ${what}`;
    const [ann, bo] = await annAndBo(name);
    let asked = 0;
    let up = false;
    const proxy = await portal(server, (request) => {
      if (request.method !== "POST" || !request.url.includes("/attachments") || up) return null;
      asked += 1;
      return answer;
    });
    try {
      await ann.context.route(/\/attachments/, async (route) => {
        // By way of the gateway, as all of this person's requests for pictures.
        const url = route.request().url().replace(server.url, proxy.url);
        await route.fulfill({ response: await route.fetch({ url }) });
      });
      ann.mayLoseNetwork = true;
      await putImage(ann);
      await ann.page.getByText("1 picture is not on the server yet. It is tried again by itself.").waitFor();
      await until("it is tried again", () => asked > 2);
      await sees(ann, "the image", ([image]) => image?.type === "image" && !image.isDeleted);
      up = true;
      await until("Bo has its bytes", async () => Object.keys(JSON.parse((await saved(bo, "Save as .excalidraw file")).bytes).files).length === 1);
      await ann.page.getByText("is not on the server yet").waitFor({ state: "detached" });
      ann.troubles = ann.troubles.filter((trouble) => !/status of 500/.test(trouble));
    } finally {
      proxy.close();
    }
  });
}

/** A gateway in front of the server that answers by itself what `answer` has an answer for. */
async function portal(server, answer) {
  const gateway = createServer((request, response) => {
    const own = answer(request);
    if (own !== null) {
      request.resume();
      response.writeHead(own.status, { "content-type": own.contentType ?? "text/plain" }).end(own.body);
      return;
    }
    const to = new URL(request.url, server.url);
    const headers = { ...request.headers, host: to.host, ...(request.headers.origin ? { origin: server.url } : {}) };
    request.pipe(passOn(to, { method: request.method, headers }, (answered) => answered.pipe(response.writeHead(answered.statusCode, answered.headers))));
  }).listen(0, "127.0.0.1");
  await once(gateway, "listening");
  return { url: `http://127.0.0.1:${gateway.address().port}`, close: () => gateway.close() };
}

test("a board as PNG, as SVG, as a file, and back", async () => {
  const [ann, bo] = await annAndBo("files");
  await menu(ann, "Save as PNG image");
  await ann.page.getByText("There is nothing on this board yet").first().waitFor();
  await draw(ann, "r", [300, 200], [500, 300]);
  await ann.page.keyboard.press("Enter");
  await ann.page.locator("textarea.excalidraw-wysiwyg").waitFor();
  await ann.page.keyboard.type("Loom 織");
  await ann.page.keyboard.press("Escape");
  await title(ann).fill("Plans / 2026");
  const png = await saved(ann, "Save as PNG image");
  assert.equal(png.name, "Plans 2026.png");
  assert.equal(png.bytes.subarray(1, 4).toString(), "PNG");
  const svg = (await saved(ann, "Save as SVG drawing")).bytes.toString();
  assert.match(svg, /^<svg.*Loom/s);
  assert.match(svg, /@font-face[^}]*Excalifont[^}]*url\("?data:font\/woff2/);
  assert.ok(!/https?:\/\/(?!www\.w3\.org)/.test(svg.replace(/<!--.*?-->/gs, "").replace(/<metadata>.*?<\/metadata>/gs, "")), "names no host");

  const file = await saved(ann, "Save as .excalidraw file");
  const bring = async (somebody, name, buffer) => {
    const [chooser] = await Promise.all([somebody.page.waitForEvent("filechooser"), menu(somebody, "Bring in a file")]);
    await chooser.setFiles({ name, mimeType: "application/json", buffer });
  };
  await bring(bo, "plans.excalidraw", file.bytes);
  await bo.page.getByText("2 shapes were brought in").first().waitFor();
  const all = await sees(ann, "the copies beside the originals", (elements) => elements.length === 4);
  assert.equal(new Set(all.map(({ id }) => id)).size, 4);
  assert.deepEqual(kinds(all), ["rectangle", "text", "rectangle", "text"]);
  assert.equal(all[3].containerId, all[2].id);
  await bring(bo, "notes.json", Buffer.from("{}"));
  await bo.page.getByText("There is no drawing in this file").first().waitFor();
});

/** The server as one that lets this person read only: what it says of their access is changed on the way. */
const readOnly = ({ page }, answer = () => "readonly") =>
  page.routeWebSocket(/\/hocuspocus/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((frame) => {
      const bytes = Buffer.from(frame);
      const at = bytes.indexOf("\nread-write");
      const scope = answer();
      socket.send(at < 0 || scope === "read-write" ? frame : Buffer.concat([bytes.subarray(0, at), Buffer.from([scope.length]), Buffer.from(scope), bytes.subarray(at + 11)]));
    });
  });

test("who may only read sees the board and what others do on it, and changes nothing", async () => {
  const [ann] = await annAndBo("to be read");
  await draw(ann, "r", [300, 250], [500, 400]);
  const cy = await browser.person(server, { name: "Cy", colour: "#4d7c0f" });
  let scope = "readonly";
  await readOnly(cy, () => scope);
  await cy.page.goto(`${server.url}/d/${encodeURIComponent("to be read")}`);
  await status(cy, "read-only");
  await onBoard(cy);
  await cy.page.getByTestId("status").getByText("View only").waitFor();
  await sees(cy, "Ann's rectangle", (elements) => elements.length === 1);

  // No tools, no title to write in, nothing to bring in; and keys, pointer, undo and a paste change nothing.
  assert.equal(await cy.page.locator(".App-toolbar").count(), 0);
  for (const name of ["Sticky note", "Undo"]) assert.equal(await cy.page.getByRole("button", { name }).count(), 0, name);
  assert.equal(await title(cy).getAttribute("readonly"), "");
  await cy.page.getByRole("button", { name: "Document menu" }).click();
  await cy.page.getByRole("menuitem", { name: "Outline" }).waitFor();
  assert.equal(await cy.page.getByRole("menuitem", { name: "Bring in a file…" }).count(), 0);
  await cy.page.keyboard.press("Escape");
  await screenshot(cy, "board-view-only-light");
  await draw(cy, "d", [600, 250], [700, 350]);
  await cy.page.keyboard.press("n");
  await click(cy, 650, 500);
  await cy.page.keyboard.press("Control+a");
  await cy.page.keyboard.press("Delete");
  await cy.page.keyboard.press("Control+z");

  // What Ann does next arrives, and is all that does.
  await draw(ann, "o", [600, 300], [700, 400]);
  const here = await sees(cy, "Ann's circle", (elements) => elements.length === 2);
  assert.deepEqual(kinds(here), ["rectangle", "ellipse"]);
  assert.deepEqual(kinds(await seen(ann)), ["rectangle", "ellipse"]);

  // Allowed to write, on the next connection, the same page becomes a board to draw on.
  scope = "read-write";
  cy.mayLoseNetwork = true;
  await cy.context.setOffline(true);
  await status(cy, "offline");
  await cy.context.setOffline(false);
  await status(cy, "saved");
  await cy.page.locator(".App-toolbar").waitFor();
  await draw(cy, "d", [300, 500], [400, 600]);
  await sees(ann, "Cy's diamond", (elements) => elements.length === 3);
});
