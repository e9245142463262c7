// The board's two truths kept in step: the shared document (stored.ts) and what this browser's view shows. Knows neither
// React nor Excalidraw nor a clock; the view comes in through `ViewPort`.
//
// One rule carries the rest. For every shape the binding remembers what both sides last agreed on (agreed.ts): what differs
// from that in the view was changed here, what differs in the document elsewhere. So two people who change different fields
// of one shape both keep their change, and nobody needs to recognise an echo.
// A view that drags counts from where the drag began, and puts every field of a place back to that with each move. So while
// the pointer is down the base of what it moves stays what it was when it went down; what others did meanwhile is shown when
// it comes up. A place that both changed moves by the sum of both (drag.ts).
// What a read mends (element.ts, ties.ts) becomes part of the base and is therefore never written back.
//
// What is read of the document is in reading.ts, what comes of it to the view in incoming.ts, what goes from the view to the
// document in outgoing.ts, and what somebody is in the middle of in under-way.ts. Here is when each of them has its turn.
import { UndoManager, type AbstractType, type Doc, type Transaction, type YEvent } from "yjs";
import type { Base } from "./agreed";
import type { Fields } from "./element";
import { historyOf, type BoardHistory } from "./history";
import { Incoming } from "./incoming";
import { Outgoing, type Including } from "./outgoing";
import { Reading } from "./reading";
import { ELEMENTS } from "./stored";
import { UnderWay, type Unfinished } from "./under-way";
import type { ViewPort } from "./view-port";

/** Changes within this time become one step of undo, in ms. A pointer that comes up ends the step at once. */
const UNDO_PAUSE = 400;

export interface BoardBinding {
  /** To be called after every change of the view. Writes what was changed here, unless it is held back. */
  readonly changed: () => void;
  /** The pointer went down: nothing is written until `release`. A stroke is one write, not one per move. */
  readonly hold: () => void;
  /** The pointer is up and the view has finished with it. Also ends a step of undo. */
  readonly release: () => void;
  readonly unfinished: (shapes: Unfinished) => void;
  /** The writer of a text rests: what is there so far is written. */
  readonly pause: () => void;
  /** Writes everything, also what is held back: the page may be about to go. */
  readonly flush: () => void;
  /** Shapes, and fields of shapes, that were changed here and are not written yet: what others may be shown meanwhile. */
  readonly inHand: () => ReadonlyMap<string, Fields>;
  /** What others have in hand. Shown, never written. */
  readonly showInHand: (shapes: ReadonlyMap<string, Fields>) => void;
  /** Whether anything may be written. What is in hand when it ends is written first; what the view does after that is not. */
  readonly allow: (writing: boolean) => void;
  readonly history: BoardHistory;
  readonly dispose: () => void;
}

export function bindBoard(ports: {
  readonly doc: Doc;
  readonly view: ViewPort;
  /** For tests, which repeat themselves. */
  readonly nonce?: () => number;
}): BoardBinding {
  const { doc, view } = ports;
  const nonce = ports.nonce ?? (() => Math.floor(Math.random() * 2 ** 31));
  const elements = doc.getMap<unknown>(ELEMENTS);
  const bases = new Map<string, Base>();
  const underWay = new UnderWay();
  const reading = new Reading(elements, view);
  const incoming = new Incoming({ view, reading, bases, underWay, nonce });
  const outgoing = new Outgoing({ doc, elements, view, reading, bases, underWay });
  const steps = new UndoManager(elements, { trackedOrigins: new Set([outgoing.step]), captureTimeout: UNDO_PAUSE });
  let writable = true;
  const onAllowed = new Set<() => void>();

  const onEvents = (events: readonly YEvent<AbstractType<unknown>>[], { origin }: Transaction): void => {
    // Shapes that are not alive yet; the transaction behind it brings them, and names them again.
    if (origin === outgoing.setting) return;
    const touched = touchedBy(events);
    if (origin !== outgoing.step) underWay.othersWrote(touched);
    incoming.take(touched.keys());
  };
  elements.observeDeep(onEvents);
  incoming.take(elements.keys());

  const write = (including: Including): void => {
    if (writable) outgoing.write(including);
  };
  const writeAll = (): void => write({ text: true, line: true });
  /** What is held back stays so, and what the view does while it is shown something is nobody's change. */
  const writeIfFree = (including: Including = { text: false, line: false }): void => {
    if (!underWay.held && !incoming.showing) write(including);
  };

  return {
    changed: () => writeIfFree(),
    hold: () => underWay.hold(),
    release: () => {
      underWay.held = false;
      writeIfFree();
      incoming.take(underWay.letGo());
      steps.stopCapturing();
    },
    unfinished: (shapes) => {
      const { text, line } = underWay.unfinished;
      underWay.unfinished = shapes;
      if (text === shapes.text && line === shapes.line) return;
      writeIfFree();
      steps.stopCapturing();
      incoming.take(underWay.catchUp());
      // What others have in hand of it would be taken for what both know.
      if (shapes.text !== undefined && reading.isInOthersHand(shapes.text)) incoming.take([shapes.text]);
    },
    pause: () => writeIfFree({ text: true, line: false }),
    flush: writeAll,
    inHand: () => outgoing.inHand(),
    showInHand: (shapes) => incoming.take(reading.takeInHand(shapes)),
    allow: (writing) => {
      if (writing === writable) return;
      if (!writing) writeAll();
      writable = writing;
      writeIfFree();
      for (const listener of onAllowed) listener();
    },
    history: historyOf(steps, {
      writable: () => writable,
      allowed: onAllowed,
      settle: () => {
        underWay.held = false;
        writeAll();
        incoming.take(underWay.letGo());
      },
    }),
    dispose: () => {
      writeAll();
      elements.unobserveDeep(onEvents);
      steps.destroy();
    },
  };
}

/** The shapes that were written, each with those of its fields that were; none for one that came or went as a whole. */
function touchedBy(events: readonly YEvent<AbstractType<unknown>>[]): ReadonlyMap<string, ReadonlySet<string>> {
  const touched = new Map<string, Set<string>>();
  const touch = (id: string, fields: Iterable<string>): void => void touched.set(id, new Set([...(touched.get(id) ?? []), ...fields]));
  for (const event of events) {
    const [id] = event.path;
    if (typeof id === "string") touch(id, event.keys.keys());
    else for (const key of event.keys.keys()) touch(key, []);
  }
  return touched;
}
