// A Yjs update (v1) that is still on its way, in pieces that can be applied one after the other. An update that comes as one
// is worth nothing before its last byte, and applying many megabytes at once freezes the page.
//
// Structs are not understood further than to find their ends and what they stand on, and passed on byte by byte, but for long
// texts, which are cut; what stands on something that has not come yet waits for it. Mirrors `src/protocol/guard/readiness.rs`.
import { clone, createDecoder, readAny, readUint8, readVarUint, type Decoder } from "lib0/decoding";
import { createEncoder, toUint8Array, writeUint8, writeUint8Array, writeVarUint, type Encoder } from "lib0/encoding";

/** How large a piece becomes before it is handed out, in bytes: applied within a frame or two. */
export const PIECE = 128 * 1024;

export interface Pieces {
  /** More of the update. Answers what can be applied by now, each after the one before. */
  readonly push: (bytes: Uint8Array) => readonly Uint8Array[];
  /** That was all of it. Answers the rest, deletions included; throws if the update is broken off or none at all. */
  readonly end: () => Uint8Array;
}

/** Where in the sequence of its client something stands. */
interface Place {
  readonly client: number;
  readonly clock: number;
}

/** A struct as it came: what it is called, how much it counts, and what has to be there before it. */
interface Struct extends Place {
  readonly length: number;
  readonly bytes: Uint8Array;
  readonly needs: readonly Place[];
  /** Stands for something that the update has not got. */
  readonly skip: boolean;
}

/** What of a long text was not read yet. */
interface Tail {
  readonly bytes: number;
  /** What stands behind it. */
  readonly right: Place | null;
}

/** Structs of one client that follow each other. */
interface Run {
  readonly clock: number;
  count: number;
  readonly structs: Encoder;
}

