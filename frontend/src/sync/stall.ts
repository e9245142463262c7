// Changes that a server on a healthy line does not acknowledge: its disk is full or broken, or something in it is stuck.
// Nothing on the line says so, there is only silence where an answer should be, so the server is asked by plain HTTP.

/** Why nothing is acknowledged: the server says that it cannot store, or nobody knows. */
export type Stall = "not-stored" | "unconfirmed";

export interface StallWatch {
  /** How many changes wait for their acknowledgement on a line that is in step; 0 on every other. */
  readonly waiting: (count: number) => void;
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
  let count = 0;
  let looks = 0;
  /** Which silence is being waited out: an answer that comes when it has ended says nothing about the next. */
  let silence = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const end = (): void => {
    clearTimeout(timer);
    timer = undefined;
    looks = 0;
    silence += 1;
  };
  const look = async (): Promise<void> => {
    const asked = silence;
    looks += 1;
    const refuses = await ports.refusesToStore().catch(() => false);
    if (asked !== silence) return;
    if (refuses) ports.stalled("not-stored");
    else if (looks >= LOOKS) ports.stalled("unconfirmed");
    // Whoever was told may have ended this watch.
    if (asked === silence) timer = setTimeout(() => void look(), LOOK);
  };

  return {
    waiting: (now) => {
      // Whatever is acknowledged, the server stores.
      if (now === 0 || now < count) end();
      count = now;
      if (now > 0) timer ??= setTimeout(() => void look(), LOOK);
    },
    dispose: end,
  };
}
