// Two people talk beside a document.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { accessible, fitsSideways, makeBoard, openDocument, screenshot, startBrowser, startServer, status, twoIn, until, write } from "./support.mjs";

let server, browser;
before(async () => ([server, browser] = await Promise.all([startServer(), startBrowser()])));
after(() => Promise.all([browser?.close(), server?.dispose()]));
afterEach(() => browser.everybodyLeaves());

const annAndBo = (document) => twoIn(browser, server, document);
const button = ({ page }) => page.getByRole("button", { name: /^Chat/ });
const panel = ({ page }) => page.getByRole("complementary", { name: "Chat" });
const field = (somebody) => panel(somebody).getByRole("textbox", { name: "Message" });
const said = (somebody, words) => panel(somebody).locator(".chat-text", { hasText: words });
const dot = (somebody) => button(somebody).locator(".chat-dot");

async function openChat(somebody) {
  await button(somebody).click();
  await field(somebody).waitFor();
}

async function say(somebody, words) {
  await field(somebody).fill(words);
  await field(somebody).press("Enter");
  await said(somebody, words).waitFor();
}

/** Waits until nothing of this person's waits any more. */
const confirmed = (somebody) => until(`${somebody.name}'s messages are confirmed`, async () => (await panel(somebody).locator(".chat-part[data-waiting]").count()) === 0);

/** What stands in the conversation, in order, with who said it. */
const conversation = (somebody) =>
  panel(somebody).locator(".chat-said").evaluateAll((groups) => groups.flatMap((group) => [...group.querySelectorAll(".chat-text")].map((text) => `${group.getAttribute("aria-label")}: ${text.textContent}`)));

test("a message arrives with its author's name, a dot says so, and a latecomer reads it too", async () => {
  const [ann, bo] = await annAndBo("talk");
  await openChat(ann);
  await panel(ann).getByText("Nothing was said here yet").waitFor();
  // Bo's line stands, so that what comes next is news to it and not the past.
  await panel(ann).getByText("Bo joined").waitFor();
  await say(ann, "Shall we begin?");
  await confirmed(ann);

  // Bo has not opened the chat: the dot and its words say that there is something.
  await dot(bo).waitFor();
  await bo.page.getByRole("button", { name: "Chat, 1 new message" }).waitFor();
  await bo.page.getByTestId("live-region").getByText("1 new chat message from Ann Lee").waitFor();
  await openChat(bo);
  await said(bo, "Shall we begin?").waitFor();
  await until("the dot is gone", async () => (await dot(bo).count()) === 0);
  await say(bo, "Yes: https://example.org/plan.\nSecond line");
  await said(ann, "Second line").waitFor();
  assert.deepEqual(await conversation(ann), ["Ann Lee (you): Shall we begin?", "Bo: Yes: https://example.org/plan.\nSecond line"]);
  const link = panel(ann).getByRole("link", { name: "https://example.org/plan", exact: true });
  assert.deepEqual(await Promise.all(["rel", "target"].map((name) => link.getAttribute(name))), ["noopener noreferrer nofollow", "_blank"]);
  await ann.page.getByTestId("live-region").getByText("Bo says: Yes").waitFor();
  assert.equal(await dot(ann).count(), 0, "what is looked at is read");

  const cy = await browser.person(server, { name: "Cy", colour: "#4d7c0f" });
  await openDocument(cy, "talk");
  await dot(cy).waitFor();
  await panel(ann).getByText("Cy joined").waitFor();
  await openChat(cy);
  await said(cy, "Shall we begin?").waitFor();
  assert.deepEqual(await conversation(cy), ["Ann Lee: Shall we begin?", "Bo: Yes: https://example.org/plan.\nSecond line"]);
  // What was read stays read.
  await cy.page.reload();
  await status(cy, "saved");
  await openChat(cy);
  await said(cy, "Second line").waitFor();
  assert.equal(await dot(cy).count(), 0);
  // Nothing in a message is markup.
  await say(cy, "<img src=x onerror=alert(1)> **stays**");
  await said(ann, "<img src=x onerror=alert(1)> **stays**").waitFor();
  await screenshot(ann, "chat-light");
});

