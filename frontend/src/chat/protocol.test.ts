import { expect, test } from "vitest";
import { hear, isOf, nameMessage, originOf, pageOf } from "./protocol";

/** The shapes are those of the test `what_the_server_says_has_this_shape` in src/protocol/chat.rs. */
const ann = { session: "00000000-0000-0000-0000-000000000000", name: "Ann" };
const hi = { id: "ffffffff-ffff-ffff-ffff-ffffffffffff", client_id: "12345678", author: ann, text: "hi", at: 7 };
const said = { id: hi.id, clientId: "12345678", author: ann, text: "hi", at: 7 };
const frame = (type: string, payload: unknown): string => JSON.stringify({ type, payload });

test("what the server says is read, and what it never says is nothing", () => {
  expect(hear(frame("history", { you: ann, people: [ann], inside: 1, messages: [hi], more: true }))).toEqual({ type: "history", you: ann, people: [ann], messages: [said], more: true });
  expect(hear(frame("message", hi))).toEqual({ type: "message", message: said });
  expect(hear(frame("join", ann))).toEqual({ type: "join", person: ann });
  expect(hear(frame("typing", { ...ann, typing: true }))).toEqual({ type: "typing", person: ann, typing: true });
  expect(hear(frame("error", { code: "too_long", message: "words", client_id: "12345678" }))).toEqual({ type: "error", code: "too_long", clientId: "12345678" });
  expect(hear(frame("error", { code: "not_text", message: "words" }))).toEqual({ type: "error", code: "not_text", clientId: null });
  for (const odd of [frame("ping", {}), frame("shout", hi), frame("message", { ...hi, text: 7 }), frame("message", null), frame("join", {}), "{", "7", "null", new ArrayBuffer(1)]) {
    expect(hear(odd)).toBe(null);
  }
  expect(pageOf({ messages: [hi, { ...hi, at: "now" }], next: hi.id })).toEqual({ messages: [said], more: true });
  expect(pageOf({ messages: [], next: null })).toEqual({ messages: [], more: false });
  expect(pageOf({ error: {} })).toBe(null);
});

test("the name of a message is one the server takes, says whose it is, and is no other message's", () => {
  for (const person of ["a11ce0a11ce0a11ce0a11ce0", "Ann Lee", "x".repeat(99), "李", ""]) {
    const name = nameMessage(person, "#0E7490");
    expect(name).toMatch(/^[A-Za-z0-9_-]{8,64}$/);
    expect(isOf(name, person)).toBe(true);
    expect(originOf(name)?.colour).toBe("#0e7490");
    expect(nameMessage(person, "#0E7490")).not.toBe(name);
  }
  expect(isOf(nameMessage("bo", "#0e7490"), "ann")).toBe(false);
  expect(originOf("7d444840-9dc0-11d1-b245-5ffdce74fad2")).toBe(null);
});
