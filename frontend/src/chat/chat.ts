// The chat of one open document: the machine, its line, and what lies on this device, joined.
//
// It costs a second socket, so it is opened once the document is in step and never before it, and put down while nobody
// has looked at the page for some minutes: what is said meanwhile is in the history that coming back begins with.
import { PATIENCE } from "../sync/behind";
import type { Signals } from "../sync/room";
import { createStore, type Store } from "../ui/store";
import { openFiling } from "./filing";
import { changed, readDraft, readKept, writeDraft, writeKept } from "./kept";
import { openLine, type ChatLine, type LinePorts } from "./line";
import { hear, isOf, nameMessage, pageOf, sayMessage, sayTyping, type Message } from "./protocol";
import { due, next, start, step, unread, type Event, type State, type Waiting } from "./state";
import { browserMessages, type MessageStore } from "./waiting";

export interface Chat {
  /** The same object until something changed. */
  readonly state: () => State;
  readonly subscribe: (listener: () => void) => () => void;
  /** How many messages of others were not read. */
  readonly unread: () => number;
  /** Somebody else said something just now. */
  readonly onArrival: (listener: (message: Message) => void) => () => void;
  /** What stands in the field; outlives the panel. */
  readonly draft: Store<string>;
  /** Whether what waits survives this tab. */
  readonly keeps: () => boolean;
  readonly say: (text: string) => void;
  /** Something was typed; an empty field is said at once. */
  readonly types: (typing: boolean) => void;
  readonly again: (id: string) => void;
  readonly drop: (id: string) => void;
  readonly older: () => Promise<void>;
  readonly read: () => void;
  readonly call: (name: string, colour: string) => void;
  /** A good moment to look whether the line is there. */
  readonly hurry: () => void;
  /** What waits was read, and what became of it until now lies where the service worker reads. */
  readonly settled: () => Promise<void>;
  readonly dispose: () => void;
}

export interface ChatPorts {
  readonly document: string;
  readonly person: string;
  readonly name: string;
  readonly colour: string;
  readonly signals: Signals;
  /** Whether somebody could be looking at the page; called back when that changed. */
  readonly visible: () => boolean;
  readonly onVisible: (listener: () => void) => () => void;
  readonly openLine?: (ports: LinePorts) => ChatLine;
  readonly store?: MessageStore;
  /** `wss://host`, without a path. */
  readonly base: string;
  readonly fetch?: typeof fetch;
}

/** "Is writing" is repeated this often and taken back after this much silence, in ms. */
const REPEAT = 2_500;
const SILENCE = 5_000;

/** A page that nobody has looked at for so long gives its line back, in ms. */
const RESTS_AFTER = 5 * 60_000;

/** Whoever writes a message sends it; one that others see waiting for so long was left behind, in ms. */
const LEFT_AFTER = 10_000;

/** Longest name the server takes, in characters; mirrors `Person::LONGEST_NAME`. */
const LONGEST_NAME = 64;