test("who is writing is seen, until they send or stop", async () => {
  const [ann, bo] = await annAndBo("typing");
  await openChat(ann);
  await openChat(bo);
  await field(bo).pressSequentially("Let me think");
  await panel(ann).getByText("Bo is writing…").waitFor();
  await field(bo).press("Enter");
  await said(ann, "Let me think").waitFor();
  await until("Bo is not writing any more", async () => (await panel(ann).getByText("Bo is writing…").count()) === 0);
  await field(bo).pressSequentially("No");
  await panel(ann).getByText("Bo is writing…").waitFor();
  await field(bo).fill("");
  await until("Bo gave up", async () => (await panel(ann).getByText("Bo is writing…").count()) === 0);
});

test("written while the server is dead, kept over a reload, and there once when it is back", async () => {
  const [ann, bo] = await annAndBo("offline");
  ann.mayLoseNetwork = bo.mayLoseNetwork = true;
  await openChat(ann);
  await openChat(bo);
  await say(ann, "Before");
  await said(bo, "Before").waitFor();

  await server.kill();
  await panel(ann).getByText("Not connected. Messages wait on this device.").waitFor();
  await say(ann, "One in the tunnel");
  await say(ann, "Two in the tunnel");
  assert.equal(await panel(ann).locator(".chat-clock").count(), 2);
  await screenshot(ann, "chat-offline-light");
  // The server comes back to a browser that was closed and opened again meanwhile.
  await ann.page.close();
  await server.start();
  ann.page = await ann.context.newPage();
  ann.watch();
  await openDocument(ann, "offline");
  for (const words of ["One in the tunnel", "Two in the tunnel"]) await said(bo, words).waitFor();
  await openChat(ann);
  await confirmed(ann);
  await say(bo, "Glad you are back");
  await said(ann, "Glad you are back").waitFor();
  const expected = ["Before", "One in the tunnel", "Two in the tunnel", "Glad you are back"];
  for (const [somebody, you, other] of [[ann, "Ann Lee (you)", "Bo"], [bo, "Ann Lee", "Bo (you)"]]) {
    assert.deepEqual(await conversation(somebody), [...expected.slice(0, 3).map((words) => `${you}: ${words}`), `${other}: ${expected[3]}`]);
  }
  const { messages } = await (await fetch(`${server.url}/api/v1/documents/offline/chat`)).json();
  assert.deepEqual(messages.map(({ text }) => text), expected, "and once at the server");
});

test("an Enter that ends a composition chooses a word, and the next one sends", async () => {
  const [ann, bo] = await annAndBo("composition");
  await openChat(ann);
  await openChat(bo);
  await field(ann).focus();
  const keys = await ann.context.newCDPSession(ann.page);
  await keys.send("Input.imeSetComposition", { text: "ni", selectionStart: 2, selectionEnd: 2 });
  await keys.send("Input.imeSetComposition", { text: "你好", selectionStart: 2, selectionEnd: 2 });
  // The input method takes the key: browsers say 229, and that the composition goes on.
  await keys.send("Input.dispatchKeyEvent", { type: "rawKeyDown", key: "Enter", code: "Enter", windowsVirtualKeyCode: 229 });
  await keys.send("Input.insertText", { text: "你好" });
  await keys.send("Input.dispatchKeyEvent", { type: "keyUp", key: "Enter", code: "Enter", windowsVirtualKeyCode: 13 });
  assert.equal(await field(ann).inputValue(), "你好");
  assert.equal(await panel(ann).locator(".chat-text").count(), 0);
  await field(ann).press("Shift+Enter");
  await ann.page.keyboard.type("second line");
  await field(ann).press("Enter");
  await said(bo, "你好\nsecond line").waitFor();
  assert.equal(await field(ann).inputValue(), "");
});

test("a message too long is kept and says so; shortened, it is sent", async () => {
  const [ann, bo] = await annAndBo("long");
  await openChat(ann);
  await field(ann).fill("x".repeat(5_000));
  await field(ann).press("Enter");
  await panel(ann).getByText("Too long for this server").waitFor();
  await screenshot(ann, "chat-refused-light");
  await panel(ann).getByRole("button", { name: "Edit" }).click();
  assert.equal((await field(ann).inputValue()).length, 5_000);
  await field(ann).fill("Shorter");
  await field(ann).press("Enter");
  await openChat(bo);
  await said(bo, "Shorter").waitFor();
  assert.equal(await said(ann, "xxx").count(), 0);
  // Larger than a frame may be: the line is lost over it once, and what comes after it still goes out.
  await field(ann).fill("y".repeat(40_000));
  await field(ann).press("Enter");
  await panel(ann).getByText("Too long for this server").waitFor();
  await say(ann, "After it");
  await said(bo, "After it").waitFor();
  await panel(ann).getByRole("button", { name: "Delete" }).click();
  assert.equal(await said(ann, "yyy").count(), 0);
});