/** `known` is how much of each client is there already: the state vector that the update was asked for with. */
export function openPieces(known: ReadonlyMap<number, number>, most = PIECE): Pieces {
  const heap = growing();
  /** How much of each client is there, or in what was handed out. */
  const have = new Map(known);
  const waiting = new Map<number, Struct[]>();
  let piece = new Map<number, Run>();
  let size = 0;
  /** What is read next: how many clients are to come, and of the current one how many structs and from which clock on. */
  let clients: number | null = null;
  let client = 0;
  let clock = 0;
  let structs = 0;
  let tail: Tail | null = null;

  const add = ({ client, clock, length, bytes }: Struct): void => {
    let run = piece.get(client);
    if (run === undefined) piece.set(client, (run = { clock, count: 0, structs: createEncoder() }));
    writeUint8Array(run.structs, bytes);
    run.count += 1;
    size += bytes.length;
    have.set(client, Math.max(have.get(client) ?? 0, clock + length));
  };
  const there = ({ client, clock }: Place): boolean => clock < (have.get(client) ?? 0);
  const ready = (struct: Struct): boolean => !struct.skip && struct.clock <= (have.get(struct.client) ?? 0) && struct.needs.every(there);
  const take = (struct: Struct): void => {
    const queue = waiting.get(struct.client);
    if (queue === undefined && ready(struct)) return add(struct);
    // What is kept must not be a view of what moves.
    const kept = { ...struct, bytes: struct.bytes.slice() };
    if (queue === undefined) waiting.set(struct.client, [kept]);
    else queue.push(kept);
  };
  /** What waited for something that has come. */
  const release = (pieces: Uint8Array[]): void => {
    for (let moved = true; moved; ) {
      moved = false;
      for (const [client, queue] of waiting) {
        let at = 0;
        for (let first = queue[at]; first !== undefined && ready(first); first = queue[at]) {
          add(first);
          if (size >= most) pieces.push(hand(NO_DELETIONS));
          at += 1;
        }
        moved ||= at > 0;
        if (at === queue.length) waiting.delete(client);
        else queue.splice(0, at);
      }
    }
  };
  const hand = (deletions: Uint8Array): Uint8Array => {
    const encoder = createEncoder();
    writeVarUint(encoder, piece.size);
    for (const [client, run] of piece) {
      writeVarUint(encoder, run.count);
      writeVarUint(encoder, client);
      writeVarUint(encoder, run.clock);
      writeUint8Array(encoder, toUint8Array(run.structs));
    }
    writeUint8Array(encoder, deletions);
    piece = new Map();
    size = 0;
    return toUint8Array(encoder);
  };
  /** Reads one thing if all of it is here. */
  const next = (decoder: Decoder): boolean => {
    if (clients === null) clients = uint(decoder);
    else if (structs === 0) {
      if (clients === 0) return false;
      [structs, client, clock] = [uint(decoder), uint(decoder), uint(decoder)];
      clients -= 1;
    } else {
      const [struct, rest]: readonly [Struct, Tail | null] = tail === null ? readStruct(decoder, client, clock, most) : readTail(decoder, tail, client, clock, most);
      take(struct);
      clock += struct.length;
      tail = rest;
      if (tail === null) structs -= 1;
    }
    return true;
  };

  return {
    push: (bytes) => {
      heap.append(bytes);
      const pieces: Uint8Array[] = [];
      const decoder = createDecoder(heap.bytes());
      let end = 0;
      try {
        while (next(decoder)) {
          end = decoder.pos;
          if (size >= most) pieces.push(hand(NO_DELETIONS));
        }
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
      heap.drop(end);
      release(pieces);
      if (piece.size > 0) pieces.push(hand(NO_DELETIONS));
      return pieces;
    },
    end: () => {
      const deletions = heap.bytes();
      if (clients !== 0 || structs > 0) throw new Error("the update was broken off");
      readDeletions(createDecoder(deletions));
      // Whatever waits still is for Yjs to put where it belongs.
      for (const queue of waiting.values()) for (const struct of queue) add(struct);
      return hand(deletions);
    },
  };
}

const NO_DELETIONS = Uint8Array.of(0);

/** The kind of content that is text. */
const STRING = 4;

/** The bits of the byte that a struct begins with. */
const KIND = 0b11111;
const HAS_KEY = 0b100000;
const HAS_RIGHT = 0b1000000;
const HAS_LEFT = 0b10000000;

/** A struct, or the first part of one that is a long text. Throws a RangeError if it is not all here. */
function readStruct(decoder: Decoder, client: number, clock: number, most: number): readonly [Struct, Tail | null] {
  const start = decoder.pos;
  const needs: Place[] = [];
  const info = byte(decoder);
  const whole = (length: number, skip = false): [Struct, null] => [{ client, clock, length, needs, skip, bytes: decoder.arr.subarray(start, decoder.pos) }, null];
  // Nothing to be read any more, and nothing that was ever there.
  if (info === 0 || info === 10) return whole(uint(decoder), info === 10);
  const place = (): Place => ({ client: uint(decoder), clock: uint(decoder) });
  if (info & HAS_LEFT) needs.push(place());
  if (info & HAS_RIGHT) needs.push(place());
  if (needs.length === 0) {
    if (uint(decoder) === 1) text(decoder);
    else needs.push(place());
    if (info & HAS_KEY) text(decoder);
  }
  const head = decoder.pos;
  if ((info & KIND) !== STRING || uint(decoder) <= most) {
    decoder.pos = head;
    return whole(readContent(decoder, info & KIND));
  }
  decoder.pos = head;
  const encoder = createEncoder();
  writeUint8Array(encoder, decoder.arr.subarray(start, head));
  const right = (info & HAS_RIGHT) === 0 ? null : (needs.at(-1) ?? null);
  const [length, rest] = copyText(decoder, encoder, uint(decoder), most);
  return [{ client, clock, length, needs, skip: false, bytes: toUint8Array(encoder) }, rest === 0 ? null : { bytes: rest, right }];
}

/** More of a long text: a struct that stands on the letter before it. */
function readTail(decoder: Decoder, { bytes, right }: Tail, client: number, clock: number, most: number): readonly [Struct, Tail | null] {
  const left = { client, clock: clock - 1 };
  const encoder = createEncoder();
  writeUint8(encoder, STRING | HAS_LEFT | (right === null ? 0 : HAS_RIGHT));
  for (const place of right === null ? [left] : [left, right]) {
    writeVarUint(encoder, place.client);
    writeVarUint(encoder, place.clock);
  }
  const [length, rest] = copyText(decoder, encoder, bytes, most);
  return [{ client, clock, length, needs: right === null ? [left] : [left, right], skip: false, bytes: toUint8Array(encoder) }, rest === 0 ? null : { bytes: rest, right }];
}

/** Copies so much of `bytes` of text as is worth a struct, and answers its UTF-16 units and what is left, in bytes. */
function copyText(decoder: Decoder, encoder: Encoder, bytes: number, most: number): readonly [units: number, left: number] {
  let end = decoder.pos + Math.min(bytes, most);
  // Where it is cut, the next byte says whether a letter begins there.
  need(decoder, end - decoder.pos + (bytes > most ? 1 : 0));
  // Not within a letter, and over the next one if that is all there would be.
  if (bytes > most) {
    while (isWithin(decoder.arr[end])) end -= 1;
    if (end === decoder.pos) {
      need(decoder, Math.min(bytes, 4));
      for (end += 1; end < decoder.pos + bytes && isWithin(decoder.arr[end]); ) end += 1;
    }
  }
  const part = decoder.arr.subarray(decoder.pos, end);
  writeVarUint(encoder, part.length);
  writeUint8Array(encoder, part);
  decoder.pos = end;
  return [unitsOf(part), bytes - part.length];
}

/** How much it counts. */
function readContent(decoder: Decoder, kind: number): number {
  switch (kind) {
    case 1: // Deleted
      return uint(decoder);
    case 2: // JSON
    case 8: {
      const count = uint(decoder);
      for (let at = 0; at < count; at += 1) (kind === 2 ? text : any)(decoder);
      return count;
    }
    case 3: // Binary
    case 5: // Embed
      text(decoder);
      return 1;
    case STRING:
      return text(decoder);
    case 6: // Format
      text(decoder);
      text(decoder);
      return 1;
    case 7: {
      // A type: of XML elements and hooks there is the name, too.
      const type = uint(decoder);
      if (type === 3 || type === 5) text(decoder);
      return 1;
    }
    case 9: // A document within
      text(decoder);
      any(decoder);
      return 1;
    default:
      throw new Error(`no content is of the kind ${kind}`);
  }
}

function readDeletions(decoder: Decoder): void {
  for (let clients = uint(decoder); clients > 0; clients -= 1) {
    uint(decoder);
    for (let ranges = uint(decoder); ranges > 0; ranges -= 1) {
      uint(decoder);
      uint(decoder);
    }
  }
  if (decoder.pos !== decoder.arr.length) throw new Error("something follows the update");
}

const SHORT = "more is to come";

function need(decoder: Decoder, bytes: number): void {
  if (decoder.pos + bytes > decoder.arr.length) throw new RangeError(SHORT);
}

function byte(decoder: Decoder): number {
  need(decoder, 1);
  return readUint8(decoder);
}

function uint(decoder: Decoder): number {
  // A number goes on while the highest bit is set; whether its end is here is found out first, for a clear word.
  let at = decoder.pos;
  while (at < decoder.arr.length && (decoder.arr[at] ?? 0) >= 0x80) at += 1;
  if (at >= decoder.arr.length) throw new RangeError(SHORT);
  return readVarUint(decoder);
}

/** Passes bytes with their number in front, and answers how many UTF-16 units they are if they are text. */
function text(decoder: Decoder): number {
  const bytes = uint(decoder);
  need(decoder, bytes);
  const part = decoder.arr.subarray(decoder.pos, decoder.pos + bytes);
  decoder.pos += bytes;
  return unitsOf(part);
}

function unitsOf(utf8: Uint8Array): number {
  let units = 0;
  // What continues a letter counts nothing, and letters of four bytes count twice.
  for (const byte of utf8) if (!isWithin(byte)) units += byte >= 0xf0 ? 2 : 1;
  return units;
}

const isWithin = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

function any(decoder: Decoder): void {
  const probe = clone(decoder);
  try {
    readAny(probe);
  } catch {
    throw new RangeError(SHORT);
  }
  need(decoder, probe.pos - decoder.pos);
  decoder.pos = probe.pos;
}

/** Bytes that come at one end and go at the other. */
function growing(): { readonly append: (bytes: Uint8Array) => void; readonly drop: (count: number) => void; readonly bytes: () => Uint8Array } {
  let room = new Uint8Array(0);
  let start = 0;
  let end = 0;
  return {
    append: (bytes) => {
      if (end + bytes.length > room.length) {
        // Twice as much as there is: a single long text is not copied with each packet.
        const larger = end - start + bytes.length > room.length / 2 ? new Uint8Array(2 * (end - start + bytes.length)) : room;
        larger.set(room.subarray(start, end));
        [room, start, end] = [larger, 0, end - start];
      }
      room.set(bytes, end);
      end += bytes.length;
    },
    drop: (count) => void (start += count),
    bytes: () => room.subarray(start, end),
  };
}
