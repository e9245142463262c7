// A drawing in Excalidraw's format as a new board, with its pictures. Fetched when one is imported.
import { Doc, encodeStateAsUpdate } from "yjs";
import { FILES } from "../documents/roots";
import { readScene, type ScenePicture } from "../board/scene-file";
import { ApiError, type Api } from "../documents/api";
import type { Beginning } from "../documents/beginning";
import { sayKind } from "../documents/kind";
import type { DocumentName } from "../documents/name";
import { browserPictures, type PictureStore } from "../documents/pictures";
import { writeTitle } from "../documents/title";

/** `null` for a file that holds no drawing. */
export function drawingOf(fileName: string, text: string): (Beginning & { readonly pictures: readonly ScenePicture[] }) | null {
  const doc = new Doc();
  const pictures = readScene(doc, text);
  if (pictures === null) return null;
  const title = fileName.replace(/\.[^.]*$/, "").trim();
  sayKind(doc, "board");
  writeTitle(doc, title);
  return { kind: "board", title, update: new Uint8Array(encodeStateAsUpdate(doc)), pictures };
}

/**
 * Brings the pictures to the server and writes down where they are. Those that it does not take now wait on this device,
 * where the board finds them when it is opened: it sends them, or says why they cannot be. Answers how many neither takes.
 */
export async function sendPictures(
  api: Pick<Api, "upload" | "contribute">,
  name: DocumentName,
  pictures: readonly ScenePicture[],
  store: Pick<PictureStore, "keep"> = browserPictures,
): Promise<number> {
  const doc = new Doc();
  const addresses = doc.getMap<string>(FILES);
  let lost = 0;
  const wait = ({ id, type, bytes }: ScenePicture): Promise<unknown> => store.keep(name, { key: id, type, bytes: bytes.buffer }).catch(() => void lost++);
  const sent: ScenePicture[] = [];
  let away = false;
  for (const picture of pictures) {
    try {
      // A line that is dead for one is dead for all, and each would wait for it anew.
      if (away) throw new ApiError({ kind: "unreachable" });
      const { url } = await api.upload(name, new Blob([picture.bytes], { type: picture.type }));
      addresses.set(picture.id, url);
      sent.push(picture);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      away = error.problem.kind === "unreachable";
      await wait(picture);
    }
  }
  if (sent.length === 0) return lost;
  try {
    await api.contribute(name, new Uint8Array(encodeStateAsUpdate(doc)));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    for (const picture of sent) await wait(picture);
  }
  return lost;
}