test("many at once all arrive, in order, and once", async () => {
  const [ann, bo] = await annAndBo("many");
  await openChat(ann);
  await openChat(bo);
  const all = Array.from({ length: 30 }, (_, number) => `message ${String(number).padStart(2, "0")}`);
  // Written while the server is dead, they are sent at once whatever the pace of this machine.
  ann.mayLoseNetwork = bo.mayLoseNetwork = true;
  await server.kill();
  await panel(ann).getByText("Not connected. Messages wait on this device.").waitFor();
  for (const words of all) {
    await field(ann).fill(words);
    await field(ann).press("Enter");
  }
  await server.start();
  await panel(ann).getByText("That was a lot at once").waitFor();
  await said(bo, all.at(-1)).waitFor();
  await confirmed(ann);
  for (const somebody of [ann, bo]) assert.deepEqual((await conversation(somebody)).map((line) => line.split(": ")[1]), all);
});

test("a long conversation: the last fifty at once, the older ones on the way up", async () => {
  // Four visits, because one may say twenty messages at once.
  const talker = await browser.person(server, { name: "Talker" });
  await openDocument(talker, "somewhere else");
  await talker.page.evaluate(async () => {
    for (let number = 0; number < 70; ) {
      const socket = new WebSocket(`ws://${location.host}/chat/history?name=Talker`);
      await new Promise((resolve) => (socket.onopen = resolve));
      for (const end = Math.min(number + 18, 70); number < end; number++) {
        const stored = new Promise((resolve) => (socket.onmessage = ({ data }) => JSON.parse(data).payload.client_id === `history-message-${number}` && resolve()));
        socket.send(JSON.stringify({ type: "message", payload: { id: `history-message-${number}`, text: `line ${String(number).padStart(2, "0")}` } }));
        await stored;
      }
      socket.close();
    }
  });

  const ann = await browser.person(server, { name: "Ann Lee" });
  await openDocument(ann, "history");
  await ann.page.getByRole("button", { name: "Chat, 50 new messages" }).waitFor();
  await openChat(ann);
  await said(ann, "line 69").waitFor();
  assert.equal(await panel(ann).locator(".chat-text").count(), 50);
  const log = panel(ann).getByRole("log");
  await log.evaluate((element) => element.scrollTo(0, 100));
  await said(ann, "line 00").waitFor({ state: "attached" });
  assert.deepEqual((await conversation(ann)).map((line) => line.split(": ")[1]), Array.from({ length: 70 }, (_, number) => `line ${String(number).padStart(2, "0")}`));
  assert.ok((await log.evaluate((element) => element.scrollTop)) > 300, "what was being read stayed in place");
});

test("the panel by keyboard: focus goes in, Escape gives it back, and one thing stands at the right", async () => {
  const [ann] = await annAndBo("keys");
  await write(ann, "Some words");
  await button(ann).focus();
  await ann.page.keyboard.press("Enter");
  await field(ann).waitFor();
  await until("the field has the focus", () => field(ann).evaluate((element) => element === document.activeElement));
  assert.equal(await button(ann).getAttribute("aria-expanded"), "true");
  await field(ann).fill("A draft");
  await ann.page.keyboard.press("Escape");
  await panel(ann).waitFor({ state: "detached" });
  assert.ok(await button(ann).evaluate((element) => element === document.activeElement));
  await openChat(ann);
  assert.equal(await field(ann).inputValue(), "A draft", "a draft outlives the panel");
  await ann.page.getByRole("button", { name: "Document menu" }).click();
  await ann.page.getByRole("menuitem", { name: "Outline" }).click();
  await ann.page.getByRole("complementary", { name: "Outline" }).waitFor();
  assert.equal(await panel(ann).count(), 0);
});

