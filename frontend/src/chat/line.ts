// The line of a chat: a WebSocket that is opened again for as long as somebody wants it. Text goes in and out; what it
// means is decided elsewhere.
import { FULL_WAIT, LONGEST_WAIT, waitAfter } from "../sync/backoff";
import { BUSY, FINAL, GONE, POLICY } from "../sync/close";
import { PING } from "./protocol";

/** The server says something at least every 9 s. Twice that without a word, and the line is dead. In ms. */
const DEAD_AFTER = 20_000;
/** Quiet for longer than the server ever is: worth a question when somebody comes back to the page. In ms. */
const QUIET = 10_000;
/** How long the answer to that question may take, in ms. */
const ANSWER = 3_000;

export interface ChatLine {
  /** Opens the line, or tries at once if it is down. An open one that was quiet for too long is asked for a word. */
  hurry(): void;
  /** Puts the line down until `hurry` is called. */
  rest(): void;
  /** Ends this socket and opens a new one. */
  bounce(): void;
  /** `false` if there is no line. */
  say(frame: string): boolean;
  dispose(): void;
}

export interface LinePorts {
  /** Asked for each attempt: the name in it may have changed. */
  readonly address: () => string;
  readonly connecting: () => void;
  readonly heard: (frame: unknown) => void;
  readonly closed: (code: number) => void;
  /** The server will not have us again. */
  readonly ended: () => void;
  readonly WebSocket?: typeof WebSocket;
  readonly random?: () => number;
}

export function openLine(ports: LinePorts): ChatLine {
  const Socket = ports.WebSocket ?? WebSocket;
  let socket: WebSocket | null = null;
  let wanted = false;
  let failures = 0;
  let lastHeard = 0;
  let again: ReturnType<typeof setTimeout> | undefined;
  let dead: ReturnType<typeof setTimeout> | undefined;

  const connect = (): void => {
    clearTimeout(again);
    if (socket !== null) return;
    ports.connecting();
    const opened = new Socket(ports.address());
    socket = opened;
    watch(DEAD_AFTER);
    opened.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (socket !== opened) return;
      failures = 0;
      lastHeard = Date.now();
      watch(DEAD_AFTER);
      ports.heard(data);
    };
    opened.onclose = ({ code }) => {
      if (socket === opened) down(code);
    };
  };
  const down = (code: number): void => {
    socket = null;
    lastHeard = 0;
    clearTimeout(dead);
    if (code === GONE || FINAL.has(code)) {
      wanted = false;
      ports.ended();
      return;
    }
    ports.closed(code);
    if (!wanted) return;
    failures += 1;
    again = setTimeout(connect, code === POLICY ? LONGEST_WAIT : BUSY.has(code) ? FULL_WAIT : waitAfter(failures, ports.random));
  };
  /** Waiting for the goodbye of a dead line takes the browser seconds; nobody listens to it any more. */
  const abandon = (): void => {
    const left = socket;
    if (left === null) return;
    socket = null;
    lastHeard = 0;
    clearTimeout(dead);
    left.close(1000);
  };
  const watch = (ms: number): void => {
    clearTimeout(dead);
    dead = setTimeout(() => {
      abandon();
      down(1006);
    }, ms);
  };

  return {
    hurry: () => {
      wanted = true;
      if (socket === null) {
        connect();
      } else if (lastHeard > 0 && Date.now() - lastHeard > QUIET) {
        socket.send(PING);
        watch(ANSWER);
      }
    },
    rest: () => {
      wanted = false;
      clearTimeout(again);
      abandon();
    },
    bounce: () => {
      if (!wanted) return;
      abandon();
      connect();
    },
    say: (frame) => {
      if (socket?.readyState !== Socket.OPEN) return false;
      socket.send(frame);
      return true;
    },
    dispose: () => {
      wanted = false;
      clearTimeout(again);
      abandon();
    },
  };
}
