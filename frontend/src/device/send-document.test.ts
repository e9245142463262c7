import { expect, test } from "vitest";
import { applyUpdate, Doc } from "yjs";
import { ApiError, type Problem } from "../documents/api";
import { parseName, type DocumentName } from "../documents/name";
import type { WaitingPicture } from "../documents/pictures";
import { type CopyRefusal } from "../sync/behind";
import { LATER } from "../sync/send-copy";
import { sendPictures } from "./send-document";

const NAME = parseName("d") as DocumentName;
const address = "/api/v1/documents/d/attachments/a";

function stage(waiting: WaitingPicture[], problem: (uploads: number) => Problem | null = () => null) {
  const server = new Doc();
  const uploads: number[] = [];
  const refusals = new Map<string, CopyRefusal>();
  const answer = <T>(value: T): Promise<T> => {
    const trouble = problem(uploads.length);
    return trouble === null ? Promise.resolve(value) : Promise.reject(new ApiError(trouble));
  };
  const send = (): Promise<unknown> =>
    sendPictures(NAME, {
      api: {
        state: () => answer(new Uint8Array()),
        contribute: (_name, update) => answer(undefined).then(() => applyUpdate(server, update)),
        upload: (_name, file) => answer({ id: "a", url: address, type: file.type, bytes: uploads.push(file.size) }),
      },
      pictures: {
        of: () => Promise.resolve([...waiting]),
        drop: (_name, key) => Promise.resolve(void waiting.splice(waiting.findIndex((one) => one.key === key), 1)),
      },
      refusal: (key) => refusals.get(key) ?? null,
      refused: (key, refusal) => void refusals.set(key, refusal),
    });
  return { server, uploads, refusals, send };
}
const picture = (key: string): WaitingPicture => ({ key, type: "image/png", bytes: new ArrayBuffer(3) });

test("a picture of a text is brought there; that of a board too, and the board is told where it is", async () => {
  const waiting = [picture(address), picture("file")];
  const { server, uploads, send } = stage(waiting);
  expect(await send()).toEqual(["sent", "sent"]);
  expect([uploads.length, waiting.length, server.getMap("files").toJSON()]).toEqual([2, 0, { file: address }]);
  expect(await send()).toEqual([]);
});

test("nothing is let go of before the server has it, and whoever is away or wants to be left alone is asked once", async () => {
  const everywhere = (after = 0) => ({ everywhere: true, after });
  for (const [problem, trouble] of [
    [{ kind: "unreachable" }, everywhere()],
    [{ kind: "unreachable", retryAfter: 7_000 }, everywhere(7_000)],
    [{ kind: "garbled" }, everywhere()],
    [{ kind: "refused", status: 503, code: "store_unwritable", message: "", retryAfter: 2_000 }, everywhere(2_000)],
    [{ kind: "refused", status: 429, code: "rate_limited", message: "" }, everywhere()],
  ] as const) {
    const waiting = [picture(address), picture("file")];
    const { uploads, send } = stage(waiting, () => problem);
    expect(await send()).toEqual([trouble]);
    expect([waiting.length, uploads.length]).toEqual([2, 1]);
  }
  const own = stage([picture(address), picture("file")], () => ({ kind: "refused", status: 429, code: "refused_again", message: "", retryAfter: 1_000 }));
  expect(await own.send()).toEqual([{ ...LATER, after: 1_000 }, { ...LATER, after: 1_000 }]);
});

test("a picture that is refused stays, is not asked about again, and holds back no other", async () => {
  const waiting = [picture(address), picture(`${address}b`)];
  const refusal = { status: 413, code: "too_large", message: "at most 3" };
  const { uploads, send } = stage(waiting, (uploads) => (uploads === 1 ? { kind: "refused", ...refusal } : null));
  expect(await send()).toEqual([refusal, "sent"]);
  expect(waiting.map(({ key }) => key)).toEqual([address]);
  expect(await send()).toEqual([refusal]);
  expect(uploads).toHaveLength(2);
});
