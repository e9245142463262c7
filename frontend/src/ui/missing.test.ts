// Why a part of the app is missing, from what the server hands out now.
import { expect, test } from "vitest";
import { whyMissing } from "./missing";

const page = (entry: string): string => `<script type="module" crossorigin src="${entry}"></script>`;
const answering = (status: number, body: string): typeof fetch => () => Promise.resolve(new Response(body, { status }));

test("a server that is away, a newer one, and a passing trouble are told apart", async () => {
  expect(await whyMissing(() => Promise.reject(new TypeError("failed to fetch")), "/assets/index-1.js")).toBe("unreachable");
  expect(await whyMissing(answering(502, "<html>bad gateway"), "/assets/index-1.js")).toBe("unreachable");
  expect(await whyMissing(answering(200, page("/assets/index-2.js")), "/assets/index-1.js")).toBe("outdated");
  expect(await whyMissing(answering(200, page("/assets/index-1.js")), "/assets/index-1.js")).toBe("unknown");
  expect(await whyMissing(answering(401, "who are you?"), "/assets/index-1.js")).toBe("unknown");
});

test("the page is asked for past every cache, and not for ever", async () => {
  const asked: RequestInit[] = [];
  const addresses: unknown[] = [];
  await whyMissing((address, init) => {
    addresses.push(address);
    asked.push(init ?? {});
    return Promise.resolve(new Response(page("/assets/index-1.js")));
  }, "/assets/index-1.js");
  // The worker answers for "/" with the page it keeps.
  expect(addresses).toEqual(["/?now"]);
  expect(asked[0]).toMatchObject({ cache: "no-store" });
  expect(asked[0]?.signal).toBeInstanceOf(AbortSignal);
});