export function openChat(ports: ChatPorts): Chat {
  const { document, signals } = ports;
  const fetchPage = ports.fetch ?? fetch.bind(globalThis);
  const kept = readKept(document);
  const listeners = new Set<() => void>();
  const arrivals = new Set<(message: Message) => void>();
  let { name, colour } = ports;
  let state = start({ person: ports.person, name, ...kept });
  let keeps = true;
  let disposed = false;
  /** Whether all that waits is known: what is sent before it would overtake it. */
  let ready = false;
  let alarm: ReturnType<typeof setTimeout> | undefined;
  let rest: ReturnType<typeof setTimeout> | undefined;
  let left: ReturnType<typeof setTimeout> | undefined;

  const advance = (event: Event): void => {
    if (disposed) return;
    const before = state;
    state = step(state, event);
    const apart = state.waiting !== before.waiting || state.read !== before.read || state.said !== before.said;
    if (apart && event.type !== "elsewhere") {
      writeKept(document, changed(readKept(document), before, state));
      filing.file(before.waiting, state.waiting);
      // What is said by others says nothing of what waits.
      if (state.waiting !== before.waiting) keeps = filing.keeps();
    }
    const message = ready ? next(state, Date.now()) : null;
    if (message !== null && line.say(sayMessage(message.id, message.text))) state = step(state, { type: "sent", id: message.id });
    clearTimeout(alarm);
    const moment = due(state);
    if (moment !== null) alarm = setTimeout(() => advance({ type: "time", now: Date.now() }), Math.max(0, moment - Date.now()));
    if (state === before) return;
    for (const listener of listeners) listener();
  };

  const line = (ports.openLine ?? openLine)({
    address: () => `${ports.base}/chat/${encodeURIComponent(document)}?name=${encodeURIComponent(nameFor(name))}`,
    connecting: () => advance({ type: "connecting" }),
    heard: (frame) => {
      const heard = hear(frame);
      if (heard === null) return;
      const known = heard.type === "message" && state.said.some(({ id }) => id === heard.message.id);
      const ours = heard.type === "message" && isOf(heard.message.clientId, ports.person);
      advance({ type: "heard", heard, now: Date.now() });
      if (heard.type === "message" && !known && !ours) for (const listener of arrivals) listener(heard.message);
    },
    closed: (code) => advance({ type: "closed", code }),
    ended: () => advance({ type: "ended" }),
  });

  let told = 0;
  let silence: ReturnType<typeof setTimeout> | undefined;
  const types = (typing: boolean): void => {
    clearTimeout(silence);
    if (typing) {
      silence = setTimeout(() => types(false), SILENCE);
      if (Date.now() - told < REPEAT) return;
      if (line.say(sayTyping(true))) told = Date.now();
    } else if (told > 0) {
      told = 0;
      line.say(sayTyping(false));
    }
  };

  const unsent = (): readonly Waiting[] => state.waiting.filter(({ refused }) => refused === null);
  const restLater = (): void => {
    rest = setTimeout(() => {
      rest = undefined;
      if (state.line === "ended") return;
      if (unsent().length > 0) return restLater();
      line.rest();
      advance({ type: "rested" });
    }, RESTS_AFTER);
  };
  /** A chat that the server ended is over; what has been put down is taken up, for a while where nobody looks. */
  const hurry = (): void => {
    if (state.line === "ended") return;
    line.hurry();
    if (!ports.visible() && rest === undefined) restLater();
  };
  const seen = (): void => {
    clearTimeout(rest);
    rest = undefined;
    if (ports.visible()) hurry();
    else restLater();
  };
  /** A tab that nobody looks at may be all that is left to send what waits; mostly another is about to. */
  const watchOver = (): void => {
    const found = unsent();
    if (left !== undefined || state.line !== "idle" || found.length === 0) return;
    left = setTimeout(() => {
      left = undefined;
      if (state.line !== "idle") return;
      if (unsent().some(({ id }) => found.some((one) => one.id === id))) hurry();
      else watchOver();
    }, LEFT_AFTER);
  };
  const ends = [
    signals.onNetwork((network) => {
      if (network === "down") line.bounce();
      else hurry();
    }),
    signals.onWake(hurry),
    ports.onVisible(seen),
  ];
  const draft = createStore(readDraft(document));
  ends.push(draft.subscribe(() => writeDraft(document, draft.get())));
  const filing = openFiling({
    document,
    store: ports.store ?? browserMessages,
    name: () => name,
    waiting: () => state.waiting,
    found: (waiting, read) => {
      ready = true;
      const known = waiting === state.waiting && read === state.read;
      advance(known ? { type: "time", now: Date.now() } : { type: "elsewhere", waiting, read });
      watchOver();
    },
    stored: () => {
      if (keeps) return;
      keeps = true;
      state = { ...state };
      for (const listener of listeners) listener();
    },
  });
  // A store that does not answer keeps nobody from talking.
  const patience = setTimeout(() => {
    ready = true;
    advance({ type: "time", now: Date.now() });
  }, PATIENCE);
  seen();

  return {
    state: () => state,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    unread: () => unread(state),
    onArrival: (listener) => {
      arrivals.add(listener);
      return () => arrivals.delete(listener);
    },
    draft,
    keeps: () => keeps,
    say: (text) => {
      clearTimeout(silence);
      told = 0;
      advance({ type: "say", id: nameMessage(ports.person, colour), text, now: Date.now() });
      advance({ type: "read" });
    },
    types,
    again: (id) => advance({ type: "again", id }),
    drop: (id) => advance({ type: "drop", id }),
    older: async () => {
      const first = state.said[0];
      if (first === undefined || (state.past !== "more" && state.past !== "failed")) return;
      advance({ type: "older" });
      try {
        const answer = await fetchPage(`/api/v1/documents/${encodeURIComponent(document)}/chat?before=${first.id}&limit=50`);
        const page = answer.ok ? pageOf(await answer.json()) : null;
        advance(page === null ? { type: "page-failed" } : { type: "page", ...page });
      } catch {
        advance({ type: "page-failed" });
      }
    },
    read: () => advance({ type: "read" }),
    call: (newName, newColour) => {
      colour = newColour;
      if (newName === name) return;
      name = newName;
      advance({ type: "named", name });
      line.bounce();
    },
    hurry,
    settled: filing.settled,
    dispose: () => {
      if (disposed) return;
      disposed = true;
      for (const timer of [alarm, rest, left, silence, patience]) clearTimeout(timer);
      for (const end of ends) end();
      filing.dispose();
      line.dispose();
    },
  };
}

function nameFor(name: string): string {
  return [...name].slice(0, LONGEST_NAME).join("").trim() || "Guest";
}
