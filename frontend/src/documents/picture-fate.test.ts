import { expect, test } from "vitest";
import { createApi } from "./api";
import { parseName, type DocumentName } from "./name";
import { sendPicture, type Fate } from "./picture-fate";

const sent = (answer: () => Response | Promise<Response>): Promise<Fate> =>
  sendPicture(createApi(() => Promise.resolve().then(answer)), parseName("d") as DocumentName, new Blob(["x"], { type: "image/png" }));
const problem = (status: number, code: string) => () => Response.json({ error: { code, message: "words" } }, { status });

test("stored is what the server gives an address for", async () => {
  const url = "/api/v1/documents/d/attachments/a";
  expect(await sent(() => Response.json({ id: "a", url, type: "image/png", bytes: 1 }, { status: 201 }))).toEqual({ kind: "stored", address: url });
});

test("refused is what Weft says no to for good", async () => {
  for (const [status, code] of [[400, "invalid_body"], [403, "forbidden"], [404, "not_found"], [405, "method_not_allowed"], [410, "deleted"], [413, "too_large"], [415, "unsupported"], [422, "invalid_update"]] as const) {
    expect(await sent(problem(status, code)), `${status}`).toEqual({ kind: "refused", problem: { kind: "refused", status, code, message: "words" } });
  }
});

test("everything else passes, and the picture waits for that", async () => {
  const page = "<!doctype html><title>Hotel</title>";
  const answers: readonly [string, () => Response | Promise<Response>][] = [
    ["no network", () => Promise.reject(new TypeError("failed to fetch"))],
    ["a portal's page", () => new Response(page, { status: 200, headers: { "content-type": "text/html" } })],
    ["JSON of somebody else", () => Response.json({ ok: true })],
    ["an address elsewhere", () => Response.json({ id: "a", url: "https://elsewhere.example/a", type: "image/png", bytes: 1 })],
    ["a gateway's refusal of its own", () => new Response(page, { status: 403 })],
    ["a gateway's limit", () => new Response(page, { status: 413 })],
    ...[500, 502, 503, 504, 507, 511, 599].map((status): [string, () => Response] => [`a page with ${status}`, () => new Response(page, { status })]),
    ["the server failed", problem(500, "internal")],
    ["the server cannot store", problem(503, "store_unwritable")],
    ["too many", problem(429, "rate_limited")],
    ["who is it", problem(401, "unauthorized")],
    ["too slow", problem(408, "too_slow")],
    ["in the trash", problem(409, "in_trash")],
  ];
  for (const [what, answer] of answers) expect((await sent(answer)).kind, what).toBe("waits");
});