test("beside a board and a plain text too", async () => {
  await makeBoard(server, "a board");
  const ann = await browser.person(server, { name: "Ann Lee" });
  const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
  for (const somebody of [ann, bo]) {
    await openDocument(somebody, "a board");
    await somebody.page.locator(".board[data-open] .excalidraw canvas.interactive").waitFor();
    await openChat(somebody);
  }
  await say(ann, "Draw here?");
  await said(bo, "Draw here?").waitFor();
  // The keys of the board are the board's only while it has them.
  await field(bo).pressSequentially("rdoat");
  assert.equal(await field(bo).inputValue(), "rdoat");
  assert.equal(await bo.page.locator(".board-hint").count(), 1);
  const box = await ann.page.locator(".board").boundingBox();
  const rail = await panel(ann).boundingBox();
  assert.ok(box.x + box.width <= rail.x + 1, "the board makes room");
  await screenshot(ann, "chat-board-light");
  await accessible(ann, "a board with its chat");
});

for (const [theme, language, size, name] of [
  ["light", "en-GB", [1280, 820], "chat-full-light"],
  ["dark", "zh-TW", [1280, 820], "chat-full-dark-zh"],
  ["dark", "en-GB", [390, 780], "chat-phone-dark"],
  ["light", "zh-TW", [320, 640], "chat-phone-light-zh"],
]) {
  test(`${name}: nothing for axe to find, nothing beyond the edge`, async () => {
    const document = `looks ${name}`;
    const ann = await browser.person(server, { name: "Ann Lee", colour: "#0e7490", theme, language, size });
    const bo = await browser.person(server, { name: "Bo", colour: "#cf2f74" });
    await openDocument(bo, document);
    await write(bo, "The looms are set up on Thursday. We need warp for four, and somebody who brings the shuttles.");
    await openChat(bo);
    await say(bo, "Who has the plan for Thursday? It was at https://example.org/looms/plans/thursday-with-a-rather-long-address");
    await openDocument(ann, document);
    const chinese = language === "zh-TW";
    const talk = ann.page.getByRole("complementary", { name: chinese ? "聊天" : "Chat" });
    await ann.page.getByRole("button", { name: chinese ? /^聊天/ : /^Chat/ }).click();
    const own = talk.getByRole("textbox");
    await own.fill(chinese ? "我有。今天下午寄給大家。" : "I do. I will send it round this afternoon.");
    await own.press("Enter");
    await said(bo, chinese ? "我有。" : "I do.").waitFor();
    await say(bo, "Thank you!");
    await field(bo).pressSequentially("And");
    await talk.getByText(chinese ? "Bo正在輸入…" : "Bo is writing…").waitFor();
    await talk.getByText("Thank you!").waitFor();
    if (chinese) assert.doesNotMatch(await talk.innerText(), /\b(Chat|Today|Send|Message|joined)\b/);
    await screenshot(ann, name);
    await accessible(ann, name);
    await fitsSideways(ann, name);
  });
}

test("somebody is called by name, and words of the text are quoted", async () => {
  const [ann, bo] = await annAndBo("called");
  await write(ann, "The warp is wool.");
  await ann.page.keyboard.press("Shift+Home");
  await ann.page.getByRole("toolbar", { name: "Selection" }).getByRole("button", { name: "Quote in the chat" }).click();
  await until("it stands in the field", async () => (await field(ann).inputValue()) === "> The warp is wool.\n");
  await field(ann).focus();
  await ann.page.keyboard.press("Control+End");
  await ann.page.keyboard.type("Is it, @b");
  const names = panel(ann).getByRole("listbox", { name: "People to call by name" });
  await names.getByRole("option", { name: "Bo" }).waitFor();
  await accessible(ann, "the names to call");
  await screenshot(ann, "chat-names-light");
  await ann.page.keyboard.press("Enter");
  await until("the name is written", async () => (await field(ann).inputValue()) === "> The warp is wool.\nIs it, @Bo ");
  await ann.page.keyboard.type("?");
  await ann.page.keyboard.press("Enter");
  await openChat(bo);
  await panel(bo).locator("blockquote", { hasText: "The warp is wool." }).waitFor();
  await panel(bo).locator(".chat-part[data-calls]", { hasText: "Is it, @Bo ?" }).waitFor();
  assert.equal(await panel(ann).locator(".chat-part[data-calls]").count(), 0);
  await screenshot(bo, "chat-quote-light");
  // Escape closes the names, and only then the chat.
  await field(bo).fill("@An");
  await panel(bo).getByRole("option", { name: "Ann Lee" }).waitFor();
  await field(bo).press("Escape");
  await panel(bo).getByRole("option").waitFor({ state: "detached" });
  await field(bo).press("Escape");
  await panel(bo).waitFor({ state: "detached" });
});
