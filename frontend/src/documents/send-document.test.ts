import { expect, test } from "vitest";
import { applyUpdate, Doc } from "yjs";
import { ApiError, type Problem } from "./api";
import { parseName, type DocumentName } from "./name";
import { sendDocument } from "./send-document";
import type { WaitingPicture } from "./pictures";

const NAME = parseName("d") as DocumentName;
const address = "/api/v1/documents/d/attachments/a";

function stage(waiting: WaitingPicture[], problem: () => Problem | null = () => null) {
  const server = new Doc();
  const answer = <T>(value: T): Promise<T> => {
    const trouble = problem();
    return trouble === null ? Promise.resolve(value) : Promise.reject(new ApiError(trouble));
  };
  const uploads: number[] = [];
  const send = (): Promise<unknown> =>
    sendDocument(NAME, {
      api: {
        state: () => answer(new Uint8Array()),
        contribute: (_name, update) => answer(undefined).then(() => applyUpdate(server, update)),
        upload: (_name, file) => answer({ id: "a", url: address, type: file.type, bytes: uploads.push(file.size) }),
      },
      pictures: {
        of: () => Promise.resolve([...waiting]),
        drop: (_name, key) => Promise.resolve(void waiting.splice(waiting.findIndex((one) => one.key === key), 1)),
      },
    });
  return { server, uploads, send };
}
const picture = (key: string): WaitingPicture => ({ key, type: "image/png", bytes: new ArrayBuffer(3) });

test("a picture of a text is brought there; that of a board too, and the board is told where it is", async () => {
  const waiting = [picture(address), picture("file")];
  const { server, uploads, send } = stage(waiting);
  expect(await send()).toBe("sent");
  expect([uploads.length, waiting.length, server.getMap("files").toJSON()]).toEqual([2, 0, { file: address }]);
  expect(await send()).toBe("nothing");
});

test("nothing is let go of before the server has it", async () => {
  for (const problem of [{ kind: "unreachable" }, { kind: "garbled" }, { kind: "refused", status: 503, code: "store_unwritable", message: "" }] as const) {
    const waiting = [picture(address), picture("file")];
    expect(await stage(waiting, () => problem).send()).toBe("later");
    expect(waiting).toHaveLength(2);
  }
  const waiting = [picture(address)];
  expect(await stage(waiting, () => ({ kind: "refused", status: 413, code: "too_large", message: "at most 3" })).send()).toEqual({ status: 413, code: "too_large", message: "at most 3" });
  expect(waiting).toHaveLength(1);
});
