// Pictures on a board. Their bytes are attachments of the document on the server; the document itself knows, for each
// file an image shape names, the address. What is not there yet lies on this device too, so that it outlives the tab, and
// is tried again when the connection is back, and after a while by itself: the server may take documents and no files.
import type { Doc, Map as YMap } from "yjs";
import type { Fate, Refused } from "../documents/picture-fate";
import { blobOf, type WaitingPicture } from "../documents/pictures";
import { waitAfter } from "../sync/backoff";
import { FILES } from "../documents/roots";

/** A picture as the view has it. */
export interface Picture {
  readonly id: string;
  readonly mimeType: string;
  /** `data:`, which is how the view keeps pictures. */
  readonly dataURL: string;
}

/** A picture that is on this device and not on the server. */
export interface OwnPicture {
  readonly id: string;
  readonly file: Blob;
}

/** One that the server will not take. It stays on the board and on this device; nobody else sees it. */
export interface RefusedPicture extends OwnPicture {
  readonly problem: Refused;
}

/** Asked so often in vain, a picture will not come by itself any more. With growing waits that is some minutes. */
const MOST_TRIES = 14;

export interface ImagesPorts {
  readonly doc: Doc;
  /** Brings a picture to the server, under the rules of all pictures. Rejects only when it is given up. */
  readonly send: (file: Blob, signal: AbortSignal) => Promise<Fate>;
  /** Asks for what lies there already. */
  readonly fetch: typeof globalThis.fetch;
  /** What of this document waits on this device. Each may fail where a browser stores nothing. */
  readonly waiting: {
    readonly keep: (picture: WaitingPicture) => Promise<unknown>;
    readonly all: () => Promise<readonly WaitingPicture[]>;
    readonly drop: (id: string) => Promise<void>;
  };
  /** Hands a picture that arrived to the view. */
  readonly show: (picture: Picture) => void;
  /** `waits` or `refused` may answer something else from now on. */
  readonly changed?: () => void;
}

export interface Images {
  /** Which files the shapes on the board name now, and which of those the view has. */
  readonly look: (named: ReadonlySet<string>, have: (id: string) => Picture | null) => void;
  /** Whether pictures may be sent. */
  readonly allow: (sending: boolean) => void;
  /** Tries again what did not work because nobody answered. */
  readonly retry: () => void;
  /** Pictures that exist in this tab only: neither the server nor this device could take them yet. */
  readonly unsent: () => number;
  /** Pictures on the board, put in here, that the server did not take when it was last asked. */
  readonly waits: () => number;
  /** Pictures on the board that the server has refused for good in this visit. The same list until it changes. */
  readonly refused: () => readonly RefusedPicture[];
  /** Pictures on this device only, of which the shape is gone: nothing sends them any more. The same list until it changes. */
  readonly stranded: () => readonly OwnPicture[];
  /** Forgets pictures of this device, on their author's word. */
  readonly discard: (ids: readonly string[]) => void;
  readonly dispose: () => void;
}

