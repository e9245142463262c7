// The tabs of this browser that have the same document open. They tell each other of every own change, so that all show
// the same and whichever reaches the server first brings everybody's; and of the moment in which all of it is durable, so
// that none goes on counting what the server has. Each counts all: the number is that of this device.
import { applyUpdate, encodeStateAsUpdate, encodeStateVector, type Doc } from "yjs";
import { openChannel, type Channel } from "./channel";

/** What another tab of this browser made of the document. */
export const TABS = Symbol("tabs");

/** What tabs say to each other. `from` is the tab, `seq` how many own changes it has told of. */
type Message =
  | { readonly kind: "hello"; readonly from: string; readonly state: Uint8Array }
  | { readonly kind: "state"; readonly from: string; readonly to: string; readonly seq: number; readonly update: Uint8Array }
  | { readonly kind: "change"; readonly from: string; readonly seq: number; readonly update: Uint8Array }
  | { readonly kind: "durable"; readonly from: string; readonly seen: Readonly<Record<string, number>> };

export interface Tabs {
  /** The document is filled as far as this device can: the others say what is missing. */
  readonly hello: () => void;
  /** An own change was made. */
  readonly changed: (update: Uint8Array) => void;
  /** The server has everything that this tab knows of. */
  readonly durable: () => void;
  readonly dispose: () => void;
}

export interface TabsPorts {
  readonly document: string;
  readonly doc: Doc;
  /** Whether there is anything here to give to a tab that was just opened. */
  readonly filled: () => boolean;
  /** Another tab's person made a change; it is in the document already. */
  readonly onChange: () => void;
  /** Another tab brought what this one was missing. */
  readonly onState: () => void;
  /** Everything that this tab knows of is durable: another one has seen to it. */
  readonly onDurable: () => void;
  /** For tests. */
  readonly open?: (name: string) => Channel;
  readonly id?: string;
}

export function openTabs(ports: TabsPorts): Tabs {
  const { doc } = ports;
  const id = ports.id ?? String(doc.clientID);
  /** How many changes of each tab are in the document, one's own among them. */
  const seen = new Map<string, number>([[id, 0]]);
  const channel = openChannel(`weft:document:${ports.document}`, ports.open);
  const say = (message: Message): void => {
    try {
      channel?.postMessage(message);
    } catch {
      // Closed under us by the browser. The server joins what the tabs cannot.
    }
  };
  const saw = (tab: string, seq: number): void => void seen.set(tab, Math.max(seen.get(tab) ?? 0, seq));

  const hear = (message: Message): void => {
    switch (message.kind) {
      case "hello":
        if (ports.filled()) say({ kind: "state", from: id, to: message.from, seq: seen.get(id) ?? 0, update: encodeStateAsUpdate(doc, message.state) });
        return;
      case "state":
        if (message.to !== id) return;
        saw(message.from, message.seq);
        applyUpdate(doc, message.update, TABS);
        ports.onState();
        return;
      case "change":
        saw(message.from, message.seq);
        applyUpdate(doc, message.update, TABS);
        ports.onChange();
        return;
      case "durable":
        // Not if it speaks of less than is known here: then there is something that it had not heard of.
        if ([...seen].every(([tab, seq]) => (message.seen[tab] ?? 0) >= seq)) ports.onDurable();
    }
  };
  if (channel !== null) {
    channel.onmessage = ({ data }: { readonly data: unknown }) => {
      if (isMessage(data)) hear(data);
    };
  }

  return {
    hello: () => say({ kind: "hello", from: id, state: encodeStateVector(doc) }),
    changed: (update) => {
      const seq = (seen.get(id) ?? 0) + 1;
      seen.set(id, seq);
      say({ kind: "change", from: id, seq, update });
    },
    durable: () => say({ kind: "durable", from: id, seen: Object.fromEntries(seen) }),
    dispose: () => {
      if (channel === null) return;
      channel.onmessage = null;
      channel.close();
    },
  };
}

/** A tab with an older page may say something else. */
function isMessage(value: unknown): value is Message {
  if (typeof value !== "object" || value === null) return false;
  const { kind, from, seq, update, state, seen } = value as Record<string, unknown>;
  if (typeof from !== "string") return false;
  switch (kind) {
    case "hello":
      return state instanceof Uint8Array;
    case "state":
    case "change":
      return typeof seq === "number" && update instanceof Uint8Array;
    case "durable":
      return typeof seen === "object" && seen !== null;
    default:
      return false;
  }
}
