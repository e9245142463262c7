// What a person on a board tells the others without storing it: where the pointer is, what they have in hand, what they
// look at. Written by any client in the world, so reading it never fails and never trusts.
import type { Awareness } from "y-protocols/awareness";
import { personOf, type Person } from "../presence/people";
import { isShown, type Fields } from "./element";

/** In scene coordinates. */
export interface Pointer {
  readonly x: number;
  readonly y: number;
  readonly tool: "pointer" | "laser";
  readonly button: "up" | "down";
}

/** Left, top, right and bottom of what somebody sees, in scene coordinates. */
export type Bounds = readonly [number, number, number, number];

export interface OnBoard {
  readonly pointer: Pointer | null;
  readonly selected: readonly string[];
  readonly inHand: ReadonlyMap<string, Fields>;
  readonly view: Bounds | null;
  /** The client with whom they go along. */
  readonly following: number | null;
}

export interface Other extends OnBoard {
  readonly person: Person;
}

/** The awareness field beside `user`. */
const FIELD = "board";

/** At most twenty messages a second: as smooth as a hand that is watched needs to be. In ms. */
export const BETWEEN = 50;

/** More shapes in one hand are not shown while they move; the result is. */
const MOST_IN_HAND = 40;
/** More points of a stroke are not shown while it is drawn; every message would carry them all. */
const MOST_POINTS = 160;
const MOST_SELECTED = 200;
/** The server refuses presence of more than 4 KiB, name and all: `awareness_bytes` in src/protocol/guard.rs. In bytes. */
const MOST_BYTES = 3_400;

/** Sends at once if the last message is long enough ago, else when it is; of several in between, the last. */
export function publisher(awareness: Awareness): { readonly publish: (read: () => OnBoard) => void; readonly dispose: () => void } {
  let last = -Infinity;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let latest: () => OnBoard;
  let said = "";
  const send = (): void => {
    timer = null;
    last = Date.now();
    const state = encode(latest());
    const text = JSON.stringify(state);
    if (text === said || awareness.getLocalState() === null) return;
    said = text;
    awareness.setLocalStateField(FIELD, state);
  };
  return {
    publish: (read) => {
      latest = read;
      timer ??= setTimeout(send, Math.max(0, last + BETWEEN - Date.now()));
    },
    dispose: () => {
      if (timer !== null) clearTimeout(timer);
      if (awareness.getLocalState() !== null) awareness.setLocalStateField(FIELD, null);
    },
  };
}

/** Everybody else on the board, by client. */
export function othersIn(states: ReadonlyMap<number, unknown>, self: number): ReadonlyMap<number, Other> {
  const others = new Map<number, Other>();
  for (const [client, state] of states) {
    if (client === self || !isRecord(state) || !isRecord(state["user"])) continue;
    others.set(client, { person: personOf(client, state["user"]), ...decode(state[FIELD]) });
  }
  return others;
}

/** What all others hold, in one map; where two hold the same shape, each field is shown as the last of them has it. */
export function handsOf(others: ReadonlyMap<number, Other>): ReadonlyMap<string, Fields> {
  const hands = new Map<string, Fields>();
  for (const { inHand } of others.values()) {
    for (const [id, fields] of inHand) {
      const before = hands.get(id);
      hands.set(id, before === undefined ? fields : { ...before, ...fields });
    }
  }
  return hands;
}

function encode(state: OnBoard): Fields {
  const { pointer, selected, inHand, view, following } = state;
  const always = { pointer: pointer && { ...pointer, x: round(pointer.x), y: round(pointer.y) }, view: view && view.map(round), following };
  const hand = inHand.size > MOST_IN_HAND ? {} : Object.fromEntries([...inHand].map(([id, fields]) => [id, lighter(fields)]));
  let room = MOST_BYTES - weightOf(always);
  const shown = weightOf(hand) <= room ? hand : {};
  room -= weightOf(shown);
  const marked = selected.slice(0, MOST_SELECTED).filter((id) => (room -= weightOf(id) + 1) >= 0);
  return { ...always, inHand: shown, selected: marked };
}

const utf8 = new TextEncoder();
const weightOf = (value: unknown): number => utf8.encode(JSON.stringify(value)).length;

/** A long stroke with fewer points, none of them exact: it is looked at for a second. */
function lighter(fields: Fields): Fields {
  const points = fields["points"];
  if (!Array.isArray(points)) return fields;
  const every = Math.ceil(points.length / MOST_POINTS);
  const some = (points as unknown[]).filter((_, at) => at % every === 0 || at === points.length - 1);
  const { pressures, ...rest } = fields;
  return {
    ...rest,
    points: some.map((point) => (Array.isArray(point) ? (point as unknown[]).map((part) => (typeof part === "number" ? round(part) : part)) : point)),
    ...(pressures === undefined ? {} : { pressures: [], simulatePressure: true }),
  };
}

function decode(value: unknown): OnBoard {
  if (!isRecord(value)) return { pointer: null, selected: [], inHand: new Map(), view: null, following: null };
  const { pointer, selected, inHand, view, following } = value;
  return {
    pointer: pointerOf(pointer),
    selected: Array.isArray(selected) ? selected.filter((id) => typeof id === "string").slice(0, MOST_SELECTED) : [],
    inHand: new Map(isRecord(inHand) ? Object.entries(inHand).flatMap(([id, fields]) => held(id, fields)).slice(0, MOST_IN_HAND) : []),
    view: boundsOf(view),
    following: isNumber(following) ? following : null,
  };
}

/** What is deleted, or of a kind we do not show, is not in a hand. */
function held(id: string, fields: unknown): readonly (readonly [string, Fields])[] {
  if (!isRecord(fields) || fields["isDeleted"] === true || ("type" in fields && !isShown(fields["type"]))) return [];
  return [[id, fields]];
}

function pointerOf(value: unknown): Pointer | null {
  if (!isRecord(value)) return null;
  const { x, y, tool, button } = value;
  if (!isNumber(x) || !isNumber(y)) return null;
  return { x, y, tool: tool === "laser" ? "laser" : "pointer", button: button === "down" ? "down" : "up" };
}

function boundsOf(value: unknown): Bounds | null {
  if (!Array.isArray(value) || value.length !== 4 || !value.every(isNumber)) return null;
  const [left = 0, top = 0, right = 0, bottom = 0] = value;
  return left < right && top < bottom ? [left, top, right, bottom] : null;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