export function syncImages(ports: ImagesPorts): Images {
  const { doc, waiting } = ports;
  const files: YMap<unknown> = doc.getMap(FILES);
  const ended = new AbortController();
  /** Asked or sent, whatever came of it; unanswered ones are taken out again. */
  const busy = new Set<string>();
  const unsent = new Set<string>();
  /** Sent in vain. */
  const waits = new Set<string>();
  const refusals = new Map<string, RefusedPicture>();
  /** What is made of these for the view, which is told when it is another. */
  let shown: { readonly waits: number; readonly refused: readonly RefusedPicture[]; readonly stranded: readonly OwnPicture[] } = { waits: 0, refused: [], stranded: [] };
  /** How often a picture of somebody else was asked for in vain. */
  const tries = new Map<string, number>();
  let failures = 0;
  let again: ReturnType<typeof setTimeout> | undefined;
  const failed = (): void => {
    failures += 1;
    clearTimeout(again);
    if (!ended.signal.aborted) again = setTimeout(() => look(), waitAfter(failures));
  };
  /** Answered by the server, in whatever way. */
  const settledIds = new Set<string>();
  /** On this device. */
  const kept = new Map<string, WaitingPicture>();
  let allowed = true;
  /** Unknown until the view has looked: then nothing is stranded. */
  let named: ReadonlySet<string> | null = null;
  let have: (id: string) => Picture | null = () => null;

  const send = async (picture: Picture): Promise<void> => {
    const { id } = picture;
    const bytes = bytesOf(picture.dataURL);
    busy.add(id);
    settledIds.delete(id);
    if (!kept.has(id)) {
      unsent.add(id);
      const own = { key: id, type: picture.mimeType, bytes: bytes.buffer };
      // Not waited for: most are on the server before they are on the disk.
      waiting.keep(own).then(
        () => {
          unsent.delete(id);
          if (settledIds.has(id)) return waiting.drop(id);
          kept.set(id, own);
          tell();
        },
        () => undefined,
      );
    }
    try {
      const file = blobOf({ key: id, type: picture.mimeType, bytes: bytes.buffer });
      const fate = await ports.send(file, ended.signal);
      if (fate.kind === "stored" && isOwnAddress(fate.address)) {
        failures = 0;
        files.set(id, fate.address);
        return forget(id);
      }
      if (fate.kind === "refused") {
        // Busy it stays: in this visit the answer would be the same. The copy stays too, and the next visit may find more room.
        waits.delete(id);
        refusals.set(id, { id, problem: fate.problem, file });
        return tell();
      }
    } catch {
      // Given up, or a fault of ours: neither says anything about the picture.
    }
    busy.delete(id);
    if (ended.signal.aborted) return;
    failed();
    waits.add(id);
    tell();
  };

  const receive = async (id: string, url: string): Promise<void> => {
    busy.add(id);
    try {
      const response = await ports.fetch(url, { signal: ended.signal });
      const picture = response.ok ? await pictureIn(await response.blob()) : null;
      // What is not a picture is never handed on; its shape stays an empty place.
      if (picture !== null) return ports.show({ id, mimeType: picture.type, dataURL: await dataUrl(picture) });
      if (ended.signal.aborted) return;
      // A page of somebody in between, or a server in trouble. What it is is not known, so it is not asked for ever.
      const vain = (tries.get(id) ?? 0) + 1;
      tries.set(id, vain);
      if (vain >= MOST_TRIES) return;
    } catch {
      // Nobody answered.
    }
    busy.delete(id);
    failed();
  };

  const look = (): void => {
    tell();
    for (const id of named ?? []) {
      if (busy.has(id)) continue;
      const url = files.get(id);
      const picture = have(id) ?? keptOf(id);
      if (isOwnAddress(url)) {
        if (picture === null) void receive(id, url);
      } else if (picture !== null && allowed) void send(picture);
    }
  };
  /** The server has it, or its author wants it no more. */
  const forget = (id: string): void => {
    settledIds.add(id);
    for (const known of [waits, unsent, kept, refusals]) known.delete(id);
    waiting.drop(id).catch(() => undefined);
    tell();
  };
  const tell = (): void => {
    const now = { waits: [...waits].filter((id) => named?.has(id)).length, refused: [...refusals.values()].filter(({ id }) => named?.has(id)), stranded: strandedNow() };
    const same = <P extends OwnPicture>(some: readonly P[], others: readonly P[]): boolean => some.length === others.length && some.every(({ id }, at) => id === others[at]?.id);
    const isSame = now.waits === shown.waits && same(now.refused, shown.refused) && same(now.stranded, shown.stranded);
    if (isSame) return;
    shown = now;
    ports.changed?.();
  };
  const strandedNow = (): readonly OwnPicture[] => {
    if (named === null) return [];
    const left: OwnPicture[] = [];
    for (const id of new Set([...kept.keys(), ...unsent, ...refusals.keys()])) {
      const refusal = refusals.get(id);
      // What is on its way may be on the server in a moment.
      if (named.has(id) || (busy.has(id) && refusal === undefined)) continue;
      const [waits, picture] = [kept.get(id), have(id)];
      if (refusal !== undefined) left.push({ id, file: refusal.file });
      else if (waits !== undefined) left.push({ id, file: blobOf(waits) });
      else if (picture !== null) left.push({ id, file: new Blob([bytesOf(picture.dataURL)], { type: picture.mimeType }) });
    }
    return left;
  };
  /** A picture of an earlier visit, handed to the view on the way. */
  const keptOf = (id: string): Picture | null => {
    const waits = kept.get(id);
    if (waits === undefined) return null;
    const picture = { id, mimeType: waits.type, dataURL: dataUrlOf(waits) };
    ports.show(picture);
    return picture;
  };
  files.observe(look);
  waiting.all().then(
    (all) => {
      for (const waits of all) {
        if (!isOwnAddress(files.get(waits.key))) kept.set(waits.key, waits);
        else waiting.drop(waits.key).catch(() => undefined);
      }
      if (!ended.signal.aborted && kept.size > 0) look();
    },
    () => undefined,
  );

  return {
    look: (shapes, pictures) => {
      [named, have] = [shapes, pictures];
      look();
    },
    allow: (sending) => {
      allowed = sending;
      look();
    },
    retry: look,
    unsent: () => unsent.size,
    waits: () => shown.waits,
    refused: () => shown.refused,
    stranded: () => shown.stranded,
    discard: (ids) => {
      // Whatever the view still shows: it is not to be sent once more.
      named = named && new Set([...named].filter((id) => !ids.includes(id)));
      for (const id of ids) {
        busy.delete(id);
        forget(id);
      }
    },
    dispose: () => {
      clearTimeout(again);
      files.unobserve(look);
      ended.abort();
    },
  };
}

/** Only our own server is asked: an address written by somebody else's client must not send readers anywhere. */
function isOwnAddress(value: unknown): value is string {
  // What a browser would resolve to another path is none of ours either.
  return typeof value === "string" && value.startsWith("/api/v1/documents/") && new URL(value, "http://here").pathname === value;
}

/** A drawing is served as something to download, because it may hold scripts. As an image none of them runs. */
async function pictureIn(blob: Blob): Promise<Blob | null> {
  if (blob.type.startsWith("image/")) return blob;
  const beginning = await blob.slice(0, 1_000).text();
  return /^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*|<!DOCTYPE svg[^>]*>\s*)*<svg[\s>]/is.test(beginning) ? new Blob([blob], { type: "image/svg+xml" }) : null;
}

/** Not by `fetch`: the page's policy lets that reach this server only. */
function bytesOf(dataURL: string): Uint8Array<ArrayBuffer> {
  const [, base64 = ""] = dataURL.split(",");
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function dataUrlOf({ type, bytes }: WaitingPicture): string {
  const letters = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte));
  return `data:${type};base64,${btoa(letters.join(""))}`;
}

function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error("unreadable"));
    reader.readAsDataURL(blob);
  });
}
