// Changes that a server on a healthy line does not acknowledge: its disk is full or broken, or something in it is stuck.
// Nothing on the line says so, there is only silence where an answer should be, so the server is asked by plain HTTP.

/** Why nothing is acknowledged: the server says that it cannot store, or nobody knows. */
export type Stall = "not-stored" | "unconfirmed";

export interface StallWatch {
  /** How many changes wait for their acknowledgement on a line that is in step; `null` while there is none. */
  readonly waiting: (count: number | null) => void;
  readonly dispose: () => void;
}

export interface StallPorts {
  /** Whether the server says that it cannot store. `false` also where it does not answer: the line itself finds that out. */
  readonly refusesToStore: () => Promise<boolean>;
  /** Told again at each look, until an acknowledgement comes. */
  readonly stalled: (why: Stall) => void;
}

/** How long nothing is acknowledged before the server is asked, and again before each further question. In ms. */
export const LOOK = 5_000;

/** So many looks without an answer to the question are said too: longer than a dead line takes to be found out. */
const LOOKS = 3;

export function watchStalls(ports: StallPorts): StallWatch {
  let count: number | null = 0;
  /** The silence that the server is being asked about. */
  let asking: number | null = null;
  let over = false;
  let looks = 0;
  /** What the last look found, for as long as the silence lasts. */
  let found: Stall | null = null;
  /** How much of the wait for the next look is left, and since when it runs. Without a line it does not. */
  let left = LOOK;
  let since = 0;
  /** Which silence is being waited out: an answer that comes when it has ended says nothing about the next. */
  let silence = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const pause = (): void => {
    if (timer !== undefined) left -= Date.now() - since;
    clearTimeout(timer);
    timer = undefined;
  };
  const end = (): void => {
    pause();
    left = LOOK;
    looks = 0;
    found = null;
    asking = null;
    silence += 1;
  };
  const wait = (): void => {
    if (timer !== undefined || asking !== null) return;
    since = Date.now();
    timer = setTimeout(() => void look(), Math.max(0, left));
  };
  const look = async (): Promise<void> => {
    const asked = silence;
    timer = undefined;
    left = LOOK;
    looks += 1;
    asking = asked;
    const refuses = await ports.refusesToStore().catch(() => false);
    if (asked === silence) {
      asking = null;
      found = refuses ? "not-stored" : looks >= LOOKS ? "unconfirmed" : null;
      if (found !== null && count !== null) ports.stalled(found);
    }
    // Whoever was told may have ended this watch, or another silence have begun.
    if (!over && count !== null && count > 0) wait();
  };

  return {
    waiting: (now) => {
      // A line that drops has acknowledged nothing. The next begins to count anew, and what is known of this silence holds.
      if (now === null) {
        count = null;
        return pause();
      }
      const back = count === null;
      // Whatever is acknowledged, the server stores.
      if (now === 0 || (count !== null && now < count)) end();
      count = now;
      if (now === 0) return;
      wait();
      if (back) queueMicrotask(() => found !== null && count !== null && ports.stalled(found));
    },
    dispose: () => {
      over = true;
      end();
    },
  };
}
